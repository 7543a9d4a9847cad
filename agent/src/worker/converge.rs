//! The conductor of one server: look, plan, run one step, and again.
//!
//! It knows no timer and no task: time comes in, and what to wait for goes out. So a simulation calls it directly and
//! can end it between any two steps, and [`super::task`] adds only waiting.

use std::path::Path;

use csp_shared::{
    id::ServerId,
    observed::{Activity, DomainState, Fault, Observed, Remains},
    spec::Desired,
};

use tracing::{error, warn};

use super::{
    choice::{Choice, choose},
    retry,
    run::{not_noted, run},
};
use crate::{
    failpoint,
    machine::{Machine, Seen, SeenState},
    plan::{
        self, Plan, Situation, Wait,
        memory::{Course, Failure, Notes},
        step::Step,
    },
    spec_file::{Backing, Record, SpecFile},
};

/// A host as the workers see it.
pub struct Host<M, B> {
    /// What is below.
    pub machine: M,
    /// What should be, and what was noted.
    pub specs: SpecFile<B>,
    /// How long a guest has to go down after it was asked to.
    pub stop_timeout_ms: u64,
}

/// When a look takes place.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// On the agent's clock, see [`Course`].
    pub now_ms: u64,
    /// See [`Situation::starts_held`].
    pub starts_held: bool,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// For the control plane.
    pub observed: Observed,
    /// What the plan was made for.
    pub desired: Desired,
    /// What follows.
    pub next: Next,
}

/// What follows a look.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Do this, then look again.
    Run(Step),
    /// Look again at this time, on the agent's clock, or when something changed.
    At(u64),
    /// Look again when something changed.
    Idle,
    /// A tombstone that is fulfilled, and proved: nothing is left to look at.
    Gone,
}

/// Looks at a server and decides. `None` when the host has no record of it.
pub async fn look<M: Machine, B: Backing>(
    host: &Host<M, B>,
    server: ServerId,
    course: &mut Course,
    moment: Moment,
) -> Option<Look> {
    let mut record = host.specs.get(server).await?;
    let version = record.desired.version();
    let is_other = |failure: &Failure| failure.version != version;
    if course.failure.as_ref().is_some_and(is_other) || course.guard_failure.as_ref().is_some_and(is_other) {
        course.forget_failures();
    }
    let image = if let Desired::Present(spec) = &record.desired { Some(&spec.image) } else { None };
    match host.machine.see(server, image).await {
        Ok(seen) => {
            note_elsewhere(host, &mut record, &seen).await;
            Some(decide(host, record, &seen, course, moment).await)
        }
        Err(fault) => {
            retry::failed(course, server, version, (None, fault.clone()), moment.now_ms);
            let at_ms = course.failure.as_ref().map_or(moment.now_ms, |failure| failure.retry_at_ms);
            Some(Look { observed: unseen(&record, fault), desired: record.desired, next: Next::At(at_ms) })
        }
    }
}

/// Runs a step and takes note of it, done or failed.
///
/// # Errors
/// Why it failed; the next look waits accordingly.
pub async fn act<M: Machine, B: Backing>(
    host: &Host<M, B>,
    desired: &Desired,
    step: &Step,
    course: &mut Course,
    now_ms: u64,
) -> Result<(), Fault> {
    let done = perform(host, desired, step).await;
    take_note(course, desired, step, &done, now_ms);
    done
}

/// Runs a step.
///
/// # Errors
/// Why it failed.
pub(super) async fn perform<M: Machine, B: Backing>(
    host: &Host<M, B>,
    desired: &Desired,
    step: &Step,
) -> Result<(), Fault> {
    let place = failpoint::of_step(step);
    failpoint::cross(place, failpoint::BEFORE);
    let done = run(&host.machine, &host.specs, desired, step).await;
    failpoint::cross(place, failpoint::AFTER);
    done
}

/// Takes note of a step that was run.
pub(super) fn take_note(course: &mut Course, desired: &Desired, step: &Step, done: &Result<(), Fault>, now_ms: u64) {
    match done {
        Ok(()) => {
            course.done(step, now_ms);
            retry::succeeded(course, step, now_ms);
        }
        Err(fault) => {
            retry::failed(course, desired.server(), desired.version(), (Some(step), fault.clone()), now_ms);
        }
    }
}

/// Looks and runs steps until there is nothing to do now. For simulation, where nothing interrupts.
pub async fn converge_once<M: Machine, B: Backing>(
    host: &Host<M, B>,
    server: ServerId,
    course: &mut Course,
    moment: Moment,
) -> Option<Look> {
    loop {
        let look = look(host, server, course, moment).await?;
        let Next::Run(step) = &look.next else { return Some(look) };
        // A failure makes the next look wait.
        let _ = act(host, &look.desired, step, course, moment.now_ms).await;
    }
}

async fn decide<M: Machine, B: Backing>(
    host: &Host<M, B>,
    mut record: Record,
    seen: &Seen,
    course: &mut Course,
    moment: Moment,
) -> Look {
    course.look(seen);
    let mut plan = plan::plan(Situation {
        desired: &record.desired,
        seen,
        notes: &record.notes,
        course,
        now_ms: moment.now_ms,
        stop_timeout_ms: host.stop_timeout_ms,
        starts_held: moment.starts_held,
    });
    if plan.steps.is_empty() {
        course.forget_failures();
    }
    if !plan.steps.iter().any(Step::is_on_adapters) {
        course.guard_failure = None;
    }
    if let Some(failure) = course.guard_failure.as_mut().filter(|_| plan.guards) {
        failure.fault.lasting = false;
    }
    if plan.is_settled()
        && let Err(fault) = note_reached(host, &mut record).await
    {
        plan.fault = Some(fault);
        plan.wait = Some(Wait::Until { at_ms: moment.now_ms + NOTE_AGAIN_MS, activity: None });
    }
    let next = next(&record, &plan, seen, course, moment.now_ms);
    tell_of_what_stays(&record, seen, &next);
    let failure = course.failure.as_ref();
    let activity = if failure.is_some_and(|failure| failure.fault.lasting) { None } else { plan.activity() };
    let failure = failure.or(course.guard_failure.as_ref());
    let fault = failure.map(|failure| failure.fault.clone()).or(plan.fault);
    Look { observed: observed(&record, seen, activity, fault), desired: record.desired, next }
}

/// How soon a note that could not be written is tried again.
const NOTE_AGAIN_MS: u64 = 5_000;

/// What follows, and whether it is a step that guards.
fn next(record: &Record, plan: &Plan, seen: &Seen, course: &mut Course, now_ms: u64) -> Next {
    if plan.steps.is_empty() {
        return rest(&record.desired, plan);
    }
    let choice = choose(plan, seen, &record.notes, course, now_ms);
    let choice = if let Choice::Run { step, guards } = choice {
        course.guarding = guards.then(|| step.clone());
        retry::slow_down(course, &record.desired, step, now_ms);
        choose(plan, seen, &record.notes, course, now_ms)
    } else {
        choice
    };
    match choice {
        Choice::Run { step, guards } => {
            course.guarding = guards.then(|| step.clone());
            Next::Run(step.clone())
        }
        Choice::Wait(retry_at_ms) => {
            // A guest that goes down has its time, whatever is to be tried again then.
            let planned_ms = match plan.wait {
                Some(Wait::Until { at_ms, .. }) => Some(at_ms),
                Some(Wait::Hold) | None => None,
            };
            retry_at_ms.into_iter().chain(planned_ms).min().map_or(Next::Idle, Next::At)
        }
    }
}

fn rest(desired: &Desired, plan: &Plan) -> Next {
    match plan.wait {
        Some(Wait::Until { at_ms, .. }) => Next::At(at_ms),
        Some(Wait::Hold) => Next::Idle,
        None if plan.is_settled() && matches!(desired, Desired::Absent(_)) => Next::Gone,
        None => Next::Idle,
    }
}

/// Once reached it stays reached, also over a restart of the agent: so it is noted before it is told.
async fn note_reached<M: Machine, B: Backing>(host: &Host<M, B>, record: &mut Record) -> Result<(), Fault> {
    let version = record.desired.version();
    if record.notes.reached >= Some(version) {
        return Ok(());
    }
    let raise = |notes: &mut Notes| notes.reached = notes.reached.max(Some(version));
    host.specs.note(record.desired.server(), raise).await.map_err(|error| not_noted(&error))?;
    raise(&mut record.notes);
    Ok(())
}

/// Where the guest's data was last seen, before anything is planned that rests on its own disk. What cannot be written holds
/// for this look, and is tried again with the next.
async fn note_elsewhere<M: Machine, B: Backing>(host: &Host<M, B>, record: &mut Record, seen: &Seen) {
    let Desired::Present(spec) = &record.desired else { return };
    let server = spec.server;
    let mut elsewhere = plan::disk::elsewhere(spec, seen, &record.notes);
    if let Some(noted) = elsewhere.as_ref().filter(|_| seen.domain.is_none())
        && host.machine.is_there(&noted.when_brought_back()).await
        && !host.machine.is_there(Path::new(&noted.file)).await
    // what was brought back before had the same name
    {
        elsewhere = None;
    }
    if elsewhere == record.notes.elsewhere {
        return;
    }
    record.notes.elsewhere.clone_from(&elsewhere);
    if let Err(error) = host.specs.note(server, |notes| notes.elsewhere.clone_from(&elsewhere)).await {
        error!(%server, detail = not_noted(&error).detail, "where the guest's disk is cannot be noted");
    }
}

/// What a guest wrote last goes with no tombstone if it lies in another file than its disk.
fn tell_of_what_stays(record: &Record, seen: &Seen, next: &Next) {
    if let (Desired::Absent(gone), Next::Run(Step::ForceStop | Step::Undefine), Some(file)) =
        (&record.desired, next, &seen.disk_elsewhere)
        && !plan::disk::is_held_open(file)
    {
        warn!(server = %gone.server, file, "the server is removed; what its guest wrote last stays in this file, and is no concern of csp's");
    }
}

fn has_let_go(record: &Record, seen: &Seen) -> bool {
    match &record.desired {
        Desired::Present(spec) => plan::nic::has_let_go(spec, seen),
        // What is left of a server that is to be gone is told piece by piece.
        Desired::Absent(_) => false,
    }
}

fn observed(record: &Record, seen: &Seen, activity: Option<Activity>, fault: Option<Fault>) -> Observed {
    Observed {
        domain: match seen.domain.map(|domain| domain.state) {
            Some(SeenState::Running) => DomainState::Running,
            Some(SeenState::Paused) => DomainState::Paused,
            Some(SeenState::Off(_)) | None => DomainState::Off,
        },
        let_go: has_let_go(record, seen).then(|| record.desired.version()),
        disk_epoch: plan::disk::present(&record.desired, seen, &record.notes),
        activity,
        fault,
        remains: seen.remains(),
        ..unknown(record)
    }
}

/// Nothing is known but what was told and noted: everything may be there.
fn unseen(record: &Record, fault: Fault) -> Observed {
    Observed { fault: Some(fault), ..unknown(record) }
}

fn unknown(record: &Record) -> Observed {
    Observed {
        server: record.desired.server(),
        accepted: record.desired.version(),
        accepted_hash: record.desired.hash(),
        reached: record.notes.reached,
        let_go: None,
        domain: DomainState::Unknown,
        disk_epoch: None,
        activity: None,
        arrived_percent: None,
        fault: None,
        remains: Remains::UNPROVED,
    }
}
