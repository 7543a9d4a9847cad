//! Filter tables as the kernel has them, with their addresses, and which taps they really filter.
//!
//! The worker looks at tables and chains alone, since rules by the thousand are slow to read. An audit is rare, so it
//! reads all: a chain that somebody emptied by hand is noticed here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_shared::{
    audit::{HeldFilters, Holding},
    id::ServerId,
};
use serde_json::Value;

use crate::{
    host_machine::fault::story,
    network::{filter_rules, nft},
};

/// Begins the name of every server's table.
const TABLES: &str = "csp_";

/// Lists them. Blocks.
pub(super) fn list() -> Result<Vec<Holding>, String> {
    let listed = nft::ruleset_netdev("list the filters").map_err(|error| story(&error))?;
    Ok(held(&listed).into_iter().map(Holding::Filters).collect())
}

#[derive(Default)]
struct Table {
    mark: Option<String>,
    addresses: Vec<Ipv4Addr>,
    chains: BTreeSet<String>,
    filled: BTreeSet<String>,
}

fn held(listed: &[Value]) -> Vec<HeldFilters> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    for object in listed {
        if let Some(name) = object.get("table").and_then(|table| text(table, "name")) {
            tables.entry(name).or_default();
        }
        if let Some((table, name)) = object.get("chain").and_then(|c| text(c, "table").zip(text(c, "name"))) {
            let table = tables.entry(table).or_default();
            match filter_rules::mark_of(&name) {
                Some(mark) => table.mark = Some(mark.to_string()),
                None => drop(table.chains.insert(name)),
            }
        }
        if let Some((table, chain)) = object.get("rule").and_then(|r| text(r, "table").zip(text(r, "chain"))) {
            tables.entry(table).or_default().filled.insert(chain);
        }
        if let Some(set) = object.get("set")
            && let Some(table) = text(set, "table")
        {
            tables.entry(table).or_default().addresses.extend(addresses(set));
        }
    }
    let ours = tables.into_iter().filter(|(name, _)| name.starts_with(TABLES));
    ours.map(|(name, table)| HeldFilters {
        server: server_of(&name),
        taps: table.taps(),
        table: name,
        mark: table.mark,
        addresses: table.addresses,
    })
    .collect()
}

impl Table {
    /// Taps with a filled chain for each direction.
    fn taps(&self) -> Vec<String> {
        let filled = |chain: String| self.chains.contains(&chain) && self.filled.contains(&chain);
        let names = self.chains.iter().filter_map(|chain| chain.strip_prefix("from_"));
        names.filter(|tap| filled(format!("from_{tap}")) && filled(format!("to_{tap}"))).map(str::to_owned).collect()
    }
}

/// Ranges and prefixes are not ours, and no address.
fn addresses(set: &Value) -> Vec<Ipv4Addr> {
    let elements = set.get("elem").and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|element| element.as_str()?.parse().ok()).collect()
}

fn server_of(table: &str) -> Option<ServerId> {
    let server = ServerId(uuid::Uuid::try_parse(table.strip_prefix(TABLES)?).ok()?);
    (filter_rules::table_of(server) == table).then_some(server)
}

#[cfg(test)]
mod tests {
    use csp_shared::mac::Mac;

    use super::*;
    use crate::{
        machine::Mark,
        network::{filter_rules::ServerFilters, tap_name::TapName},
        plan::fixture::server,
    };

    /// What the kernel lists after it was given our own transaction: `add` is taken off each command.
    fn loaded() -> (TapName, Vec<Value>) {
        let mac = Mac::for_guest([1, 2, 3, 4]);
        let own = vec![[203, 0, 113, 10].into()];
        let filters = ServerFilters { server: server(), own, macs: vec![mac], mark: Mark(7) };
        let mut listed: Vec<Value> =
            filter_rules::load(&filters, &[]).iter().filter_map(|command| command.get("add").cloned()).collect();
        let elements = listed.iter().find_map(|object| object.get("element").cloned()).unwrap();
        for set in listed.iter_mut().filter_map(|object| object.get_mut("set")) {
            set["elem"] = elements["elem"].clone();
        }
        listed.retain(|object| !object.to_string().contains("csp_guard"));
        (TapName::of(server(), mac), listed)
    }

    #[test]
    fn a_table_is_read_as_it_was_loaded() {
        let (tap, listed) = loaded();
        let table = HeldFilters {
            table: filter_rules::table_of(server()),
            server: Some(server()),
            mark: Some(Mark(7).to_string()),
            addresses: vec![[203, 0, 113, 10].into()],
            taps: vec![tap.to_string()],
        };
        assert_eq!(held(&listed), [table]);
    }

    #[test]
    fn a_chain_without_rules_filters_nothing() {
        let (tap, mut listed) = loaded();
        let chain = filter_rules::to_guest(&tap);
        listed.retain(|object| object["rule"]["chain"] != chain.as_str());
        assert!(held(&listed)[0].taps.is_empty());
    }

    #[test]
    fn a_table_with_a_name_like_ours_is_told_and_others_are_not() {
        let table = |name: &str| serde_json::json!({"table": {"family": "netdev", "name": name}});
        let seen = held(&[table("csp_mine"), table("firewall")]);
        assert_eq!(
            seen.iter().map(|held| (held.table.as_str(), held.server)).collect::<Vec<_>>(),
            [("csp_mine", None)]
        );
    }
}
