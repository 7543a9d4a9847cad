//! A server's filters in the kernel: put in place, seen, removed.

use csp_shared::id::ServerId;
use serde_json::json;

use super::{
    NetworkError,
    filter_rules::{self, ServerFilters},
    nft::{self, Listed},
    tap_name::TapName,
};
use crate::machine::Mark;

/// A table that is there but not as it was loaded. No value has this mark but by a chance of 2^-64.
const BROKEN: Mark = Mark(0);

/// Puts the filters in place, in one transaction. Blocks.
///
/// # Errors
/// When nftables refuses; then what was there before still holds.
pub fn load(filters: &ServerFilters) -> Result<(), NetworkError> {
    let taps: Vec<TapName> = filters.macs.iter().map(|mac| TapName::of(filters.server, *mac)).collect();
    let wanted: Vec<String> = taps.iter().flat_map(chains_of).collect();
    let there = listing(filters.server)?.unwrap_or_default();
    let chains = there.iter().filter_map(|listed| listed.chain.as_ref()).map(|chain| chain.name.clone());
    let stale: Vec<String> = chains.filter(|chain| !wanted.contains(chain)).collect();
    nft::apply("put the server's filters in place", filter_rules::load(filters, &stale))
}

/// What the server's filters were made from; `None` is the proof that there are none. A table that lacks a chain for
/// one of `taps`, or whose chains differ, has a mark that nothing has. Blocks.
///
/// # Errors
/// When nftables does not answer: then nobody knows.
pub fn see(server: ServerId, taps: &[TapName]) -> Result<Option<Mark>, NetworkError> {
    Ok(listing(server)?.map(|listed| common_mark(&listed, taps).unwrap_or(BROKEN)))
}

/// Removes the server's filters; done when there are none. Blocks.
///
/// # Errors
/// When nftables refuses.
pub fn remove(server: ServerId) -> Result<(), NetworkError> {
    match listing(server)? {
        Some(_) => nft::apply("remove the server's filters", filter_rules::remove(server)),
        None => Ok(()),
    }
}

/// The server's table, if it is there. Asked in two steps, since nft tells a table that is not there from a failure
/// only by its words.
fn listing(server: ServerId) -> Result<Option<Vec<Listed>>, NetworkError> {
    let name = filter_rules::table_of(server);
    let tables = nft::list("list the filter tables", json!({"tables": {"family": "netdev"}}))?;
    if !tables.iter().any(|listed| listed.table.as_ref().is_some_and(|table| table.name == name)) {
        return Ok(None);
    }
    let table = json!({"table": {"family": "netdev", "name": name}});
    nft::list("list the server's filters", table).map(Some)
}

/// The one mark that all chains carry in their last rule, if the chains of every tap are among them.
fn common_mark(listed: &[Listed], taps: &[TapName]) -> Option<Mark> {
    let chains: Vec<&str> = listed.iter().filter_map(|l| Some(l.chain.as_ref()?.name.as_str())).collect();
    let marks: Vec<Mark> = chains.iter().map(|chain| last_mark(listed, chain)).collect::<Option<_>>()?;
    let complete = taps.iter().flat_map(chains_of).all(|chain| chains.contains(&chain.as_str()));
    let first = *marks.first()?;
    (complete && marks.iter().all(|mark| *mark == first)).then_some(first)
}

fn last_mark(listed: &[Listed], chain: &str) -> Option<Mark> {
    let last = listed.iter().filter_map(|l| l.rule.as_ref()).rfind(|rule| rule.chain == chain)?;
    filter_rules::mark_of(last.comment.as_deref()?)
}

fn chains_of(tap: &TapName) -> [String; 2] {
    [filter_rules::from_guest(tap), filter_rules::to_guest(tap)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::nft::{Named, RuleOf};

    fn chain(name: &str) -> Listed {
        Listed { chain: Some(Named { name: name.to_owned() }), ..Listed::default() }
    }

    fn rule(chain: &str, comment: Option<&str>) -> Listed {
        let rule = RuleOf { chain: chain.to_owned(), comment: comment.map(str::to_owned) };
        Listed { rule: Some(rule), ..Listed::default() }
    }

    #[test]
    fn a_table_counts_only_when_every_chain_of_every_tap_is_whole() {
        let mac = csp_shared::mac::Mac::for_guest([1, 2, 3, 4]);
        let tap = TapName::of(ServerId(uuid::Uuid::from_u128(1)), mac);
        let [from, to] = chains_of(&tap);
        let mark = Mark(0xab);
        let comment = Some("csp 00000000000000ab");
        let whole = [chain(&from), rule(&from, None), rule(&from, comment), chain(&to), rule(&to, comment)];
        assert_eq!(common_mark(&whole, std::slice::from_ref(&tap)), Some(mark));

        let one_missing = &whole[..3];
        assert_eq!(common_mark(one_missing, std::slice::from_ref(&tap)), None);
        let flushed = [chain(&from), chain(&to), rule(&to, comment)];
        assert_eq!(common_mark(&flushed, std::slice::from_ref(&tap)), None);
        let appended = [chain(&from), rule(&from, comment), rule(&from, None), chain(&to), rule(&to, comment)];
        assert_eq!(common_mark(&appended, std::slice::from_ref(&tap)), None);
        let mixed = [chain(&from), rule(&from, comment), chain(&to), rule(&to, Some("csp 00000000000000ac"))];
        assert_eq!(common_mark(&mixed, &[tap]), None);
        assert_eq!(common_mark(&[], &[]), None);
    }
}
