//! Guests' cables: taps, the bridge they are plugged into, and the filters in front of them.
//!
//! The order is what protects the segment: a tap is made with its link down, its filters are loaded, and only then may
//! its link come up. Whatever fails on the way leaves the link down.

pub mod adapter_trial;
pub mod arp_announce;
pub mod arp_probe;
pub mod bare_taps;
pub mod bridge;
pub mod checksums;
pub mod dhcp;
mod dump;
pub mod filter;
mod filter_age;
pub mod filter_drift;
mod filter_guard;
pub mod filter_loads;
pub mod filter_rules;
pub mod filter_table;
pub mod gate;
pub mod host_addresses;
pub mod links;
pub mod nft;
pub mod nft_netlink;
pub mod packet_socket;
pub mod segment;
pub mod shaping;
pub mod tap;
pub mod tap_device;
pub mod tap_name;
mod tap_rules;
pub mod traffic_control;
pub mod trial;
pub mod way_back;

use std::{io, net::Ipv4Addr};

use csp_shared::{id::NetworkId, network::VlanTag};

/// Why something of a guest's network could not be made, removed or seen.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Netlink refused or failed.
    #[error("cannot {doing}: {reason}")]
    Netlink {
        /// What was attempted.
        doing: String,
        /// The kernel's number for its reason, where it gave one.
        errno: Option<i32>,
        /// What the kernel said.
        reason: String,
    },
    /// The kernel lacks what holds a server to its rate.
    #[error("this kernel cannot hold a server to its rate; load the modules {}: {reason}", shaping::MODULES)]
    NoShaping {
        /// What it said.
        reason: String,
    },
    /// The bridge that the operator named is not there.
    #[error("there is no interface {0}; make the bridge, or name the right one in `network.public_bridge`")]
    NoBridge(String),
    /// It is there and is something else.
    #[error("{0} is no bridge; name the right one in `network.public_bridge`")]
    NotBridge(String),
    /// A private network needs a setting that `agent.toml` does not have.
    #[error("this host carries no such private network; set `network.{0}` in agent.toml")]
    NotConfigured(&'static str),
    /// The underlay is not there.
    #[error("there is no interface {0}; name the one to the other hosts in `network.underlay_interface`")]
    NoUnderlay(String),
    /// Other hosts would send to it in vain.
    #[error("{name} has no address {address}; give it to it, or set the one that it has in `network.underlay_address`")]
    NoUnderlayAddress {
        /// The underlay.
        name: String,
        /// The address that it should have.
        address: Ipv4Addr,
    },
    /// Packets with what VXLAN puts around them would not fit.
    #[error(
        "{name} carries packets of {has} bytes, and a private network needs {needs}; `ip link set {name} mtu {needs}`"
    )]
    SmallUnderlay {
        /// The underlay.
        name: String,
        /// Its MTU.
        has: u32,
        /// The smallest that will do.
        needs: u32,
    },
    /// The trunk is not there.
    #[error("there is no interface {0}; name the one to the switch's trunk in `network.trunk_interface`")]
    NoTrunk(String),
    /// The trunk is a port of something, or the host speaks on it without a tag.
    #[error(
        "{0} is in use: it is a port of something else or has addresses; name an interface for VLANs alone in `network.trunk_interface`"
    )]
    UsedTrunk(String),
    /// The host has a use of its own for the tag.
    #[error("tag {tag} on {trunk} is the host's own; take it out of the location's tags")]
    OwnTag {
        /// Which.
        tag: VlanTag,
        /// Where.
        trunk: String,
    },
    /// Everybody's frames would be mixed.
    #[error(
        "this kernel keeps no VLANs apart; boot one with CONFIG_BRIDGE_VLAN_FILTERING, or leave `network.trunk_interface` out"
    )]
    NoVlanFiltering,
    /// A private network is not ready for taps on this host.
    #[error("the private network {0} is not on this host yet")]
    NoSegment(NetworkId),
    /// A name that csp uses is taken by somebody else's interface.
    #[error("the interface {0} carries a name of csp but was not made by it; remove or rename it")]
    ForeignLink(String),
    /// The kernel gave no tap.
    #[error("cannot make the tap {name}")]
    Tap {
        /// Which.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An interface takes no frames of the agent's own.
    #[error("cannot exchange frames on {name}")]
    Packets {
        /// Which interface.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An address that a server was to use for the first time belongs to somebody.
    #[error("the address {address} is in use by {by}; find out who that is before the address is given to anybody")]
    AddressInUse {
        /// Which address.
        address: Ipv4Addr,
        /// Who uses it, for people.
        by: String,
    },
    /// nftables refused.
    #[error("cannot {doing}")]
    Filter {
        /// What was attempted.
        doing: &'static str,
        /// What nft said.
        #[source]
        source: crate::storage::tool::ToolError,
    },
    /// Something else than what was just loaded is in a server's table.
    #[error("the filters in {0} were changed by somebody else while they were loaded")]
    FilterRace(String),
    /// nftables answered with something else than its JSON.
    #[error("nft gave no JSON that can be read")]
    FilterListing(#[source] serde_json::Error),
}

impl NetworkError {
    /// Whether the kernel refused with this number.
    #[must_use]
    pub fn is(&self, number: nix::errno::Errno) -> bool {
        matches!(self, Self::Netlink { errno: Some(errno), .. } if *errno == number as i32)
    }
}
