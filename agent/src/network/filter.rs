//! Servers' filters in the kernel: put in place, seen, removed.
//!
//! nft loads them; they are read back, sealed and looked at over netlink. A look at one server reads its whole table, and a
//! table that is not as it was loaded counts as broken, so that the worker loads it anew. So does every table while the guard
//! of the host's own addresses is not whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use csp_shared::id::ServerId;
use tokio::time::Instant;

use super::{
    NetworkError,
    filter_age::{Age, Newest},
    filter_guard::GuardLooks,
    filter_rules::{self, Seal, ServerFilters},
    filter_table::{self, FilterTable, chains_of},
    nft,
    nft_netlink::{self, NETDEV},
    tap_name::TapName,
};
use crate::machine::Mark;

const LOAD: &str = "put the server's filters in place";
const LIST: &str = "list the filters";
/// Changes of others' filters that may come between reading what was loaded and sealing it.
const SEAL_TRIES: u32 = 20;

/// The netdev tables of the host, and whether the guard stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllFilters {
    /// Names of the tables, others' too.
    pub tables: BTreeSet<String>,
    /// What guests send to the host itself is dropped.
    pub is_guarded: bool,
}

/// Looks at filters again and again, and reads them only when the kernel says that something has changed since. An age is
/// always asked for before what is then kept under it: what changes meanwhile has another one at the next look.
#[derive(Debug, Default)]
pub struct FilterLooks {
    newest: Mutex<Newest>,
    all: Mutex<Option<(Age, Arc<AllFilters>)>>,
    tables: Mutex<BTreeMap<ServerId, (Age, Option<SeenFilters>)>>,
    guard: GuardLooks,
}

/// One server's filters, as a look shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFilters {
    /// What they were made from; a mark that nothing has when they are not as they were loaded, or the guard is gone.
    pub mark: Mark,
    /// The numbers of the queues that frames go through.
    pub gates: BTreeSet<u32>,
    /// The taps that they stand in front of.
    pub taps: BTreeSet<String>,
}

impl SeenFilters {
    /// There, and not as they should be.
    const BROKEN: Self = Self { mark: Mark::BROKEN, gates: BTreeSet::new(), taps: BTreeSet::new() };
}

impl FilterLooks {
    /// What [`AllFilters::list`] tells. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn list(&self) -> Result<Arc<AllFilters>, NetworkError> {
        let age = self.age();
        let kept = lock(&self.all).clone().filter(|(kept, _)| Some(*kept) == age);
        if let Some((_, all)) = kept {
            return Ok(all);
        }
        let all = Arc::new(AllFilters::look(&self.guard)?);
        *lock(&self.all) = age.map(|age| (age, Arc::clone(&all)));
        Ok(all)
    }

    /// What [`AllFilters::see`] tells of a server. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn see(&self, all: &Arc<AllFilters>, server: ServerId) -> Result<Option<SeenFilters>, NetworkError> {
        let age = self.age();
        let kept = lock(&self.tables).get(&server).cloned().filter(|(kept, _)| Some(*kept) == age);
        if let Some((_, seen)) = kept {
            return Ok(seen);
        }
        let seen = all.see(server)?;
        let is_of = |(listed, kept): &(Age, Arc<AllFilters>)| Some(*listed) == age && Arc::ptr_eq(kept, all);
        if !lock(&self.all).as_ref().is_some_and(is_of) {
            return Ok(seen); // it was judged by a list that is older than that, so it may not be kept under it
        }
        let mut tables = lock(&self.tables);
        // Of servers that are gone nothing is kept for long.
        tables.retain(|_, (kept, _)| Some(*kept) == age);
        tables.extend(age.map(|age| (server, (age, seen.clone()))));
        Ok(seen)
    }

    fn age(&self) -> Option<Age> {
        let generation = nft_netlink::generation()?;
        Some(lock(&self.newest).age(generation, Instant::now()))
    }
}

/// Whoever fell while he held it left whole what he put there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a server's filters were found when they were to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// None, in part, or as they were loaded.
    AsLeft,
    /// Somebody changed them since they were loaded.
    Altered,
}

impl AllFilters {
    /// Lists them. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn list() -> Result<Self, NetworkError> {
        Self::look(&GuardLooks::default())
    }

    fn look(guard: &GuardLooks) -> Result<Self, NetworkError> {
        Ok(Self { tables: nft_netlink::names(LIST, NETDEV)?, is_guarded: guard.stands()? })
    }

    /// The server's filters; `None` is the proof that there are none. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn see(&self, server: ServerId) -> Result<Option<SeenFilters>, NetworkError> {
        let name = filter_rules::table_of(server);
        if !self.tables.contains(&name) {
            return Ok(None);
        }
        if !self.is_guarded {
            return Ok(Some(SeenFilters::BROKEN));
        }
        let whole = read(&name)?.and_then(|table| {
            let taps = table.taps().into_iter().collect();
            Some(SeenFilters { mark: table.mark()?, gates: table.gates, taps })
        });
        Ok(Some(whole.unwrap_or(SeenFilters::BROKEN)))
    }
}

/// Makes sure that the filters of no other server let one of `addresses` through. Blocks.
///
/// # Errors
/// [`NetworkError::AddressInUse`] when some do; another one when nftables does not answer, and then nobody knows.
pub fn ensure_unused(server: ServerId, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), NetworkError> {
    for element in nft_netlink::elements("look for an address in other servers' filters", NETDEV, filter_rules::OWN)? {
        let holder = filter_rules::server_of(&element.table).filter(|holder| *holder != server);
        let address = filter_table::address_of(&element).filter(|address| addresses.contains(address));
        if let Some((holder, address)) = holder.zip(address) {
            return Err(NetworkError::AddressInUse { address, by: format!("server {holder} on this host") });
        }
    }
    Ok(())
}

/// One table, all of it; nothing when it is not there. Blocks.
///
/// # Errors
/// When nftables does not answer: then nobody knows.
pub fn read(table: &str) -> Result<Option<FilterTable>, NetworkError> {
    Ok(read_all(&BTreeSet::from([table.to_owned()]))?.1.remove(table))
}

/// Those of the tables that are there, and of which generation they are.
pub(super) fn read_all(names: &BTreeSet<String>) -> Result<(u32, BTreeMap<String, FilterTable>), NetworkError> {
    let read = nft_netlink::read("read servers' filters", NETDEV, names)?;
    let tables = read.tables.into_iter().map(|(name, things)| (name, FilterTable::read(&things)));
    Ok((read.generation, tables.collect()))
}

/// Puts the filters of one server in place. Blocks.
///
/// # Errors
/// When nftables refuses, and then what was there before still holds; or when somebody else changes them at the same time.
pub fn load(filters: &ServerFilters) -> Result<Before, NetworkError> {
    let done = load_together(std::slice::from_ref(filters))?.pop();
    done.unwrap_or_else(|| Err(NetworkError::FilterRace(filter_rules::table_of(filters.server))))
}

/// Puts the filters of several servers in place, in one transaction. When nftables refuses that, each is loaded alone, so that
/// only the server whose filters cannot be is told so. Blocks.
#[must_use]
pub fn load_all(all: &[ServerFilters]) -> Vec<Result<Before, NetworkError>> {
    let servers: BTreeSet<ServerId> = all.iter().map(|filters| filters.server).collect();
    let together = (servers.len() == all.len()).then(|| load_together(all).ok()).flatten();
    together.unwrap_or_else(|| all.iter().map(load).collect())
}

/// Loads the filters, reads them back, and seals what is as it should be. What is not sealed, because the agent died in
/// between, filters all the same and is loaded again.
fn load_together(all: &[ServerFilters]) -> Result<Vec<Result<Before, NetworkError>>, NetworkError> {
    let names = all.iter().map(|filters| filter_rules::table_of(filters.server)).collect();
    let (_, found) = read_all(&names)?;
    let (mut before, mut commands) = (Vec::new(), Vec::new());
    for filters in all {
        let table = found.get(&filter_rules::table_of(filters.server));
        before.push(if table.is_some_and(FilterTable::is_altered) { Before::Altered } else { Before::AsLeft });
        commands.push(filter_rules::table(filters, &table.map(|table| stale(table, filters)).unwrap_or_default()));
    }
    nft::apply(LOAD, filter_rules::guard().iter().chain(commands.iter().flatten()))?;
    for _ in 0..SEAL_TRIES {
        let (generation, loaded) = read_all(&names)?;
        let (mut done, mut seals) = (Vec::new(), Vec::new());
        for ((filters, commands), before) in all.iter().zip(&commands).zip(&before) {
            let name = filter_rules::table_of(filters.server);
            match loaded.get(&name).filter(|table| table.is_made_by(commands, &filters.own)) {
                Some(table) => {
                    seals.push((name, Seal { mark: filters.mark, content: table.content }.chain()));
                    done.push(Ok(*before));
                }
                None => done.push(Err(NetworkError::FilterRace(name))),
            }
        }
        if nft_netlink::add_chains(LOAD, NETDEV, &seals, generation)? {
            return Ok(done);
        }
    }
    Err(NetworkError::FilterRace("the host's nftables".to_owned()))
}

/// What is in a server's table and no longer wanted.
fn stale(table: &FilterTable, filters: &ServerFilters) -> Vec<String> {
    let macs = filters.macs.iter().chain(filters.private.iter().map(|tap| &tap.mac));
    let mut wanted: BTreeSet<String> = macs.flat_map(|mac| chains_of(&TapName::of(filters.server, *mac))).collect();
    wanted.extend(filter_rules::common_chains(filters));
    let chains = table.chains.keys().filter(|chain| !wanted.contains(*chain));
    chains.chain(&table.labels).cloned().collect()
}

/// Removes the server's filters; done when there are none. Blocks.
///
/// # Errors
/// When nftables refuses.
pub fn remove(server: ServerId) -> Result<(), NetworkError> {
    nft::apply("remove the server's filters", &filter_rules::remove(server))
}
