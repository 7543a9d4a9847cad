//! What is on this host and belongs to no server of it: told, never touched.
//!
//! A thing of csp's own make without its spec is what a restore of the store from an older backup leaves, or a state folder
//! that was lost: whatever it may use as its address is somebody's until a person has looked.

use std::collections::BTreeSet;

use csp_shared::{
    id::ServerId,
    message::{ORPHAN_NAME_CHARS_MAX, Orphan, OrphanKind},
    observed::Fault,
};

use super::{Around, HostMachine, blocking};
use crate::{
    network::{
        NetworkError, filter, filter_rules,
        gate::{self, GateMark},
        links::Link,
        tap_name::{PREFIX, TapMark},
    },
    storage::disk,
};

impl HostMachine {
    /// Everything that none of `known` explains.
    ///
    /// # Errors
    /// When a part could not be looked at: then nobody knows. A pool that is away has no disks to be told.
    pub(super) async fn strangers(&self, known: &BTreeSet<ServerId>) -> Result<Vec<Orphan>, Fault> {
        let servers = known.clone();
        let mut orphans = self.on_libvirt(move |libvirt| libvirt.orphans(&servers)).await?;
        let around = self.look_around().await?;
        orphans.extend(processes(&around, known));
        orphans.extend(around.networks.links.iter().filter_map(|link| tap(link, known)));
        let tables: Vec<String> = filter_rules::tables_beside(&around.networks.filters.tables, known);
        orphans.extend(blocking(move || filters(&tables)).await?);
        let files = self.storing.on_store(|store| Ok(store.disks.files()?)).await.unwrap_or_default();
        let strange = files.into_iter().filter(|file| disk::owner(file).is_none_or(|server| !known.contains(&server)));
        orphans.extend(strange.map(|file| orphan(OrphanKind::Disk, &file)));
        Ok(orphans)
    }
}

fn orphan(kind: OrphanKind, name: &str) -> Orphan {
    Orphan { name: name.chars().take(ORPHAN_NAME_CHARS_MAX).collect(), kind, macs: Vec::new(), addresses: Vec::new() }
}

fn processes(around: &Around, known: &BTreeSet<ServerId>) -> Vec<Orphan> {
    let strange = around.processes.iter().filter(|(server, _)| !known.contains(server));
    strange.map(|(server, _)| orphan(OrphanKind::Process, &server.to_string())).collect()
}

/// An interface with the mark of a server that is not known, or with a name like one of ours and no mark.
fn tap(link: &Link, known: &BTreeSet<ServerId>) -> Option<Orphan> {
    if let Some(queue) = GateMark::parse(&link.alias) {
        return (!known.contains(&queue.server)).then(|| orphan(OrphanKind::Tap, &link.name));
    }
    let mark = TapMark::parse(&link.alias);
    let looks_like_ours = || link.name.starts_with(PREFIX) || link.name.starts_with(gate::PREFIX);
    let is_strange = mark.map_or_else(looks_like_ours, |mark| !known.contains(&mark.server));
    let macs = mark.map(|mark| mark.mac).into_iter().collect();
    is_strange.then(|| Orphan { macs, ..orphan(OrphanKind::Tap, &link.name) })
}

/// Blocks. A table that went away meanwhile is none.
fn filters(tables: &[String]) -> Result<Vec<Orphan>, NetworkError> {
    let mut found = Vec::new();
    for name in tables {
        if let Some(table) = filter::read(name)? {
            let addresses = table.addresses.iter().copied().collect();
            found.push(Orphan { addresses, ..orphan(OrphanKind::Filters, name) });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use csp_shared::mac::Mac;

    use super::*;
    use crate::{network::gate::Gate, plan::fixture::server};

    #[test]
    fn an_interface_is_nobodys_by_its_mark_or_for_want_of_one() {
        let mark = TapMark { server: server(), mac: Mac::for_guest([1, 2, 3, 4]), network: None };
        let link = |name: &str, alias: String| Link { name: name.to_owned(), alias, ..Link::default() };
        let (mine, nobodys) = (BTreeSet::from([server()]), BTreeSet::new());
        let marked = link("cspta", mark.to_string());
        assert_eq!(tap(&marked, &mine), None);
        assert_eq!(tap(&marked, &nobodys).map(|tap| tap.macs), Some(vec![mark.mac]), "its address is leased to nobody");
        assert!(tap(&link("csptb", String::new()), &mine).is_some(), "made by hand");
        let queue = GateMark { server: server(), gate: Gate::ToGuest, mbit: Some(10) };
        let queue = link("cspqa", queue.to_string());
        assert_eq!(tap(&queue, &mine), None);
        assert!(tap(&queue, &nobodys).is_some_and(|orphan| orphan.macs.is_empty()));
        assert_eq!(tap(&link("eth0", String::new()), &nobodys), None, "what does not look like ours is none of ours");
    }
}
