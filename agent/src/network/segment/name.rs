//! What is made for a private network on a host is called so, and known by its alias.

use std::fmt;

use csp_shared::{id::NetworkId, mac::Mac, sha256::Sha256};

use crate::network::{links::Link, tap_name::name_of};

/// Begins the name of a network's bridge.
pub const BRIDGE_PREFIX: &str = "cspb";
/// Begins the name of a network's VXLAN device.
pub const DEVICE_PREFIX: &str = "cspx";
/// The one bridge of all VLANs.
pub const VLAN_BRIDGE: &str = "cspvlan";
/// One that is tried, and gone at once.
pub const TRIAL_BRIDGE: &str = "cspvtrial";
/// The alias of the bridge of all VLANs.
pub const VLAN_ALIAS: &str = "csp vlans";

/// Whose an interface is; stands in its alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkMark(pub NetworkId);

impl fmt::Display for NetworkMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "csp network={}", self.0)
    }
}

impl NetworkMark {
    /// Reads an alias; nothing when it is no mark of ours.
    #[must_use]
    pub fn parse(alias: &str) -> Option<Self> {
        Some(Self(alias.strip_prefix("csp network=")?.parse().ok()?))
    }
}

/// The name of a network's bridge.
#[must_use]
pub fn bridge(network: NetworkId) -> String {
    name_of(BRIDGE_PREFIX, network.0.as_bytes())
}

/// The name of a network's VXLAN device.
#[must_use]
pub fn device(network: NetworkId) -> String {
    name_of(DEVICE_PREFIX, network.0.as_bytes())
}

/// The address of a network's bridge, which would otherwise change with its ports. Locally administered.
#[must_use]
pub fn bridge_mac(network: NetworkId) -> Mac {
    let Sha256([a, b, c, d, e, ..]) = Sha256::of(network.0.as_bytes());
    Mac([0x02, a, b, c, d, e])
}

/// Finds an interface of ours by its name. One that lost its alias is ours all the same; with another alias it is not.
#[must_use]
pub fn find<'a>(links: &'a [Link], name: &str, alias: &str) -> Option<&'a Link> {
    links.iter().find(|link| link.name == name && (link.alias.is_empty() || link.alias == alias))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::network::{gate, tap_name};

    proptest! {
        #[test]
        fn a_mark_is_read_as_it_is_written(network in any::<u128>()) {
            let mark = NetworkMark(NetworkId(Uuid::from_u128(network)));
            prop_assert_eq!(NetworkMark::parse(&mark.to_string()), Some(mark));
            prop_assert_eq!(tap_name::TapMark::parse(&mark.to_string()), None);
        }

        #[test]
        fn other_aliases_are_no_marks(alias in ".*") {
            prop_assert_eq!(NetworkMark::parse(&alias), None);
        }

        #[test]
        fn names_fit_and_begin_like_nothing_else(network in any::<u128>()) {
            let network = NetworkId(Uuid::from_u128(network));
            for name in [bridge(network), device(network)] {
                prop_assert_eq!(name.len(), 15);
                prop_assert!(!name.starts_with(tap_name::PREFIX) && !name.starts_with(gate::PREFIX));
            }
            prop_assert_eq!(bridge_mac(network).0[0] & 3, 2, "one address, locally administered");
        }
    }
}
