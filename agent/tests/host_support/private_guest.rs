//! Guests of private networks, as tests of segments on two hosts have them: two networks with one subnet.

use std::net::Ipv4Addr;

use csp_agent::network::{
    gate::Gates,
    links::Links,
    shaping::{Shaping, Sides},
    tap_name::TapName,
};
use csp_shared::{
    generation::{Generation, Incarnation, NetworkVersion, Version},
    id::{NetworkId, ServerId},
    mac::Mac,
    network::{DesiredNetwork, NetworkTombstone},
};
use uuid::Uuid;

use super::frame::{IPV4, ethernet, udp};

pub const ONE: NetworkId = NetworkId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0001));
pub const OTHER: NetworkId = NetworkId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0002));
pub const TRIED: &[u8] = b"TRIED-TRIED";
pub const LAST: &[u8] = b"LAST-LAST";

/// A guest's adapter: which server, which network, and on which of the two hosts.
#[derive(Clone, Copy)]
pub struct Guest {
    pub number: u8,
    pub network: NetworkId,
    pub host: usize,
}

/// Two of one network on two hosts, and one of another with the same subnet, beside the first and with the second's address.
pub const A: Guest = Guest { number: 1, network: ONE, host: 0 };
pub const B: Guest = Guest { number: 2, network: ONE, host: 1 };
pub const TWIN: Guest = Guest { number: 4, network: OTHER, host: 0 };

impl Guest {
    pub fn server(self) -> ServerId {
        ServerId(Uuid::from_u128(u128::from(self.number)))
    }

    pub fn mac(self) -> Mac {
        Mac([0x0a, 0xc5, 0, 0, 0, self.number])
    }

    /// Guests 4 and 5 of the other network have those of 2 and 1.
    pub fn address(self) -> Ipv4Addr {
        let last = if self.network == OTHER { 6 - self.number } else { self.number };
        Ipv4Addr::new(10, 64, 0, last)
    }

    pub fn tap(self) -> TapName {
        TapName::of(self.server(), self.mac())
    }

    /// A packet to somebody, as it should be.
    pub fn sends(self, to: Guest, body: &[u8]) -> Vec<u8> {
        ethernet(to.mac().0, self.mac().0, IPV4, &udp((self.address(), 1000), (to.address(), 2000), body))
    }
}

/// What the guest's frames go through, made as the agent does it, in the network of whoever calls.
pub async fn gates(guest: Guest) -> Gates {
    let tap = nix::net::if_::if_nametoindex(guest.tap().as_str()).unwrap();
    let sides = Sides { private: [(guest.mac(), tap)].into(), ..Sides::default() };
    let gates = Shaping::new(Links::connect().unwrap()).hold(guest.server(), None, &sides).await.unwrap();
    assert!(gates.private.is_some() && gates.public.is_none());
    gates
}

pub fn version(generation: u64) -> NetworkVersion {
    NetworkVersion(Version { incarnation: Incarnation::FIRST, generation: Generation(generation) })
}

/// The second version of a network: that it is gone.
pub fn absent(network: NetworkId) -> DesiredNetwork {
    DesiredNetwork::Absent(NetworkTombstone { network, version: version(2) })
}
