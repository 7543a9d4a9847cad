//! A server that is to be gone: its tombstone is there and nothing else. And what holds for both, the spec itself.

use csp_shared::{
    audit::{HostPart, PoolFile},
    id::ServerId,
    spec::Desired,
};

use super::{Finding, Kind, Place, ServerSide, host_view::HostView};

/// What the host holds of a server's spec or tombstone.
pub(super) fn compare_spec(side: &ServerSide, view: &HostView<'_>, found: &mut Vec<Finding>) {
    let (server, name) = (side.server, view.name);
    let finding = |kind| Finding::new(kind, Some(name), Some(server), "spec").moving(side.is_moving());
    // A damaged file is told by itself.
    let is_damaged = view.bad_files.iter().any(|(_, owner)| *owner == Some(server));
    let Some(desired) = side.desired.as_ref().filter(|_| view.saw(HostPart::Specs) && !is_damaged) else { return };
    let wanted = desired.version();
    let reconnect = format!("restart csp-agent on {name}: a new session sends all that the host does not hold");
    match view.specs.get(&server) {
        // Proved gone: a host that was set up anew need not hold its tombstone.
        None if side.place == Place::Released => {}
        None => {
            let what = match desired {
                Desired::Present(_) => "the host holds no spec of the server, so it does nothing for it",
                Desired::Absent(_) => "the host does not hold the server's tombstone yet",
            };
            found.push(finding(Kind::SpecMissing).what(what).cure(reconnect));
        }
        Some(held) if held.version < wanted => {
            let what = format!("the host holds version {}, the store has {wanted}", held.version);
            found.push(finding(Kind::SpecBehind).what(what).cure(reconnect));
        }
        Some(held) if held.version > wanted => {
            let what = format!(
                "the host holds version {}, the store only {wanted}: it was restored from a backup",
                held.version
            );
            let cure =
                "the server is left alone until you decide: compare `csp-control server show` with the host's file";
            found.push(finding(Kind::SpecAhead).what(what).cure(cure));
        }
        Some(held) if held.hash != desired.hash() => {
            let what = format!("host and store hold different specs of the same version {wanted}");
            let cure = "one of them was edited by hand: any newer request of the customer (`restart`) makes them equal";
            found.push(finding(Kind::SpecAltered).what(what).cure(cure));
        }
        Some(_) => {}
    }
}

pub(super) fn compare(side: &ServerSide, view: &HostView<'_>, found: &mut Vec<Finding>) {
    // A place without any spec is a matter of the store alone, which tells of it; until it is mended, nothing on the host
    // is called wrong.
    if side.desired.is_none() && side.place == Place::Active {
        return;
    }
    compare_spec(side, view, found);
    let things = things(side, view);
    let in_motion = side.place == Place::Held && side.is_moving();
    let fault = side.observed.as_ref().and_then(|seen| seen.fault.as_ref());
    for (object, cure) in &things {
        let why = fault.map(|fault| format!(" ({}: {})", fault.code.as_str(), fault.detail)).unwrap_or_default();
        let what = match side.place {
            Place::Released => format!("{object} is there, though the host proved that nothing of the server is left"),
            Place::Active | Place::Held => format!("{object} is there, though the server is to be gone{why}"),
        };
        let finding = Finding::new(Kind::Remains, Some(view.name), Some(side.server), object.clone());
        found.push(finding.what(what).cure(cure.clone()).moving(in_motion));
    }
    if side.place == Place::Held && things.is_empty() && view.saw_all() {
        let is_told = side.observed.as_ref().is_some_and(|seen| {
            seen.remains.is_nothing() && side.desired.as_ref().is_some_and(|desired| seen.accepted >= desired.version())
        });
        let finding = Finding::new(Kind::HeldForNothing, Some(view.name), Some(side.server), "placement");
        let what = "its addresses and its share of the host are held, and nothing of it is left there";
        let cure = format!("restart csp-agent on {}, which reports everything anew", view.name);
        // Not told: the report is on its way.
        found.push(finding.what(what).cure(cure).moving(!is_told));
    }
}

/// When a disk came to the trash that somebody moves there by hand: later than any agent can count, so it is stamped anew and
/// rests its whole time.
const STAMPED_ANEW: u64 = 3_000_000_000;

/// What a disk is to be called in the trash, where a file of another name is neither listed nor ever removed. Nothing for what is
/// no disk by its name.
fn trash_name(server: ServerId, disk: &PoolFile) -> Option<String> {
    let epoch = disk.epoch.filter(|epoch| disk.file == format!("{server}.{epoch}.qcow2"))?;
    Some(format!("{server}.{epoch}.{STAMPED_ANEW}.0.qcow2"))
}

/// Everything of the server that is on the host, each with the command that ends it.
fn things(side: &ServerSide, view: &HostView<'_>) -> Vec<(String, String)> {
    let (server, name) = (side.server, view.name);
    let on = |command: String| format!("the agent removes it by its tombstone; if it stays, on {name}: {command}");
    let mut things = Vec::new();
    if let Some(domain) = view.domain(server) {
        things.push((
            format!("domain {}", domain.name),
            on(format!("`virsh destroy {server}; virsh undefine {server}`")),
        ));
    }
    for pid in view.pids(server) {
        things.push((format!("process {pid}"), on(format!("`kill {pid}`"))));
    }
    for tap in view.taps_of(server) {
        things.push((format!("tap {}", tap.name), on(format!("`ip link delete {}`", tap.name))));
    }
    for (queue, _) in view.queues.iter().filter(|(_, owner)| *owner == Some(server)) {
        things.push((format!("queue {queue}"), on(format!("`ip link delete {queue}`"))));
    }
    if let Some(filters) = view.filters_of(server) {
        let table = &filters.table;
        things.push((format!("filter table {table}"), on(format!("`nft delete table netdev {table}`"))));
    }
    for disk in HostView::files_of(&view.disks, server) {
        let file = &disk.file;
        let cure = match trash_name(server, disk) {
            Some(trashed) => {
                on(format!("in its pool, `mv -n disks/{file} trash/{trashed}`, where the agent removes it in its time"))
            }
            None => format!(
                "it is no server's disk by its name: see what it is, and move disks/{file} out of the pool of {name}"
            ),
        };
        things.push((format!("disk {}", disk.file), cure));
    }
    for seed in HostView::files_of(&view.seeds, server) {
        things.push((format!("seed {}", seed.file), on(format!("remove seeds/{} of the pool", seed.file))));
    }
    for log in HostView::files_of(&view.consoles, server) {
        things.push((format!("console {}", log.file), on(format!("remove consoles/{} of the pool", log.file))));
    }
    things
}
