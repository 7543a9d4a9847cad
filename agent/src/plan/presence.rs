//! A server that is to be there: disk, adapters, definition and power, in this order.

use csp_shared::{
    observed::FaultCode,
    spec::{Power, ServerSpec},
};

use super::{
    Plan, Situation, Wait,
    disk::{self, DiskState},
    mark, nic,
    power::{self, OffAndWanted},
    step::Step,
};
use crate::machine::{Epochs, SeenDomain, SeenState, Stamp};

/// How soon to look again at a QEMU process that should be ending.
const STRAY_AGAIN_MS: u64 = 1_000;

/// Plans a server that is to be there.
pub(super) fn plan(s: Situation<'_>, spec: &ServerSpec) -> Plan {
    let disk = disk::state(spec, s.seen, s.notes);
    let mut plan = match s.seen.domain {
        Some(domain) if s.seen.is_up() => up(s, spec, domain, disk),
        _ => off(s, spec, disk),
    };
    // First of all, whatever else is to be done or waited for: others on the segment are at stake.
    plan.steps.splice(0..0, nic::cut_off(spec, s.seen).into_iter().chain(nic::let_go(spec, s.seen, s.notes)));
    plan
}

/// The guest runs or is paused.
fn up(s: Situation<'_>, spec: &ServerSpec, domain: SeenDomain, disk: DiskState) -> Plan {
    let is_paused = domain.state == SeenState::Paused;
    let is_held = (s.starts_held || s.seen.host_stopping) && spec.should_run();
    let standing = stands_in_the_way(s, spec, disk);
    if !spec.should_run() && disk::only_its_guest_has(s.seen, domain, disk) {
        return hold(s, spec, is_paused, standing);
    }
    let runs_on_older = disk == DiskState::Ready && disk::runs_on_older(spec, domain);
    if !spec.should_run() {
        let is_hard = spec.power == Power::ForcedOff || is_paused || runs_on_older;
        return if is_hard { Plan::of(vec![Step::ForceStop]) } else { stop(s, spec) };
    }
    if disk == DiskState::ToMake {
        // Image and disk first, so that the old guest runs until its successor is there.
        return swap(nic::guard(s, spec).into_iter().chain(make(s)).collect(), is_held);
    }
    if runs_on_older {
        let base = disk::base(spec, s.seen);
        let guard = if base.is_some() || is_held { nic::guard(s, spec) } else { Vec::new() };
        return swap(guard.into_iter().chain(base).collect(), is_held);
    }
    let growth = disk::grow(spec, s.seen).filter(|_| disk == DiskState::Ready);
    let is_old = domain.epochs.boot < spec.boot_epoch || domain.epochs.disk < spec.disk_epoch;
    if is_old && standing.is_none() {
        if let Some(base) = disk::base(spec, s.seen) {
            // Its QEMU holds what it was started with. What stops now could not be started again.
            return Plan::of(nic::mend(s, spec).into_iter().chain([base]).collect());
        }
        let mut plan = match is_paused {
            _ if is_held => Plan::waiting(nic::mend(s, spec), Wait::Hold),
            true => Plan::of(vec![Step::ForceStop]),
            false => stop(s, spec),
        };
        // Before the stop: where the pool has no room, the guest runs on.
        plan.steps.splice(0..0, growth);
        return plan;
    }
    let mut plan = if is_paused { power::resume(s) } else { keep_running(s, spec, domain) };
    if disk == DiskState::Ready {
        plan.steps.extend(keep(s, spec, domain));
        plan.steps.extend(growth);
        plan.steps.extend(disk::settle(spec, s.seen, s.notes));
    }
    plan.fault = standing.and_then(|fault| fault.fault).or(plan.fault);
    plan
}

/// The guest is to go down, and what it wrote would go with it. It is guarded and left as it is; one that is locked does
/// nothing any more.
fn hold(s: Situation<'_>, spec: &ServerSpec, is_paused: bool, why: Option<Plan>) -> Plan {
    let pause = (spec.locked && !is_paused).then_some(Step::Pause);
    let steps = pause.into_iter().chain(nic::guard(s, spec)).collect();
    Plan { steps, guards: true, ..why.unwrap_or_default() }
}

/// Stops a guest softly. It may take its time, and is guarded meanwhile; after the stop's own steps, since what cannot be
/// mended must not keep it from going.
fn stop(s: Situation<'_>, spec: &ServerSpec) -> Plan {
    let mut plan = power::stop_softly(s);
    if !plan.steps.contains(&Step::ForceStop) {
        plan.steps.extend(nic::guard(s, spec));
        plan.guards = true;
    }
    plan
}

/// The guest runs, and should.
fn keep_running(s: Situation<'_>, spec: &ServerSpec, domain: SeenDomain) -> Plan {
    let mut plan = Plan::of(nic::mend(s, spec));
    match power::stop_in_the_air(s) {
        Some(wait) => plan.wait = Some(wait),
        None => plan.steps.extend(power::note_running(s, spec, domain)),
    }
    if let Some(detail) = nic::waits_for_network(spec, s.seen) {
        plan.fault = Plan::faulty(FaultCode::PrivateNetworkMissing, &detail).fault;
    }
    if let Some(name) = nic::lost(spec, s.seen) {
        let detail = format!("the tap of adapter {name} is gone; a restart of the server brings it back");
        plan.fault = Plan::faulty(FaultCode::NetworkRefused, &detail).fault;
    }
    plan
}

/// The guest is off, or there is none yet.
fn off(s: Situation<'_>, spec: &ServerSpec, disk: DiskState) -> Plan {
    if s.seen.process {
        return stray(s, spec);
    }
    if let Some(fault) = stands_in_the_way(s, spec, disk) {
        return fault;
    }
    let mut steps = Vec::new();
    if disk == DiskState::ToMake {
        steps.extend(make(s));
    } else {
        let growth = disk::grow(spec, s.seen);
        // Who makes a disk larger opens its base, too.
        steps.extend(growth.as_ref().and_then(|_| disk::base(spec, s.seen)));
        steps.extend(growth);
    }
    steps.extend(disk::settle(spec, s.seen, s.notes));
    let kept = s.seen.domain.filter(|_| disk == DiskState::Ready).and_then(|domain| keep(s, spec, domain));
    if !spec.should_run() {
        steps.extend(kept);
        steps.extend(power::note_off(s));
        return Plan::of(steps);
    }
    let wanted = power::off_and_wanted(s, spec);
    // A start defines it anyway.
    steps.extend(kept.filter(|_| matches!(wanted, OffAndWanted::StaysOff | OffAndWanted::CrashLoop)));
    match wanted {
        OffAndWanted::Note(step) => {
            steps.push(step);
            Plan::of(steps)
        }
        OffAndWanted::StaysOff => Plan::of(steps),
        OffAndWanted::CrashLoop => Plan {
            steps,
            ..Plan::faulty(FaultCode::CrashLoop, "the guest fell five times in ten minutes; start it to try again")
        },
        OffAndWanted::NotBefore(at_ms) => Plan::waiting(steps, Wait::Until { at_ms, activity: None }),
        OffAndWanted::Start => {
            let is_fetched = steps.iter().any(|step| matches!(step, Step::FetchImage | Step::FetchBase));
            steps.splice(0..0, disk::base(spec, s.seen).filter(|_| !is_fetched));
            start(s, spec, steps)
        }
    }
}

/// Everything from the seed to the running guest. What comes last, the start alone, waits while starts are held.
fn start(s: Situation<'_>, spec: &ServerSpec, mut steps: Vec<Step>) -> Plan {
    if let Some(detail) = nic::waits_for_network(spec, s.seen) {
        // Its seed and its taps need to know the network.
        return Plan { steps, ..Plan::faulty(FaultCode::PrivateNetworkMissing, &detail) };
    }
    let surroundings = mark::surroundings(spec, s.seen);
    let seed = mark::seed(spec, surroundings);
    let definition = mark::definition(spec, surroundings, disk::is_flat(spec, s.seen));
    steps.extend((s.seen.seed != Some(seed)).then_some(Step::WriteSeed(seed)));
    steps.extend(nic::prepare(spec, s.seen, s.notes));
    let epochs = s.seen.domain.map(|domain| domain.epochs).unwrap_or_default();
    // Whatever somebody made of it since: what is started is what the agent defined.
    let is_defined =
        s.course.defined && s.seen.domain.is_some_and(|domain| domain.definition == Some(definition) && domain.kept);
    if !is_defined || epochs.is_behind(Epochs::of(spec)) {
        let epochs = epochs.newest(Epochs::of(spec));
        steps.push(Step::Define(Stamp { epochs, definition, seed }));
    }
    if s.starts_held || s.seen.host_stopping {
        return Plan::waiting(steps, Wait::Hold);
    }
    steps.push(Step::Start);
    Plan::of(steps)
}

/// Defines anew what libvirt would forget once it is off, or start by itself: as the spec says, of the epochs that it has.
/// Under a running guest, too, which does not notice. Without its base, the next start does it.
fn keep(s: Situation<'_>, spec: &ServerSpec, domain: SeenDomain) -> Option<Step> {
    let definition = mark::definition(spec, s.seen.setup, disk::is_flat(spec, s.seen));
    let seed = mark::seed(spec, s.seen.setup);
    let epochs = Epochs { disk: spec.disk_epoch, ..domain.epochs };
    (!domain.kept && disk::base(spec, s.seen).is_none()).then_some(Step::Define(Stamp { epochs, definition, seed }))
}

/// libvirt says that the guest is off and a QEMU process of it is there. To start another one beside it would put two
/// guests on one disk.
fn stray(s: Situation<'_>, spec: &ServerSpec) -> Plan {
    if !spec.should_run() {
        return Plan::of(vec![Step::KillProcess]);
    }
    let wait = Wait::Until { at_ms: s.now_ms + STRAY_AGAIN_MS, activity: None };
    let detail = "a QEMU process of the server runs that libvirt does not know of; not started beside it";
    Plan { wait: Some(wait), ..Plan::faulty(FaultCode::Internal, detail) }
}

/// The disk of the spec's epoch, from its image. Beside an older one, on which the guest may still run.
fn make(s: Situation<'_>) -> Vec<Step> {
    let fetch = (!s.seen.image).then_some(Step::FetchImage);
    fetch.into_iter().chain([Step::CreateDisk]).collect()
}

/// Ends the guest on the old disk, guarded until then. What follows is planned once it is off.
fn swap(mut steps: Vec<Step>, is_held: bool) -> Plan {
    if is_held {
        return Plan { guards: true, ..Plan::waiting(steps, Wait::Hold) };
    }
    steps.push(Step::ForceStop);
    Plan { guards: true, ..Plan::of(steps) }
}

/// The fault that forbids to start, or to stop for a restart.
fn stands_in_the_way(s: Situation<'_>, spec: &ServerSpec, disk: DiskState) -> Option<Plan> {
    match disk {
        DiskState::Ready | DiskState::ToMake => None,
        DiskState::PoolMissing => {
            Some(Plan::faulty(FaultCode::PoolMissing, "the pool is not mounted, or it is another one"))
        }
        DiskState::PoolReadOnly => Some(Plan::faulty(
            FaultCode::PoolReadOnly,
            "the pool is mounted read-only; a guest that runs is left running",
        )),
        DiskState::Missing if s.seen.is_up() => Some(Plan::faulty(
            FaultCode::DiskMissing,
            &format!(
                "{} is not in the pool, and its guest runs: it is neither stopped nor restarted. `csp-control audit` tells \
                 where its QEMU holds the file; copy that to another name beside it, rename it, and then `virsh destroy {}`",
                file(spec),
                spec.server
            ),
        )),
        DiskState::Missing => {
            Some(Plan::faulty(FaultCode::DiskMissing, "a disk of this epoch was started once and is not in the pool"))
        }
        DiskState::Damaged => Some(Plan::faulty(
            FaultCode::DiskDamaged,
            &format!(
                "{} is no qcow2 image, or a shortened one, or one that QEMU marked as corrupt; put it right, or a copy of it in \
                 its place: it is never replaced or removed",
                file(spec)
            ),
        )),
        DiskState::OnAnotherImage => Some(Plan::faulty(
            FaultCode::DiskDamaged,
            "the server's disk stands on another image than its spec names; it is neither started nor changed",
        )),
        DiskState::OnAnotherFile => Some(Plan::faulty(
            FaultCode::DiskDamaged,
            &format!(
                "{} names a backing file that is no image of csp's (`qemu-img info -U` on it tells which); it is neither \
                 started nor changed. Put the server's own disk there, or a copy of it that stands on nothing",
                file(spec)
            ),
        )),
        DiskState::Elsewhere => Some(Plan::faulty(FaultCode::DiskElsewhere, &elsewhere(s, spec))),
    }
}

/// Where the server's disk is, in the pool.
fn file(spec: &ServerSpec) -> String {
    format!("disks/{}.{}.qcow2", spec.server, spec.disk_epoch)
}

/// What was done by hand, and how it is undone without losing what the guest wrote since. Without `--shallow` it would all be
/// written into the image that others stand on.
fn elsewhere(s: Situation<'_>, spec: &ServerSpec) -> String {
    let (noted, own, server) = (s.notes.elsewhere.as_ref(), file(spec), spec.server);
    let seen = s.seen.disk_elsewhere.as_deref();
    let other = seen.or(noted.map(|noted| noted.file.as_str())).unwrap_or_default();
    let cure = if disk::is_held_open(other) {
        format!(
            "its file was replaced while the guest ran, and that one is gone with the guest: have its owner close what runs in it, \
             copy the file to another name beside {own}, rename that to {own}, and then `virsh destroy {server}`: it is started \
             on the copy"
        )
    } else if let Some(noted) = noted.filter(|_| seen.is_none()) {
        let done = noted.when_brought_back();
        format!(
            "its domain was undefined: bring the one into the other (snapshots: `qemu-img commit`, one after the other), then \
             rename it to {}",
            done.display()
        )
    } else if s.seen.is_up() {
        format!(
            "a snapshot: `virsh blockcommit {server} vda --active --shallow --pivot`, again for each one below; a copy: have its \
             owner stop the guest first"
        )
    } else {
        // Without these words libvirt refuses: it keeps notes of snapshots and checkpoints, and a saved memory.
        format!(
            "bring the one into the other (snapshots: `qemu-img commit`, one after the other), then `virsh undefine {server} \
             --snapshots-metadata --checkpoints-metadata --managed-save`"
        )
    };
    format!(
        "the guest's disk is {other}, and {own} lacks what was written since: it is neither started nor restarted; {cure}"
    )
}
