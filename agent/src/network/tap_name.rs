//! What a tap is called, and how it is known to be ours.
//!
//! The name is computed from the server and the guest's MAC, so that a crash never leaves a tap that nobody can name.
//! That a tap carries the name is not enough to touch it: it must also carry the mark, in its alias.

use std::fmt;

use csp_shared::{
    id::{NetworkId, ServerId},
    mac::Mac,
    sha256::Sha256,
};

/// Begins the name of every tap. The guard of the host's own addresses matches it, so no other interface of csp's may
/// begin like this.
pub const PREFIX: &str = "cspt";
/// Characters after the prefix: 15 are the kernel's bound (IFNAMSIZ less the final zero). 55 bits.
const DIGITS: usize = 11;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// An interface's name that begins with `prefix`, of at most four characters, and goes on with what follows from `input`.
#[must_use]
pub fn name_of(prefix: &str, input: &[u8]) -> String {
    let Sha256([a, b, c, d, e, f, g, h, ..]) = Sha256::of(input);
    let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let digits = (0..DIGITS).filter_map(|digit| {
        let index = (bits >> (digit * 5)) & 31;
        ALPHABET.get(usize::try_from(index).ok()?).copied().map(char::from)
    });
    prefix.chars().chain(digits).collect()
}

/// Name of a tap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TapName(String);

impl TapName {
    /// The tap of one adapter of one server.
    #[must_use]
    pub fn of(server: ServerId, mac: Mac) -> Self {
        let mut input = server.0.as_bytes().to_vec();
        input.extend(mac.0);
        Self(name_of(PREFIX, &input))
    }

    /// As the kernel takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose tap it is; stands in the interface's alias.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TapMark {
    /// The server.
    pub server: ServerId,
    /// The guest's address on it.
    pub mac: Mac,
    /// The private network that it is plugged into; none for the public one.
    pub network: Option<NetworkId>,
}

impl fmt::Display for TapMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "csp server={} mac={}", self.server, self.mac)?;
        self.network.map_or(Ok(()), |network| write!(f, " network={network}"))
    }
}

impl TapMark {
    /// Reads an alias; nothing when it is no mark of ours.
    #[must_use]
    pub fn parse(alias: &str) -> Option<Self> {
        let (server, cable) = alias.strip_prefix("csp server=")?.split_once(" mac=")?;
        let (mac, network) = match cable.split_once(" network=") {
            Some((mac, network)) => (mac, Some(network.parse().ok()?)),
            None => (cable, None),
        };
        Some(Self { server: server.parse().ok()?, mac: mac.parse().ok()?, network })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));

    #[test]
    fn a_name_never_changes_between_builds() {
        // Taps outlive the agent: another scheme would leave the old ones behind.
        assert_eq!(TapName::of(SERVER, Mac::for_guest([1, 2, 3, 4])).as_str(), "csptncycixkfzog");
    }

    proptest! {
        #[test]
        fn a_name_fits_and_is_its_own(server in any::<u128>(), a in any::<[u8; 4]>(), b in any::<[u8; 4]>()) {
            let server = ServerId(Uuid::from_u128(server));
            let (one, other) = (TapName::of(server, Mac::for_guest(a)), TapName::of(server, Mac::for_guest(b)));
            prop_assert_eq!(one.as_str().len(), 15);
            prop_assert_eq!(one == other, a == b);
        }

        #[test]
        fn a_mark_is_read_as_it_is_written(
            server in any::<u128>(),
            mac in any::<[u8; 4]>(),
            network in any::<Option<u128>>(),
        ) {
            let network = network.map(|network| NetworkId(Uuid::from_u128(network)));
            let mark = TapMark { server: ServerId(Uuid::from_u128(server)), mac: Mac::for_guest(mac), network };
            prop_assert_eq!(TapMark::parse(&mark.to_string()), Some(mark));
        }

        #[test]
        fn other_aliases_are_no_marks(alias in ".*") {
            prop_assert_eq!(TapMark::parse(&alias), None);
        }
    }
}
