//! When a step that failed is tried again: anywhere between nothing and a bound that doubles (full jitter). So is a step
//! that was done and that the next looks ask for again and again, as when somebody undoes it: nothing may spin.
//!
//! A pool that fills up or a libvirtd that restarts fails all servers of a host at once; jitter keeps them from coming
//! back together. The random number is drawn from the server's id and the clock, so a simulation replays it.

use csp_shared::{
    generation::Version,
    id::ServerId,
    observed::{Fault, FaultCode},
    spec::Desired,
};

use crate::{
    machine::Mark,
    plan::{
        memory::{Course, Failure, Notes},
        step::Step,
    },
};

/// Bound of the first wait.
const BASE_MS: u64 = 1_000;
/// Bound of every wait: an operator who mended a host sees its servers come back within this time.
const CAP_MS: u64 = 60_000;
/// The least wait after a failure that lasts, see [`may_pass`]; the longest is twice that.
const LASTING_MS: u64 = 60_000;
/// No wait is shorter, so that a failing look cannot spin.
const LEAST_MS: u64 = 100;

/// Takes note of a failure of `step`, or of the look, the next one in a row if the last was of the same version.
pub fn failed(
    course: &mut Course,
    server: ServerId,
    version: Version,
    (step, fault): (Option<&Step>, Fault),
    now_ms: u64,
) {
    let slot = slot(course, step);
    let before = slot.as_ref().filter(|failure| failure.version == version).map_or(0, |failure| failure.times);
    let times = before.saturating_add(1);
    let random = Mark::of(&(server, now_ms)).0;
    let wait_ms = if fault.lasting { LASTING_MS + random % LASTING_MS } else { wait_ms(times, random) };
    *slot = Some(Failure { step: step.cloned(), version, fault, times, retry_at_ms: now_ms + wait_ms });
}

/// Takes note of a step that was done: its failures are past. One that did not wait for another's failure leaves it as it is;
/// what libvirt refused is waited for no longer than anything else, see [`may_pass`].
pub fn succeeded(course: &mut Course, step: &Step, now_ms: u64) {
    let slot = slot(course, Some(step));
    let is_other = |failure: &Failure| failure.step.as_ref().is_some_and(|failed| failed != step);
    let is_for_good = |fault: &Fault| fault.lasting && fault.code != FaultCode::HypervisorRefused;
    let is_pending = |failure: &Failure| is_for_good(&failure.fault) || now_ms < failure.retry_at_ms;
    if !slot.as_ref().is_some_and(|failure| is_other(failure) && is_pending(failure)) {
        *slot = None;
    }
}

/// Where failures of a step stand.
fn slot<'a>(course: &'a mut Course, step: Option<&Step>) -> &'a mut Option<Failure> {
    let guards = step.is_some() && course.guarding.as_ref() == step;
    if guards { &mut course.guard_failure } else { &mut course.failure }
}

/// Whether a failure that lasts is tried again all the same, slowly. What libvirt refuses to an order it will go on refusing,
/// and the order ends; a server that was there before is refused for what somebody did to its host, and comes back when
/// that is mended.
pub fn may_pass(notes: &Notes, failure: &Failure) -> bool {
    failure.fault.code == FaultCode::HypervisorRefused && notes.reached.is_some()
}

/// So often a step may be done on the way to a server that has nothing to do. The most that any real way takes is twice.
const DONE_MAX: u32 = 4;

/// Makes a step wait that was done over and over and does not stay done, unless it waited already. A guest that does not go
/// down is asked again and again, and the planner sees to the time in between.
pub fn slow_down(course: &mut Course, desired: &Desired, step: &Step, now_ms: u64) {
    let has_waited = slot(course, Some(step)).as_ref().is_some_and(|failure| failure.step.as_ref() == Some(step));
    if has_waited || *step == Step::AskStop {
        return;
    }
    let done = course.done.iter().find(|(done, _)| done == step).map_or(0, |(_, times)| *times);
    let Some(times) = done.checked_sub(DONE_MAX).map(|more| more.saturating_add(1)) else { return };
    let name = step.name();
    let detail = format!("{name} was done {done} times and is to be done again: what it makes does not stay");
    let retry_at_ms = now_ms + wait_ms(times, Mark::of(&(desired.server(), now_ms)).0);
    let fault = Fault::new(FaultCode::Internal, &detail);
    let failure = Failure { step: Some(step.clone()), version: desired.version(), fault, times, retry_at_ms };
    *slot(course, Some(step)) = Some(failure);
}

/// The wait after the `times`th failure in a row (from 1), in milliseconds, from a random number.
fn wait_ms(times: u32, random: u64) -> u64 {
    let bound = BASE_MS.saturating_mul(2u64.saturating_pow(times.saturating_sub(1))).min(CAP_MS);
    LEAST_MS + random % (bound - LEAST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_spread_below_it() {
        for (times, bound) in [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (u32::MAX, 60_000)] {
            let waits: Vec<u64> = (0..1_000).map(|draw| wait_ms(times, Mark::of(&draw).0)).collect();
            assert!(waits.iter().all(|wait| (LEAST_MS..bound).contains(wait)), "{times}");
            assert!(waits.iter().any(|wait| *wait < bound / 5) && waits.iter().any(|wait| *wait > bound / 5 * 4));
        }
    }
}
