//! A private network over VXLAN: a bridge for its taps, and a device that carries frames to the hosts of other members.

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{
    id::NetworkId,
    network::{NetworkSpec, Vni},
};
use rtnetlink::{LinkBridge, LinkBridgePort, LinkUnspec, LinkVxlan, packet_route::link::LinkAttribute};

use super::{
    Place,
    ability::Found,
    forwarding::{self, At},
    name::{self, NetworkMark},
    underlay::PORT,
};
use crate::{
    config::Network,
    network::{
        NetworkError,
        links::{Link, Links, Vxlan},
    },
};

/// What VXLAN puts around a packet: Ethernet (14), IPv4 (20), UDP (8) and its own header (8).
pub const OVERHEAD_BYTES: u32 = 50;

/// Where packets of private networks travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// The interface's name.
    pub interface: String,
    /// The host's address there, that the other hosts send to.
    pub address: Ipv4Addr,
}

impl Underlay {
    /// As the configuration names it; none where it names none.
    #[must_use]
    pub fn of(config: &Network) -> Option<Self> {
        let (interface, address) = config.underlay_interface.clone().zip(config.underlay_address)?;
        Some(Self { interface, address })
    }
}

/// The peers of a network; the underlay speaks IPv4.
#[must_use]
pub fn peers(peers: &[IpAddr]) -> Vec<Ipv4Addr> {
    peers.iter().filter_map(|peer| if let IpAddr::V4(peer) = peer { Some(*peer) } else { None }).collect()
}

/// Makes the network's bridge and device, or gives them what they lack. Called after its peers were admitted.
///
/// # Errors
/// When the underlay is missing or too small, a name is taken, or the kernel refuses.
pub async fn bring_about(
    links: &Links,
    underlay: &Underlay,
    spec: &NetworkSpec,
    (vni, peers): (Vni, &[Ipv4Addr]),
) -> Result<Place, NetworkError> {
    let found = Found::look(links).await?;
    let lower = found.underlay(underlay)?;
    let mtu = u32::from(spec.mtu);
    if lower.mtu < mtu + OVERHEAD_BYTES {
        return Err(NetworkError::SmallUnderlay {
            name: lower.name.clone(),
            has: lower.mtu,
            needs: mtu + OVERHEAD_BYTES,
        });
    }
    let wanted = Vxlan { vni: vni.get(), local: Some(underlay.address), port: PORT, lower: lower.index, learns: false };
    let bridge = make_bridge(links, &found.links, spec.network).await?;
    let device = make_device(links, &found.links, spec.network, wanted).await?;
    let alias = || LinkAttribute::IfAlias(NetworkMark(spec.network).to_string());
    let change = async |what: &str, link| links.change(&format!("set up {what}"), link).await;
    let (bridge_name, device_name) = (name::bridge(spec.network), name::device(spec.network));
    let on_bridge = LinkUnspec::new_with_index(device).controller(bridge).mtu(mtu).append_extra_attribute(alias());
    change(&device_name, on_bridge).await?;
    let marked = LinkUnspec::new_with_index(bridge).mtu(mtu).append_extra_attribute(alias());
    change(&bridge_name, marked).await?;
    // Nothing is learned from what comes over the underlay, and nobody unknown is looked for there.
    let port = LinkBridgePort::new(device).learning(false).flood(false).mcast_flood(false).neigh_suppress(true);
    links.set_port(&format!("set up the port {device_name}"), port.build()).await?;
    change(&bridge_name, LinkUnspec::new_with_index(bridge).up()).await?;
    forwarding::bring_about(links, At { bridge, device }, &forwarding::wanted(peers, &spec.members)).await?;
    change(&device_name, LinkUnspec::new_with_index(device).up()).await?;
    Ok(Place { bridge: bridge_name, tag: None, mtu })
}

async fn make_bridge(links: &Links, found: &[Link], network: NetworkId) -> Result<u32, NetworkError> {
    let name = name::bridge(network);
    match own(found, &name, network)? {
        Some(link) if link.is_bridge => Ok(link.index),
        Some(_) => Err(NetworkError::ForeignLink(name)),
        None => {
            let mac = name::bridge_mac(network).0.to_vec();
            let bridge = LinkBridge::new(&name).address(mac).mcast_snooping(false).down();
            links.add(&format!("make the bridge {name}"), bridge.build()).await?;
            links.keep_quiet(&name).await;
            links.index_of(&name).await
        }
    }
}

async fn make_device(links: &Links, found: &[Link], network: NetworkId, wanted: Vxlan) -> Result<u32, NetworkError> {
    let name = name::device(network);
    match own(found, &name, network)? {
        Some(link) if link.vxlan == Some(wanted) => return Ok(link.index),
        // Neither number nor underlay can be changed in one that is there.
        Some(link) if link.vxlan.is_some() => links.delete(link).await?,
        Some(_) => return Err(NetworkError::ForeignLink(name)),
        None => {}
    }
    let local = wanted.local.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let device = LinkVxlan::new(&name, wanted.vni).dev(wanted.lower).local(local).port(wanted.port).learning(false);
    links.add(&format!("make the VXLAN device {name}"), device.down().build()).await?;
    links.keep_quiet(&name).await;
    links.index_of(&name).await
}

fn own<'a>(found: &'a [Link], name: &str, network: NetworkId) -> Result<Option<&'a Link>, NetworkError> {
    match name::find(found, name, &NetworkMark(network).to_string()) {
        None if found.iter().any(|link| link.name == name) => Err(NetworkError::ForeignLink(name.to_owned())),
        own => Ok(own),
    }
}

/// Removes what was made for a network; done when nothing of it is there.
///
/// # Errors
/// When the kernel refuses.
pub async fn remove(links: &Links, found: &[Link], network: NetworkId) -> Result<(), NetworkError> {
    let alias = NetworkMark(network).to_string();
    // The device first: a bridge without it carries nothing away.
    for name in [name::device(network), name::bridge(network)] {
        if let Some(link) = name::find(found, &name, &alias) {
            links.delete(link).await?;
        }
    }
    Ok(())
}
