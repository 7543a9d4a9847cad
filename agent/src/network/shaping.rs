//! Makes what a server's frames go through beside its taps: two queues that hold all of its public taps to one rate a direction
//! (five addresses buy no more than one), and a cable to its private networks, where no rate holds.
//!
//! The rule of its filters that lets a frame pass hands it on. From a queue it goes to the guest as if it had been let through;
//! what the guest sent comes to its tap once more, see [`super::way_back`], passes its filters again and goes to the bridge. By
//! then its checksums are written, so the filters see what the wire will carry ([`super::checksums`]).
//!
//! No redirection of tc stands on a tap: the kernel asks it before the filters, and what comes back from there passes none. The
//! gates are the kernel's, so nothing of it ends with the agent; a new rate is set under the frames that wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use csp_shared::{id::ServerId, mac::Mac};
use nix::errno::Errno;
use rtnetlink::{
    LinkIfb, LinkMessageBuilder, LinkUnspec, LinkVeth,
    packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage},
};
use tokio::time::sleep;
use tracing::warn;

use super::{
    NetworkError, checksums,
    filter::SeenFilters,
    gate::{self, Cable, Gate, GateMark, Gates, Queues, Rate},
    links::{Link, Links},
    tap_name::{TapMark, TapName},
    traffic_control::{self, HeldRate},
    way_back::{self, Ways},
};

/// What a kernel needs for it.
pub const MODULES: &str = "ifb, veth, sch_tbf, sch_ingress, cls_u32, act_mirred and nft_fwd_netdev";
/// The largest that a cable within the host has: larger than any tap's.
const CABLE_MTU: u32 = 65_535;
/// The rate of a queue that holds nothing back.
const UNBOUND_MBIT: u32 = 100_000;
/// A queue that is to go lets all that waits in it through first. At that rate the fullest is empty in half the time.
const EMPTIES: Duration = Duration::from_millis(20);

/// The host's gates.
#[derive(Clone, Debug)]
pub struct Shaping {
    links: Links,
    /// That the kernel cannot make any was told.
    told: Arc<AtomicBool>,
}

/// What one look shows of all queues.
#[derive(Clone, Debug, Default)]
pub struct Rates(BTreeMap<u32, Option<HeldRate>>);

/// Where the frames of a server come back, from each of its cables.
pub type SeenWays = BTreeMap<Gate, Ways>;

/// A server's taps, as its gates need to know them.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// On the public network.
    pub public: Ways,
    /// On private ones.
    pub private: Ways,
}

impl Shaping {
    /// Gates in the network that `links` speaks to.
    #[must_use]
    pub fn new(links: Links) -> Self {
        Self { links, told: Arc::default() }
    }

    /// The rates of all queues in a listing.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn rates(&self, links: &[Link]) -> Result<Rates, NetworkError> {
        if !links.iter().any(|link| link.name.starts_with(gate::PREFIX)) {
            return Ok(Rates::default());
        }
        traffic_control::queues().await.map(Rates)
    }

    /// The ways from the server's cables back to its taps, in a listing.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn ways(&self, links: &[Link], server: ServerId) -> Result<SeenWays, NetworkError> {
        let mut seen = SeenWays::new();
        for cable in Gate::ALL.into_iter().filter(|gate| gate.is_cable()) {
            // From one that leaves frames unfinished nothing may come back.
            let far_end = far_end_of(links, server, cable).filter(|_| checksums::finishes(&gate::name(server, cable)));
            if let Some(far_end) = far_end {
                let ways = way_back::list(far_end.index).await?;
                seen.extend(ways.map(|ways| (cable, ways)));
            }
        }
        Ok(seen)
    }

    /// Makes the server's gates, or sets their rate; those that no tap of a side needs are left out. A server without a rate
    /// has its queues as well, which hold nothing back: what comes out of them is final, and only that is filtered for good.
    /// On a kernel that has none it runs without. Gives the gates' names, for its filters.
    ///
    /// # Errors
    /// [`NetworkError::NoShaping`] when the kernel lacks what holds a rate; others when a name is taken, or it refuses.
    pub async fn hold(&self, server: ServerId, mbit: Option<u32>, taps: &Sides) -> Result<Gates, NetworkError> {
        let mut gates = Gates::default();
        if !taps.public.is_empty() {
            let is_free = mbit.is_none();
            let held = self.queues(server, mbit.unwrap_or(UNBOUND_MBIT), &taps.public).await;
            gates.public = if is_free { self.or_without(server, held)? } else { Some(held?) };
        }
        if !taps.private.is_empty() {
            let mark = GateMark { server, gate: Gate::Private, mbit: None };
            let made = self.make(mark, &taps.private).await.map_err(or_lacking);
            gates.private = self.or_without(server, made.map(|()| Cable::of(server, Gate::Private)))?;
        }
        Ok(gates)
    }

    async fn queues(&self, server: ServerId, mbit: u32, taps: &Ways) -> Result<Queues, NetworkError> {
        for gate in Gate::QUEUES {
            self.make(GateMark { server, gate, mbit: Some(mbit) }, taps).await.map_err(or_lacking)?;
        }
        Ok(Queues::of(server))
    }

    fn or_without<T>(&self, server: ServerId, made: Result<T, NetworkError>) -> Result<Option<T>, NetworkError> {
        match made {
            Err(error @ NetworkError::NoShaping { .. }) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    warn!(%server, %error, "what guests leave to their host to write into frames is not filtered");
                }
                Ok(None)
            }
            made => made.map(Some),
        }
    }

    /// Makes one gate, or sets its rate. It is up only with its rate.
    async fn make(&self, mark: GateMark, taps: &Ways) -> Result<(), NetworkError> {
        let name = gate::name(mark.server, mark.gate);
        let doing = format!("make the gate {name}");
        let far_end = gate::far_end(mark.server, mark.gate);
        let index = if mark.gate.is_cable() {
            let (near, far) = self.lay(mark, &name, &far_end).await?;
            checksums::finish(&name)?;
            self.lead_back(mark, &far, taps).await?;
            near.index
        } else {
            match self.links.add(&doing, LinkIfb::new(&name).build()).await {
                Err(error) if !error.is(Errno::EEXIST) => return Err(error),
                _ => self.find(mark, &name).await?.ok_or_else(|| NetworkError::ForeignLink(name.clone()))?.index,
            }
        };
        match mark.mbit {
            Some(mbit) => traffic_control::set_rate(&self.links, index, Rate::of_mbit(mbit)).await?,
            None => match traffic_control::let_through(&self.links, index).await {
                Err(error) if !error.is(Errno::ENOENT) && !error.is(Errno::EINVAL) => return Err(error),
                _ => {} // nothing stood there
            },
        }
        let alias = LinkAttribute::IfAlias(mark.to_string());
        self.links.change(&doing, LinkUnspec::new_with_index(index).append_extra_attribute(alias).up()).await
    }

    /// Sees to it that both ends of a cable are there, and gives them. One whose ends somebody changed is taken away first.
    async fn lay(&self, mark: GateMark, name: &str, far_end: &str) -> Result<(Link, Link), NetworkError> {
        let doing = format!("lay the cable {name}");
        for _ in 0..2 {
            match self.links.add(&doing, cable(name, far_end)).await {
                Err(error) if !error.is(Errno::EEXIST) => return Err(error),
                Err(_) => {} // there, or in part
                Ok(()) => {
                    self.links.keep_quiet(name).await;
                    self.links.keep_quiet(far_end).await;
                }
            }
            let near = self.find(mark, name).await?;
            let far = self.links.named(far_end).await?;
            match (near, far) {
                (Some(near), Some(far)) if are_ends(&near, &far) => return Ok((near, far)),
                (Some(near), _) => self.links.delete(&near).await?,
                // Somebody renamed its near end, which goes with it.
                (None, Some(far)) if GateMark::parse(&far.alias).is_some_and(|is| is.is_for(&mark)) => {
                    self.links.delete(&far).await?;
                }
                (None, _) => {}
            }
        }
        Err(NetworkError::ForeignLink(far_end.to_owned()))
    }

    /// Leads what comes out of the far end to the taps.
    async fn lead_back(&self, mark: GateMark, far: &Link, taps: &Ways) -> Result<(), NetworkError> {
        way_back::set(&self.links, far.index, taps).await?;
        let alias = mark.to_string();
        if far.up && far.alias == alias {
            return Ok(());
        }
        let up = LinkUnspec::new_with_index(far.index).append_extra_attribute(LinkAttribute::IfAlias(alias)).up();
        self.links.change(&format!("set {} up", far.name), up).await
    }

    async fn find(&self, mark: GateMark, name: &str) -> Result<Option<Link>, NetworkError> {
        let Some(link) = self.links.named(name).await? else { return Ok(None) };
        match gate::find(std::slice::from_ref(&link), mark.server, mark.gate) {
            None => Err(NetworkError::ForeignLink(name.to_owned())),
            Some(_) => Ok(Some(link)),
        }
    }

    /// Removes the server's gates but `kept`, once empty; done when there are none. Called after its filters hand nothing to
    /// them any longer.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn release(&self, server: ServerId, kept: &Gates) -> Result<(), NetworkError> {
        let mut gates = Vec::new();
        for gate in Gate::ALL.into_iter().filter(|gate| !kept.has(*gate)) {
            let link = self.links.named(&gate::name(server, gate)).await?;
            let link = link.filter(|link| gate::find(std::slice::from_ref(link), server, gate).is_some());
            gates.extend(link.map(|link| (gate, link)));
        }
        self.empty_and_delete(gates).await?;
        self.release_older(server).await
    }

    /// Removes what an older agent made otherwise.
    async fn release_older(&self, server: ServerId) -> Result<(), NetworkError> {
        let older = self.links.named(&gate::older(server)).await?;
        let older = older.filter(|link| link.is_ifb).map(|link| (Gate::FromGuest, link));
        self.empty_and_delete(older.into_iter().collect()).await
    }

    async fn empty_and_delete(&self, gates: Vec<(Gate, Link)>) -> Result<(), NetworkError> {
        let queues: Vec<&Link> =
            gates.iter().filter(|(gate, _)| Gate::QUEUES.contains(gate)).map(|(_, link)| link).collect();
        for queue in &queues {
            traffic_control::set_rate(&self.links, queue.index, Rate::of_mbit(UNBOUND_MBIT)).await?;
        }
        if !queues.is_empty() {
            sleep(EMPTIES).await;
        }
        self.links.delete_together(&gates.iter().map(|(_, link)| link).collect::<Vec<_>>()).await
    }
}

/// Whether the server's gates, and the ways back from them, are as its filters need them. Where these hand frames to none,
/// there are to be none.
#[must_use]
pub fn is_whole(links: &[Link], rates: &Rates, ways: &SeenWays, server: ServerId, filters: &SeenFilters) -> bool {
    let found = |gate| gate::find(links, server, gate);
    let there: BTreeSet<u32> = Gate::ALL.into_iter().filter_map(found).map(|link| link.index).collect();
    let queues = Gate::QUEUES.map(found);
    let are_queues_whole = match queues {
        [None, None] => true,
        [Some(from), Some(to)] => {
            let made_for = |link: &Link| GateMark::parse(&link.alias).and_then(|mark| mark.mbit);
            let rate = made_for(from).filter(|mbit| made_for(to) == Some(*mbit)).map(Rate::of_mbit);
            let holds = |link: &Link| {
                link.up
                    && rates.0.get(&link.index).copied().flatten().zip(rate).is_some_and(|(held, rate)| held.is(rate))
            };
            holds(from) && holds(to)
        }
        _ => false,
    };
    let is_cable_whole = |gate| {
        let Some(near) = found(gate) else { return true };
        let is_ours = |link: &Link| GateMark::parse(&link.alias).is_some_and(|m| m.server == server && m.gate == gate);
        let is_whole = |far: &&Link| are_ends(near, far) && [near, far].into_iter().all(|end| end.up && is_ours(end));
        let far_end = far_end_of(links, server, gate).filter(is_whole);
        let is_led = |(mac, tap): (Mac, u32)| ways.get(&gate).is_some_and(|ways| ways.get(&mac) == Some(&tap));
        let waits = gate == Gate::Private && rates.0.contains_key(&near.index);
        !waits && far_end.is_some() && taps_of(links, server, gate, &filters.taps).all(is_led)
    };
    are_queues_whole && is_cable_whole(Gate::FromGuest) && is_cable_whole(Gate::Private) && filters.gates == there
}

/// Those of the taps whose frames go through a cable, by the guest's address, with their numbers.
fn taps_of(
    links: &[Link],
    server: ServerId,
    cable: Gate,
    names: &BTreeSet<String>,
) -> impl Iterator<Item = (Mac, u32)> {
    let is_private = cable == Gate::Private;
    links.iter().filter(|link| names.contains(&link.name)).filter_map(move |link| {
        let mark = TapMark::parse(&link.alias);
        let mark = mark.filter(|mark| mark.server == server && mark.network.is_some() == is_private)?;
        (TapName::of(server, mark.mac).as_str() == link.name).then_some((mark.mac, link.index))
    })
}

fn far_end_of(links: &[Link], server: ServerId, cable: Gate) -> Option<&Link> {
    let name = gate::far_end(server, cable);
    links.iter().find(|link| link.is_veth && link.name == name)
}

/// Whether both are the ends of one cable, as they were made.
fn are_ends(near: &Link, far: &Link) -> bool {
    far.is_veth && far.lower == Some(near.index) && near.mtu == CABLE_MTU && far.mtu == CABLE_MTU
}

/// Both ends of a cable within the host.
fn cable(name: &str, far_end: &str) -> LinkMessage {
    let far_end = LinkMessageBuilder::<LinkUnspec>::new().name(far_end).mtu(CABLE_MTU).build();
    let cable = LinkMessageBuilder::<LinkVeth>::new(name, "").mtu(CABLE_MTU);
    cable.set_info_data(InfoData::Veth(InfoVeth::Peer(far_end))).build()
}

/// Whether any of the server's gates is there.
#[must_use]
pub fn remains(links: &[Link], server: ServerId) -> bool {
    !gate::all_in(links, server).is_empty()
}

/// The kernel says so when it knows no such kind of interface or queue.
fn or_lacking(error: NetworkError) -> NetworkError {
    let is_lacking = error.is(Errno::EOPNOTSUPP) || error.is(Errno::ENOENT) || error.is(Errno::EPROTONOSUPPORT);
    if is_lacking { NetworkError::NoShaping { reason: error.to_string() } } else { error }
}
