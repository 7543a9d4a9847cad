//! Servers' filters in the kernel: put in place, seen, removed.
//!
//! What is seen are tables and chains, of all servers in one listing: rules by the thousand would be slow to read. A
//! chain whose rules somebody flushed by hand is not noticed, and does no harm: its policy is drop. The guard of the
//! host's own addresses is one chain for all, whose policy must be accept: its one rule is read too, and without it no
//! server's filters count as whole.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::id::ServerId;

use super::{
    NetworkError,
    filter_rules::{self, ServerFilters},
    nft,
    tap_name::TapName,
};
use crate::machine::Mark;

/// A table that is there but not as it was loaded. No value has this mark but by a chance of 2^-64.
const BROKEN: Mark = Mark(0);

/// The netdev tables of the host and their chains, and whether the guard stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllFilters {
    tables: BTreeMap<String, BTreeSet<String>>,
    is_guarded: bool,
}

impl AllFilters {
    /// Lists them. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn list() -> Result<Self, NetworkError> {
        let mut all = Self::default();
        let mut guard = false;
        for listed in nft::list_chains("list the filters")? {
            if let Some(table) = listed.table {
                all.tables.entry(table.name).or_default();
            }
            match listed.chain {
                Some(chain) if chain.family == filter_rules::FAMILY => {
                    all.tables.entry(chain.table).or_default().insert(chain.name);
                }
                Some(chain) => guard |= filter_rules::is_guard(&chain),
                None => {}
            }
        }
        all.is_guarded = guard
            && nft::list_rules("list the guard's rule", &filter_rules::guard_chain())? == [filter_rules::guard_rule()];
        Ok(all)
    }

    /// What the server's filters were made from; `None` is the proof that there are none. A table that lacks a chain
    /// for one of `taps` has a mark that nothing has, and so has every table while the guard is gone.
    #[must_use]
    pub fn of(&self, server: ServerId, taps: &[TapName]) -> Option<Mark> {
        let chains = self.tables.get(&filter_rules::table_of(server))?;
        let mut marks = chains.iter().filter_map(|chain| filter_rules::mark_of(chain));
        let is_complete = taps.iter().flat_map(chains_of).all(|chain| chains.contains(&chain));
        match (marks.next(), marks.next()) {
            (Some(mark), None) if is_complete && self.is_guarded => Some(mark),
            _ => Some(BROKEN),
        }
    }
}

/// Puts the filters in place, in one transaction. Blocks.
///
/// # Errors
/// When nftables refuses; then what was there before still holds.
pub fn load(filters: &ServerFilters) -> Result<(), NetworkError> {
    let taps = filters.macs.iter().map(|mac| TapName::of(filters.server, *mac));
    let mut wanted: BTreeSet<String> = taps.flat_map(|tap| chains_of(&tap)).collect();
    wanted.insert(filter_rules::mark_chain(filters.mark));
    let mut all = AllFilters::list()?.tables;
    let there = all.remove(&filter_rules::table_of(filters.server)).unwrap_or_default();
    let stale: Vec<String> = there.difference(&wanted).cloned().collect();
    nft::apply("put the server's filters in place", filter_rules::load(filters, &stale))
}

/// Removes the server's filters; done when there are none. Blocks.
///
/// # Errors
/// When nftables refuses.
pub fn remove(server: ServerId) -> Result<(), NetworkError> {
    match AllFilters::list()?.of(server, &[]) {
        Some(_) => nft::apply("remove the server's filters", filter_rules::remove(server)),
        None => Ok(()),
    }
}

fn chains_of(tap: &TapName) -> [String; 2] {
    [filter_rules::from_guest(tap), filter_rules::to_guest(tap)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_counts_only_with_one_mark_and_every_chain_of_every_tap() {
        let server = ServerId(uuid::Uuid::from_u128(1));
        let tap = TapName::of(server, csp_shared::mac::Mac::for_guest([1, 2, 3, 4]));
        let [from, to] = chains_of(&tap);
        let all = |chains: &[&str], is_guarded| {
            let chains = chains.iter().map(|chain| (*chain).to_owned()).collect();
            let tables = BTreeMap::from([(filter_rules::table_of(server), chains)]);
            AllFilters { tables, is_guarded }.of(server, std::slice::from_ref(&tap))
        };
        let seen = |chains: &[&str]| all(chains, true);
        let (mark, other) = ("mark_00000000000000ab", "mark_00000000000000ac");
        assert_eq!(seen(&[&from, &to, mark]), Some(Mark(0xab)));
        assert_eq!(all(&[&from, &to, mark], false), Some(BROKEN), "without the guard");
        assert_eq!(seen(&[&from, mark]), Some(BROKEN));
        assert_eq!(seen(&[&from, &to]), Some(BROKEN));
        assert_eq!(seen(&[&from, &to, mark, other]), Some(BROKEN));
        assert_eq!(seen(&[]), Some(BROKEN));
        assert_eq!(AllFilters::default().of(server, &[]), None);
    }
}
