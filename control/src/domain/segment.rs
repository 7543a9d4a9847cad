//! Which segment and which subnet a private network gets.
//!
//! A location carries all its private networks in one way, each under a number of its own: a tag of 802.1Q, or a network
//! identifier of VXLAN. Subnets come from ranges that all locations share, so none is ever two networks' at a time.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::network::{VlanTag, Vni};
use ipnet::Ipv4Net;

/// How frames of private networks are kept apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SegmentKind {
    /// By tags on the hosts' trunks.
    Vlan,
    /// By VXLAN over the hosts' underlay.
    Vxlan,
}

impl SegmentKind {
    /// Both; the store's check constraint lists the same.
    pub const ALL: [Self; 2] = [Self::Vlan, Self::Vxlan];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::Vxlan => "vxlan",
        }
    }

    /// Reads what [`SegmentKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn number_max(self) -> u32 {
        match self {
            Self::Vlan => VlanTag::MAX.into(),
            Self::Vxlan => Vni::MAX,
        }
    }

    /// Longest IP packet on an underlay of 1500 bytes: VXLAN puts 50 bytes in front of a frame.
    #[must_use]
    pub fn usual_mtu(self) -> u16 {
        match self {
            Self::Vlan => 1500,
            Self::Vxlan => 1450,
        }
    }
}

/// How a location carries private networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// In which way.
    pub kind: SegmentKind,
    /// Lowest number that a network may get.
    pub first: u32,
    /// Highest one.
    pub last: u32,
    /// Numbers between them that no network gets.
    pub reserved: BTreeSet<u32>,
    /// Longest IP packet that guests may send in one, in bytes.
    pub mtu: u16,
}

/// Why a location's segments cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSegments {
    /// First and last.
    #[error(
        "its segments' first and last are 1 to 4094 for vlan, 1 to 16777215 for vxlan, and first is not above last"
    )]
    Numbers,
    /// A list that takes no sense.
    #[error("its segments' reserved numbers are more than 4094, or lie outside first and last")]
    Reserved,
    /// No guest would work with it.
    #[error("its segments' mtu is 1280 to 9000")]
    Mtu,
}

impl Segments {
    /// Checks a location's segments.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), BadSegments> {
        let Self { kind, first, last, reserved, mtu } = self;
        if *first < 1 || first > last || *last > kind.number_max() {
            return Err(BadSegments::Numbers);
        }
        if reserved.len() > usize::from(VlanTag::MAX) || reserved.iter().any(|number| !(first..=last).contains(&number))
        {
            return Err(BadSegments::Reserved);
        }
        if (1280..=9000).contains(mtu) { Ok(()) } else { Err(BadSegments::Mtu) }
    }

    /// The lowest number that is neither reserved nor taken. Used, held and resting ones all count as taken, and so do
    /// those that hosts of the location use for themselves.
    #[must_use]
    pub fn choose(&self, taken: &BTreeSet<u32>) -> Option<u32> {
        (self.first..=self.last).find(|number| !taken.contains(number) && !self.reserved.contains(number))
    }
}

/// Addresses that are cut into the subnets of private networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateRange {
    /// All of them.
    pub network: Ipv4Net,
    /// Length of a subnet's prefix in bits.
    pub subnet_len: u8,
}

/// Why a range cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// A customer's guests could not reach whoever has these in the internet.
    #[error("its addresses are not private ones: take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")]
    NotPrivate,
    /// Subnets of no use, or too large to be listed on every host.
    #[error("its subnets' prefix is 22 to 29, and not shorter than its own")]
    Subnet,
    /// Too many subnets to look through.
    #[error("it has more than 65536 subnets: make them larger, or take a part of it")]
    Size,
}

/// RFC 1918.
const PRIVATE: [(Ipv4Addr, u8); 3] =
    [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12), (Ipv4Addr::new(192, 168, 0, 0), 16)];

impl PrivateRange {
    /// Checks a range.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), BadRange> {
        let Self { network, subnet_len } = self;
        let is_inside = |(address, len)| Ipv4Net::new(address, len).is_ok_and(|whole| whole.contains(network));
        if !PRIVATE.into_iter().any(is_inside) {
            return Err(BadRange::NotPrivate);
        }
        if !(22..=29).contains(subnet_len) || *subnet_len < network.prefix_len() {
            return Err(BadRange::Subnet);
        }
        if self.total() > 65_536 { Err(BadRange::Size) } else { Ok(()) }
    }

    /// How many subnets there are in it.
    #[must_use]
    pub fn total(&self) -> u64 {
        1u64 << self.subnet_len.saturating_sub(self.network.prefix_len()).min(32)
    }

    /// How many of its subnets are not free: each that shares an address with a taken one. A range whose subnets had
    /// another length before may have several in one.
    #[must_use]
    pub fn used(&self, taken: &BTreeSet<Ipv4Net>) -> u64 {
        let taken = taken.iter().filter(|taken| overlap(taken, &self.network));
        let wide = |taken: &Ipv4Net| {
            let len = taken.prefix_len().max(self.network.prefix_len());
            let first = u32::from(taken.network()).max(u32::from(self.network.network())) >> (32 - self.subnet_len);
            let count = 1u32 << self.subnet_len.saturating_sub(len);
            (0..count).map(move |next| first + next)
        };
        taken.flat_map(wide).collect::<BTreeSet<u32>>().len() as u64
    }

    /// Its first subnet that shares no address with a taken one. Used, held and resting ones all count as taken.
    #[must_use]
    pub fn choose(&self, taken: &BTreeSet<Ipv4Net>) -> Option<Ipv4Net> {
        self.network.subnets(self.subnet_len).ok()?.find(|subnet| is_free(subnet, taken))
    }
}

/// Whether none of `taken` shares an address with it. No two of them share one with each other, so the last one that
/// begins before its end is the only one that can.
fn is_free(subnet: &Ipv4Net, taken: &BTreeSet<Ipv4Net>) -> bool {
    let end = Ipv4Net::from(subnet.broadcast());
    taken.range(..=end).next_back().is_none_or(|before| !overlap(before, subnet))
}

/// Whether two networks share an address.
#[must_use]
pub fn overlap(one: &Ipv4Net, two: &Ipv4Net) -> bool {
    one.contains(two) || two.contains(one)
}

/// The lowest address of a subnet that a member may have and none has: neither the subnet's own nor its broadcast.
#[must_use]
pub fn choose_address(subnet: Ipv4Net, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    subnet.hosts().find(|address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vlan(first: u32, last: u32, reserved: &[u32]) -> Segments {
        Segments { kind: SegmentKind::Vlan, first, last, reserved: reserved.iter().copied().collect(), mtu: 1500 }
    }

    fn range(network: &str, subnet_len: u8) -> PrivateRange {
        PrivateRange { network: network.parse().unwrap(), subnet_len }
    }

    #[test]
    fn segments_that_cannot_work_are_refused() {
        assert_eq!(vlan(100, 4094, &[200]).check(), Ok(()));
        let table = [
            (vlan(0, 10, &[]), BadSegments::Numbers),
            (vlan(11, 10, &[]), BadSegments::Numbers),
            (vlan(1, 4095, &[]), BadSegments::Numbers),
            (vlan(10, 20, &[21]), BadSegments::Reserved),
            (Segments { mtu: 1279, ..vlan(1, 2, &[]) }, BadSegments::Mtu),
            (Segments { mtu: 9001, ..vlan(1, 2, &[]) }, BadSegments::Mtu),
        ];
        for (segments, why) in table {
            assert_eq!(segments.check(), Err(why), "{segments:?}");
        }
        assert_eq!(Segments { kind: SegmentKind::Vxlan, ..vlan(1, 16_777_215, &[]) }.check(), Ok(()));
    }

    #[test]
    fn ranges_that_cannot_work_are_refused() {
        for good in [range("10.64.0.0/12", 24), range("192.168.0.0/16", 29), range("172.16.0.0/24", 24)] {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        let table = [
            (range("203.0.113.0/24", 28), BadRange::NotPrivate),
            (range("10.0.0.0/7", 24), BadRange::NotPrivate),
            (range("100.64.0.0/10", 24), BadRange::NotPrivate),
            (range("10.64.0.0/12", 21), BadRange::Subnet),
            (range("10.64.0.0/12", 30), BadRange::Subnet),
            (range("10.64.0.0/25", 24), BadRange::Subnet),
            (range("10.0.0.0/8", 29), BadRange::Size),
        ];
        for (bad, why) in table {
            assert_eq!(bad.check(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_subnet_of_another_length_takes_all_that_it_touches() {
        fn taken(nets: &[&str]) -> BTreeSet<Ipv4Net> {
            nets.iter().map(|net| net.parse().unwrap()).collect()
        }
        let range = range("10.64.0.0/22", 24);
        assert_eq!((range.total(), range.used(&BTreeSet::new())), (4, 0));
        for (nets, used, next) in [
            (&["10.64.0.128/25", "10.64.0.0/26", "10.65.0.0/24"][..], 1, Some("10.64.1.0/24")),
            (&["10.64.0.0/23"], 2, Some("10.64.2.0/24")),
            (&["10.64.0.0/16"], 4, None),
        ] {
            let next = next.map(|net| net.parse().unwrap());
            assert_eq!((range.used(&taken(nets)), range.choose(&taken(nets))), (used, next), "{nets:?}");
        }
    }

    #[test]
    fn a_member_gets_the_lowest_address_that_nobody_has() {
        let subnet = "10.64.0.0/29".parse().unwrap();
        let mut taken = BTreeSet::new();
        while let Some(address) = choose_address(subnet, &taken) {
            assert!(taken.insert(address));
        }
        let given: Vec<String> = taken.iter().map(ToString::to_string).collect();
        assert_eq!((given.len(), given[0].as_str(), given[5].as_str()), (6, "10.64.0.1", "10.64.0.6"));
    }

    proptest! {
        /// Whatever is taken, what is chosen is nobody's, and the lowest there is.
        #[test]
        fn a_segment_is_never_reserved_or_taken(
            first in 1u32..40, span in 0u32..40,
            reserved in proptest::collection::btree_set(1u32..80, 0..20),
            taken in proptest::collection::btree_set(1u32..80, 0..40),
        ) {
            let reserved: Vec<u32> = reserved.into_iter().filter(|n| (first..=first + span).contains(n)).collect();
            let segments = vlan(first, first + span, &reserved);
            prop_assert_eq!(segments.check(), Ok(()));
            let free = |number: u32| !taken.contains(&number) && !reserved.contains(&number);
            match segments.choose(&taken) {
                Some(number) => prop_assert!(free(number) && !(first..number).any(free)),
                None => prop_assert!(!(first..=first + span).any(free)),
            }
        }

        /// Subnets are given until none is left; none shares an address with another, whatever lengths there were before.
        #[test]
        fn no_two_subnets_share_an_address(lens in proptest::collection::vec(24u8..=28, 1..60)) {
            let mut taken = BTreeSet::new();
            for subnet_len in lens {
                let range = range("10.64.0.0/23", subnet_len);
                match range.choose(&taken) {
                    Some(subnet) => {
                        prop_assert!(!taken.iter().any(|other| overlap(other, &subnet)));
                        prop_assert!(range.used(&taken) < range.total());
                        taken.insert(subnet);
                    }
                    None => prop_assert_eq!(range.used(&taken), range.total()),
                }
            }
        }
    }
}
