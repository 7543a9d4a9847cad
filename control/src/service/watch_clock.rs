//! Notes the time, and that the clock jumped, before anything is billed: then the scheduler stands still until an operator has
//! looked at the clock (BILLING 15).

use crate::{
    domain::time::Time,
    store::{SchedulerRow, StoreError, Tx},
};

/// How often the time is noted, in seconds.
const NOTED_EVERY_SECONDS: i64 = 60;

/// Whether the scheduler goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clockwork {
    /// It goes.
    Goes,
    /// It stands still: the clock had jumped by so many seconds.
    Stopped(i64),
}

/// What is known without a word to be written: the time was noted a moment ago, and nothing changed about the clock.
#[must_use]
pub fn without_a_word(known: &SchedulerRow, doubt: Option<i64>, now: Time) -> Option<Clockwork> {
    let is_noted = known.seen_at.is_some_and(|seen| now < seen.plus(NOTED_EVERY_SECONDS));
    match known.stopped_at {
        _ if !is_noted => None,
        Some(_) => Some(Clockwork::Stopped(known.jumped.unwrap_or_default())),
        None => doubt.is_none().then_some(Clockwork::Goes),
    }
}

/// Writes down what time it is, and that the clock jumped where there is a `doubt`. Also while the scheduler stands still:
/// a program that begins goes on from there.
///
/// # Errors
/// When the store cannot keep it.
pub fn watch_clock(tx: &mut Tx<'_>, doubt: Option<i64>, now: Time) -> Result<Clockwork, StoreError> {
    let known = tx.scheduler_get()?;
    if let Some(found) = without_a_word(&known, doubt, now) {
        return Ok(found);
    }
    tx.scheduler_see(now)?;
    match (known.stopped_at, doubt) {
        (Some(_), _) => Ok(Clockwork::Stopped(known.jumped.unwrap_or_default())),
        (None, Some(by)) => {
            tx.scheduler_stop(by, now)?;
            Ok(Clockwork::Stopped(by))
        }
        (None, None) => Ok(Clockwork::Goes),
    }
}
