//! The taps of servers: made, plugged in, set up, seen and removed. Only our own are touched: those that carry our mark,
//! and those that lost it and are still known by their name and address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_shared::{
    id::{NetworkId, ServerId},
    mac::Mac,
};
use rtnetlink::{LinkUnspec, packet_route::link::LinkAttribute};

use super::{
    NetworkError, arp_announce,
    arp_probe::{self, Claim},
    bridge, gate,
    links::{Link, Links},
    segment::{Place, Ready, vlan, vlan::PortTags},
    tap_device::NewTap,
    tap_name::{PREFIX, TapMark, TapName},
};
use crate::machine::{SeenStray, SeenTap};

/// A tap, and what it is plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// The guest's address on it.
    pub mac: Mac,
    /// The private network, and where its taps are plugged in; none for the public bridge.
    pub private: Option<(NetworkId, Place)>,
}

impl From<Mac> for Plug {
    fn from(mac: Mac) -> Self {
        Self { mac, private: None }
    }
}

/// Where taps of private networks belong, and the tags of all ports, as one look shows them.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The networks that are ready.
    pub ready: Ready,
    /// Of the bridge that VLANs share.
    pub tags: PortTags,
}

/// The host's taps and the public bridge.
#[derive(Clone, Debug)]
pub struct Taps {
    links: Links,
    bridge: String,
}

impl Taps {
    /// Public taps go on the bridge of that name.
    #[must_use]
    pub fn new(links: Links, bridge: String) -> Self {
        Self { links, bridge }
    }

    /// The server's taps in a listing, by the guest's address.
    #[must_use]
    pub fn seen_in(&self, links: &[Link], server: ServerId, places: &Places) -> BTreeMap<Mac, SeenTap> {
        let taps = of_server(links, server).filter(|(mark, link)| is_own_name(*mark, link));
        taps.map(|(mark, link)| {
            (mark.mac, SeenTap { plugged: self.is_plugged(links, mark, link, places), up: link.up })
        })
        .collect()
    }

    /// Those of the server's taps in a listing that no program holds open.
    #[must_use]
    pub fn idle_in(links: &[Link], server: ServerId) -> BTreeSet<Mac> {
        let taps = of_server(links, server).filter(|(mark, link)| is_own_name(*mark, link) && is_removable(link));
        taps.map(|(mark, _)| mark.mac).collect()
    }

    fn is_plugged(&self, links: &[Link], mark: TapMark, link: &Link, places: &Places) -> bool {
        let place = match mark.network {
            None => (self.bridge.as_str(), None),
            Some(network) => match places.ready.get(&network) {
                Some(place) => (place.bridge.as_str(), place.tag),
                None => return false,
            },
        };
        let bridge = bridge::find(links, place.0).ok().map(|bridge| bridge.index);
        let is_on_it = bridge.is_some() && link.controller == bridge && !link.alias.is_empty();
        is_on_it && place.1.is_none_or(|tag| places.tags.is_access(link.index, tag))
    }

    /// Interfaces in a listing that carry the server's mark under another name than it gives.
    #[must_use]
    pub fn strays_in(links: &[Link], server: ServerId) -> BTreeMap<String, SeenStray> {
        let strays = of_server(links, server).filter(|(mark, link)| !is_own_name(*mark, link));
        let seen =
            |link: &Link| SeenStray { connected: link.up || link.controller.is_some(), removable: is_removable(link) };
        strays.map(|(_, link)| (link.name.clone(), seen(link))).collect()
    }

    /// Makes the taps of `plugs`, links down and plugged in, and removes the server's others. One that is there keeps
    /// its link's state.
    ///
    /// # Errors
    /// When a bridge is missing, a name is taken by a foreign interface, or the kernel refuses.
    pub async fn make<P: Clone + Into<Plug>>(&self, server: ServerId, plugs: &[P]) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        let plugs: Vec<Plug> = plugs.iter().cloned().map(Into::into).collect();
        let is_wanted = |mark: TapMark| plugs.iter().any(|plug| plug.mac == mark.mac);
        // Nothing is removed where nothing can be made in its place.
        for plug in &plugs {
            self.bridge_of(&links, plug)?;
        }
        for (_, link) in of_server(&links, server).filter(|(mark, _)| !is_wanted(*mark)) {
            self.remove_one(link).await?;
        }
        for plug in &plugs {
            self.bring_about(&links, server, plug, true).await?;
        }
        Ok(())
    }

    /// Plugs one tap in, and makes it first if it is not there and may be made.
    async fn bring_about(&self, links: &[Link], server: ServerId, plug: &Plug, may: bool) -> Result<(), NetworkError> {
        let mark = TapMark { server, mac: plug.mac, network: plug.private.as_ref().map(|(network, _)| *network) };
        let name = TapName::of(server, plug.mac);
        let bridge = self.bridge_of(links, plug)?;
        match links.iter().find(|link| link.name == name.as_str()) {
            None if may => self.make_one(&name, mark, plug, bridge).await,
            None => Ok(()),
            Some(link) if !is_of(link, mark) => Err(NetworkError::ForeignLink(name.to_string())),
            Some(link) => self.complete(link, mark, plug, bridge).await,
        }
    }

    fn bridge_of<'a>(&self, links: &'a [Link], plug: &Plug) -> Result<&'a Link, NetworkError> {
        match &plug.private {
            None => bridge::find(links, &self.bridge),
            Some((network, place)) => bridge::find(links, &place.bridge).map_err(|_| NetworkError::NoSegment(*network)),
        }
    }

    /// Sets whatever carries the server's mark and is none of the taps of `macs` down and takes it off its bridge, and
    /// removes what nobody can miss of it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn cut_off(&self, server: ServerId, macs: &[Mac]) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        let is_wanted = |mark: TapMark, link: &Link| macs.contains(&mark.mac) && is_own_name(mark, link);
        for (_, link) in of_server(&links, server).filter(|(mark, link)| !is_wanted(*mark, link)) {
            let cut = LinkUnspec::new_with_index(link.index).down().nocontroller();
            self.links.change(&format!("disconnect {}", link.name), cut).await?;
            let fate = if is_removable(link) { "removed" } else { "left disconnected" };
            tracing::warn!(%server, tap = link.name, fate, "a tap carries the server's mark and is none of its adapters");
            if is_removable(link) {
                self.links.delete(link).await?;
            }
        }
        Ok(())
    }

    /// Makes sure that nobody on the bridge's segment answers for one of `addresses`.
    ///
    /// # Errors
    /// [`NetworkError::AddressInUse`] when somebody does; another one when the bridge is missing or takes no frames.
    pub async fn ensure_unused(&self, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        let bridge = bridge::find(&links, &self.bridge)?;
        match arp_probe::probe(bridge, addresses).await? {
            None => Ok(()),
            Some(Claim { address, mac }) => {
                Err(NetworkError::AddressInUse { address, by: format!("the machine {mac}") })
            }
        }
    }

    /// Tells the bridge's segment at which MAC each of these addresses is now.
    ///
    /// # Errors
    /// When the bridge is missing or takes no frames.
    pub async fn announce(&self, addresses: &[(Mac, Ipv4Addr)]) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        arp_announce::announce(bridge::find(&links, &self.bridge)?, addresses)
    }

    /// Marks the taps of `plugs` and plugs them in, and makes those that are not there, links down, unless they are of an
    /// adapter in `held`. For a guest that runs: its QEMU holds the taps of its adapters, and another one would be nobody's.
    ///
    /// # Errors
    /// When a bridge is missing, a name is taken by a foreign interface, or the kernel refuses.
    pub async fn plug_in<P: Clone + Into<Plug>>(
        &self,
        server: ServerId,
        plugs: &[P],
        held: &BTreeSet<Mac>,
    ) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        for plug in plugs {
            let plug: Plug = plug.clone().into();
            self.bring_about(&links, server, &plug, !held.contains(&plug.mac)).await?;
        }
        Ok(())
    }

    /// Sets the tap of one adapter down and removes it; done when there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove_of(&self, server: ServerId, mac: Mac) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        for (_, link) in of_server(&links, server).filter(|(mark, link)| mark.mac == mac && is_own_name(*mark, link)) {
            self.remove_one(link).await?;
        }
        Ok(())
    }

    /// Sets the links of those taps of `macs` up that are there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_up(&self, server: ServerId, macs: &[Mac]) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        let wanted =
            of_server(&links, server).filter(|(mark, link)| macs.contains(&mark.mac) && is_own_name(*mark, link));
        for (_, link) in wanted.filter(|(_, link)| !link.up) {
            let up = LinkUnspec::new_with_index(link.index).up();
            self.links.change(&format!("set {} up", link.name), up).await?;
        }
        Ok(())
    }

    /// Removes the server's taps and its gates; done when there are none. What waits in a gate has nowhere to go by then, so
    /// nobody waits for it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove(&self, server: ServerId) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        let taps = of_server(&links, server).map(|(_, link)| link);
        self.links.delete_together(&taps.chain(gate::all_in(&links, server)).collect::<Vec<_>>()).await
    }

    async fn make_one(&self, name: &TapName, mark: TapMark, plug: &Plug, bridge: &Link) -> Result<(), NetworkError> {
        let tap = NewTap::create(name)?;
        let named = LinkUnspec::new_with_name(name.as_str())
            .address(mark.mac.of_tap().0.to_vec())
            // A port with a smaller MTU would lower the bridge's, and with it everybody's.
            .mtu(plug.private.as_ref().map_or(bridge.mtu, |(_, place)| place.mtu))
            .append_extra_attribute(LinkAttribute::IfAlias(mark.to_string()))
            .controller(bridge.index);
        self.links.change(&format!("mark {name} and plug it into {}", bridge.name), named).await?;
        if plug.private.as_ref().is_some_and(|(_, place)| place.tag.is_some()) {
            let index = self.links.index_of(name.as_str()).await?;
            let made = Link { index, name: name.to_string(), controller: Some(bridge.index), ..Link::default() };
            self.plug(&made, plug, bridge).await?;
        }
        tap.keep()
    }

    /// Gives a tap of ours what it lacks: its mark, its bridge.
    async fn complete(&self, link: &Link, mark: TapMark, plug: &Plug, bridge: &Link) -> Result<(), NetworkError> {
        if link.alias.is_empty() {
            let marked =
                LinkUnspec::new_with_index(link.index).append_extra_attribute(LinkAttribute::IfAlias(mark.to_string()));
            self.links.change(&format!("mark {}", link.name), marked).await?;
            tracing::warn!(server = %mark.server, tap = link.name, "the tap had lost its alias, which says whose it is");
        }
        self.plug(link, plug, bridge).await
    }

    async fn plug(&self, link: &Link, plug: &Plug, bridge: &Link) -> Result<(), NetworkError> {
        if link.controller != Some(bridge.index) {
            let plugged = LinkUnspec::new_with_index(link.index).controller(bridge.index);
            self.links.change(&format!("plug {} into {}", link.name, bridge.name), plugged).await?;
        }
        match plug.private.as_ref().and_then(|(_, place)| place.tag) {
            Some(tag) => vlan::make_access(&self.links, link, tag).await,
            None => Ok(()),
        }
    }

    async fn remove_one(&self, link: &Link) -> Result<(), NetworkError> {
        // Down first: QEMU may hold it open, and then frames would pass until it lets go.
        let down = LinkUnspec::new_with_index(link.index).down();
        self.links.change(&format!("set {} down", link.name), down).await?;
        self.links.delete(link).await
    }
}

/// Whether an interface is called as its mark says. Another one is not csp's to keep, whatever it carries.
fn is_own_name(mark: TapMark, link: &Link) -> bool {
    link.name == TapName::of(mark.server, mark.mac).as_str()
}

/// Whether nobody can miss it: its name is one of csp's, and no program holds it open.
fn is_removable(link: &Link) -> bool {
    link.name.starts_with(PREFIX) && !link.has_carrier
}

/// The taps of `server`, whatever they are called.
fn of_server(links: &[Link], server: ServerId) -> impl Iterator<Item = (TapMark, &Link)> {
    links.iter().filter_map(move |link| Some((mark_of(link, server)?, link)))
}

/// The mark of `server` that a tap carries, or would carry had it not lost its alias: then it is known by the address that
/// csp gives to the tap of an adapter, and by the name that follows from server and adapter. What has another alias is
/// somebody else's. Which network it is of stands in the alias alone.
fn mark_of(link: &Link, server: ServerId) -> Option<TapMark> {
    let mark = if link.alias.is_empty() {
        let mark = TapMark { server, mac: link.mac?.of_guest()?, network: None };
        Some(mark).filter(|mark| is_own_name(*mark, link))
    } else {
        TapMark::parse(&link.alias)
    };
    mark.filter(|mark| link.is_tun && mark.server == server)
}

/// Whether a tap carries the mark, or would had it not lost its alias.
fn is_of(link: &Link, mark: TapMark) -> bool {
    let network = if link.alias.is_empty() { None } else { mark.network };
    mark_of(link, mark.server) == Some(TapMark { network, ..mark })
}

/// Whether an interface is a tap of some server, as far as that can be told without the server: by its mark, or, where it
/// lost that, by the kind of name and address that csp gives.
#[must_use]
pub fn is_tap(link: &Link) -> bool {
    let lost_its_mark = || {
        link.alias.is_empty() && link.name.starts_with(PREFIX) && link.mac.is_some_and(|mac| mac.of_guest().is_some())
    };
    link.is_tun && (TapMark::parse(&link.alias).is_some() || lost_its_mark())
}
