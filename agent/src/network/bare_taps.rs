//! Takes down taps that are up with no filters in front of them, whatever became of those and of whoever was to load them again:
//! a spec that cannot be read has no worker, and a guest that is off is not looked at for what somebody may start by hand. Whoever
//! brings filters back sets the tap up again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use csp_shared::id::ServerId;
use rtnetlink::LinkUnspec;
use tokio::{sync::Notify, task::spawn_blocking, time::sleep};
use tracing::warn;

use super::{
    NetworkError, filter_rules,
    links::{Link, Links},
    nft_netlink::{
        self, NETDEV,
        thing::{Kind, Thing},
    },
    tap_name::TapMark,
};
use crate::host_machine::fault::story;

const DOING: &str = "look for taps without filters";
const EVERY: Duration = Duration::from_secs(30);

/// Looks for them.
#[derive(Debug)]
pub struct BareTapKeeper {
    links: Links,
    look: Notify,
    known: Mutex<Option<Known>>,
}

/// What was read last, which holds until the ruleset changes.
#[derive(Clone, Debug)]
struct Known {
    generation: u32,
    /// Whose filters were read.
    servers: BTreeSet<ServerId>,
    /// Their taps that have filters.
    guarded: BTreeSet<String>,
}

impl BareTapKeeper {
    /// In the network that `links` speaks to.
    #[must_use]
    pub fn new(links: Links) -> Self {
        Self { links, look: Notify::new(), known: Mutex::default() }
    }

    /// Looks again, soon.
    pub fn look_again(&self) {
        self.look.notify_one();
    }

    /// Takes down what is bare; gives the names.
    ///
    /// # Errors
    /// When the kernel does not tell, or refuses.
    pub async fn settle(&self) -> Result<Vec<String>, NetworkError> {
        // Links before filters: what is up by now had its filters before, unless somebody took them away.
        let links = self.links.list().await?;
        let taps: Vec<(ServerId, Link)> = links.iter().filter_map(up).collect();
        if taps.is_empty() {
            return Ok(Vec::new());
        }
        let guarded = self.guarded(taps.iter().map(|(server, _)| *server).collect()).await?;
        let mut bare = Vec::new();
        for (_, tap) in taps.into_iter().filter(|(_, tap)| !guarded.contains(&tap.name)) {
            // Of one that was being removed the filters went after it.
            let is_there = self.links.named(&tap.name).await?.is_some_and(|now| now.up && now.index == tap.index);
            if is_there {
                let down = LinkUnspec::new_with_index(tap.index).down();
                self.links.change(&format!("take {} down", tap.name), down).await?;
                bare.push(tap.name);
            }
        }
        Ok(bare)
    }

    /// Looks for ever: when it is told to, and every now and then.
    pub async fn keep(&self) {
        let mut told = String::new();
        loop {
            let failed = match self.settle().await {
                Ok(bare) => {
                    bare.iter()
                        .for_each(|tap| warn!(tap, "the tap was up and had no filters; it is taken down until it has"));
                    String::new()
                }
                Err(error) => story(&error),
            };
            if failed != told && !failed.is_empty() {
                warn!(why = failed, "whether each tap has its filters is not known");
            }
            told = failed;
            tokio::select! {
                () = self.look.notified() => {}
                () = sleep(EVERY) => {}
            }
        }
    }

    async fn guarded(&self, servers: BTreeSet<ServerId>) -> Result<BTreeSet<String>, NetworkError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = spawn_blocking(move || {
            let generation = nft_netlink::generation();
            let is_of_now = |known: &Known| Some(known.generation) == generation && servers.is_subset(&known.servers);
            if let Some(known) = known.filter(is_of_now) {
                return Ok(known);
            }
            let names: BTreeSet<String> = servers.iter().copied().map(filter_rules::table_of).collect();
            let read = nft_netlink::read(DOING, NETDEV, &names)?;
            Ok(Known { generation: read.generation, servers, guarded: guarded_in(&read.tables) })
        });
        let read = read.await.unwrap_or_else(|fell| {
            Err(NetworkError::Netlink { doing: DOING.to_owned(), errno: None, reason: fell.to_string() })
        });
        let known = read?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known.guarded)
    }
}

/// A tap of csp's that is up, and whose it is.
fn up(link: &Link) -> Option<(ServerId, Link)> {
    let mark = TapMark::parse(&link.alias).filter(|_| link.is_tun && link.up)?;
    Some((mark.server, link.clone()))
}

/// The taps with a chain in their place for each direction, in tables that are asked.
fn guarded_in(tables: &BTreeMap<String, Vec<Thing>>) -> BTreeSet<String> {
    let is_asked = |things: &&Vec<Thing>| !things.iter().any(|thing| thing.kind == Kind::Table && thing.is_dormant());
    let mut taps = BTreeSet::new();
    for things in tables.values().filter(is_asked) {
        let hooked = things.iter().filter(|thing| thing.kind == Kind::Chain && thing.hook().is_some());
        let hooked: BTreeSet<&str> = hooked.map(|thing| thing.name.as_str()).collect();
        let names = hooked.iter().filter_map(|chain| chain.strip_prefix("from_"));
        taps.extend(names.filter(|tap| hooked.contains(format!("to_{tap}").as_str())).map(str::to_owned));
    }
    taps
}
