//! Which step of a plan is run now, when some have failed.
//!
//! A step that failed is tried again later, and what comes after it waits: it may rest on it. Two things do not wait. A guest
//! that is to go down is asked, and ended, whatever else fails. And what holds a guest within its bounds has failures of its
//! own: a mirror that does not answer must not leave a guest without its filters, nor filters that cannot be loaded keep a
//! guest from going.

use super::retry;
use crate::{
    machine::Seen,
    plan::{
        Plan,
        memory::{Course, Failure, Notes, PowerNote},
        nic,
        step::Step,
    },
};

/// What to do about a plan that has steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Run this one.
    Run {
        /// Which.
        step: &'a Step,
        /// It holds the guest within its bounds: its failures stand apart from others.
        guards: bool,
    },
    /// Nothing before this time; `None`: nothing before a newer spec.
    Wait(Option<u64>),
}

/// Chooses among the steps of `plan`.
pub(super) fn choose<'a>(plan: &'a Plan, seen: &Seen, notes: &Notes, course: &Course, now_ms: u64) -> Choice<'a> {
    let (mut asks, mut has_skipped) = (false, false);
    let mut until_ms: Option<u64> = None;
    for step in &plan.steps {
        // Filters of new addresses are only loaded once these were asked for.
        let guards = is_guard(plan, seen, step) && !(asks && loads(step));
        asks |= nic::asks(step);
        let failure = if guards { &course.guard_failure } else { &course.failure };
        let held = failure.as_ref().and_then(|failure| held_until(failure, step, guards, notes, now_ms));
        // Steps on adapters rest on those before them, whatever these failed with.
        let rests_on_skipped = has_skipped && !guards && step.is_on_adapters();
        match held {
            None if !rests_on_skipped => return Choice::Run { step, guards },
            None => {}
            Some(at_ms) => until_ms = until_ms.into_iter().chain(at_ms).min(),
        }
        if !step.is_on_adapters() {
            break;
        }
        has_skipped = true;
    }
    Choice::Wait(until_ms)
}

/// Until when a failure keeps a step; `Some(None)`: until a newer spec.
fn held_until(failure: &Failure, step: &Step, guards: bool, notes: &Notes, now_ms: u64) -> Option<Option<u64>> {
    if is_stop(step) && failure.step.as_ref() != Some(step) {
        return None;
    }
    if failure.fault.lasting && !guards && !retry::may_pass(notes, failure) {
        return Some(None);
    }
    (now_ms < failure.retry_at_ms).then_some(Some(failure.retry_at_ms))
}

fn is_stop(step: &Step) -> bool {
    matches!(step, Step::AskStop | Step::ForceStop | Step::NotePower(PowerNote::StopAsked))
}

fn is_guard(plan: &Plan, seen: &Seen, step: &Step) -> bool {
    (plan.guards && step.is_on_adapters())
        || matches!(step, Step::HoldFilters { .. })
        || (loads(step) && nic::is_bare(seen))
}

/// Whether it loads filters of all addresses.
fn loads(step: &Step) -> bool {
    matches!(step, Step::SetFilters(_) | Step::Connect(_))
}
