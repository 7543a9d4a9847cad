//! Holds a server to one rate a direction, over all of its public taps: five addresses buy no more than one.
//!
//! The rule of its filters that lets a frame pass hands it to a queue. From there it goes on to the guest as if it had been let
//! through; what the guest sent comes to its tap once more, see [`super::way_back`], passes its filters again and goes to the
//! bridge. By then its checksums are written, so the filters see what the wire will carry ([`super::checksums`]).
//!
//! No redirection of tc stands on a tap: the kernel asks it before the filters, and what comes back from there passes none. The
//! queues are the kernel's, so nothing of it ends with the agent; a new rate is set under the frames that wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use csp_shared::{id::ServerId, mac::Mac};
use nix::errno::Errno;
use rtnetlink::{
    LinkIfb, LinkMessageBuilder, LinkUnspec, LinkVeth,
    packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage},
};
use tokio::time::sleep;

use super::{
    NetworkError, checksums,
    filter::SeenFilters,
    links::{Link, Links},
    queue::{self, Direction, Gates, QueueMark, Rate},
    tap_name::{TapMark, TapName},
    traffic_control::{self, HeldRate},
    way_back::{self, Ways},
};

/// What a kernel needs for it.
pub const MODULES: &str = "ifb, veth, sch_tbf, sch_ingress, cls_u32, act_mirred and nft_fwd_netdev";
/// The largest that a cable within the host has: larger than any tap's.
const CABLE_MTU: u32 = 65_535;
/// The rate of a queue that holds nothing back.
pub const UNBOUND_MBIT: u32 = 100_000;
/// A queue that is to go lets all that waits in it through first. At that rate the fullest is empty in half the time.
const EMPTIES: Duration = Duration::from_millis(20);

/// The host's queues.
#[derive(Clone, Debug)]
pub struct Shaping {
    links: Links,
}

/// What one look shows of all queues.
#[derive(Clone, Debug, Default)]
pub struct Rates(BTreeMap<u32, HeldRate>);

impl Shaping {
    /// Queues of the network that `links` speaks to.
    #[must_use]
    pub fn new(links: Links) -> Self {
        Self { links }
    }

    /// The rates of all queues in a listing.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn rates(&self, links: &[Link]) -> Result<Rates, NetworkError> {
        if !links.iter().any(|link| link.name.starts_with(queue::PREFIX)) {
            return Ok(Rates::default());
        }
        traffic_control::rates(&self.links).await.map(Rates)
    }

    /// The ways from the server's queue back to its taps, in a listing.
    ///
    /// # Errors
    /// When the kernel gives no whole list: then nobody knows.
    pub async fn ways(&self, links: &[Link], server: ServerId) -> Result<Option<Ways>, NetworkError> {
        match far_end_of(links, server) {
            Some(far_end) => way_back::list(&self.links, far_end.index).await,
            None => Ok(None),
        }
    }

    /// Makes the server's queues, or sets their rate. `taps` are the numbers of its public ones. Gives the queues' names, for
    /// its filters.
    ///
    /// # Errors
    /// [`NetworkError::NoShaping`] when the kernel lacks something; others when a name is taken, or it refuses.
    pub async fn hold(&self, server: ServerId, mbit: u32, taps: &Ways) -> Result<Gates, NetworkError> {
        for direction in Direction::BOTH {
            self.make(QueueMark { server, direction, mbit }, taps).await.map_err(or_lacking)?;
        }
        Ok(Gates::of(server))
    }

    /// Makes one queue, or sets its rate. It is up only with its rate.
    async fn make(&self, mark: QueueMark, taps: &Ways) -> Result<(), NetworkError> {
        let name = queue::name(mark.server, mark.direction);
        let doing = format!("make the queue {name}");
        let far_end = queue::far_end(mark.server);
        let link = match mark.direction {
            Direction::FromGuest => cable(&name, &far_end),
            Direction::ToGuest => LinkIfb::new(&name).build(),
        };
        match self.links.add(&doing, link).await {
            Err(error) if !error.is(Errno::EEXIST) => return Err(error),
            Err(_) => {} // there
            Ok(()) if mark.direction == Direction::FromGuest => {
                self.links.keep_quiet(&name).await;
                self.links.keep_quiet(&far_end).await;
            }
            Ok(()) => {}
        }
        let index = self.find(mark, &name).await?.ok_or_else(|| NetworkError::ForeignLink(name.clone()))?;
        if mark.direction == Direction::FromGuest {
            checksums::finish(&name)?;
            self.lead_back(mark, index, &far_end, taps).await?;
        }
        traffic_control::set_rate(&self.links, index, Rate::of_mbit(mark.mbit)).await?;
        let alias = LinkAttribute::IfAlias(mark.to_string());
        self.links.change(&doing, LinkUnspec::new_with_index(index).append_extra_attribute(alias).up()).await
    }

    /// Leads what comes out of the far end to the taps.
    async fn lead_back(&self, mark: QueueMark, near: u32, far_end: &str, taps: &Ways) -> Result<(), NetworkError> {
        let far = self.links.named(far_end).await?.filter(|far| far.is_veth && far.lower == Some(near));
        let far = far.ok_or_else(|| NetworkError::ForeignLink(far_end.to_owned()))?;
        way_back::set(&self.links, far.index, taps).await?;
        let alias = mark.to_string();
        if far.up && far.alias == alias {
            return Ok(());
        }
        let up = LinkUnspec::new_with_index(far.index).append_extra_attribute(LinkAttribute::IfAlias(alias)).up();
        self.links.change(&format!("set {far_end} up"), up).await
    }

    async fn find(&self, mark: QueueMark, name: &str) -> Result<Option<u32>, NetworkError> {
        let Some(link) = self.links.named(name).await? else { return Ok(None) };
        match queue::find(std::slice::from_ref(&link), mark.server, mark.direction) {
            None => Err(NetworkError::ForeignLink(name.to_owned())),
            found => Ok(found.map(|link| link.index)),
        }
    }

    /// Removes the server's queues, once empty; done when there are none. Called after its filters hand nothing to them any
    /// longer, or after its taps went.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn release(&self, server: ServerId) -> Result<(), NetworkError> {
        let mut queues = Vec::new();
        for direction in Direction::BOTH {
            let link = self.links.named(&queue::name(server, direction)).await?;
            queues.extend(link.filter(|link| queue::find(std::slice::from_ref(link), server, direction).is_some()));
        }
        self.empty_and_delete(queues).await?;
        self.release_older(server).await
    }

    /// Removes what an older agent made otherwise, once empty; done when there is none. Called as [`Self::release`] is.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn release_older(&self, server: ServerId) -> Result<(), NetworkError> {
        let older = self.links.named(&queue::older(server)).await?;
        self.empty_and_delete(older.into_iter().filter(|link| link.is_ifb).collect()).await
    }

    async fn empty_and_delete(&self, queues: Vec<Link>) -> Result<(), NetworkError> {
        if queues.is_empty() {
            return Ok(());
        }
        for queue in &queues {
            traffic_control::set_rate(&self.links, queue.index, Rate::of_mbit(UNBOUND_MBIT)).await?;
        }
        sleep(EMPTIES).await;
        for queue in &queues {
            self.links.delete(queue).await?;
        }
        Ok(())
    }
}

/// Whether the server's queues, and the ways back from them, are as its filters need them. Where these hand frames to none,
/// there are to be none.
#[must_use]
pub fn is_whole(links: &[Link], rates: &Rates, ways: Option<&Ways>, server: ServerId, filters: &SeenFilters) -> bool {
    let found = Direction::BOTH.map(|direction| queue::find(links, server, direction));
    let [Some(from), Some(to)] = found else { return found == [None, None] && filters.gates.is_empty() };
    let is_led = |(mac, tap): (Mac, u32)| ways.is_some_and(|ways| ways.get(&mac) == Some(&tap));
    let far_end = far_end_of(links, server).filter(|far_end| far_end.up && far_end.lower == Some(from.index));
    if far_end.is_none() || !public_taps(links, server, &filters.taps).all(is_led) {
        return false;
    }
    let made_for = |link: &Link| QueueMark::parse(&link.alias).map(|mark| mark.mbit);
    let Some(mbit) = made_for(from).filter(|mbit| made_for(to) == Some(*mbit)) else { return false };
    let rate = Rate::of_mbit(mbit);
    let holds = |link: &Link| link.up && rates.0.get(&link.index).is_some_and(|held| held.is(rate));
    holds(from) && holds(to) && filters.gates == BTreeSet::from([from.index, to.index])
}

/// Those of the taps that are public, by the guest's address, with their numbers.
fn public_taps(links: &[Link], server: ServerId, names: &BTreeSet<String>) -> impl Iterator<Item = (Mac, u32)> {
    links.iter().filter(|link| names.contains(&link.name)).filter_map(move |link| {
        let mark = TapMark::parse(&link.alias).filter(|mark| mark.server == server && mark.network.is_none())?;
        (TapName::of(server, mark.mac).as_str() == link.name).then_some((mark.mac, link.index))
    })
}

fn far_end_of(links: &[Link], server: ServerId) -> Option<&Link> {
    let name = queue::far_end(server);
    links.iter().find(|link| link.is_veth && link.name == name)
}

/// Both ends of a cable within the host.
fn cable(name: &str, far_end: &str) -> LinkMessage {
    let far_end = LinkMessageBuilder::<LinkUnspec>::new().name(far_end).mtu(CABLE_MTU).build();
    let cable = LinkMessageBuilder::<LinkVeth>::new(name, "").mtu(CABLE_MTU);
    cable.set_info_data(InfoData::Veth(InfoVeth::Peer(far_end))).build()
}

/// Whether anything that holds the server to a rate is there.
#[must_use]
pub fn remains(links: &[Link], server: ServerId) -> bool {
    let older = queue::older(server);
    Direction::BOTH.iter().any(|direction| queue::find(links, server, *direction).is_some())
        || links.iter().any(|link| link.is_ifb && link.name == older)
}

/// The kernel says so when it knows no such kind of interface or queue.
fn or_lacking(error: NetworkError) -> NetworkError {
    let is_lacking = error.is(Errno::EOPNOTSUPP) || error.is(Errno::ENOENT) || error.is(Errno::EPROTONOSUPPORT);
    if is_lacking { NetworkError::NoShaping { reason: error.to_string() } } else { error }
}
