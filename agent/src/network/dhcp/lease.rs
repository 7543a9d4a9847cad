//! What one adapter is told, made from its spec. Pure.

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{mac::Mac, spec::Nic};
use ipnet::Ipv4Net;

/// How long an address is good for, in seconds: seven days.
pub const SECONDS: u32 = 7 * 24 * 3600;
/// When a client asks its server for more, in seconds.
pub const RENEW_SECONDS: u32 = SECONDS / 2;
/// When a client asks everybody, in seconds.
pub const REBIND_SECONDS: u32 = SECONDS / 8 * 7;
/// More would not fit an answer that every client can read.
const DNS_MAX: usize = 8;

/// Everything that DHCP says to one adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub mac: Mac,
    /// The adapter's first IPv4 address, with its network.
    pub network: Ipv4Net,
    /// The way out, on the primary adapter.
    pub gateway: Option<Ipv4Addr>,
    /// Resolvers.
    pub dns: Vec<Ipv4Addr>,
    /// Largest packet, in bytes.
    pub mtu: u16,
}

/// A way to somewhere (RFC 3442).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: Ipv4Net,
    /// By whom; unspecified for a neighbour on the cable.
    pub via: Ipv4Addr,
}

impl Lease {
    /// The lease of an adapter on a cable that carries packets of `mtu` bytes; none without an IPv4 address.
    #[must_use]
    pub fn of(nic: &Nic, mtu: u32) -> Option<Self> {
        let v4 = |address: IpAddr| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let (address, of) = nic.addresses.iter().find_map(|of| Some((v4(of.address)?, of)))?;
        Some(Self {
            mac: nic.mac,
            network: Ipv4Net::new(address, of.prefix_len).ok()?,
            gateway: of.gateway.and_then(v4),
            dns: nic.dns.iter().copied().filter_map(v4).take(DNS_MAX).collect(),
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        })
    }

    /// The address that the adapter gets.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.network.addr()
    }

    /// The address that the server goes by. It is the gateway's, which guests can reach: what they send there for a longer
    /// lease is seen on its way and goes no further. Without a gateway it is the network's first other address.
    #[must_use]
    pub fn server(&self) -> Ipv4Addr {
        let other = || self.network.hosts().find(|host| *host != self.address());
        self.gateway.or_else(other).unwrap_or(self.network.network())
    }

    /// Routes that a mask and a gateway cannot say: a gateway outside the network is a neighbour all the same.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        match self.gateway.filter(|gateway| !self.network.contains(gateway)) {
            None => Vec::new(),
            Some(via) => {
                let neighbour = Route { to: Ipv4Net::from(via), via: Ipv4Addr::UNSPECIFIED };
                vec![neighbour, Route { to: Ipv4Net::default(), via }]
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::fixture::spec;

    pub(in crate::network::dhcp) fn lease() -> Lease {
        Lease {
            mac: Mac::for_guest([1, 2, 3, 4]),
            network: "203.0.113.10/24".parse().unwrap(),
            gateway: Some(Ipv4Addr::new(203, 0, 113, 1)),
            dns: vec![Ipv4Addr::new(192, 0, 2, 53)],
            mtu: 1500,
        }
    }

    #[test]
    fn an_adapter_is_told_its_first_address_of_this_family() {
        let mut nic = spec().nics.remove(0);
        nic.addresses
            .insert(0, csp_shared::spec::NicAddress { address: "2001:db8::1".parse().unwrap(), ..nic.addresses[0] });
        nic.dns = vec!["2001:db8::53".parse().unwrap(), "192.0.2.53".parse().unwrap()];
        let lease = Lease::of(&nic, 1450).unwrap();
        assert_eq!((lease.network.to_string().as_str(), lease.mtu), ("203.0.113.10/24", 1450));
        assert_eq!(lease.dns, [Ipv4Addr::new(192, 0, 2, 53)]);
        nic.addresses.truncate(1);
        assert_eq!(Lease::of(&nic, 1500), None);
    }

    #[test]
    fn the_server_is_the_gateway_or_the_first_other_address() {
        assert_eq!(lease().server(), Ipv4Addr::new(203, 0, 113, 1));
        let without = |network: &str| Lease { gateway: None, network: network.parse().unwrap(), ..lease() };
        assert_eq!(without("203.0.113.10/24").server(), Ipv4Addr::new(203, 0, 113, 1));
        assert_eq!(without("203.0.113.1/24").server(), Ipv4Addr::new(203, 0, 113, 2));
        assert_eq!(without("203.0.113.1/32").server(), Ipv4Addr::new(203, 0, 113, 1));
    }

    #[test]
    fn a_gateway_outside_the_network_is_a_neighbour() {
        assert_eq!(lease().routes(), []);
        let far = Lease { network: "203.0.113.10/32".parse().unwrap(), ..lease() };
        let told: Vec<_> = far.routes().iter().map(|route| format!("{} {}", route.to, route.via)).collect();
        assert_eq!(told, ["203.0.113.1/32 0.0.0.0", "0.0.0.0/0 203.0.113.1"]);
    }
}
