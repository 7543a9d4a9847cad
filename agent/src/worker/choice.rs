//! Which step of a plan is run now, when some have failed.
//!
//! A step that failed is tried again later, and what comes after it waits: it may rest on it. Two things do not wait. A guest
//! that is to go down is asked, and ended, whatever else fails. And what holds a guest within its bounds has failures of its
//! own: a mirror that does not answer must not leave a guest without its filters, nor filters that cannot be loaded keep a
//! guest from going.

use csp_shared::observed::FaultCode;

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
    let (mut asks, mut has_skipped, mut guards_only) = (false, false, false);
    let mut until_ms: Option<u64> = None;
    for step in &plan.steps {
        // Filters of new addresses are only loaded once these were asked for.
        let guards = is_guard(plan, seen, step) && !(asks && loads(step));
        asks |= nic::asks(step);
        if guards_only && !guards {
            continue;
        }
        let failure = if guards { &course.guard_failure } else { &course.failure };
        let failure = failure.as_ref().filter(|failure| *step == Step::GrowDisk || !starts_smaller(failure, seen));
        let held = failure.map_or(Held::Free, |failure| held(failure, step, guards, notes, now_ms));
        // Steps on adapters rest on those before them, whatever these failed with.
        let rests_on_skipped = has_skipped && !guards && step.is_on_adapters();
        match held {
            Held::Free if !rests_on_skipped => return Choice::Run { step, guards },
            Held::Free | Held::ForGood => {}
            Held::Until(at_ms) => until_ms = Some(until_ms.map_or(at_ms, |until_ms| until_ms.min(at_ms))),
        }
        if failure.is_some_and(|failure| starts_smaller(failure, seen)) {
            continue;
        }
        // What comes after it may rest on it.
        guards_only |= !step.is_on_adapters();
        has_skipped = true;
    }
    Choice::Wait(until_ms)
}

/// What a failure makes of a step.
#[derive(Clone, Copy)]
enum Held {
    /// Nothing.
    Free,
    /// It waits until this time.
    Until(u64),
    /// It waits for a newer spec.
    ForGood,
}

fn held(failure: &Failure, step: &Step, guards: bool, notes: &Notes, now_ms: u64) -> Held {
    if is_stop(step) && failure.step.as_ref() != Some(step) {
        Held::Free
    } else if failure.fault.lasting && !guards && !retry::may_pass(notes, failure) {
        Held::ForGood
    } else if now_ms < failure.retry_at_ms {
        Held::Until(failure.retry_at_ms)
    } else {
        Held::Free
    }
}

fn is_stop(step: &Step) -> bool {
    matches!(step, Step::AskStop | Step::ForceStop | Step::Pause | Step::NotePower(PowerNote::StopAsked))
}

/// Whether only a larger disk could not be had: a guest that is off, and whose host has no room for more, starts on what it
/// has. One that runs is not stopped for it.
fn starts_smaller(failure: &Failure, seen: &Seen) -> bool {
    failure.step == Some(Step::GrowDisk) && failure.fault.code == FaultCode::PoolFull && !seen.is_up()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use csp_shared::observed::Fault;

    use super::*;
    use crate::{
        machine::{Mark, OffCause},
        plan::fixture::{World, mac, spec},
    };

    const NOW_MS: u64 = 1_000_000;

    fn failed(step: &Step, code: FaultCode) -> Option<Failure> {
        let (version, fault) = (spec().version, Fault::new(code, "it will not"));
        Some(Failure { step: Some(step.clone()), version, fault, times: 1, retry_at_ms: NOW_MS + 500 })
    }

    /// What is chosen for a running guest, with or without filters.
    fn chosen(steps: &[Step], guards: bool, is_bare: bool, course: &Course) -> Result<Step, Option<u64>> {
        let mut world = World::running(&spec());
        world.seen.filters = world.seen.filters.filter(|_| !is_bare);
        let plan = Plan { steps: steps.to_vec(), guards, ..Plan::default() };
        match choose(&plan, &world.seen, &Notes::default(), course, NOW_MS) {
            Choice::Run { step, .. } => Ok(step.clone()),
            Choice::Wait(until_ms) => Err(until_ms),
        }
    }

    fn after(failure: Option<Failure>, guard_failure: Option<Failure>) -> Course {
        Course { failure, guard_failure, ..Course::default() }
    }

    const FILTERS: Step = Step::SetFilters(Mark(1));

    #[test]
    fn a_guest_is_ended_whatever_else_failed_and_an_end_that_failed_waits() {
        let steps = [Step::CutOff, Step::ForceStop];
        for code in [FaultCode::Internal, FaultCode::HypervisorRefused] {
            assert_eq!(chosen(&steps, false, false, &after(failed(&Step::CutOff, code), None)), Ok(Step::ForceStop));
        }
        let course = after(failed(&Step::ForceStop, FaultCode::Internal), None);
        assert_eq!(chosen(&steps[1..], false, false, &course), Err(Some(NOW_MS + 500)));
        let course = after(failed(&Step::AskStop, FaultCode::Internal), None);
        assert_eq!(
            chosen(&[Step::AskStop, FILTERS], true, false, &course),
            Ok(FILTERS),
            "guarded until it can be asked"
        );
        assert_eq!(chosen(&[Step::AskStop, FILTERS], false, false, &course), Err(Some(NOW_MS + 500)));
        let grow = [Step::GrowDisk, Step::AskStop];
        let course = after(failed(&Step::GrowDisk, FaultCode::PoolFull), None);
        assert_eq!(chosen(&grow, false, false, &course), Err(Some(NOW_MS + 500)), "without room it runs on");
    }

    #[test]
    fn a_guest_that_is_off_starts_on_the_disk_that_it_has_where_there_is_no_room_for_a_larger_one() {
        let off = World::running(&spec()).falls(OffCause::Crashed);
        let plan = Plan { steps: vec![Step::GrowDisk, Step::Start], ..Plan::default() };
        let chosen = |code| {
            let course = after(failed(&Step::GrowDisk, code), None);
            match choose(&plan, &off.seen, &Notes::default(), &course, NOW_MS) {
                Choice::Run { step, .. } => Some(step.clone()),
                Choice::Wait(_) => None,
            }
        };
        assert_eq!(chosen(FaultCode::PoolFull), Some(Step::Start));
        assert_eq!(chosen(FaultCode::Internal), None, "nobody knows what became of it");
    }

    #[test]
    fn what_guards_and_everything_else_do_not_wait_for_each_other() {
        let steps = [FILTERS, Step::FetchImage, Step::CreateDisk];
        let no_mirror = failed(&Step::FetchImage, FaultCode::ImageUnreachable);
        let no_filters = failed(&FILTERS, FaultCode::Internal);
        assert_eq!(chosen(&steps, true, false, &after(no_mirror.clone(), None)), Ok(FILTERS));
        assert_eq!(chosen(&steps, true, false, &after(None, no_filters.clone())), Ok(Step::FetchImage));
        assert_eq!(chosen(&steps, true, false, &after(no_mirror, no_filters)), Err(Some(NOW_MS + 500)));
    }

    #[test]
    fn a_guest_without_filters_gets_them_beside_a_failure_that_lasts_and_no_adapter_or_address_goes_before_them() {
        let own = BTreeSet::from([[203, 0, 113, 11].into()]);
        let probe = Step::ProbeAddresses { fresh: own.clone(), own };
        let hold = Step::HoldFilters { mark: Mark(2), own: BTreeSet::new() };
        let in_use = || failed(&probe, FaultCode::AddressInUse);
        let steps = [hold.clone(), probe.clone(), FILTERS, Step::AttachNic(mac(2))];
        assert_eq!(chosen(&steps, false, true, &after(in_use(), None)), Ok(hold.clone()));
        let both = after(in_use(), failed(&hold, FaultCode::NetworkRefused));
        assert_eq!(chosen(&steps, false, true, &both), Err(Some(NOW_MS + 500)));
        assert_eq!(chosen(&steps[1..], false, true, &after(in_use(), None)), Err(None), "until a newer spec");
        let refused = after(failed(&Step::AttachNic(mac(2)), FaultCode::HypervisorRefused), None);
        assert_eq!(chosen(&[FILTERS, Step::AttachNic(mac(2))], false, true, &refused), Ok(FILTERS));
        let unfiltered = after(None, failed(&FILTERS, FaultCode::NetworkRefused));
        assert_eq!(chosen(&[FILTERS, Step::AttachNic(mac(2))], false, true, &unfiltered), Err(Some(NOW_MS + 500)));
    }
}
