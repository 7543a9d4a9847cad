//! Where the frames of a private network go: written down from what the control plane knows, so that nothing is learned
//! from frames and no unknown address is searched for at every host.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{
    mac::Mac,
    network::{MemberPlace, NetworkMember},
};
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
    },
};

use crate::network::{NetworkError, dump::dump, links::Links};

/// Stands for whoever has no entry: such frames go to every peer.
const EVERYBODY: Mac = Mac([0; 6]);

/// One line of what is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// Frames to `mac` leave for the host with that underlay address.
    Overlay {
        /// An adapter's, or zero for frames to everybody.
        mac: Mac,
        /// The host's.
        host: Ipv4Addr,
    },
    /// Frames to this adapter leave by the VXLAN device.
    Away(Mac),
    /// This adapter has the address: who asks by ARP is answered by the bridge.
    Neighbour(Ipv4Addr, Mac),
}

/// All that is to be written down for a network. Pure.
#[must_use]
pub fn wanted(peers: &[Ipv4Addr], members: &[NetworkMember]) -> BTreeSet<Entry> {
    let mut wanted: BTreeSet<Entry> = peers.iter().map(|host| Entry::Overlay { mac: EVERYBODY, host: *host }).collect();
    for member in members {
        if let MemberPlace::Behind(std::net::IpAddr::V4(host)) = member.at {
            wanted.extend([Entry::Overlay { mac: member.mac, host }, Entry::Away(member.mac)]);
        }
        let addresses = member.addresses.iter().filter_map(|address| match address {
            std::net::IpAddr::V4(address) => Some(*address),
            std::net::IpAddr::V6(_) => None,
        });
        wanted.extend(addresses.map(|address| Entry::Neighbour(address, member.mac)));
    }
    wanted
}

/// The interfaces that entries are written at.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The network's bridge.
    pub bridge: u32,
    /// Its VXLAN device, a port of the bridge.
    pub device: u32,
}

/// All that is written down at these interfaces.
///
/// # Errors
/// When the kernel gives no whole list: then nobody knows.
pub async fn list(at: At) -> Result<BTreeSet<Entry>, NetworkError> {
    let mut found = BTreeSet::new();
    for family in [AddressFamily::Bridge, AddressFamily::Inet] {
        let mut question = NeighbourMessage::default();
        question.header.family = family;
        let entry = |answer: &RouteNetlinkMessage| match answer {
            RouteNetlinkMessage::NewNeighbour(neighbour) => read(neighbour, at),
            _ => None,
        };
        found.extend(dump("list where frames go", RouteNetlinkMessage::GetNeighbour(question), None, entry).await?);
    }
    Ok(found)
}

/// Writes down what is wanted, and takes away what is not. What stays is not touched.
///
/// # Errors
/// When the kernel refuses.
pub async fn bring_about(links: &Links, at: At, wanted: &BTreeSet<Entry>) -> Result<(), NetworkError> {
    const DOING: &str = "write down where frames go";
    let there = list(at).await?;
    for entry in wanted.difference(&there) {
        let more = if matches!(entry, Entry::Overlay { mac: EVERYBODY, .. }) { NLM_F_APPEND } else { NLM_F_REPLACE };
        links.ask(DOING, RouteNetlinkMessage::NewNeighbour(write(*entry, at)), NLM_F_CREATE | more).await?;
    }
    for entry in there.difference(wanted) {
        match links.ask(DOING, RouteNetlinkMessage::DelNeighbour(write(*entry, at)), 0).await {
            // A new line about the same adapter took its place.
            Err(error) if error.is(Errno::ENOENT) => {}
            done => done?,
        }
    }
    Ok(())
}

fn write(entry: Entry, at: At) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    let mut set = |family, index, state, flags| {
        message.header.family = family;
        message.header.ifindex = index;
        message.header.state = state;
        message.header.flags = flags;
    };
    let lladdr = |mac: Mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec());
    let destination = |address| NeighbourAttribute::Destination(NeighbourAddress::Inet(address));
    match entry {
        Entry::Overlay { mac, host } => {
            set(AddressFamily::Bridge, at.device, NeighbourState::Permanent, NeighbourFlags::Own);
            message.attributes = vec![lladdr(mac), destination(host)];
        }
        Entry::Away(mac) => {
            set(AddressFamily::Bridge, at.device, NeighbourState::Noarp, NeighbourFlags::Controller);
            message.attributes = vec![lladdr(mac)];
        }
        Entry::Neighbour(address, mac) => {
            set(AddressFamily::Inet, at.bridge, NeighbourState::Permanent, NeighbourFlags::empty());
            message.attributes = vec![destination(address), lladdr(mac)];
        }
    }
    message
}

fn read(message: &NeighbourMessage, at: At) -> Option<Entry> {
    let header = &message.header;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => bytes.as_slice().try_into().ok().map(Mac),
        _ => None,
    });
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(*address),
        NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
            <[u8; 4]>::try_from(bytes.as_slice()).ok().map(Ipv4Addr::from)
        }
        _ => None,
    });
    let is_of_bridge = message.attributes.iter().any(|a| matches!(a, NeighbourAttribute::Controller(_)));
    match header.family {
        AddressFamily::Bridge if header.ifindex == at.device && is_of_bridge => {
            // The device's own address is a line of the kernel's.
            (header.state != NeighbourState::Permanent).then_some(Entry::Away(mac?))
        }
        AddressFamily::Bridge if header.ifindex == at.device => Some(Entry::Overlay { mac: mac?, host: address? }),
        AddressFamily::Inet if header.ifindex == at.bridge && header.state == NeighbourState::Permanent => {
            Some(Entry::Neighbour(address?, mac?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { bridge: 7, device: 8 };

    #[test]
    fn members_elsewhere_are_found_behind_their_host_and_nobody_is_searched_for() {
        let host = Ipv4Addr::new(192, 0, 2, 12);
        let member = |last: u8, at| NetworkMember {
            mac: Mac([0x0a, 0xc5, 0, 0, 0, last]),
            addresses: vec![[10, 64, 0, last].into()],
            at,
        };
        let members = [member(1, MemberPlace::Here), member(2, MemberPlace::Behind(host.into()))];
        let [one, two] = members.each_ref().map(|member| member.mac);
        let lines = [
            Entry::Overlay { mac: EVERYBODY, host },
            Entry::Overlay { mac: two, host },
            Entry::Away(two),
            Entry::Neighbour([10, 64, 0, 1].into(), one),
            Entry::Neighbour([10, 64, 0, 2].into(), two),
        ];
        assert_eq!(wanted(&[host], &members), lines.into());
    }

    #[test]
    fn a_line_is_read_as_it_is_written_and_others_are_left() {
        let (mac, host) = (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 0, 2, 12));
        for entry in [Entry::Overlay { mac, host }, Entry::Neighbour(host, mac)] {
            let mut message = write(entry, AT);
            assert_eq!(read(&message, AT), Some(entry));
            message.header.ifindex = 9;
            assert_eq!(read(&message, AT), None);
        }
        let mut away = write(Entry::Away(mac), AT);
        away.attributes.push(NeighbourAttribute::Controller(AT.bridge));
        assert_eq!(read(&away, AT), Some(Entry::Away(mac)));
        away.header.state = NeighbourState::Permanent;
        assert_eq!(read(&away, AT), None, "the kernel's own");
    }
}
