//! Whether the clock is right. The kernel says whether anything disciplines it (adjtimex(2)).
//!
//! No decision of csp rests on a host's clock; logs and guests' clocks do.

#![allow(unsafe_code, reason = "adjtimex has no safe wrapper")]

use nix::libc;

use super::Finding;

const CLOCK: &str = "clock";
/// 2025-01-01, in seconds since 1970: before this program was written, so a clock that is behind it is wrong.
const EARLIEST: i64 = 1_735_689_600;

/// What the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Something (chrony, systemd-timesyncd) keeps it right.
    pub synchronised: bool,
}

/// Asks the kernel; nothing when it does not answer.
#[must_use]
pub fn probe() -> Option<Clock> {
    // SAFETY: `timex` is plain numbers, for which zero is a value; with modes zero nothing is set.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole `timex` that lives through the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    let synchronised = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    (state >= 0).then_some(Clock { seconds: timex.time.tv_sec, synchronised })
}

/// Judges the clock.
#[must_use]
pub fn judge(clock: Option<Clock>) -> Finding {
    const CURE: &str = "install and start chrony";
    match clock {
        None => Finding::warning(CLOCK, "the kernel does not tell its state", CURE),
        Some(Clock { seconds, .. }) if seconds < EARLIEST => {
            Finding::fault(CLOCK, format!("is years behind ({seconds} s since 1970)"), CURE)
        }
        Some(Clock { synchronised: false, .. }) => Finding::warning(CLOCK, "nothing keeps it right", CURE),
        Some(Clock { synchronised: true, .. }) => Finding::ok(CLOCK, "is kept right"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn each_state_of_the_clock_has_its_verdict() {
        let now = 1_800_000_000;
        let table = [
            (Some(Clock { seconds: now, synchronised: true }), Verdict::Ok),
            (Some(Clock { seconds: now, synchronised: false }), Verdict::Warning),
            (Some(Clock { seconds: 5, synchronised: true }), Verdict::Fault),
            (None, Verdict::Warning),
        ];
        for (clock, verdict) in table {
            assert_eq!(judge(clock).verdict, verdict, "{clock:?}");
        }
    }

    #[test]
    fn the_kernel_tells_the_time() {
        assert!(probe().unwrap().seconds > EARLIEST);
    }
}
