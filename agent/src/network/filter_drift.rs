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
    NetworkError, filter,
    filter_guard::GuardLooks,
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

/// The servers whose filters this agent has loaded, or seen in order.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    servers: BTreeSet<ServerId>,
    /// What was to be loaded last; of filters that were only seen nothing.
    newest: BTreeMap<ServerId, Arc<ServerFilters>>,
}

impl Standing {
    /// They are about to be loaded.
    pub fn come(&self, filters: ServerFilters) {
        self.lock().newest.insert(filters.server, Arc::new(filters));
    }

    /// They are in place.
    pub fn stand(&self, server: ServerId) {
        self.lock().servers.insert(server);
    }

    /// They are about to be removed.
    pub fn go(&self, server: ServerId) {
        let mut kept = self.lock();
        kept.servers.remove(&server);
        kept.newest.remove(&server);
    }

    fn all(&self) -> BTreeSet<ServerId> {
        self.lock().servers.clone()
    }

    fn newest(&self, servers: &BTreeSet<ServerId>) -> Vec<Arc<ServerFilters>> {
        let kept = self.lock();
        servers.iter().filter_map(|server| kept.newest.get(server).cloned()).collect()
    }

    /// Loads the filters of servers as they were to be last. Workers may load newer ones or remove them meanwhile: then those hold.
    /// What fails is left to the workers. Blocks.
    fn load_again(&self, mut servers: BTreeSet<ServerId>) {
        while !servers.is_empty() {
            let filters = self.newest(&servers);
            let plain: Vec<ServerFilters> = filters.iter().map(|filters| (**filters).clone()).collect();
            for (filters, failed) in
                plain.iter().zip(filter::load_all(&plain)).filter_map(|(f, done)| Some((f, done.err()?)))
            {
                warn!(server = %filters.server, error = %failed, "filters that somebody took away were not loaded again yet");
            }
            let now = self.newest(&servers);
            servers.retain(|server| {
                let of = |all: &[Arc<ServerFilters>]| all.iter().find(|filters| filters.server == *server).cloned();
                match (of(&filters), of(&now)) {
                    (Some(loaded), Some(wanted)) => !Arc::ptr_eq(&loaded, &wanted),
                    (None, wanted) => wanted.is_some(),
                    (Some(_), None) => {
                        if let Err(error) = filter::remove(*server) {
                            warn!(%server, %error, "the filters of a server that is gone stay until the next look");
                        }
                        false
                    }
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            standing.load_again(drift.servers.clone());
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
