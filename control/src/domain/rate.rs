//! How many requests a minute: the generic cell rate algorithm, which needs one number for each client.
//!
//! That number is the moment at which the client's allowance is whole again. Each request moves it on by a minute's share
//! of one; a request that would move it more than a minute ahead is refused, and moves nothing. So a client may send a
//! minute's worth at once, and then goes on at the rate; nobody gets two minutes' worth around the turn of a minute, as
//! with counters that are set back.
//!
//! Moments are times since some beginning, of a clock that never goes back.

use std::{num::NonZeroU32, time::Duration};

/// What a client's allowance is counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// Requests a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerMinute(pub NonZeroU32);

/// What a client is told of its allowance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    /// Requests a minute.
    pub limit: u32,
    /// Of these, how many could be sent now.
    pub remaining: u32,
    /// Until all of them could be.
    pub whole_in: Duration,
}

/// What came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Taken {
    /// It may go on. The allowance is whole again at this moment, which is to be kept.
    Yes(Duration, Tally),
    /// Too many. The next one may be sent after this time.
    No(Duration, Tally),
}

impl PerMinute {
    fn share(self) -> Duration {
        WINDOW / self.0.get()
    }

    /// Takes one request out of the allowance of a client whose allowance is whole again at `whole_at`.
    pub fn take(self, whole_at: Duration, now: Duration) -> Taken {
        // Of shares, so that a minute holds exactly the number that is promised.
        let window = self.share() * self.0.get();
        let moved = whole_at.max(now).saturating_add(self.share());
        match moved.saturating_sub(now).checked_sub(window) {
            None | Some(Duration::ZERO) => Taken::Yes(moved, self.tally(moved, now)),
            Some(early) => Taken::No(early, self.tally(whole_at, now)),
        }
    }

    /// Whether a request would be refused, without taking it.
    #[must_use]
    pub fn is_spent(self, whole_at: Duration, now: Duration) -> bool {
        matches!(self.take(whole_at, now), Taken::No(..))
    }

    /// What is left of an allowance that is whole again at `whole_at`.
    #[must_use]
    pub fn tally(self, whole_at: Duration, now: Duration) -> Tally {
        let whole_in = whole_at.saturating_sub(now);
        let spent = whole_in.as_nanos().div_ceil(self.share().as_nanos().max(1));
        let spent = u32::try_from(spent).unwrap_or(u32::MAX);
        Tally { limit: self.0.get(), remaining: self.0.get().saturating_sub(spent), whole_in }
    }
}

impl Tally {
    /// Whether this allowance is nearer to its end than the other one.
    #[must_use]
    pub fn is_nearer_its_end(self, other: Self) -> bool {
        let (this, that) = (u64::from(self.remaining), u64::from(other.remaining));
        this * u64::from(other.limit) < that * u64::from(self.limit)
    }
}

/// A time in whole seconds, as HTTP's headers have it; never too short.
#[must_use]
pub fn seconds_rounded_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(number: u32) -> PerMinute {
        PerMinute(NonZeroU32::new(number).unwrap())
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_at_the_rate() {
        let (rate, now) = (rate(6), Duration::from_secs(1000));
        let mut whole_at = Duration::ZERO;
        for left in (0..6).rev() {
            let Taken::Yes(moved, tally) = rate.take(whole_at, now) else { panic!("{left}") };
            assert_eq!((tally.limit, tally.remaining), (6, left));
            whole_at = moved;
        }
        let Taken::No(wait, tally) = rate.take(whole_at, now) else { panic!("a seventh") };
        assert_eq!((wait, tally.remaining, tally.whole_in), (Duration::from_secs(10), 0, Duration::from_secs(60)));
        assert!(rate.is_spent(whole_at, now) && !rate.is_spent(whole_at, now + wait));
        assert!(matches!(rate.take(whole_at, now + wait), Taken::Yes(..)));
        assert_eq!(rate.tally(whole_at, now + Duration::from_secs(60)).remaining, 6);
    }

    proptest! {
        /// Whenever requests come, no minute lets more than two windows' edge through: the burst, and what the rate gives.
        #[test]
        fn no_stretch_of_time_has_more_than_the_burst_and_the_rate(
            number in 1u32..2000, gaps in prop::collection::vec(0u64..40_000, 1..300),
        ) {
            let rate = rate(number);
            let (mut now, mut whole_at, mut passed) = (Duration::from_secs(7), Duration::ZERO, 0u64);
            let begin = now;
            for gap in gaps {
                now += Duration::from_millis(gap);
                match rate.take(whole_at, now) {
                    Taken::Yes(moved, tally) => {
                        passed += 1;
                        whole_at = moved;
                        prop_assert!(tally.remaining < number);
                        prop_assert_eq!(rate.is_spent(moved, now), tally.remaining == 0);
                    }
                    Taken::No(wait, tally) => {
                        prop_assert!(wait > Duration::ZERO && tally.remaining == 0);
                        prop_assert!(matches!(rate.take(whole_at, now + wait), Taken::Yes(..)));
                    }
                }
                let given = u64::from(number) + ((now - begin).as_nanos() / rate.share().as_nanos()) as u64;
                prop_assert!(passed <= given, "{} of {}", passed, given);
            }
        }
    }

    #[test]
    fn the_nearer_end_is_told_and_times_are_never_too_short() {
        let tally = |limit, remaining| Tally { limit, remaining, whole_in: Duration::ZERO };
        assert!(tally(600, 10).is_nearer_its_end(tally(20, 5)));
        assert!(!tally(600, 600).is_nearer_its_end(tally(20, 20)));
        assert_eq!(seconds_rounded_up(Duration::from_millis(1001)), 2);
        assert_eq!(seconds_rounded_up(Duration::from_secs(3)), 3);
    }
}
