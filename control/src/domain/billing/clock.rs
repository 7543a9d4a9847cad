//! By what time csp goes (BILLING 15): by the machine's clock while that can be believed, and by what was counted while it
//! cannot. Whole months of rent are charged and servers are deleted by it, so a clock that jumped is believed again only
//! when a person has looked at it.

use crate::domain::time::{DAY, MINUTE, Time};

/// How far a clock may be set back without a word. Until it has passed where it was, time stands still.
pub const BACK_SECONDS_MAX: i64 = 10 * MINUTE;

/// How far a clock may move in a day beyond what the process counted itself: leap seconds, a daemon that sets it right, a
/// machine that was held for a moment. Many small steps count as one, but those of a machine that is held every night for
/// its backup must not come to an alarm in the end.
const DRIFT_SECONDS_MAX: i64 = 60 * MINUTE;

/// What came of a look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It goes.
    Goes,
    /// It jumped, by so many seconds, or nobody looked at it for so long.
    Jumped(i64),
}

/// Compares the clock, when the program begins, with the last time that was `seen` and with that of the `ledger`'s newest
/// transfer. `bound` is how long, in seconds, the control plane may have been down before what fell due meanwhile needs a
/// person's word.
#[must_use]
pub fn look(seen: Option<Time>, ledger: Option<Time>, now: Time, bound: i64) -> Clock {
    let since = |known: Option<Time>| known.map_or(0, |known| now.0.saturating_sub(known.0));
    let (down, back) = (since(seen), since(seen.max(ledger)));
    if back < -BACK_SECONDS_MAX {
        Clock::Jumped(back)
    } else if down > bound {
        Clock::Jumped(down)
    } else {
        Clock::Goes
    }
}

/// What is `known` is so far ahead of the clock that one of them is wrong, and only a person can say which.
#[must_use]
pub fn is_far_ahead(known: Option<Time>, now: Time) -> bool {
    known.is_some_and(|at| at > now.plus(BACK_SECONDS_MAX))
}

/// From where a program goes on that begins: the last time that was noted, or that of the ledger's newest transfer where
/// that was posted right after. One that is far ahead is of a clock that was wrong.
#[must_use]
pub fn known(noted: Option<Time>, ledger: Option<Time>) -> Option<Time> {
    match noted {
        Some(noted) if is_far_ahead(ledger, noted) => Some(noted),
        _ => noted.max(ledger),
    }
}

/// How much later a program that did not believe its clock may begin again and still tell what time it is.
const AWAY_SECONDS_MAX: i64 = 60 * MINUTE;

/// What time it is when a program begins again that did not believe its clock: it was off by so many seconds when that `jumped`,
/// and either still is, or was set right meanwhile. Nothing, where neither shows a time soon after the one that was noted.
#[must_use]
pub fn going_on(noted: Option<Time>, jumped: i64, shown: Time) -> Option<Time> {
    let noted = noted?;
    let is_soon = |at: &Time| *at >= noted.plus(-BACK_SECONDS_MAX) && *at <= noted.plus(AWAY_SECONDS_MAX);
    [shown.plus(-jumped), shown].into_iter().find(is_soon).map(|at| at.max(noted))
}

/// Two times that are so near that a clock may show one for the other.
#[must_use]
pub fn is_near(one: Time, other: Time) -> bool {
    one.0.abs_diff(other.0) <= BACK_SECONDS_MAX.unsigned_abs()
}

/// A clock, and what was counted beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it shows.
    pub clock: Time,
    /// Seconds since some beginning, whatever was done to the clock.
    pub uptime: i64,
}

/// The time that is given to everything else. It never goes back and never leaps by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// Where a day of the clock that is believed began.
    first: Reading,
    /// The time that was given last, and when.
    last: Reading,
    /// By how many seconds the clock had jumped, where it is not believed.
    doubt: Option<i64>,
    /// Whether somebody counted the time before it began.
    measured: Result<(), Unmeasured>,
}

/// Time passed that nobody counted, as in a long downtime, and no operator looked at the clock since: what is priced by the second
/// waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what rests on the time waits until the provider has looked at a clock; nothing was changed, try again later")]
pub struct Unmeasured;

/// What time it is, and whether that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What time it is.
    pub now: Time,
    /// By how many seconds the clock had jumped, where it is not believed.
    pub doubt: Option<i64>,
    /// Whether things can be priced by it.
    pub measured: Result<(), Unmeasured>,
}

impl Steady {
    /// Begins with a clock that is believed. What was `known` before, which may be a little later than it shows, is not
    /// undone by it.
    #[must_use]
    pub fn believing(known: Option<Time>, here: Reading) -> Self {
        let given = known.map_or(here.clock, |known| known.max(here.clock));
        Self { first: here, last: Reading { clock: given, ..here }, doubt: None, measured: Ok(()) }
    }

    /// Begins with a clock that jumped by so many seconds from what was `known`: that goes on. How much time passed between is
    /// anybody's guess.
    #[must_use]
    pub fn doubting(known: Option<Time>, by: i64, here: Reading) -> Self {
        Self { measured: Err(Unmeasured), ..Self::going_on(known.unwrap_or(here.clock), by, here) }
    }

    /// Begins again at `now` with a clock that jumped by so many seconds before.
    #[must_use]
    pub fn going_on(now: Time, by: i64, here: Reading) -> Self {
        Self { first: here, last: Reading { clock: now, ..here }, doubt: Some(by), measured: Ok(()) }
    }

    /// What time it is, and whether that can be believed.
    pub fn look(&mut self, here: Reading) -> Look {
        self.doubt = self.doubt.or_else(|| self.jump(here));
        if self.doubt.is_none() && here.uptime.saturating_sub(self.first.uptime) >= DAY {
            self.first = here;
        }
        let counted = self.last.clock.plus(here.uptime.saturating_sub(self.last.uptime).max(0));
        let now = if self.doubt.is_some() { counted } else { here.clock.max(self.last.clock) };
        self.last = Reading { clock: now, uptime: here.uptime.max(self.last.uptime) };
        Look { now, doubt: self.doubt, measured: self.measured }
    }

    fn jump(&self, here: Reading) -> Option<i64> {
        let back = here.clock.0.saturating_sub(self.last.clock.0);
        let counted = here.uptime.saturating_sub(self.first.uptime);
        let ahead = here.clock.0.saturating_sub(self.first.clock.0).saturating_sub(counted);
        let back = Some(back).filter(|back| *back < -BACK_SECONDS_MAX);
        back.or_else(|| Some(ahead).filter(|ahead| *ahead > DRIFT_SECONDS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::DAY;

    #[test]
    fn after_a_downtime_only_a_clock_that_went_on_is_believed() {
        let table = [
            (None, Clock::Goes),
            (Some(0), Clock::Goes),
            (Some(3 * DAY), Clock::Goes),
            (Some(3 * DAY + 1), Clock::Jumped(3 * DAY + 1)),
            (Some(-600), Clock::Goes),
            (Some(-601), Clock::Jumped(-601)),
        ];
        for (by, want) in table {
            let now = Time(by.unwrap_or(7));
            assert_eq!(look(by.map(|_| Time(0)), None, now, 3 * DAY), want, "{by:?}");
        }
        for (ahead, want) in [(-9 * DAY, Clock::Goes), (600, Clock::Goes), (601, Clock::Jumped(-601))] {
            let found = look(Some(Time(0)), Some(Time(ahead)), Time(0), 3 * DAY);
            assert_eq!(found, want, "a ledger that is {ahead} s ahead");
        }
    }

    fn at(clock: i64, uptime: i64) -> Reading {
        Reading { clock: Time(clock), uptime }
    }

    /// What is given at each reading after the first, at second 0.
    fn given(readings: &[(i64, i64)]) -> (Vec<i64>, Option<i64>) {
        let mut steady = Steady::believing(None, at(0, 0));
        let given = readings.iter().map(|(clock, uptime)| steady.look(at(*clock, *uptime)).now.0).collect();
        (given, steady.doubt)
    }

    #[test]
    fn a_clock_is_followed_until_it_jumps_and_then_time_is_counted() {
        assert_eq!(given(&[(5, 5), (3605, 10)]), (vec![5, 3605], None), "set right by an hour");
        assert_eq!(given(&[(5, 5), (3611, 10), (3616, 15)]), (vec![5, 10, 15], Some(3601)));
        assert_eq!(given(&[(900, 900), (300, 905), (899, 1500), (901, 1502)]), (vec![900, 900, 900, 901], None));
        assert_eq!(given(&[(900, 900), (299, 905), (9, 910)]), (vec![900, 905, 910], Some(-601)));
        assert_eq!(
            given(&[(905, 5), (1810, 10), (2715, 15), (3620, 20)]).1,
            None,
            "four steps of a quarter of an hour"
        );
        assert_eq!(given(&[(905, 5), (1810, 10), (2715, 15), (3621, 20)]), (vec![905, 1810, 2715, 2720], Some(3601)));
        assert_eq!(
            given(&[(900, 900), (200, 905), (905, 910)]).1,
            Some(-700),
            "one that came back is not believed either"
        );
    }

    #[test]
    fn a_machine_that_is_held_every_night_is_believed_for_years() {
        let mut steady = Steady::believing(None, at(0, 0));
        for night in 1..2000 {
            let (held, uptime) = (night * 10 * MINUTE, night * DAY);
            let believed = Look { now: Time(uptime + held), doubt: None, measured: Ok(()) };
            assert_eq!(steady.look(at(uptime + held, uptime)), believed);
        }
    }

    #[test]
    fn a_program_that_begins_goes_on_from_what_it_knew() {
        let mut behind = Steady::believing(Some(Time(300)), at(0, 7));
        assert_eq!((behind.look(at(10, 17)).now, behind.look(at(301, 308)).now), (Time(300), Time(301)));
        assert_eq!(behind.look(at(301, 308)).measured, Ok(()));
        let mut ahead = Steady::doubting(Some(Time(300)), 9 * DAY, at(9 * DAY, 7));
        let look = |now, doubt| Look { now: Time(now), doubt, measured: Err(Unmeasured) };
        assert_eq!(ahead.look(at(9 * DAY, 8)), look(301, Some(9 * DAY)));
        assert_eq!(ahead.look(at(9 * DAY + 60, 67)), look(360, Some(9 * DAY)));
    }

    #[test]
    fn a_program_that_begins_again_knows_the_time_by_a_clock_that_is_off_as_before_or_was_set_right() {
        let table = [
            (30 * DAY, 30 * DAY + 5, Some(5)),
            (30 * DAY, 30 * DAY - 60, Some(0)),
            (30 * DAY, 7, Some(7)),
            (30 * DAY, 30 * DAY + 3601, None),
            (30 * DAY, 29 * DAY, None),
            (-DAY, -DAY + 60, Some(60)),
            (-DAY, 60, Some(60)),
            (-DAY, -601 - DAY, None),
        ];
        for (jumped, shown, want) in table {
            assert_eq!(going_on(Some(Time(0)), jumped, Time(shown)), want.map(Time), "{jumped} {shown}");
        }
        assert_eq!(going_on(None, 7, Time(7)), None);
    }

    #[test]
    fn a_ledger_far_ahead_of_what_was_noted_carries_nothing_along() {
        let table = [
            (None, None, None),
            (Some(7), None, Some(7)),
            (None, Some(9), Some(9)),
            (Some(7), Some(5), Some(7)),
            (Some(7), Some(607), Some(607)),
            (Some(7), Some(608), Some(7)),
        ];
        for (noted, ledger, want) in table {
            assert_eq!(known(noted.map(Time), ledger.map(Time)), want.map(Time), "{noted:?} {ledger:?}");
        }
    }

    proptest! {
        #[test]
        fn time_never_goes_back_nor_on_by_more_than_was_counted_and_an_hour_a_day(
            steps in prop::collection::vec((0i64..7200, -90 * DAY..90 * DAY, any::<bool>()), 1..50),
        ) {
            let mut steady = Steady::believing(None, at(0, 0));
            let (mut uptime, mut off, mut last) = (0, 0, Time(0));
            for (passes, jump, jumps) in steps {
                uptime += passes;
                off += if jumps { jump } else { jump % 30 };
                let now = steady.look(at(uptime + off, uptime)).now;
                prop_assert!(now >= last && now.0 - uptime <= DRIFT_SECONDS_MAX * (1 + uptime / DAY));
                last = now;
            }
        }
    }
}
