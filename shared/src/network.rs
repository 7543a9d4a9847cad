//! What a private network should be on one host, and what the host saw of it.
//!
//! A network has one such object on every host that has a member of it, each with a version of its own: when a member joins
//! on one host, the lists of the others change though none of their servers did. Absolute values only, as in a spec.
//!
//! For the agent: an object is kept on the host's disk beside the specs and reaches the host before any spec that names
//! the network. While it is not there, an adapter in it waits ([`FaultCode::PrivateNetworkMissing`] passes by itself). When
//! its gone form comes, what csp made for the network is removed as soon as no tap is plugged into it, and
//! [`ObservedNetwork::remains`] is the proof: the control plane gives the segment to nobody before.
//!
//! [`FaultCode::PrivateNetworkMissing`]: crate::observed::FaultCode::PrivateNetworkMissing

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{generation::NetworkVersion, id::NetworkId, mac::Mac, observed::Fault, sha256::Sha256};

/// What the control plane wants of one private network on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub enum DesiredNetwork {
    /// It is to be there.
    Present(Box<NetworkSpec>),
    /// Nothing of it is to be on this host. Unlike a server's tombstone, a newer [`Self::Present`] takes it back: the
    /// network got a member on this host again.
    Absent(NetworkTombstone),
}

impl DesiredNetwork {
    /// Which network this is about.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        match self {
            Self::Present(spec) => spec.network,
            Self::Absent(tombstone) => tombstone.network,
        }
    }

    /// Which state of it on this host.
    #[must_use]
    pub fn version(&self) -> NetworkVersion {
        match self {
            Self::Present(spec) => spec.version,
            Self::Absent(tombstone) => tombstone.version,
        }
    }

    /// What the host's report is compared with, as a spec's hash is.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        // Serializing these types cannot fail: no map with other keys than text, no foreign serializer.
        Sha256::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Says that a network is to be gone from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkTombstone {
    /// Which network.
    pub network: NetworkId,
    /// Later than everything that this host was told of it before.
    pub version: NetworkVersion,
}

/// The whole of what a private network is on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Which network. Two with one subnet are two networks, also on one host.
    pub network: NetworkId,
    /// Which state of it on this host.
    pub version: NetworkVersion,
    /// How its frames are kept apart from others between hosts.
    pub segment: Segment,
    /// Longest IP packet on its adapters, in bytes: what guests are told, by DHCP and in their seed.
    pub mtu: u16,
    /// Every adapter in it, on whatever host, by MAC.
    pub members: Vec<NetworkMember>,
}

/// How the frames of a network are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// A tag on the host's trunk: taps are access ports of it.
    Vlan {
        /// Which tag.
        tag: VlanTag,
    },
    /// VXLAN over the host's underlay, unicast.
    Vxlan {
        /// Which network identifier.
        vni: Vni,
        /// Underlay addresses of the other hosts with a member, each once, in order: whom a frame to everybody is sent to,
        /// and the only ones from whom the network's packets are taken.
        peers: Vec<IpAddr>,
    },
}

/// An adapter in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkMember {
    /// The adapter's own address; no two members share one.
    pub mac: Mac,
    /// What its guest may use as its own in this network.
    pub addresses: Vec<IpAddr>,
    /// Where its frames go.
    pub at: MemberPlace,
}

/// Where an adapter is, seen from the host that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberPlace {
    /// On this host.
    Here,
    /// On the host with this underlay address; one of the segment's peers.
    Behind(IpAddr),
    /// On another host of the trunk: the switches find it.
    Elsewhere,
}

/// An 802.1Q tag, 1 to 4094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct VlanTag(u16);

/// A VXLAN network identifier: 1 to 2^24 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

/// A number that is no tag or no network identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSegment {
    /// For a [`VlanTag`].
    #[error("a VLAN's tag is 1 to 4094, not {0}")]
    Tag(u16),
    /// For a [`Vni`].
    #[error("a VXLAN's network identifier is 1 to 16777215, not {0}")]
    Vni(u32),
}

impl VlanTag {
    /// The highest there is; 4095 is reserved by the standard.
    pub const MAX: u16 = 4094;

    /// As it stands in a frame.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for VlanTag {
    type Error = NotSegment;
    fn try_from(tag: u16) -> Result<Self, NotSegment> {
        if (1..=Self::MAX).contains(&tag) { Ok(Self(tag)) } else { Err(NotSegment::Tag(tag)) }
    }
}

impl From<VlanTag> for u16 {
    fn from(tag: VlanTag) -> Self {
        tag.0
    }
}

impl fmt::Display for VlanTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Vni {
    /// The highest there is: 24 bits.
    pub const MAX: u32 = (1 << 24) - 1;

    /// As it stands in a packet.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vni {
    type Error = NotSegment;
    fn try_from(vni: u32) -> Result<Self, NotSegment> {
        if (1..=Self::MAX).contains(&vni) { Ok(Self(vni)) } else { Err(NotSegment::Vni(vni)) }
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a host can do for private networks. Told at each session's begin and when it changes; a host that tells nothing
/// carries none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNetworks {
    /// It has a trunk and a kernel with VLAN filtering: it can be a part of [`Segment::Vlan`].
    #[serde(default)]
    pub vlan: bool,
    /// Where the other hosts send their VXLAN packets to. With one it can be a part of [`Segment::Vxlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlay: Option<IpAddr>,
    /// Tags that the host uses itself on its trunk, in order: no network of its location is ever given one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_tags: Vec<VlanTag>,
}

/// One network, seen by one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedNetwork {
    /// Which network.
    pub network: NetworkId,
    /// The newest state that the host holds on its disk.
    pub accepted: NetworkVersion,
    /// Hash of what was accepted.
    pub accepted_hash: Sha256,
    /// The newest state that was brought about in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<NetworkVersion>,
    /// Why it cannot be brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What of it the host may still hold. A part that could not be looked at counts as there.
    pub remains: NetworkRemains,
}

/// What of a network is still on a host. `false` is a proof, `true` a sight or a doubt: "not seen" is not "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRemains {
    /// A bridge or a tag on one that was made for it.
    pub bridge: bool,
    /// A device that was made for it: of VXLAN, or on the trunk.
    pub device: bool,
    /// A tap that is plugged into it.
    pub taps: bool,
}

impl NetworkRemains {
    /// Nothing was looked at yet, so everything may be there.
    pub const UNPROVED: Self = Self { bridge: true, device: true, taps: true };
    /// Everything was looked for and nothing is there.
    pub const NOTHING: Self = Self { bridge: false, device: false, taps: false };

    /// Whether the host has let go of the network.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_identifiers_stay_in_their_bounds_on_the_wire_too() {
        for (text, good) in
            [("0", false), ("1", true), ("4094", true), ("4095", false), ("-1", false), ("70000", false)]
        {
            assert_eq!(serde_json::from_str::<VlanTag>(text).is_ok(), good, "tag {text}");
        }
        for (text, good) in [("0", false), ("1", true), ("16777215", true), ("16777216", false)] {
            assert_eq!(serde_json::from_str::<Vni>(text).is_ok(), good, "VNI {text}");
        }
    }

    #[test]
    fn a_host_that_says_nothing_can_do_nothing() {
        assert_eq!(serde_json::from_str::<HostNetworks>("{}").unwrap(), HostNetworks::default());
        assert!(!NetworkRemains::UNPROVED.is_nothing() && NetworkRemains::NOTHING.is_nothing());
    }
}
