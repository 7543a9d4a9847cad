//! Whether the clock can be believed (BILLING 15). Months of rent are charged by it, so one that jumps is looked at by a
//! person before it costs anybody money or data.

use crate::domain::time::{DAY, MINUTE, Time};

/// A clock that is set right by a little is no alarm: what was done stands, and nothing is done twice.
const BACK_SECONDS_MAX: i64 = 10 * MINUTE;

/// The ledger never goes back: by a clock that was set back, what is posted bears the newest transfer's time until the clock
/// has passed it. When that lies further ahead than this, either the clock or the ledger is wrong, and only a person can say
/// which.
pub const LEDGER_AHEAD_SECONDS_MAX: i64 = DAY;

/// What came of a look at the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// As it should be.
    Goes,
    /// It jumped, by so many seconds, or nobody looked at it for so long.
    Jumped(i64),
}

/// Compares the clock with the last time that was seen on it, and with that of the ledger's newest transfer. `bound` is how
/// long, in seconds, the control plane may have been down before what fell due meanwhile needs a person's word.
#[must_use]
pub fn look(seen: Option<Time>, ledger: Option<Time>, now: Time, bound: i64) -> Clock {
    let since = |known: Option<Time>| known.map_or(0, |known| now.0.saturating_sub(known.0));
    let by = since(seen);
    if !(-BACK_SECONDS_MAX..=bound).contains(&by) {
        Clock::Jumped(by)
    } else if is_far_ahead(ledger, now) {
        Clock::Jumped(since(ledger))
    } else {
        Clock::Goes
    }
}

/// Whether the ledger is so far ahead of the clock that one of them is wrong.
#[must_use]
pub fn is_far_ahead(ledger: Option<Time>, now: Time) -> bool {
    ledger.is_some_and(|at| at > now.plus(LEDGER_AHEAD_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_goes_is_believed() {
        let table = [
            (None, Clock::Goes),
            (Some(0), Clock::Goes),
            (Some(3 * DAY), Clock::Goes),
            (Some(3 * DAY + 1), Clock::Jumped(3 * DAY + 1)),
            (Some(-600), Clock::Goes),
            (Some(-601), Clock::Jumped(-601)),
            (Some(-i64::MAX), Clock::Jumped(-i64::MAX)),
        ];
        for (by, want) in table {
            let now = Time(by.unwrap_or(7));
            assert_eq!(look(by.map(|_| Time(0)), None, now, 3 * DAY), want, "{by:?}");
        }
        for (ahead, want) in [(-9 * DAY, Clock::Goes), (DAY, Clock::Goes), (DAY + 1, Clock::Jumped(-DAY - 1))] {
            assert_eq!(
                look(Some(Time(0)), Some(Time(ahead)), Time(0), 3 * DAY),
                want,
                "a ledger that is {ahead} s ahead"
            );
        }
    }
}
