//! Asks the segment whether somebody uses an address, before a server does for the first time (RFC 5227).
//!
//! The books of the control plane say whom an address belongs to; the cable says who uses it. What is looked at is the
//! bridge itself: answers of other guests on this host do not get there, so nobody on it can claim every address that
//! is asked for. Those are known from their filters.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use csp_shared::mac::Mac;
use tokio::time::{Instant, timeout_at};

use super::{
    NetworkError,
    links::Link,
    packet_socket::{Instruction, Opening, PacketSocket, bpf},
};

/// The bridge has long been forwarding, so there is no port to wait for as RFC 5227 does: seconds would be added to every
/// order.
const ROUNDS: u32 = 3;
const ROUND: Duration = Duration::from_millis(250);
/// How long an answer to the last question may take.
const LAST: Duration = Duration::from_millis(500);
const BROADCAST: [u8; 6] = [0xff; 6];
const ETHER_ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet, IPv4, and the lengths of their addresses.
const ARP_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const FRAME_BYTES_MIN: usize = 60;

/// Somebody uses an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which address.
    pub address: Ipv4Addr,
    /// Who says so.
    pub mac: Mac,
}

/// Asks for `addresses` on a bridge, for a second. Gives the first answer.
///
/// # Errors
/// When the bridge takes no frames: then nobody knows.
pub async fn probe(bridge: &Link, addresses: &BTreeSet<Ipv4Addr>) -> Result<Option<Claim>, NetworkError> {
    let failed = |source| NetworkError::Packets { name: bridge.name.clone(), source };
    let Some(own) = bridge.mac else { return Err(NetworkError::NotBridge(bridge.name.clone())) };
    let filter = arp_alone();
    let opening = Opening { name: &bridge.name, index: bridge.index, filter: &filter, mark: 0 };
    let socket = PacketSocket::open(&opening)?;
    for round in 1..=ROUNDS {
        for address in addresses {
            socket.send(&question(own, *address)).map_err(failed)?;
        }
        let end = Instant::now() + if round == ROUNDS { LAST } else { ROUND };
        let others = |claim: &Claim| addresses.contains(&claim.address) && claim.mac != own;
        while let Ok(read) = timeout_at(end, socket.receive(|frame| claim(frame).filter(others))).await {
            if let Some(claim) = read.map_err(failed)? {
                return Ok(Some(claim));
            }
        }
    }
    Ok(None)
}

fn arp_alone() -> [Instruction; 4] {
    [bpf::load_u16(12), bpf::expect(u16::from_be_bytes(ETHER_ARP).into(), 1), bpf::take(), bpf::leave()]
}

/// An ARP probe: it names no sender's address, so that nobody learns anything from it.
fn question(own: Mac, address: Ipv4Addr) -> Vec<u8> {
    request(own, Ipv4Addr::UNSPECIFIED, address)
}

/// An ARP request to everybody: who has `wanted`? It says that `sender` is at `own`.
pub(super) fn request(own: Mac, sender: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame =
        [&BROADCAST[..], &own.0, &ETHER_ARP, &ARP_IPV4, &REQUEST, &own.0, &sender.octets(), &[0; 6]].concat();
    frame.extend(wanted.octets());
    frame.resize(FRAME_BYTES_MIN, 0);
    frame
}

/// Who says in a frame that an address is theirs: whatever ARP says, its sender has the sender's address.
fn claim(frame: &[u8]) -> Option<Claim> {
    let (ethernet, arp) = frame.split_at_checked(14)?;
    let (kinds, arp) = arp.split_at_checked(8)?;
    let (mac, arp) = arp.split_first_chunk()?;
    let (address, _) = arp.split_first_chunk::<4>()?;
    let is_arp = ethernet.ends_with(&ETHER_ARP) && kinds.starts_with(&ARP_IPV4);
    is_arp.then_some(Claim { address: Ipv4Addr::from(*address), mac: Mac(*mac) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

    #[test]
    fn a_question_claims_nothing() {
        let frame = question(OWN, ADDRESS);
        assert_eq!(claim(&frame), Some(Claim { address: Ipv4Addr::UNSPECIFIED, mac: OWN }));
        assert_eq!(frame.len(), FRAME_BYTES_MIN);
        assert_eq!(frame[38..42], ADDRESS.octets());
    }

    #[test]
    fn an_announcement_claims_what_it_asks_for() {
        let frame = request(OWN, ADDRESS, ADDRESS);
        assert_eq!(claim(&frame), Some(Claim { address: ADDRESS, mac: OWN }));
        assert_eq!((&frame[..6], &frame[38..42]), (&BROADCAST[..], &ADDRESS.octets()[..]));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_read_or_left(frame in prop::collection::vec(any::<u8>(), 0..80)) {
            let is_whole = frame.len() >= 32 && frame[12..14] == ETHER_ARP && frame[14..20] == ARP_IPV4;
            prop_assert_eq!(claim(&frame).is_some(), is_whole);
        }

        #[test]
        fn the_sender_of_an_answer_is_who_claims(mac: [u8; 6], address: [u8; 4], cut in 0usize..32) {
            let mut frame = question(OWN, ADDRESS);
            frame[21] = 2;
            frame[22..28].copy_from_slice(&mac);
            frame[28..32].copy_from_slice(&address);
            prop_assert_eq!(claim(&frame), Some(Claim { address: address.into(), mac: Mac(mac) }));
            prop_assert_eq!(claim(&frame[..cut]), None);
        }
    }
}
