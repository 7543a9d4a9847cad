//! Everything of a host's servers that is network: taps and what they are plugged into, what holds them to a rate, filters,
//! and the answers to DHCP.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use csp_shared::{
    id::{NetworkId, ServerId},
    mac::Mac,
    observed::Fault,
    spec::{Nic, NicNetwork, ServerSpec},
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{blocking, fault};
use crate::{
    config::Config,
    machine::{HostEvent, Mark, SeenStray, SeenTap},
    network::{
        NetworkError,
        bare_taps::BareTapKeeper,
        dhcp::responder::Responders,
        filter::{self, AllFilters, Before, FilterLooks},
        filter_drift::{self, Drift, Standing},
        filter_rules::{PrivateTap, ServerFilters},
        host_addresses::HostAddressKeeper,
        links::{Link, Links},
        segment::{Ready, Segments, name::VLAN_BRIDGE, vlan::PortTags},
        shaping::{self, Rates, SeenWays, Shaping, Sides},
        tap::{Places, Plug, Taps},
        tap_name::TapName,
        way_back::Ways,
    },
    plan::mark,
    traffic::Meter,
};

/// The host's side of its guests' networks.
#[derive(Debug)]
pub(super) struct Networking {
    links: Links,
    taps: Taps,
    segments: Arc<Segments>,
    shaping: Shaping,
    dhcp: Responders,
    looks: Arc<FilterLooks>,
    standing: Arc<Standing>,
    addresses: Arc<HostAddressKeeper>,
    bare: Arc<BareTapKeeper>,
    meter: Arc<Meter>,
}

/// What one look shows of all servers' networks.
#[derive(Debug)]
pub(super) struct AllNetworks {
    pub links: Arc<[Link]>,
    pub filters: Arc<AllFilters>,
    rates: Rates,
    places: Places,
}

/// What it shows of one server's.
pub(super) struct SeenNetwork {
    pub taps: BTreeMap<Mac, SeenTap>,
    pub idle_taps: BTreeSet<Mac>,
    pub strays: BTreeMap<String, SeenStray>,
    pub queues: bool,
    pub filters: Option<Mark>,
    pub dhcp: Option<Mark>,
    pub networks: BTreeMap<NetworkId, u32>,
}

impl Networking {
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When no netlink socket can be had, or /proc is not mounted.
    pub fn open(config: &Config) -> Result<Self, Fault> {
        let links = told(Links::connect())?;
        let meter = Meter::open(&config.state_dir, links.clone());
        let config = &config.network;
        Ok(Self {
            meter: Arc::new(meter.map_err(|error| super::internal("read the boot id", &error))?),
            shaping: Shaping::new(links.clone()),
            segments: Arc::new(Segments::new(links.clone(), config)),
            taps: Taps::new(links.clone(), config.public_bridge.clone()),
            addresses: Arc::new(HostAddressKeeper::new(links.clone(), config.public_bridge.clone())),
            bare: Arc::new(BareTapKeeper::new(links.clone())),
            links,
            dhcp: Responders::default(),
            looks: Arc::default(),
            standing: Arc::default(),
        })
    }

    /// Keeps what no server's worker does. To be dropped with the machine. `happened` is told which servers to look at.
    pub fn keep(&self, tasks: &mut JoinSet<()>, happened: mpsc::Sender<HostEvent>) {
        let addresses = Arc::clone(&self.addresses);
        tasks.spawn(async move { addresses.keep().await });
        let bare = Arc::clone(&self.bare);
        tasks.spawn(async move { bare.keep().await });
        let (addresses, segments) = (Arc::clone(&self.addresses), Arc::clone(&self.segments));
        let (standing, bare) = (Arc::clone(&self.standing), Arc::clone(&self.bare));
        tasks.spawn(async move {
            let told = |drift: Drift| {
                // Of other tables the agent's own changes are heard as well: their keepers tell what they missed.
                if !drift.servers.is_empty() {
                    tracing::warn!(
                        servers = drift.servers.len(),
                        "somebody removed rules of csp's from nftables; they are loaded again. If that was nftables.service: \
                         keep it from `flush ruleset`, as the manual says (install.md)"
                    );
                }
                addresses.look_again();
                segments.look_again();
                bare.look_again();
                // What finds no room is looked at within half a minute anyway.
                let _ = drift.servers.into_iter().try_for_each(|server| happened.try_send(HostEvent::Server(server)));
            };
            match filter_drift::watch(standing, told).await {}
        });
    }

    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    pub fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.segments)
    }

    /// The largest packets of private networks that are ready, in bytes.
    pub fn mtus(&self) -> BTreeMap<NetworkId, u32> {
        mtus(&self.segments.ready())
    }

    pub async fn look(&self) -> Result<AllNetworks, Fault> {
        let links = told(self.links.list().await)?;
        let places = self.places(&links).await?;
        let rates = told(self.shaping.rates(&links).await)?;
        let looks = Arc::clone(&self.looks);
        let filters = blocking(move || looks.list()).await?;
        Ok(AllNetworks { links, filters, rates, places })
    }

    async fn places(&self, links: &[Link]) -> Result<Places, Fault> {
        let has_vlans = links.iter().any(|link| link.name == VLAN_BRIDGE);
        let tags = if has_vlans { told(PortTags::list().await)? } else { PortTags::default() };
        Ok(Places { ready: self.segments.ready(), tags })
    }

    pub async fn see(&self, all: &AllNetworks, server: ServerId) -> Result<SeenNetwork, Fault> {
        Ok(SeenNetwork {
            taps: self.taps.seen_in(&all.links, server, &all.places),
            idle_taps: Taps::idle_in(&all.links, server),
            strays: Taps::strays_in(&all.links, server),
            queues: shaping::remains(&all.links, server),
            filters: self.see_filters(all, server).await?,
            dhcp: self.dhcp.seen(server, &all.links),
            networks: mtus(&all.places.ready),
        })
    }

    /// The server's filters, which are as they should be only with the gates that they hand frames to.
    async fn see_filters(&self, all: &AllNetworks, server: ServerId) -> Result<Option<Mark>, Fault> {
        let (looks, listed) = (Arc::clone(&self.looks), Arc::clone(&all.filters));
        let Some(seen) = blocking(move || looks.see(&listed, server)).await? else { return Ok(None) };
        self.standing.see(server);
        let has_gates = !seen.gates.is_empty();
        let ways = if has_gates { told(self.shaping.ways(&all.links, server).await)? } else { SeenWays::new() };
        let is_whole = shaping::is_whole(&all.links, &all.rates, &ways, server, &seen);
        Ok(Some(if is_whole { seen.mark } else { Mark::BROKEN }))
    }

    /// Of adapters whose private network is not ready none is made. `held` are the adapters of a guest that runs.
    pub async fn make_taps(&self, spec: &ServerSpec, held: Option<&BTreeSet<Mac>>) -> Result<(), Fault> {
        let plugs = plugs(spec, &self.segments.ready());
        told(match held {
            Some(held) => self.taps.plug_in(spec.server, &plugs, held).await,
            None => self.taps.make(spec.server, &plugs).await,
        })
    }

    pub async fn cut_off(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.meter.look().await;
        told(self.taps.cut_off(spec.server, &mark::macs(spec)).await)
    }

    pub async fn probe_addresses(&self, spec: &ServerSpec, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), Fault> {
        let (server, wanted) = (spec.server, addresses.clone());
        blocking(move || filter::ensure_unused(server, &wanted)).await?;
        told(self.taps.ensure_unused(addresses).await)
    }

    /// Filters hand frames to a gate only once it is there, and it goes only after they no longer do.
    pub async fn set_filters(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        let server = spec.server;
        let links = told(self.links.list().await)?;
        let there = self.taps.seen_in(&links, server, &Places::default());
        let (public, private): (Vec<&Nic>, Vec<&Nic>) = spec
            .nics
            .iter()
            .filter(|nic| there.contains_key(&nic.mac))
            .partition(|nic| nic.network == NicNetwork::Public);
        let macs: Vec<Mac> = public.into_iter().map(|nic| nic.mac).collect();
        let private: Vec<PrivateTap> = private.into_iter().map(private_tap).collect();
        let sides = Sides {
            public: numbers(&links, server, macs.iter()),
            private: numbers(&links, server, private.iter().map(|tap| &tap.mac)),
        };
        let gates = told(self.shaping.hold(server, spec.net_mbit_per_second(), &sides).await)?;
        let own = mark::public_addresses(spec).into_iter().collect();
        let kept = gates.clone();
        let filters = ServerFilters { server, own, macs, private, smtp_open: spec.smtp_open, gates, mark };
        let standing = Arc::clone(&self.standing);
        let before = blocking(move || standing.load(filters)).await?;
        if before == Before::Altered {
            tracing::warn!(%server, "the server's filters were changed behind csp's back; they were set anew");
        }
        told(self.shaping.release(server, &kept).await)
    }

    pub async fn link_up(&self, spec: &ServerSpec) -> Result<(), Fault> {
        told(self.taps.set_up(spec.server, &mark::macs(spec)).await)?;
        self.announce(spec, |_| true).await;
        Ok(())
    }

    /// Tells the segment where the public addresses of some of the server's adapters are. It saves others a wait for what they
    /// would find out by themselves, so nothing rests on it.
    pub async fn announce(&self, spec: &ServerSpec, whose: impl Fn(Mac) -> bool) {
        let mut addresses = mark::public_addresses_by_mac(spec);
        addresses.retain(|(mac, _)| whose(*mac));
        if let Err(error) = self.taps.announce(&addresses).await {
            let why = fault::story(&error);
            tracing::warn!(server = %spec.server, why, "neighbours were not told where an address is now");
        }
    }

    pub async fn serve_dhcp(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        let links = told(self.links.list().await)?;
        told(self.dhcp.serve(spec.server, &spec.nics, mark, &links))
    }

    pub async fn remove_tap(&self, server: ServerId, mac: Mac) -> Result<(), Fault> {
        self.meter.look().await;
        told(self.taps.remove_of(server, mac).await)
    }

    pub async fn remove_taps(&self, server: ServerId) -> Result<(), Fault> {
        self.dhcp.end(server);
        self.meter.look().await;
        told(self.taps.remove(server).await)
    }

    pub async fn remove_filters(&self, server: ServerId) -> Result<(), Fault> {
        let standing = Arc::clone(&self.standing);
        blocking(move || standing.remove(server)).await
    }
}

/// What each adapter's tap is plugged into, of those whose network is ready.
fn plugs(spec: &ServerSpec, ready: &Ready) -> Vec<Plug> {
    let plug = |nic: &Nic| match nic.network {
        NicNetwork::Public => Some(Plug::from(nic.mac)),
        NicNetwork::Private { network } => {
            let place = ready.get(&network)?.clone();
            Some(Plug { mac: nic.mac, private: Some((network, place)) })
        }
    };
    spec.nics.iter().filter_map(plug).collect()
}

fn mtus(ready: &Ready) -> BTreeMap<NetworkId, u32> {
    ready.iter().map(|(network, place)| (*network, place.mtu)).collect()
}

/// The taps of those addresses.
fn numbers<'a>(links: &[Link], server: ServerId, macs: impl Iterator<Item = &'a Mac>) -> Ways {
    let number = |mac: &Mac| {
        let name = TapName::of(server, *mac);
        links.iter().find(|link| link.name == name.as_str()).map(|link| (*mac, link.index))
    };
    macs.filter_map(number).collect()
}

fn private_tap(nic: &Nic) -> PrivateTap {
    PrivateTap { mac: nic.mac, own: mark::ipv4(nic).collect() }
}

fn told<T>(done: Result<T, NetworkError>) -> Result<T, Fault> {
    done.map_err(|error| fault::of(&error))
}
