//! Looks at the clock before anything is billed by it. One that jumped stops the scheduler until an operator has looked
//! (BILLING 15): months of rent are charged and servers are deleted by it.

use crate::{
    domain::{billing::clock::Clock, time::Time},
    store::{SchedulerRow, StoreError, Tx},
};

/// The clock is written down in steps of so many seconds: a write each look would be for nothing.
const NOTED_EVERY_SECONDS: i64 = 60;

/// Whether billing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clockwork {
    /// As it should.
    Goes,
    /// It stands still: the clock had jumped by so many seconds.
    Stopped(i64),
}

/// What a look comes to, when nothing has to be written down about it. `bound` is how far, in seconds, the clock may have
/// moved since the last look.
#[must_use]
pub fn without_a_word(known: &SchedulerRow, bound: i64, now: Time) -> Option<Clockwork> {
    if known.stopped_at.is_some() {
        return Some(Clockwork::Stopped(known.jumped.unwrap_or_default()));
    }
    let is_noted = known.seen_at.is_some_and(|seen| now < seen.plus(NOTED_EVERY_SECONDS));
    (is_noted && known.look(bound, now) == Clock::Goes).then_some(Clockwork::Goes)
}

/// Looks at the clock, and writes down what it shows or that it jumped.
///
/// # Errors
/// When the store cannot keep it.
pub fn watch_clock(tx: &mut Tx<'_>, bound: i64, now: Time) -> Result<Clockwork, StoreError> {
    let known = tx.scheduler_get()?;
    if let Some(found) = without_a_word(&known, bound, now) {
        return Ok(found);
    }
    match known.look(bound, now) {
        Clock::Goes => {
            tx.scheduler_see(now)?;
            Ok(Clockwork::Goes)
        }
        Clock::Jumped(by) => {
            tx.scheduler_stop(by, now)?;
            Ok(Clockwork::Stopped(by))
        }
    }
}

/// The time by which somebody is paid back who must not wait: now, or while the clock is not believed the last moment at which
/// it was.
///
/// # Errors
/// When the store cannot be read.
pub fn believed_time(tx: &Tx<'_>, bound: i64, now: Time) -> Result<Time, StoreError> {
    let known = tx.scheduler_get()?;
    Ok(if known.is_believed(bound, now) { now } else { known.seen_at.unwrap_or(now) })
}
