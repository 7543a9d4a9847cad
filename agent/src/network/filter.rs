//! Servers' filters in the kernel: put in place, seen, removed.
//!
//! A look at all servers sees chains alone, since rules by the thousand would be slow to read; a look at one server reads
//! its whole table, and a table that is not as it was loaded counts as broken, so that the worker loads it anew. The guard
//! of the host's own addresses is one chain for all: its one rule is read too, and without it no server's filters count
//! as whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use csp_shared::id::ServerId;

use super::{
    NetworkError,
    filter_rules::{self, Seal, ServerFilters},
    filter_table::{self, FilterTable, chains_of},
    nft, nft_generation,
    tap_name::TapName,
};
use crate::machine::Mark;

/// Of a table that is there but not as it was loaded. No value has this mark but by a chance of 2^-64.
pub const BROKEN: Mark = Mark(0);
const LOAD: &str = "put the server's filters in place";
/// Programs that read tables at once.
const LANES: usize = 4;

/// The netdev tables of the host that have chains, and whether the guard stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllFilters {
    /// Names of the tables, others' too.
    pub tables: BTreeSet<String>,
    /// What guests send to the host itself is dropped.
    pub is_guarded: bool,
}

/// Looks at filters again and again, and asks nft only when the kernel says that something has changed since. A number is
/// always asked for before what is then kept under it: what changes meanwhile has another one at the next look.
#[derive(Debug, Default)]
pub struct FilterLooks {
    all: Mutex<Option<(u32, Arc<AllFilters>)>>,
    tables: Mutex<BTreeMap<ServerId, (Moment, Option<SeenFilters>)>>,
}

/// The kernel's number for all filters, and those of the queues that a server's frames go through: filters name a queue by
/// its number, so one that was made anew under the same name is none for them.
type Moment = (u32, [Option<u32>; 2]);

/// One server's filters, as a look shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFilters {
    /// What they were made from; a mark that nothing has when they are not as they were loaded, or the guard is gone.
    pub mark: Mark,
    /// The queues that frames go through.
    pub gates: BTreeSet<String>,
}

impl SeenFilters {
    /// There, and not as they should be.
    const BROKEN: Self = Self { mark: BROKEN, gates: BTreeSet::new() };
}

impl FilterLooks {
    /// What [`AllFilters::list`] tells. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn list(&self) -> Result<Arc<AllFilters>, NetworkError> {
        let generation = nft_generation::current();
        let kept = lock(&self.all).clone().filter(|(kept, _)| Some(*kept) == generation);
        if let Some((_, all)) = kept {
            return Ok(all);
        }
        let all = Arc::new(AllFilters::list()?);
        *lock(&self.all) = generation.map(|generation| (generation, Arc::clone(&all)));
        Ok(all)
    }

    /// What [`AllFilters::see`] tells of a server, whose queues have these numbers. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn see(
        &self,
        all: &AllFilters,
        server: ServerId,
        queues: [Option<u32>; 2],
    ) -> Result<Option<SeenFilters>, NetworkError> {
        let generation = nft_generation::current();
        let moment = generation.map(|generation| (generation, queues));
        let kept = lock(&self.tables).get(&server).cloned().filter(|(kept, _)| Some(*kept) == moment);
        if let Some((_, seen)) = kept {
            return Ok(seen);
        }
        let seen = all.see(server)?;
        if lock(&self.all).as_ref().map(|(listed, _)| *listed) != generation {
            return Ok(seen); // what is listed is older than that, so nothing may be kept under it
        }
        let mut tables = lock(&self.tables);
        // Of servers that are gone nothing is kept for long.
        tables.retain(|_, ((kept, _), _)| Some(*kept) == generation);
        tables.extend(moment.map(|moment| (server, (moment, seen.clone()))));
        Ok(seen)
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
        let (mut tables, mut guard) = (BTreeSet::new(), false);
        for chain in nft::list_chains("list the filters")? {
            if chain.family == filter_rules::FAMILY {
                tables.insert(chain.table);
            } else {
                guard |= filter_rules::is_guard(&chain);
            }
        }
        let is_guarded = guard
            && nft::list_rules("list the guard's rules", &filter_rules::guard_chain())? == filter_rules::guard_rules();
        Ok(Self { tables, is_guarded })
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
        let table = read(&name)?;
        let whole = table.mark().map(|mark| SeenFilters { mark, gates: table.gates });
        Ok(Some(whole.unwrap_or(SeenFilters::BROKEN)))
    }
}

/// Makes sure that the filters of no other server let one of `addresses` through. Blocks.
///
/// # Errors
/// [`NetworkError::AddressInUse`] when some do; another one when nftables does not answer, and then nobody knows.
pub fn ensure_unused(server: ServerId, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), NetworkError> {
    for set in nft::list_sets("look for an address in other servers' filters", filter_rules::FAMILY)? {
        let Some(holder) = filter_rules::holder_of(&set).filter(|holder| *holder != server) else { continue };
        if let Some(address) = filter_table::addresses_in(&set).find(|address| addresses.contains(address)) {
            return Err(NetworkError::AddressInUse { address, by: format!("server {holder} on this host") });
        }
    }
    Ok(())
}

/// One table, all of it. Blocks.
///
/// # Errors
/// When there is no such table, or nftables does not answer.
pub fn read(table: &str) -> Result<FilterTable, NetworkError> {
    Ok(FilterTable::read(&nft::list_table("read a server's filters", table)?))
}

/// Puts the filters in place, in one transaction, and then seals them. What is not sealed, because the agent died in
/// between, filters all the same and is loaded again. Blocks.
///
/// # Errors
/// When nftables refuses, and then what was there before still holds; or when somebody else changes them at the same time.
pub fn load(filters: &ServerFilters) -> Result<Before, NetworkError> {
    let name = filter_rules::table_of(filters.server);
    nft::apply(LOAD, filter_rules::open(filters.server))?;
    let (before, stale) = found(filters)?;
    let commands = filter_rules::load(filters, &stale);
    nft::apply(LOAD, commands.clone())?;
    let table = read(&name)?;
    if !table.is_made_by(&commands, &filters.own) {
        return Err(NetworkError::FilterRace(name));
    }
    nft::apply(LOAD, filter_rules::seal(filters.server, Seal { mark: filters.mark, content: table.content }))?;
    Ok(before)
}

/// How a server's table, which is there, is found, and what of it is no longer wanted.
fn found(filters: &ServerFilters) -> Result<(Before, Vec<String>), NetworkError> {
    let macs = filters.macs.iter().chain(filters.private.iter().map(|tap| &tap.mac));
    let taps = macs.map(|mac| TapName::of(filters.server, *mac));
    let wanted: BTreeSet<String> = taps.flat_map(|tap| chains_of(&tap)).collect();
    let listed = nft::list_table(LOAD, &filter_rules::table_of(filters.server))?;
    let before = if FilterTable::read(&listed).is_altered() { Before::Altered } else { Before::AsLeft };
    let stale = nft::chains_in(&listed).into_iter().filter(|chain| !wanted.contains(chain)).collect();
    Ok((before, stale))
}

/// Puts the filters of several servers in place, in one transaction for all of them, and then seals them. When nftables refuses
/// that, each is loaded alone, so that only the server whose filters cannot be is told so. Blocks.
#[must_use]
pub fn load_all(all: &[ServerFilters]) -> Vec<Result<Before, NetworkError>> {
    let servers: BTreeSet<ServerId> = all.iter().map(|filters| filters.server).collect();
    let together = (all.len() > 1 && servers.len() == all.len()).then(|| load_together(all).ok()).flatten();
    together.unwrap_or_else(|| all.iter().map(load).collect())
}

fn load_together(all: &[ServerFilters]) -> Result<Vec<Result<Before, NetworkError>>, NetworkError> {
    // A table without any chain has nothing in it that could be altered or stale.
    let there: BTreeSet<String> = nft::list_chains(LOAD)?.into_iter().map(|chain| chain.table).collect();
    let (mut before, mut stale) = (Vec::new(), Vec::new());
    for filters in all {
        let is_there = there.contains(&filter_rules::table_of(filters.server));
        let (was, no_longer) = if is_there { found(filters)? } else { (Before::AsLeft, Vec::new()) };
        before.push(was);
        stale.push(no_longer);
    }
    let with_stale: Vec<_> = all.iter().zip(stale).collect();
    nft::apply(LOAD, filter_rules::load_all(&with_stale))?;
    let (mut done, mut seals) = (Vec::new(), Vec::new());
    for (((filters, stale), before), table) in with_stale.iter().zip(before).zip(read_all(all)) {
        let (name, table) = (filter_rules::table_of(filters.server), table?);
        if table.is_made_by(&filter_rules::load(filters, stale), &filters.own) {
            seals.extend(filter_rules::seal(filters.server, Seal { mark: filters.mark, content: table.content }));
            done.push(Ok(before));
        } else {
            done.push(Err(NetworkError::FilterRace(name)));
        }
    }
    nft::apply(LOAD, seals)?;
    Ok(done)
}

/// The tables of these servers. nft reads one at a time, so several of it run at once.
fn read_all(all: &[ServerFilters]) -> Vec<Result<FilterTable, NetworkError>> {
    let lane = |part: &[ServerFilters]| -> Vec<_> {
        part.iter().map(|filters| read(&filter_rules::table_of(filters.server))).collect()
    };
    let parts = all.chunks(all.len().div_ceil(LANES).max(1));
    std::thread::scope(|scope| {
        let lanes: Vec<_> = parts.map(|part| (part, scope.spawn(move || lane(part)))).collect();
        // A lane that could not be read to its end is read here.
        lanes.into_iter().flat_map(|(part, read)| read.join().unwrap_or_else(|_| lane(part))).collect()
    })
}

/// Removes the server's filters; done when there are none. Blocks.
///
/// # Errors
/// When nftables refuses.
pub fn remove(server: ServerId) -> Result<(), NetworkError> {
    nft::apply("remove the server's filters", filter_rules::remove(server))
}
