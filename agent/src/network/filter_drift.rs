//! Hears when somebody takes csp's rules away, as `nft flush ruleset` does, finds out whose they were, and loads those of servers
//! again at once: a worker's look needs libvirt, which may hang or be away meanwhile. The agent's own changes are heard as well,
//! and found to be in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_shared::id::ServerId;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

use super::{
    NetworkError,
    filter::{self, Before},
    filter_guard::GuardLooks,
    filter_loads::{FilterLoads, Queued},
    filter_rules::{self, GUARD_TABLE, ServerFilters, TABLES},
    nft_netlink::{
        BRIDGE, NETDEV,
        news::{Heard, News, TableName},
    },
};

/// What belongs together comes together.
const SETTLES: Duration = Duration::from_millis(20);
/// Somebody who takes rules away again and again does not keep the agent busy.
const APART: Duration = Duration::from_millis(200);
const LISTEN_AGAIN: Duration = Duration::from_secs(30);

/// The filters that are to be in the kernel, as far as this agent loaded them or saw them in order; all of its loads go through
/// here.
#[derive(Debug, Default)]
pub struct Standing {
    kept: Mutex<BTreeMap<ServerId, Kept>>,
    loads: FilterLoads,
}

#[derive(Debug, Default)]
struct Kept {
    /// They were in place.
    stands: bool,
    /// What was to be loaded last; of filters that were only seen nothing.
    newest: Option<Arc<ServerFilters>>,
}

impl Standing {
    /// What [`filter::load`] does, maybe with others. Blocks.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, filters: ServerFilters) -> Result<Before, NetworkError> {
        let server = filters.server;
        self.lock().entry(server).or_default().newest = Some(Arc::new(filters.clone()));
        let before = self.loads.load(filters)?;
        self.see(server);
        Ok(before)
    }

    /// A server's filters are in place.
    pub fn see(&self, server: ServerId) {
        self.lock().entry(server).or_default().stands = true;
    }

    /// What [`filter::remove`] does. Blocks.
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self, server: ServerId) -> Result<(), NetworkError> {
        self.lock().remove(&server);
        filter::remove(server)
    }

    fn all(&self) -> BTreeSet<ServerId> {
        self.lock().iter().filter(|(_, kept)| kept.stands).map(|(server, _)| *server).collect()
    }

    /// Loads the filters of servers as they were to be last. What fails is left to the workers. Blocks.
    fn load_again(&self, servers: &BTreeSet<ServerId>) {
        let queued: Vec<(ServerId, Queued)> = {
            // Under the lock, so that what a worker is to load from now on stands behind it.
            let kept = self.lock();
            let newest = |server| kept.get(server).and_then(|kept| kept.newest.as_deref()).cloned();
            servers.iter().filter_map(|server| Some((*server, self.loads.queue(newest(server)?)))).collect()
        };
        for (server, queued) in queued {
            if let Err(error) = self.loads.finish(queued) {
                warn!(%server, %error, "filters that somebody took away were not loaded again yet");
            }
            // Of a server that went meanwhile they are not wanted any more; none comes back under the lock.
            let kept = self.lock();
            if !kept.contains_key(&server)
                && let Err(error) = filter::remove(server)
            {
                warn!(%server, %error, "the filters of a server that is gone stay until the next look");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Servers whose filters are gone, changed, or without the guard of the host.
    pub servers: BTreeSet<ServerId>,
    /// Other tables of csp's, of whose rules some are gone. Their keepers know whether any is missed.
    pub others: BTreeSet<String>,
}

impl Drift {
    /// Nothing is missed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.servers.is_empty() && self.others.is_empty()
    }
}

/// Listens for ever, and tells what is missed. Without a socket to listen by, the looks that come anyway are all there is.
pub async fn watch(standing: Arc<Standing>, mut tell: impl FnMut(Drift)) -> Infallible {
    let mut is_deaf = false;
    loop {
        match listen(&standing, &mut tell).await {
            Ok(never) => match never {},
            Err(why) if !is_deaf => warn!(%why, "rules that somebody takes away are missed at the next look only"),
            Err(_) => {}
        }
        is_deaf = true;
        sleep(LISTEN_AGAIN).await;
    }
}

async fn listen(standing: &Arc<Standing>, tell: &mut impl FnMut(Drift)) -> Result<Infallible, NetworkError> {
    let (news, guard) = (News::open()?, Arc::new(GuardLooks::default()));
    loop {
        let mut heard = news.next().await?;
        sleep(SETTLES).await;
        while let Ok(more) = tokio::time::timeout(Duration::ZERO, news.next()).await {
            heard = together(heard, more?);
        }
        let (standing, guard) = (Arc::clone(standing), Arc::clone(&guard));
        let mend = move || {
            let drift = missed(&heard, &standing.all(), &guard)?;
            standing.load_again(&drift.servers);
            Ok::<_, NetworkError>(drift)
        };
        match spawn_blocking(mend).await {
            Ok(Ok(drift)) if drift.is_nothing() => {}
            Ok(Ok(drift)) => tell(drift),
            Ok(Err(error)) => warn!(%error, "what somebody took away from nftables is missed at the next look only"),
            Err(_) => {} // it fell; the next look misses the same
        }
        sleep(APART).await;
    }
}

fn together(one: Heard, other: Heard) -> Heard {
    match (one, other) {
        (Heard::Gone(mut one), Heard::Gone(other)) => {
            one.extend(other);
            Heard::Gone(one)
        }
        _ => Heard::TooMuch,
    }
}

/// What is missed of that from which something is gone. Blocks.
fn missed(heard: &Heard, standing: &BTreeSet<ServerId>, guard: &GuardLooks) -> Result<Drift, NetworkError> {
    let Suspects { servers, guard: is_suspect, others } = suspects(heard, standing);
    if is_suspect && !standing.is_empty() && !guard.stands()? {
        return Ok(Drift { servers: standing.clone(), others });
    }
    let names: BTreeSet<String> = servers.iter().copied().map(filter_rules::table_of).collect();
    // Between a load of the agent's own and its seal they are not altered, and not told either.
    let found = if names.is_empty() { Default::default() } else { filter::read_all(&names)?.1 };
    let is_missed = |server: &ServerId| {
        found.get(&filter_rules::table_of(*server)).is_none_or(super::filter_table::FilterTable::is_altered)
    };
    Ok(Drift { servers: servers.into_iter().filter(is_missed).collect(), others })
}

/// What may be missed.
#[derive(Debug, PartialEq, Eq)]
struct Suspects {
    servers: BTreeSet<ServerId>,
    guard: bool,
    others: BTreeSet<String>,
}

fn suspects(heard: &Heard, standing: &BTreeSet<ServerId>) -> Suspects {
    let Heard::Gone(tables) = heard else {
        let others = [super::segment::underlay::TABLE, super::host_addresses::TABLE].map(str::to_owned).into();
        return Suspects { servers: standing.clone(), guard: true, others };
    };
    let ours = || tables.iter().filter(|(_, name)| name.starts_with(TABLES));
    let is_guard = |(family, name): &TableName| *family == BRIDGE && name == GUARD_TABLE;
    let server = |(family, name): &TableName| filter_rules::server_of(name).filter(|_| *family == NETDEV);
    let others = ours().filter(|table| !is_guard(table) && server(table).is_none());
    Suspects {
        servers: ours().filter_map(server).filter(|server| standing.contains(server)).collect(),
        guard: ours().any(is_guard),
        others: others.map(|(_, name)| name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_what_is_ours_and_stood_can_be_missed() {
        let [stands, unknown] = [7, 8].map(|number| ServerId(Uuid::from_u128(number)));
        let standing = BTreeSet::from([stands]);
        let table = |family: u8, name: &str| (family, name.to_owned());
        let heard = Heard::Gone(BTreeSet::from([
            table(NETDEV, &filter_rules::table_of(stands)),
            table(NETDEV, &filter_rules::table_of(unknown)),
            table(2, "filter"),
            table(1, "csp_underlay"),
        ]));
        let found = suspects(&heard, &standing);
        let others = BTreeSet::from(["csp_underlay".to_owned()]);
        assert_eq!(found, Suspects { servers: standing.clone(), guard: false, others });
        assert!(suspects(&Heard::Gone([table(BRIDGE, GUARD_TABLE)].into()), &standing).guard);
        let all = suspects(&together(heard, Heard::TooMuch), &standing);
        assert!(all.guard && all.servers == standing && all.others.len() == 2, "{all:?}");
    }
}
