//! Power has a memory: why a guest is off, whether it is to be started, and how it is stopped.

use csp_shared::{
    observed::{Activity, Fault, FaultCode},
    spec::ServerSpec,
};

use super::{
    Plan, Situation, Wait,
    memory::{CRASHES_MAX, PowerNote},
    step::Step,
};
use crate::machine::{Epochs, OffCause, SeenDomain, SeenState};

/// A guest that does not go down is asked again after this long: one that is still booting hears nothing.
const STOP_AGAIN_MS: u64 = 5_000;
/// A guest that paused again after it was told to go on is left for this long.
const RESUME_AGAIN_MS: u64 = 30_000;
/// The wait before the first start after a crash; doubled for each further one.
const CRASH_WAIT_MS: u64 = 1_000;

/// Stops a running guest: asked by ACPI, asked again, hard after a time.
pub(super) fn stop_softly(s: Situation<'_>) -> Plan {
    let (Some(first_ms), Some(last_ms)) = (s.course.stop_first_ms, s.course.stop_last_ms) else {
        let note = (s.notes.power != PowerNote::StopAsked).then_some(Step::NotePower(PowerNote::StopAsked));
        return Plan::waiting(note.into_iter().chain([Step::AskStop]).collect(), stopping(s.now_ms + STOP_AGAIN_MS));
    };
    let (deadline_ms, again_ms) = (first_ms + s.stop_timeout_ms, last_ms + STOP_AGAIN_MS);
    if s.now_ms >= deadline_ms {
        Plan::of(vec![Step::ForceStop])
    } else if s.now_ms >= again_ms {
        Plan::waiting(vec![Step::AskStop], stopping(deadline_ms.min(s.now_ms + STOP_AGAIN_MS)))
    } else {
        Plan::waiting(Vec::new(), stopping(deadline_ms.min(again_ms)))
    }
}

/// A guest was asked to go down, and then wanted running after all. It may still go: until the time for it is over it
/// is neither taken for running nor, when it does go down, for one that wished so itself.
pub(super) fn stop_in_the_air(s: Situation<'_>) -> Option<Wait> {
    let deadline_ms = s.course.stop_first_ms? + s.stop_timeout_ms;
    (s.notes.power == PowerNote::StopAsked && s.now_ms < deadline_ms).then_some(stopping(deadline_ms))
}

fn stopping(at_ms: u64) -> Wait {
    Wait::Until { at_ms, activity: Some(Activity::Stopping) }
}

/// Lets a paused guest go on, but not over and over. One that pauses again has a cause: a full pool is the only one for
/// which QEMU stops a guest of ours.
pub(super) fn resume(s: Situation<'_>) -> Plan {
    let at_ms = s.course.resumed_ms.map_or(0, |resumed_ms| resumed_ms + RESUME_AGAIN_MS);
    let plan = if s.now_ms >= at_ms {
        Plan::of(vec![Step::Resume])
    } else {
        Plan::waiting(Vec::new(), Wait::Until { at_ms, activity: Some(Activity::Starting) })
    };
    // A pause long after the last one is another story.
    if s.course.resumed_ms.is_none_or(|resumed_ms| s.now_ms >= resumed_ms + 2 * RESUME_AGAIN_MS) {
        return plan;
    }
    let why = "the guest is paused: the pool has no room for what it writes; it goes on when there is";
    Plan { fault: Some(Fault::new(FaultCode::PoolFull, why)), ..plan }
}

/// Remembers that the guest runs as it should, and takes over a newer start epoch without a reboot.
pub(super) fn note_running(s: Situation<'_>, spec: &ServerSpec, domain: SeenDomain) -> Vec<Step> {
    let adopt = (domain.epochs.start < spec.start_epoch).then_some(Step::AdoptStart(spec.start_epoch));
    let ran = PowerNote::Ran { host_boot: s.seen.host_boot.clone() };
    let note = (s.notes.power != ran).then_some(Step::NotePower(ran));
    adopt.into_iter().chain(note).collect()
}

/// What to do about the power of a guest that is off and should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OffAndWanted {
    /// Something is to be remembered first.
    Note(Step),
    /// It powered itself off, and that stands.
    StaysOff,
    /// It fell too often, and that stands.
    CrashLoop,
    /// It fell; wait before the next start.
    NotBefore(u64),
    /// Start it.
    Start,
}

/// Decides about a guest that is off and should run.
pub(super) fn off_and_wanted(s: Situation<'_>, spec: &ServerSpec) -> OffAndWanted {
    let wanted = Epochs::of(spec);
    let defined = s.seen.domain.map(|domain| domain.epochs).unwrap_or_default();
    let is_asked_anew = defined.is_behind(wanted);
    match &s.notes.power {
        PowerNote::SelfOff { epochs, .. } if !epochs.is_behind(wanted) => return OffAndWanted::StaysOff,
        PowerNote::CrashLoop { epochs } if !epochs.is_behind(wanted) => return OffAndWanted::CrashLoop,
        PowerNote::SelfOff { .. } | PowerNote::CrashLoop { .. } | PowerNote::StopAsked => {
            return OffAndWanted::Note(Step::NotePower(PowerNote::Unknown));
        }
        PowerNote::Ran { .. } | PowerNote::Unknown => {}
    }
    let fell = if ran_before(s) && !is_asked_anew { fall(s, defined) } else { None };
    let (crashes, last_ms) = s.course.recent_crashes(s.now_ms);
    let not_before_ms =
        last_ms.filter(|_| crashes > 0 && !is_asked_anew).map(|ms| ms + (CRASH_WAIT_MS << (crashes - 1)));
    match (fell, not_before_ms) {
        (Some(step), _) => OffAndWanted::Note(step),
        // What is left of "it ran" no longer tells anything.
        (None, _) if s.notes.power != PowerNote::Unknown => OffAndWanted::Note(Step::NotePower(PowerNote::Unknown)),
        (None, Some(at_ms)) if s.now_ms < at_ms => OffAndWanted::NotBefore(at_ms),
        (None, _) => OffAndWanted::Start,
    }
}

/// Whether the guest ran, as it should, in this boot of the host, so that its being off has a cause in it. What is defined
/// for a start did not run yet: libvirt still says how the one before it ended.
fn ran_before(s: Situation<'_>) -> bool {
    (s.course.started && !s.course.defined)
        || matches!(&s.notes.power, PowerNote::Ran { host_boot } if *host_boot == s.seen.host_boot)
}

/// What a guest's going off by itself is to be remembered as. While the host goes down it says nothing.
fn fall(s: Situation<'_>, epochs: Epochs) -> Option<Step> {
    if s.seen.host_stopping {
        return None;
    }
    match s.seen.domain?.state {
        SeenState::Off(OffCause::Shutdown) => {
            let host_boot = s.seen.host_boot.clone();
            Some(Step::NotePower(PowerNote::SelfOff { epochs, host_boot }))
        }
        SeenState::Off(OffCause::Crashed) if s.course.recent_crashes(s.now_ms).0 + 1 >= CRASHES_MAX => {
            Some(Step::NotePower(PowerNote::CrashLoop { epochs }))
        }
        SeenState::Off(OffCause::Crashed) => Some(Step::RecordCrash),
        SeenState::Off(OffCause::Unknown) | SeenState::Running | SeenState::Paused => None,
    }
}

/// What to remember of a guest that is off, as it should be: only a wish of its own outlives that.
pub(super) fn note_off(s: Situation<'_>) -> Option<Step> {
    matches!(s.notes.power, PowerNote::Ran { .. } | PowerNote::StopAsked).then_some(Step::NotePower(PowerNote::Unknown))
}
