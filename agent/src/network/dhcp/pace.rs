//! How fast one tap is answered: so many at once, then so many a second. Pure.

use std::time::Duration;

/// Answers that are there at first, and at most.
const BURST: u32 = 20;
/// One more comes after this long.
const REFILL: Duration = Duration::from_millis(100);

/// What is left of a tap's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    left: u32,
    since: Duration,
}

impl Pace {
    /// All of them. Times are on any clock that does not go back.
    #[must_use]
    pub fn full(now: Duration) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one, or says how long to wait for the next.
    ///
    /// # Errors
    /// With that time, and nothing taken.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.since).as_millis() / REFILL.as_millis();
        let more = u32::try_from(passed).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(BURST);
        self.since = if self.left == BURST { now } else { self.since + REFILL * more };
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err((self.since + REFILL).saturating_sub(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_guest_gets_more_than_its_pace(gaps in prop::collection::vec(0u64..400, 1..300)) {
            let mut pace = Pace::full(Duration::ZERO);
            let (mut now, mut taken) = (Duration::ZERO, 0u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                match pace.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        prop_assert!(wait > Duration::ZERO && wait <= REFILL);
                        now += wait;
                        prop_assert_eq!(pace.take(now), Ok(()), "after the wait there is one");
                        taken += 1;
                    }
                }
                let most = u128::from(BURST) + now.as_millis() / REFILL.as_millis();
                prop_assert!(u128::from(taken) <= most, "{taken} by {now:?}");
            }
        }
    }
}
