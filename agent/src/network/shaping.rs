//! Holds a server to one rate a direction, over all of its public taps: five addresses buy no more than one.
//!
//! The rule of its filters that lets a frame pass hands it to a queue, from where it goes on as if it had been let through: to
//! the bridge, or to the guest. No redirection of tc stands on a tap: the kernel asks it before the filters, and what comes
//! back from there passes none. The queues are the kernel's, so nothing of it ends with the agent; a new rate is set under
//! the frames that wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use csp_shared::id::ServerId;
use nix::errno::Errno;
use rtnetlink::{LinkIfb, LinkUnspec, packet_route::link::LinkAttribute};
use tokio::time::sleep;

use super::{
    NetworkError,
    links::{Link, Links},
    queue::{self, Direction, Gates, QueueMark, Rate},
    traffic_control::{self, HeldRate},
};

/// What a kernel needs for it.
pub const MODULES: &str = "ifb, sch_tbf and nft_fwd_netdev";
/// A queue that is to go lets all that waits in it through first. At this rate the fullest is empty in half the time.
const OPEN_MBIT: u32 = 100_000;
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
        if !links.iter().any(|link| link.is_ifb && link.name.starts_with(queue::PREFIX)) {
            return Ok(Rates::default());
        }
        traffic_control::rates(&self.links).await.map(Rates)
    }

    /// Makes the server's queues, or sets their rate. Gives their names, for its filters.
    ///
    /// # Errors
    /// [`NetworkError::NoShaping`] when the kernel lacks something; others when a name is taken, or it refuses.
    pub async fn hold(&self, server: ServerId, mbit: u32) -> Result<Gates, NetworkError> {
        for direction in Direction::BOTH {
            self.make(QueueMark { server, direction, mbit }).await.map_err(or_lacking)?;
        }
        Ok(Gates::of(server))
    }

    /// Makes one queue, or sets its rate. It is up only with its rate.
    async fn make(&self, mark: QueueMark) -> Result<(), NetworkError> {
        let name = queue::name(mark.server, mark.direction);
        let doing = format!("make the queue {name}");
        match self.links.add(&doing, LinkIfb::new(&name).build()).await {
            Err(error) if !error.is(Errno::EEXIST) => return Err(error),
            _ => {} // made, or there
        }
        let index = self.find(mark, &name).await?.ok_or_else(|| NetworkError::ForeignLink(name.clone()))?;
        traffic_control::set_rate(&self.links, index, Rate::of_mbit(mark.mbit)).await?;
        let alias = LinkAttribute::IfAlias(mark.to_string());
        self.links.change(&doing, LinkUnspec::new_with_index(index).append_extra_attribute(alias).up()).await
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
        if queues.is_empty() {
            return Ok(());
        }
        for queue in &queues {
            traffic_control::set_rate(&self.links, queue.index, Rate::of_mbit(OPEN_MBIT)).await?;
        }
        sleep(EMPTIES).await;
        for queue in &queues {
            self.links.delete(queue).await?;
        }
        Ok(())
    }
}

/// Whether the server's queues are as its filters need them. `gates` are the numbers of those that frames are
/// handed to; with none there are to be no queues.
#[must_use]
pub fn is_whole(links: &[Link], rates: &Rates, server: ServerId, gates: &BTreeSet<u32>) -> bool {
    let found = Direction::BOTH.map(|direction| queue::find(links, server, direction));
    let [Some(from), Some(to)] = found else { return found == [None, None] && gates.is_empty() };
    let made_for = |link: &Link| QueueMark::parse(&link.alias).map(|mark| mark.mbit);
    let Some(mbit) = made_for(from).filter(|mbit| made_for(to) == Some(*mbit)) else { return false };
    let rate = Rate::of_mbit(mbit);
    let holds = |link: &Link| link.up && rates.0.get(&link.index).is_some_and(|held| held.is(rate));
    holds(from) && holds(to) && *gates == BTreeSet::from([from.index, to.index])
}

/// Whether anything that holds the server to a rate is there.
#[must_use]
pub fn remains(links: &[Link], server: ServerId) -> bool {
    Direction::BOTH.iter().any(|direction| queue::find(links, server, *direction).is_some())
}

/// The kernel says so when it knows no such kind of interface or queue.
fn or_lacking(error: NetworkError) -> NetworkError {
    let is_lacking = error.is(Errno::EOPNOTSUPP) || error.is(Errno::ENOENT) || error.is(Errno::EPROTONOSUPPORT);
    if is_lacking { NetworkError::NoShaping { reason: error.to_string() } } else { error }
}
