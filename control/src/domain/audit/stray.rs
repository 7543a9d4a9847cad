//! Things on a host that no server of it explains, and addresses that more than one guest may use.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_shared::id::ServerId;

use super::{Finding, Kind, host_view::HostView};

/// `known` are the servers that the store ever placed on this host.
pub(super) fn compare(view: &HostView<'_>, known: &BTreeSet<ServerId>, found: &mut Vec<Finding>) {
    let name = view.name;
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
    for held in view.specs.values().filter(|held| !held.tombstone && !known.contains(&held.server)) {
        let cure =
            "the store does not know it, as after a restore from an older backup: it is left alone until you decide";
        let object = format!("spec {}", held.server);
        add(
            Kind::SpecOrphan,
            Some(held.server),
            object,
            "of a server that the store never placed here",
            cure.to_owned(),
        );
    }
    let is_stranger = |owner: Option<ServerId>| HostView::is_stranger(known, owner);
    for domain in &view.domains {
        let owner = domain.name.parse().ok();
        if is_stranger(owner) {
            let cure = format!("if nobody needs it, on {name}: `virsh destroy {0}; virsh undefine {0}`", domain.name);
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
        if is_stranger(owner) {
            let what =
                if owner.is_some() { "of a server that is not placed here" } else { "has a name of csp's and no mark" };
            add(
                Kind::TapOrphan,
                owner,
                format!("tap {}", tap.name),
                what,
                format!("on {name}: `ip link delete {}`", tap.name),
            );
        }
    }
    for filters in view.filters.iter().filter(|filters| is_stranger(filters.server)) {
        let cure = format!("on {name}: `nft delete table netdev {}`", filters.table);
        add(
            Kind::FilterOrphan,
            filters.server,
            format!("filter table {}", filters.table),
            "belongs to no server",
            cure,
        );
    }
    for (kind, what, folder, files) in
        [(Kind::DiskOrphan, "disk", "disks", &view.disks), (Kind::SeedOrphan, "seed", "seeds", &view.seeds)]
    {
        for file in files.iter().filter(|file| is_stranger(file.server)) {
            let cure = format!("see whose it is; if nobody's, remove {folder}/{} in the pool of {name}", file.file);
            add(kind, file.server, format!("{what} {}", file.file), "belongs to no server", cure);
        }
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
