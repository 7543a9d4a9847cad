//! What the store says, held against itself: places, leases, actions, wallets.

use std::collections::BTreeMap;

use csp_shared::{
    id::{HostId, ServerId},
    spec::{Desired, NicNetwork, ServerSpec},
};

use super::{Finding, Hold, Kind, LeaseSide, Place, ServerSide, Size, World};
use crate::domain::{
    action::{Command, Progress, progress},
    server::ServiceStatus,
};

const DEFECT: &str = "csp-control never writes this: keep a copy of its database and report it with the answer of \
                      `csp-control audit --json`";

pub(super) fn compare(world: &World, names: &BTreeMap<HostId, &str>, found: &mut Vec<Finding>) {
    // The newest place of each server: the others are released ones.
    let servers: BTreeMap<ServerId, &ServerSide> = world.servers.iter().map(|side| (side.server, side)).collect();
    for side in &world.servers {
        let host = names.get(&side.host).copied();
        let is_newest = servers.get(&side.server).is_some_and(|newest| newest.host == side.host);
        places(side, is_newest, host, found);
        sizes(side, host, found);
        actions(side, host, found);
        if let Some(spec) = side.spec() {
            leases_of(side, spec, host, &world.leases, found);
        }
    }
    for lease in &world.leases {
        state_of(lease, servers.get(&lease.server).copied(), found);
    }
    for (account, holds, moved) in &world.wallets {
        let (holds, moved) = (cents(*holds), cents(*moved));
        let finding = Finding::new(Kind::Ledger, None, None, format!("account {account}"));
        found.push(finding.what(format!("the wallet holds {holds} and its movements come to {moved}")).cure(DEFECT));
    }
}

fn cents(amount: i64) -> String {
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    format!("{sign}{}.{:02} USD", amount / 100, amount % 100)
}

fn has_ended(service: ServiceStatus) -> bool {
    matches!(service, ServiceStatus::Failed | ServiceStatus::Destroyed)
}

fn places(side: &ServerSide, is_newest: bool, host: Option<&str>, found: &mut Vec<Finding>) {
    let is_buried = matches!(side.desired, Some(Desired::Absent(_)));
    let what = match (has_ended(side.service), side.place, is_buried) {
        (true, Place::Active, _) => "the service has ended and its place on the host is still counted as in use",
        (true, _, false) => "the service has ended and no tombstone was written for it",
        (false, Place::Held, _) => "the service goes on and its place is held as if it were to be gone",
        (false, Place::Active, true) => "the service goes on and a tombstone stands in the place of its spec",
        (false, Place::Active, false) if side.desired.is_none() => {
            "the service goes on and the store has no spec of it: its host goes on as it was last told, and hears of no \
             change"
        }
        (false, Place::Released, _) if is_newest => "the service goes on and has no place on any host",
        // A server that moved away leaves a released place behind.
        _ => return,
    };
    found.push(Finding::new(Kind::PlaceMismatch, host, Some(side.server), "placement").what(what).cure(DEFECT));
}

/// What was sold is what is kept on the host and what the host is told to give.
fn sizes(side: &ServerSide, host: Option<&str>, found: &mut Vec<Finding>) {
    let Some(spec) = side.spec() else { return };
    let told = Size { cpus: spec.cpus.into(), ram_mib: spec.ram_mib.into(), disk_gib: spec.disk_gib.into() };
    for (object, has, size) in
        [("placement", "its place on the host keeps", side.kept), ("spec", "its spec says", told)]
    {
        if size != side.sold {
            let finding = Finding::new(Kind::SizeMismatch, host, Some(side.server), object);
            let what = format!("the server was sold with {}, and {has} {size}", side.sold);
            // A new disk is kept beside the old one until the change ended, however long its host cannot bring it about.
            let is_changing =
                side.open.iter().any(|(command, _)| matches!(command, Command::Reinstall | Command::ChangePackage));
            let cure =
                if is_changing { "a new disk has its room beside the old one until the change ended" } else { DEFECT };
            found.push(finding.what(what).cure(cure).moving(side.is_moving() || is_changing));
        }
    }
}

fn actions(side: &ServerSide, host: Option<&str>, found: &mut Vec<Finding>) {
    let Some(seen) = &side.observed else { return };
    for (command, wanted) in &side.open {
        let is_done = progress(*wanted, seen.accepted, seen.reached, seen.fault.as_ref()) == Progress::Done;
        // A destroyed server is done when it is proved gone.
        let is_over = is_done && (*command != Command::Destroy || seen.remains.is_nothing());
        if is_over {
            let finding = Finding::new(Kind::ActionStuck, host, Some(side.server), command.as_str());
            let what = format!("`{}` is open though the host reported version {wanted} reached", command.as_str());
            let cure =
                "restart csp-agent on the host, which reports everything anew; if the action stays open, report it";
            found.push(finding.what(what).cure(cure).moving(side.changed));
        }
    }
}

/// Every public address of a spec is its server's by a lease.
fn leases_of(side: &ServerSide, spec: &ServerSpec, host: Option<&str>, leases: &[LeaseSide], found: &mut Vec<Finding>) {
    let public = spec.nics.iter().filter(|nic| nic.network == NicNetwork::Public);
    for address in public.flat_map(|nic| &nic.addresses).map(|address| address.address) {
        let held = leases.iter().any(|l| l.address == address && l.server == side.server && l.state == Hold::Leased);
        if !held {
            let finding = Finding::new(Kind::LeaseMissing, host, Some(side.server), address.to_string());
            let what = format!("the spec gives the server {address}, which it has not leased");
            found.push(finding.what(what).cure(DEFECT).moving(side.changed));
        }
    }
}

/// Every lease stands as its server does.
fn state_of(lease: &LeaseSide, side: Option<&ServerSide>, found: &mut Vec<Finding>) {
    let what = match (lease.state, side.map(|side| side.place)) {
        (Hold::Leased, Some(Place::Active)) => {
            let spec = side.and_then(ServerSide::spec);
            let mut addresses = spec.into_iter().flat_map(|spec| &spec.nics).flat_map(|nic| &nic.addresses);
            if spec.is_none() || addresses.any(|address| address.address == lease.address) {
                return; // without a spec the place itself is what is wrong
            }
            "is leased, and the server's spec does not have it"
        }
        // Its server gave it up and goes on, whatever became of that since.
        (Hold::Resting, Some(_)) if lease.gone.is_some() => return,
        (Hold::Held, Some(Place::Active)) if lease.gone.is_some() => {
            let let_go = side.and_then(|side| side.observed.as_ref()).and_then(|seen| seen.let_go.max(seen.reached));
            if let_go < lease.gone {
                return;
            }
            "is held though the host has let go of it"
        }
        (Hold::Leased, _) => "is leased to a server that has no place any more",
        (Hold::Held, Some(Place::Held)) | (Hold::Resting, Some(Place::Released)) => return,
        (Hold::Held, Some(Place::Released)) => "is held though the host proved that its server is gone",
        (Hold::Held, _) => "is held though its server is not to be gone",
        (Hold::Resting, _) => "rests though its host has not proved that the server is gone",
    };
    let finding = Finding::new(Kind::LeaseMismatch, None, Some(lease.server), lease.address.to_string());
    found.push(finding.what(format!("{} {what}", lease.address)).cure(DEFECT).moving(side.is_some_and(|s| s.changed)));
}
