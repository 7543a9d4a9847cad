//! Whether this host has what private networks need: one judgement for what is made, for what the control plane is told, and
//! for `csp-agent check`.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use csp_shared::network::HostNetworks;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage, AddressScope},
};

use super::{
    name::{self, VLAN_ALIAS, VLAN_BRIDGE},
    vxlan::Underlay,
};
use crate::network::{
    NetworkError,
    dump::dump,
    links::{Link, Links},
};

/// What this host can do for private networks, and why not more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// As the control plane is told.
    pub can: HostNetworks,
    /// What stands in the way of what the configuration speaks of, for people.
    pub lacks: Vec<String>,
}

/// The host's interfaces and addresses, as one look shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// All interfaces.
    pub links: Arc<[Link]>,
    /// Addresses that others can reach, each with the number of its interface.
    pub addresses: BTreeSet<(u32, IpAddr)>,
}

impl Found {
    /// Looks.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn look(links: &Links) -> Result<Self, NetworkError> {
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let addresses = dump("list the addresses", question, None, read).await?.into_iter().collect();
        Ok(Self { links: links.list().await?, addresses })
    }

    fn find(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The interface that VXLANs travel on.
    ///
    /// # Errors
    /// When it is not there, or has another address than others send to.
    pub fn underlay(&self, underlay: &Underlay) -> Result<&Link, NetworkError> {
        let Underlay { interface, address } = underlay;
        let link = self.find(interface).ok_or_else(|| NetworkError::NoUnderlay(interface.clone()))?;
        if self.addresses.contains(&(link.index, IpAddr::V4(*address))) {
            Ok(link)
        } else {
            Err(NetworkError::NoUnderlayAddress { name: interface.clone(), address: *address })
        }
    }

    /// The interface that VLANs leave by. It is csp's own already, or nobody's.
    ///
    /// # Errors
    /// When it is not there, or in use: a host that speaks on it without a tag would be cut off by making it a port.
    pub fn trunk(&self, name: &str) -> Result<&Link, NetworkError> {
        let link = self.find(name).ok_or_else(|| NetworkError::NoTrunk(name.to_owned()))?;
        let own = name::find(&self.links, VLAN_BRIDGE, VLAN_ALIAS).map(|bridge| bridge.index);
        let is_used = match link.controller {
            None => self.addresses.iter().any(|(index, _)| *index == link.index),
            controller => controller != own,
        };
        if is_used { Err(NetworkError::UsedTrunk(name.to_owned())) } else { Ok(link) }
    }
}

fn read(answer: &RouteNetlinkMessage) -> Option<(u32, IpAddr)> {
    let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
    let of = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    let local = of(|attribute| if let AddressAttribute::Local(address) = attribute { Some(*address) } else { None });
    let other = of(|attribute| if let AddressAttribute::Address(address) = attribute { Some(*address) } else { None });
    let is_for_others = message.header.scope != AddressScope::Link;
    is_for_others.then_some((message.header.index, local.or(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(links: &[(u32, &str, Option<u32>)], addresses: &[(u32, [u8; 4])]) -> Found {
        let link = |(index, name, controller): &(u32, &str, Option<u32>)| Link {
            index: *index,
            name: (*name).to_owned(),
            controller: *controller,
            ..Link::default()
        };
        let addresses = addresses.iter().map(|(index, address)| (*index, IpAddr::from(*address)));
        Found { links: links.iter().map(link).collect(), addresses: addresses.collect() }
    }

    #[test]
    fn an_underlay_is_one_with_the_address_that_others_send_to() {
        let wanted = Underlay { interface: "under".to_owned(), address: [192, 0, 2, 11].into() };
        let links = [(1, "under", None), (2, "other", None)];
        assert!(found(&links, &[(1, [192, 0, 2, 11])]).underlay(&wanted).is_ok());
        let elsewhere = found(&links, &[(2, [192, 0, 2, 11]), (1, [192, 0, 2, 12])]);
        assert!(elsewhere.underlay(&wanted).unwrap_err().to_string().contains("under has no address 192.0.2.11"));
        let gone = found(&links[1..], &[(2, [192, 0, 2, 11])]).underlay(&wanted).unwrap_err().to_string();
        assert!(gone.contains("underlay_interface"), "{gone}");
    }

    #[test]
    fn a_trunk_is_nobodys_or_csps_already() {
        let bridge = (3, VLAN_BRIDGE, None);
        assert!(found(&[(1, "trunk", None)], &[(2, [192, 0, 2, 1])]).trunk("trunk").is_ok());
        assert!(found(&[(1, "trunk", Some(3)), bridge], &[]).trunk("trunk").is_ok());
        for (case, found) in [
            ("not there", found(&[(1, "eth9", None)], &[])),
            ("a port of another bridge", found(&[(1, "trunk", Some(9)), bridge], &[])),
            ("a port, and csp has no bridge", found(&[(1, "trunk", Some(9))], &[])),
            ("the host speaks on it", found(&[(1, "trunk", None)], &[(1, [192, 0, 2, 1])])),
        ] {
            let why = found.trunk("trunk").map(|_| ()).unwrap_err().to_string();
            assert!(why.contains("network.trunk_interface"), "{case}: {why}");
        }
    }
}
