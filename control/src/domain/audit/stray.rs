//! Things on a host that no server of it explains, and addresses that more than one guest may use.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_shared::{id::ServerId, mac::Mac};

use super::{Finding, Kind, host_view::HostView};

/// Begins a cure that takes something away.
const NOBODYS: &str = "if nobody needs it";

/// `known` are the servers that the store ever placed on this host, `cables` the addresses of the taps that its running guests
/// should have: one that lost its mark is told as its guest's, and is not to be deleted.
pub(super) fn compare(
    view: &HostView<'_>,
    known: &BTreeSet<ServerId>,
    cables: &BTreeSet<Mac>,
    found: &mut Vec<Finding>,
) {
    let name = view.name;
    // What a spec of the host explains is its agent's to keep, though the store knows nothing of it.
    let unknown: BTreeSet<ServerId> = view
        .specs
        .keys()
        .chain(view.bad_files.iter().filter_map(|(_, owner)| owner.as_ref()))
        .copied()
        .filter(|server| !known.contains(server))
        .collect();
    view.specs
        .values()
        .filter(|held| !held.tombstone && !known.contains(&held.server))
        .for_each(|held| found.push(orphan(view, held.server)));
    let known: &BTreeSet<ServerId> = &known.union(&unknown).copied().collect();
    let mut add = |kind, server: Option<ServerId>, object: String, what: &str, cure: String| {
        let finding = Finding::new(kind, Some(name), server, object.clone());
        found.push(finding.what(format!("{object}: {what}")).cure(cure));
    };
    for (file, server) in &view.bad_files {
        let cure = format!(
            "on {name}, repair or move away the file in `servers` of the agent's state folder, then restart csp-agent; \
             the notes in it say which disks hold data"
        );
        add(
            Kind::SpecDamaged,
            *server,
            format!("file {file}"),
            "cannot be read as a spec; its server is left alone",
            cure,
        );
    }
    let is_stranger = |owner: Option<ServerId>| HostView::is_stranger(known, owner);
    for domain in &view.domains {
        let owner = domain.name.parse().ok();
        if is_stranger(owner) {
            // A server's domain that somebody renamed is that server's still, and its guest may run.
            let cure = format!(
                "on {name}, compare its UUID first (`virsh domuuid {0}`): a server's domain has the server's id, and one that was \
                 renamed is put right by `virsh domrename {0} UUID` while it is off; {NOBODYS}: `virsh destroy {0}; virsh \
                 undefine {0}`",
                domain.name
            );
            add(Kind::DomainOrphan, owner, format!("domain {}", domain.name), "belongs to no server", cure);
        }
    }
    for (owner, pid) in view.processes.iter().filter(|(owner, _)| is_stranger(Some(*owner))) {
        let cure = format!("on {name}, see what it is (`ps {pid}`) and end it: `kill {pid}`");
        add(
            Kind::ProcessOrphan,
            Some(*owner),
            format!("process {pid}"),
            "QEMU of a server that is not placed here",
            cure,
        );
    }
    for tap in &view.taps {
        let owner = tap.owner.map(|(server, _)| server);
        let is_cable = owner.is_none() && tap.mac.is_some_and(|mac| cables.contains(&mac));
        if is_stranger(owner) && !is_cable {
            let what =
                if owner.is_some() { "of a server that is not placed here" } else { "has a name of csp's and no mark" };
            add(
                Kind::TapOrphan,
                owner,
                format!("tap {}", tap.name),
                what,
                format!("{NOBODYS}, on {name}: `ip link delete {}`", tap.name),
            );
        }
    }
    for (queue, owner) in view.queues.iter().filter(|(_, owner)| is_stranger(*owner)) {
        let cure = format!("{NOBODYS}, on {name}: `ip link delete {queue}`");
        add(Kind::QueueOrphan, *owner, format!("queue {queue}"), "holds no server to its rate", cure);
    }
    for filters in view.filters.iter().filter(|filters| is_stranger(filters.server)) {
        let cure = format!("{NOBODYS}, on {name}: `nft delete table netdev {}`", filters.table);
        add(
            Kind::FilterOrphan,
            filters.server,
            format!("filter table {}", filters.table),
            "belongs to no server",
            cure,
        );
    }
    for (kind, what, folder, files) in [
        (Kind::DiskOrphan, "disk", "disks", &view.disks),
        (Kind::SeedOrphan, "seed", "seeds", &view.seeds),
        (Kind::ConsoleOrphan, "console", "consoles", &view.consoles),
    ] {
        for file in files.iter().filter(|file| is_stranger(file.server)) {
            let cure = format!("see whose it is; if nobody's, remove {folder}/{} in the pool of {name}", file.file);
            add(kind, file.server, format!("{what} {}", file.file), "belongs to no server", cure);
        }
    }
}

/// A server that only its host knows, as after a restore of the store from an older backup: one finding for all of it,
/// and no command that would end it.
fn orphan(view: &HostView<'_>, server: ServerId) -> Finding {
    let things = [
        ("a domain", usize::from(view.domain(server).is_some())),
        ("a process", view.pids(server).len()),
        ("a tap", view.taps_of(server).count()),
        ("filters", usize::from(view.filters_of(server).is_some())),
        ("a disk", HostView::files_of(&view.disks, server).len()),
        ("a seed", HostView::files_of(&view.seeds, server).len()),
    ];
    let there: Vec<&str> = things.into_iter().filter(|(_, count)| *count > 0).map(|(what, _)| what).collect();
    let there = if there.is_empty() { "nothing yet".to_owned() } else { there.join(", ") };
    let finding = Finding::new(Kind::SpecOrphan, Some(view.name), Some(server), format!("spec {server}"));
    finding
        .what(format!(
            "spec {server}: the store never placed this server here, and the host has of it: {there}. All of it is left alone \
             until you decide"
        ))
        .cure(
            "see whether the store was restored from an older backup: a newer one brings the server back; if it is to go, \
             move its disk to a safe place first",
        )
}

/// The guard is one for all guests of a host, and comes with the first one's filters.
pub(super) fn guard(view: &HostView<'_>, found: &mut Vec<Finding>) {
    if !view.guard_stands && view.filters.iter().any(|filters| filters.server.is_some()) {
        found.push(
            Finding::new(Kind::GuardMissing, Some(view.name), None, "table csp_guard")
                .what("the guard of the host's own addresses is gone or changed: its guests may reach the host itself")
                .cure(super::present::BY_ITSELF),
        );
    }
}

/// A filter table that lets an address through: its host, its name, and whose it is.
type User<'a> = (&'a str, &'a str, Option<ServerId>);

/// Addresses that the filters of more than one server let through, on whichever hosts.
pub(super) fn addresses(views: &[HostView<'_>], found: &mut Vec<Finding>) {
    let mut users: BTreeMap<Ipv4Addr, Vec<User<'_>>> = BTreeMap::new();
    for view in views {
        for filters in &view.filters {
            for address in filters.addresses.iter().collect::<BTreeSet<_>>() {
                users.entry(*address).or_default().push((view.name, &filters.table, filters.server));
            }
        }
    }
    for (address, users) in users.iter().filter(|(_, users)| users.len() > 1) {
        let list: Vec<String> = users.iter().map(|(host, table, _)| format!("table {table} on {host}")).collect();
        let (host, server) = users.first().map_or((None, None), |(host, _, server)| (Some(*host), *server));
        let finding = Finding::new(Kind::AddressTwice, host, server, address.to_string());
        found.push(
            finding.what(format!("{address} is let through for more than one server: {}", list.join(", "))).cure(
                "the one whose spec has it (`csp-control server show`) keeps it; `nft delete table netdev …` for the other, \
                 and restart csp-agent there",
            ),
        );
    }
}
