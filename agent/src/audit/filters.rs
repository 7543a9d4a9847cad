//! Filter tables as the kernel has them, with their addresses, which taps they filter, and whether they still are what
//! was loaded.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::audit::{HeldFilters, Holding};

use crate::{
    host_machine::fault::story,
    network::{
        filter::{self, AllFilters},
        filter_rules::{self, TABLES},
        filter_table::FilterTable,
    },
};

/// Lists them. Blocks.
pub(super) fn list() -> Result<Vec<Holding>, String> {
    let all = AllFilters::list().map_err(|error| story(&error))?;
    let mut held = vec![Holding::Guard { stands: all.is_guarded }];
    for name in ours(&all.tables) {
        // Its server may have been removed meanwhile.
        if let Some(table) = filter::read(&name).map_err(|error| story(&error))? {
            held.push(Holding::Filters(told(name, &table)));
        }
    }
    Ok(held)
}

fn ours(tables: &BTreeSet<String>) -> Vec<String> {
    tables.iter().filter(|name| name.starts_with(TABLES)).cloned().collect()
}

fn told(name: String, table: &FilterTable) -> HeldFilters {
    HeldFilters {
        server: filter_rules::server_of(&name),
        table: name,
        mark: table.mark().map(|mark| mark.to_string()),
        addresses: table.addresses.iter().copied().collect::<Vec<Ipv4Addr>>(),
        taps: table.taps(),
        altered: table.is_altered(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        machine::Mark,
        network::{
            filter_table::tests::{ADDRESS, loaded, tap},
            nft_netlink::thing::Kind,
        },
        plan::fixture::server,
    };

    #[test]
    fn a_table_is_told_as_it_was_loaded_or_as_altered() {
        let mut things = loaded();
        let name = filter_rules::table_of(server());
        let table = HeldFilters {
            table: name.clone(),
            server: Some(server()),
            mark: Some(Mark(7).to_string()),
            addresses: vec![ADDRESS],
            taps: vec![tap().to_string()],
            altered: false,
        };
        assert_eq!(told(name.clone(), &FilterTable::read(&things)), table);
        let chain = filter_rules::to_guest(&tap());
        things.retain(|thing| thing.kind != Kind::Rule || thing.name != chain);
        let emptied = told(name, &FilterTable::read(&things));
        assert_eq!(emptied, HeldFilters { mark: None, altered: true, ..table }, "its policy drops, so it is a filter");
    }

    #[test]
    fn a_table_with_a_name_like_ours_is_told_and_others_are_not() {
        let tables = ["csp_mine", "firewall"].map(str::to_owned).into();
        assert_eq!(ours(&tables), ["csp_mine"]);
        assert_eq!(filter_rules::server_of("csp_mine"), None);
    }
}
