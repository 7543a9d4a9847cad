//! Private networks as VLANs: one bridge that keeps tags apart, the trunk as its way out, and each tap an access port.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::network::VlanTag;
use nix::errno::Errno;
use rtnetlink::{
    LinkBridge, LinkBridgeVlan, LinkUnspec,
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::{AfSpecBridge, BridgeVlanInfoFlags, LinkAttribute, LinkExtentMask, LinkMessage},
    },
};

use super::{
    Place,
    ability::Found,
    name::{self, TRIAL_BRIDGE, VLAN_ALIAS, VLAN_BRIDGE},
};
use crate::network::{
    NetworkError,
    dump::dump,
    links::{Link, Links},
    trial,
};

/// Which tags each port of a filtering bridge lets through, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortTags(BTreeMap<u32, BTreeSet<(u16, bool)>>);

impl PortTags {
    /// Reads them. Ports of bridges that do not filter have none.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn list() -> Result<Self, NetworkError> {
        let mut question = LinkMessage::default();
        question.header.interface_family = AddressFamily::Bridge;
        question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::Brvlan]));
        let tags_of = |answer: &RouteNetlinkMessage| match answer {
            RouteNetlinkMessage::NewLink(port) => Some((port.header.index, read(port))),
            _ => None,
        };
        let mut tags = Self::default();
        for (port, its) in dump("list the tags of ports", RouteNetlinkMessage::GetLink(question), None, tags_of).await?
        {
            tags.0.entry(port).or_default().extend(its);
        }
        Ok(tags)
    }

    /// Whether a port is an access port of that tag and of nothing else.
    #[must_use]
    pub fn is_access(&self, port: u32, tag: VlanTag) -> bool {
        self.0.get(&port).is_some_and(|tags| *tags == BTreeSet::from([(tag.get(), true)]))
    }

    /// Ports that let the tag through.
    fn ports_with(&self, tag: VlanTag) -> impl Iterator<Item = u32> {
        let has = move |tags: &BTreeSet<(u16, bool)>| tags.iter().any(|(other, _)| *other == tag.get());
        self.0.iter().filter(move |(_, tags)| has(tags)).map(|(port, _)| *port)
    }
}

/// Each tag of a port, and whether frames carry it inside alone: what comes in without a tag gets it, and it is taken off
/// what goes out.
fn read(port: &LinkMessage) -> Vec<(u16, bool)> {
    let specs = port.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::AfSpecBridge(specs) => Some(specs),
        _ => None,
    });
    let access = BridgeVlanInfoFlags::Pvid | BridgeVlanInfoFlags::Untagged;
    specs
        .flatten()
        .filter_map(|spec| match spec {
            AfSpecBridge::VlanInfo(vlan) => Some((vlan.vid, vlan.flags.contains(access))),
            _ => None,
        })
        .collect()
}

/// Makes the bridge, if it is not there, and lets the tag out by the trunk. `mtu` is what guests are told.
///
/// # Errors
/// When the trunk is missing, somebody else's, or has addresses of its own; when the kernel keeps no tags apart; when the
/// host uses the tag itself.
pub async fn bring_about(links: &Links, trunk: &str, tag: VlanTag, mtu: u16) -> Result<Place, NetworkError> {
    let found = Found::look(links).await?;
    let uplink = found.trunk(trunk)?;
    if own_tags(&found.links, trunk).contains(&tag) {
        return Err(NetworkError::OwnTag { tag, trunk: trunk.to_owned() });
    }
    let bridge = make_bridge(links, &found.links, uplink).await?;
    if uplink.controller != Some(bridge) {
        let plugged = LinkUnspec::new_with_index(uplink.index).controller(bridge).up();
        links.change(&format!("plug the trunk {trunk} into {VLAN_BRIDGE}"), plugged).await?;
    }
    if !PortTags::list().await?.ports_with(tag).any(|port| port == uplink.index) {
        let let_out = LinkBridgeVlan::new(uplink.index).vlan(tag.get(), BridgeVlanInfoFlags::empty());
        links.add_tags(&format!("let tag {tag} out by {trunk}"), let_out.build()).await?;
    }
    Ok(Place { bridge: VLAN_BRIDGE.to_owned(), tag: Some(tag), mtu: u32::from(mtu) })
}

async fn make_bridge(links: &Links, found: &[Link], uplink: &Link) -> Result<u32, NetworkError> {
    let own = match name::find(found, VLAN_BRIDGE, VLAN_ALIAS) {
        None if found.iter().any(|link| link.name == VLAN_BRIDGE) => {
            return Err(NetworkError::ForeignLink(VLAN_BRIDGE.to_owned()));
        }
        own => own.cloned(),
    };
    let own = match own {
        Some(own) => own,
        None => {
            // Its address would otherwise change with its ports.
            let mac = uplink.mac.map(|mac| mac.0.to_vec()).unwrap_or_default();
            let bridge = LinkBridge::new(VLAN_BRIDGE).vlan_filtering(true).vlan_default_pvid(0).mcast_snooping(false);
            let bridge = bridge.address(mac).down();
            links.add(&format!("make the bridge {VLAN_BRIDGE}"), bridge.build()).await?;
            links.keep_quiet(VLAN_BRIDGE).await;
            let made = links.named(VLAN_BRIDGE).await?;
            made.ok_or_else(|| NetworkError::ForeignLink(VLAN_BRIDGE.to_owned()))?
        }
    };
    if !own.filters_vlans {
        // A kernel without it makes a bridge all the same, that mixes everybody's frames.
        links.delete(&own).await?;
        return Err(NetworkError::NoVlanFiltering);
    }
    let marked = LinkUnspec::new_with_index(own.index)
        .mtu(uplink.mtu)
        .append_extra_attribute(LinkAttribute::IfAlias(VLAN_ALIAS.to_owned()))
        .up();
    links.change(&format!("set up {VLAN_BRIDGE}"), marked).await?;
    Ok(own.index)
}

/// Makes a port of the bridge an access port of one tag, whatever it was.
///
/// # Errors
/// When the kernel refuses.
pub async fn make_access(links: &Links, port: &Link, tag: VlanTag) -> Result<(), NetworkError> {
    let doing = format!("make {} an access port of tag {tag}", port.name);
    let tags = PortTags::list().await?;
    for (other, _) in tags.0.get(&port.index).into_iter().flatten().filter(|(other, _)| *other != tag.get()) {
        let gone = LinkBridgeVlan::new(port.index).vlan(*other, BridgeVlanInfoFlags::empty()).build();
        links.delete_part(&doing, gone).await?;
    }
    let access = BridgeVlanInfoFlags::Pvid | BridgeVlanInfoFlags::Untagged;
    links.add_tags(&doing, LinkBridgeVlan::new(port.index).vlan(tag.get(), access).build()).await
}

/// Lets tags out no longer that are not of `wanted` and that no tap needs. Once nothing uses the bridge, it goes, and the
/// trunk is free again.
///
/// # Errors
/// When the kernel refuses.
pub async fn sweep(links: &Links, trunk: &str, wanted: &BTreeSet<VlanTag>) -> Result<(), NetworkError> {
    let found = links.list().await?;
    let Some(bridge) = name::find(&found, VLAN_BRIDGE, VLAN_ALIAS) else { return Ok(()) };
    let tags = PortTags::list().await?;
    let Some(uplink) = uplink(&found, bridge, trunk) else { return Ok(()) };
    let in_use = |tag: VlanTag| tags.ports_with(tag).any(|port| port != uplink.index);
    for tag in stale_tags(&found, &tags, trunk, wanted).into_iter().filter(|tag| !in_use(*tag)) {
        let gone = LinkBridgeVlan::new(uplink.index).vlan(tag.get(), BridgeVlanInfoFlags::empty()).build();
        links.delete_part(&format!("keep tag {tag} from {trunk}"), gone).await?;
    }
    let is_used = found.iter().any(|link| link.controller == Some(bridge.index) && link.index != uplink.index);
    if is_used || !wanted.is_empty() { Ok(()) } else { links.delete(bridge).await }
}

/// Tags that the trunk lets out by csp's bridge and that are none of `wanted`.
#[must_use]
pub fn stale_tags(found: &[Link], tags: &PortTags, trunk: &str, wanted: &BTreeSet<VlanTag>) -> BTreeSet<VlanTag> {
    let bridge = name::find(found, VLAN_BRIDGE, VLAN_ALIAS);
    let uplink = bridge.and_then(|bridge| uplink(found, bridge, trunk));
    let let_out = uplink.and_then(|uplink| tags.0.get(&uplink.index)).into_iter().flatten();
    let_out.filter_map(|(tag, _)| VlanTag::try_from(*tag).ok()).filter(|tag| !wanted.contains(tag)).collect()
}

fn uplink<'a>(found: &'a [Link], bridge: &Link, trunk: &str) -> Option<&'a Link> {
    found.iter().find(|link| link.name == trunk && link.controller == Some(bridge.index))
}

/// Tags that the host itself uses on the trunk: those of interfaces that somebody made on it.
#[must_use]
pub fn own_tags(found: &[Link], trunk: &str) -> BTreeSet<VlanTag> {
    let Some(uplink) = found.iter().find(|link| link.name == trunk) else { return BTreeSet::new() };
    let on_it = found.iter().filter(|link| link.lower == Some(uplink.index));
    on_it.filter_map(|link| VlanTag::try_from(link.vlan_tag?).ok()).collect()
}

/// Whether a bridge of this kernel keeps tags apart, tried in a network that vanishes with the trial.
///
/// # Errors
/// Why it does not, or why that could not be tried.
pub async fn try_kernel() -> Result<(), String> {
    trial::in_own_network(async || try_on(&Links::connect()?).await).await
}

/// The same in the network of `links`: a service may have none of its own (`RestrictNamespaces` of systemd). The bridge of all
/// VLANs shows it; where that is not made yet, one is tried that is down, has no port, and goes at once.
///
/// # Errors
/// Why it does not, or why that could not be tried.
pub async fn try_kernel_here(links: &Links) -> Result<(), NetworkError> {
    try_on(links).await
}

async fn try_on(links: &Links) -> Result<(), NetworkError> {
    if links.named(VLAN_BRIDGE).await?.is_some_and(|bridge| bridge.filters_vlans) {
        return Ok(());
    }
    let trial = LinkBridge::new(TRIAL_BRIDGE).vlan_filtering(true).down().build();
    match links.add("try a bridge that keeps VLANs apart", trial).await {
        Err(error) if error.is(Errno::EOPNOTSUPP) => return Err(NetworkError::NoVlanFiltering),
        // Who tried before may have died.
        Err(error) if !error.is(Errno::EEXIST) => return Err(error),
        _ => {}
    }
    // Who tries at the same time, as `csp-agent check` does, may have removed it: that says nothing about the kernel.
    let made = links.named(TRIAL_BRIDGE).await?.ok_or_else(|| NetworkError::Netlink {
        doing: "try a bridge that keeps VLANs apart".to_owned(),
        errno: None,
        reason: "it was removed meanwhile".to_owned(),
    })?;
    links.delete(&made).await?;
    if made.filters_vlans { Ok(()) } else { Err(NetworkError::NoVlanFiltering) }
}
