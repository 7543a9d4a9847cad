//! Which address a new adapter gets.

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::Ipv4Net;

/// A range of public addresses that can be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The network that the addresses are in; guests get its prefix.
    pub network: Ipv4Net,
    /// The way out; never leased.
    pub gateway: Ipv4Addr,
    /// First address that may be leased.
    pub first: Ipv4Addr,
    /// Last address that may be leased.
    pub last: Ipv4Addr,
}

/// Networks of which no guest can have an address (RFC 6890): this network, loopback, link-local, multicast, and what is reserved.
const NO_GUESTS: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Why a pool cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPool {
    /// Its network is written by another of its addresses: most likely the prefix is wrong.
    #[error("no network is written {0}: it begins at {first}", first = .0.network())]
    Network(Ipv4Net),
    /// Loopback, multicast and the like.
    #[error("no guest can have an address of {0}")]
    Kind(Ipv4Net),
    /// The gateway must be reachable without a gateway.
    #[error("the gateway is not an address of the pool's network that a router can have")]
    Gateway,
    /// First and last.
    #[error("the range is empty or leaves the pool's network")]
    Range,
    /// Network, broadcast and gateway are all that it has.
    #[error("the range has no address that can be leased")]
    Empty,
    /// Too many addresses to look through.
    #[error("a pool has at most 65536 addresses: split it")]
    Size,
}

impl Pool {
    /// Checks a pool.
    ///
    /// # Errors
    /// When the network is none that guests can be in, or gateway or range do not belong to it.
    pub fn check(&self) -> Result<(), BadPool> {
        let inside = |a: &Ipv4Addr| self.network.contains(a);
        if self.network != self.network.trunc() {
            return Err(BadPool::Network(self.network));
        }
        if NO_GUESTS.iter().any(|(first, prefix)| {
            Ipv4Net::new(*first, *prefix).is_ok_and(|kind| kind.contains(&self.network) || self.network.contains(&kind))
        }) {
            return Err(BadPool::Kind(self.network));
        }
        if !inside(&self.gateway) || self.is_special(self.gateway) {
            return Err(BadPool::Gateway);
        }
        if self.first > self.last || !inside(&self.first) || !inside(&self.last) {
            return Err(BadPool::Range);
        }
        if u32::from(self.last) - u32::from(self.first) >= 65_536 {
            return Err(BadPool::Size);
        }
        if self.usable().next().is_none() { Err(BadPool::Empty) } else { Ok(()) }
    }

    /// Whether an address is the network's own or its broadcast. Networks of two addresses or one (RFC 3021) have neither.
    fn is_special(&self, address: Ipv4Addr) -> bool {
        let has_special = self.network.prefix_len() < 31;
        has_special && (address == self.network.network() || address == self.network.broadcast())
    }

    /// Every address that may be leased: not the network's own, its broadcast or the gateway.
    pub fn usable(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        (u32::from(self.first)..=u32::from(self.last))
            .map(Ipv4Addr::from)
            .filter(|a| *a != self.gateway && !self.is_special(*a))
    }

    /// The lowest usable address that is not taken. Leased, held and resting ones all count as taken.
    #[must_use]
    pub fn choose(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        self.usable().find(|address| !taken.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool {
            network: "203.0.113.0/29".parse().unwrap(),
            gateway: "203.0.113.1".parse().unwrap(),
            first: "203.0.113.0".parse().unwrap(),
            last: "203.0.113.7".parse().unwrap(),
        }
    }

    #[test]
    fn a_pool_gives_each_usable_address_once_and_then_none() {
        let mut taken = BTreeSet::new();
        while let Some(address) = pool().choose(&taken) {
            assert!(taken.insert(address));
        }
        let given: Vec<String> = taken.iter().map(ToString::to_string).collect();
        assert_eq!(given, ["203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6"]);
    }

    #[test]
    fn a_pool_that_cannot_work_is_refused() {
        let other = |network: &str, gateway: &str, first: &str, last: &str| {
            let pool = Pool {
                network: network.parse().unwrap(),
                gateway: gateway.parse().unwrap(),
                first: first.parse().unwrap(),
                last: last.parse().unwrap(),
            };
            pool.check().map_err(|why| why.to_string())
        };
        assert_eq!(pool().check(), Ok(()));
        assert_eq!(other("198.51.100.0/31", "198.51.100.0", "198.51.100.0", "198.51.100.1"), Ok(()));
        let router = "the gateway is not an address of the pool's network that a router can have";
        let range = "the range is empty or leaves the pool's network";
        let none = |network: &str| format!("no guest can have an address of {network}");
        let table = [
            (other("203.0.113.0/29", "10.0.0.1", "203.0.113.2", "203.0.113.6"), router.to_owned()),
            (other("203.0.113.0/29", "203.0.113.0", "203.0.113.2", "203.0.113.6"), router.to_owned()),
            (other("203.0.113.0/29", "203.0.113.7", "203.0.113.2", "203.0.113.6"), router.to_owned()),
            (other("203.0.113.0/29", "203.0.113.1", "203.0.113.2", "203.0.113.8"), range.to_owned()),
            (other("203.0.113.0/29", "203.0.113.1", "203.0.113.6", "203.0.113.5"), range.to_owned()),
            (
                other("203.0.113.0/29", "203.0.113.1", "203.0.113.0", "203.0.113.1"),
                "the range has no address that can be leased".to_owned(),
            ),
            (
                other("203.0.113.9/24", "203.0.113.1", "203.0.113.2", "203.0.113.8"),
                "no network is written 203.0.113.9/24: it begins at 203.0.113.0".to_owned(),
            ),
            (other("127.0.0.0/24", "127.0.0.1", "127.0.0.2", "127.0.0.3"), none("127.0.0.0/24")),
            (other("224.0.0.0/24", "224.0.0.1", "224.0.0.2", "224.0.0.3"), none("224.0.0.0/24")),
            (other("169.254.0.0/24", "169.254.0.1", "169.254.0.2", "169.254.0.3"), none("169.254.0.0/24")),
            (other("0.0.0.0/0", "203.0.113.1", "203.0.113.2", "203.0.113.3"), none("0.0.0.0/0")),
        ];
        for (found, wanted) in table {
            assert_eq!(found, Err(wanted));
        }
    }
}
