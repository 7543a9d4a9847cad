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

/// Why a pool cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPool {
    /// The gateway must be reachable without a gateway.
    #[error("the gateway is not an address of the pool's network")]
    Gateway,
    /// First and last.
    #[error("the range is empty or leaves the pool's network")]
    Range,
    /// Too many addresses to look through.
    #[error("a pool has at most 65536 addresses: split it")]
    Size,
}

impl Pool {
    /// Checks a pool.
    ///
    /// # Errors
    /// When gateway or range do not belong to the network.
    pub fn check(&self) -> Result<(), BadPool> {
        let inside = |a: &Ipv4Addr| self.network.contains(a);
        if !inside(&self.gateway) {
            return Err(BadPool::Gateway);
        }
        if self.first > self.last || !inside(&self.first) || !inside(&self.last) {
            return Err(BadPool::Range);
        }
        if u32::from(self.last) - u32::from(self.first) >= 65_536 { Err(BadPool::Size) } else { Ok(()) }
    }

    /// Every address that may be leased: not the network's own, its broadcast or the gateway.
    pub fn usable(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        // Networks of two addresses or one (RFC 3021) have neither a network's address nor a broadcast.
        let whole = self.network.prefix_len() >= 31;
        let special = move |a: &Ipv4Addr| !whole && (*a == self.network.network() || *a == self.network.broadcast());
        (u32::from(self.first)..=u32::from(self.last))
            .map(Ipv4Addr::from)
            .filter(move |a| *a != self.gateway && !special(a))
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
        assert_eq!(pool().check(), Ok(()));
        assert_eq!(Pool { gateway: "10.0.0.1".parse().unwrap(), ..pool() }.check(), Err(BadPool::Gateway));
        assert_eq!(Pool { last: "203.0.113.8".parse().unwrap(), ..pool() }.check(), Err(BadPool::Range));
        assert_eq!(
            Pool { first: "203.0.113.7".parse().unwrap(), last: "203.0.113.6".parse().unwrap(), ..pool() }.check(),
            Err(BadPool::Range)
        );
    }
}
