//! Private networks, as an operator is shown them.

use csp_shared::id::{AccountId, MembershipId, NetworkId, ServerId};
use serde::{Deserialize, Serialize};

/// `GET /networks`: one network whose subnet and segment are not free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub uuid: NetworkId,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// `active`, `held` until every host has proved that it let go, or `resting`.
    pub state: String,
    /// Its addresses.
    pub subnet: String,
    /// Where it is, once that is known.
    pub location: Option<String>,
    /// Its segment there: `vlan 100` or `vxlan 4096`.
    pub segment: Option<String>,
    /// Longest IP packet in it, in bytes.
    pub mtu: Option<u16>,
    /// Adapters in it, those too that their hosts have not let go of.
    pub members: Vec<NetworkMember>,
    /// What each host should know of it.
    pub hosts: Vec<NetworkHost>,
}

/// An adapter in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkMember {
    /// Its id.
    pub membership: MembershipId,
    /// Whose.
    pub server: ServerId,
    /// Its address in the network.
    pub address: String,
    /// Its name in its server.
    pub adapter: String,
    /// Its own address.
    pub mac: String,
    /// `leased` or `held`.
    pub state: String,
}

/// A network on a host: what should be there, and apart from it what the host said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkHost {
    /// The host's name.
    pub host: String,
    /// The version of what should be there.
    pub wanted: String,
    /// It is to be gone from there.
    pub absent: bool,
    /// The version that the host said it holds.
    pub accepted: Option<String>,
    /// The version that the host said it has brought about.
    pub reached: Option<String>,
    /// What the host said is in the way.
    pub fault: Option<String>,
    /// The host has proved that nothing of it is left.
    pub gone: bool,
}
