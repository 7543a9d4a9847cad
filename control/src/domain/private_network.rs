//! What each host is told of a private network: one object for each host with a member, made from all members.
//!
//! Everything is named whole, so the same members always give the same objects, and an object that did not change gets no
//! newer version. A host without a member gets none: what it had before is taken away.

use std::{collections::BTreeMap, net::IpAddr};

use csp_shared::{
    id::HostId,
    mac::Mac,
    network::{HostNetworks, MemberPlace, NetworkMember, Segment, VlanTag, Vni},
};

use super::segment::SegmentKind;

/// A segment that a network was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// How it is carried.
    pub kind: SegmentKind,
    /// Under which number.
    pub number: u32,
    /// Longest IP packet in it, in bytes.
    pub mtu: u16,
}

/// An adapter in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// On which host.
    pub host: HostId,
    /// Its own address there.
    pub mac: Mac,
    /// What its guest may use.
    pub address: IpAddr,
}

/// What a host is told of a network, but for the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// How its frames are kept apart.
    pub segment: Segment,
    /// Longest IP packet, in bytes.
    pub mtu: u16,
    /// Every adapter in it, by MAC.
    pub members: Vec<NetworkMember>,
}

/// Whether a host can be a part of a network that is carried so.
#[must_use]
pub fn can_carry(kind: SegmentKind, host: &HostNetworks) -> bool {
    match kind {
        SegmentKind::Vlan => host.vlan,
        SegmentKind::Vxlan => host.underlay.is_some(),
    }
}

/// The object of every host with a member. `underlays` are the hosts' addresses as each told last: behind a host that
/// told none nobody is reached, and its members are left out of the others' lists until it does.
///
/// None for a number that no such segment can have.
#[must_use]
pub fn objects(
    carrier: Carrier,
    members: &[Member],
    underlays: &BTreeMap<HostId, IpAddr>,
) -> Option<BTreeMap<HostId, Object>> {
    let mut members = members.to_vec();
    members.sort_by_key(|member| member.mac);
    let hosts: std::collections::BTreeSet<HostId> = members.iter().map(|member| member.host).collect();
    hosts.iter().map(|host| Some((*host, object(*host, carrier, &members, underlays)?))).collect()
}

fn object(own: HostId, carrier: Carrier, members: &[Member], underlays: &BTreeMap<HostId, IpAddr>) -> Option<Object> {
    let place = |host: HostId| match carrier.kind {
        _ if host == own => Some(MemberPlace::Here),
        SegmentKind::Vlan => Some(MemberPlace::Elsewhere),
        SegmentKind::Vxlan => underlays.get(&host).map(|underlay| MemberPlace::Behind(*underlay)),
    };
    let told = members.iter().filter_map(|member| {
        Some(NetworkMember { mac: member.mac, addresses: vec![member.address], at: place(member.host)? })
    });
    let told: Vec<NetworkMember> = told.collect();
    let segment = match carrier.kind {
        SegmentKind::Vlan => {
            Segment::Vlan { tag: u16::try_from(carrier.number).ok().and_then(|tag| VlanTag::try_from(tag).ok())? }
        }
        SegmentKind::Vxlan => {
            let mut peers: Vec<IpAddr> = told.iter().filter_map(|member| behind(member.at)).collect();
            peers.sort_unstable();
            peers.dedup();
            Segment::Vxlan { vni: Vni::try_from(carrier.number).ok()?, peers }
        }
    };
    Some(Object { segment, mtu: carrier.mtu, members: told })
}

fn behind(place: MemberPlace) -> Option<IpAddr> {
    match place {
        MemberPlace::Behind(underlay) => Some(underlay),
        MemberPlace::Here | MemberPlace::Elsewhere => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn host(number: u128) -> HostId {
        HostId(Uuid::from_u128(number))
    }

    fn underlay(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    fn member(on: u128, last: u8) -> Member {
        Member { host: host(on), mac: Mac([0x0a, 0xc5, 0, 0, 0, last]), address: [10, 64, 0, last].into() }
    }

    const VXLAN: Carrier = Carrier { kind: SegmentKind::Vxlan, number: 4096, mtu: 1450 };
    const VLAN: Carrier = Carrier { kind: SegmentKind::Vlan, number: 100, mtu: 1500 };

    #[test]
    fn each_host_is_told_of_all_members_and_of_the_other_hosts() {
        let members = [member(2, 9), member(1, 1), member(1, 2)];
        let underlays = [(host(1), underlay(1)), (host(2), underlay(2)), (host(3), underlay(3))].into();
        let told = objects(VXLAN, &members, &underlays).unwrap();
        assert_eq!(
            told.keys().copied().collect::<Vec<_>>(),
            [host(1), host(2)],
            "a host without a member is told nothing"
        );
        let at = |on: u128| told[&host(on)].members.iter().map(|m| (m.mac.0[5], m.at)).collect::<Vec<_>>();
        let (one, two) = (MemberPlace::Behind(underlay(1)), MemberPlace::Behind(underlay(2)));
        assert_eq!(at(1), [(1, MemberPlace::Here), (2, MemberPlace::Here), (9, two)]);
        assert_eq!(at(2), [(1, one), (2, one), (9, MemberPlace::Here)]);
        let peers = |on: u128| match &told[&host(on)].segment {
            Segment::Vxlan { peers, .. } => peers.clone(),
            Segment::Vlan { .. } => panic!("it is carried by VXLAN"),
        };
        assert_eq!((peers(1), peers(2)), (vec![underlay(2)], vec![underlay(1)]));
    }

    #[test]
    fn switches_find_members_by_themselves_and_a_host_that_tells_no_underlay_is_reached_by_nobody() {
        let members = [member(1, 1), member(2, 2)];
        let told = objects(VLAN, &members, &BTreeMap::new()).unwrap();
        assert_eq!(told[&host(1)].segment, Segment::Vlan { tag: 100.try_into().unwrap() });
        assert_eq!(told[&host(1)].members[1].at, MemberPlace::Elsewhere);
        let told = objects(VXLAN, &members, &[(host(1), underlay(1))].into()).unwrap();
        assert_eq!(told[&host(1)].members.len(), 1, "not where it might be sent to anybody");
        assert_eq!(told[&host(2)].members.len(), 2);
        assert_eq!(objects(Carrier { number: 4095, ..VLAN }, &members, &BTreeMap::new()), None);
    }

    proptest! {
        /// Members that come in another order are the same members.
        #[test]
        fn the_same_members_give_the_same_objects(on in proptest::collection::vec(1u128..5, 0..20), turn in 0usize..20) {
            let mut members: Vec<Member> = on.iter().zip(1u8..).map(|(on, last)| member(*on, last)).collect();
            let underlays = (1u8..4).map(|n| (host(n.into()), underlay(n))).collect();
            let before = objects(VXLAN, &members, &underlays);
            let turn = if members.is_empty() { 0 } else { turn % members.len() };
            members.rotate_left(turn);
            prop_assert_eq!(before, objects(VXLAN, &members, &underlays));
        }
    }
}
