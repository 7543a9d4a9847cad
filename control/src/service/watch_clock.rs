//! Notes the time, and that the clock jumped, before anything is billed: then the scheduler stands still until an operator has
//! looked at the clock (BILLING 15).

use crate::{
    domain::{
        billing::clock::{Look, is_far_ahead},
        time::Time,
    },
    store::{SchedulerRow, StoreError, Tx},
};

/// How often the time is noted, in seconds.
const NOTED_EVERY_SECONDS: i64 = 10;

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
pub fn without_a_word(known: &SchedulerRow, look: Look) -> Option<Clockwork> {
    let is_noted = known.seen_at.is_some_and(|seen| look.now < seen.plus(NOTED_EVERY_SECONDS));
    match (known.stopped_at, look.doubt) {
        _ if !is_noted => None,
        (Some(_), _) => Some(Clockwork::Stopped(known.jumped.unwrap_or_default())),
        (None, None) if !is_far_ahead(known.ledger_at, look.now) => Some(Clockwork::Goes),
        (None, _) => None,
    }
}

/// Writes down what time it is, and that the clock jumped where there is a doubt. Also while the scheduler stands still: a program
/// that begins goes on from there.
///
/// # Errors
/// When the store cannot keep it.
pub fn watch_clock(tx: &mut Tx<'_>, look: Look) -> Result<Clockwork, StoreError> {
    let known = tx.scheduler_get()?;
    if let Some(found) = without_a_word(&known, look) {
        return Ok(found);
    }
    note_time(tx, look.now)?;
    match (known.stopped_at, look.doubt) {
        (Some(_), _) => Ok(Clockwork::Stopped(known.jumped.unwrap_or_default())),
        (None, Some(by)) => {
            tx.scheduler_stop(by, look.measured.is_err(), look.now)?;
            Ok(Clockwork::Stopped(by))
        }
        (None, None) => {
            // Who drew its time before an operator's word posted by it afterwards: that is part of what was wrong.
            if is_far_ahead(known.ledger_at, look.now) {
                tx.ledger_mark(look.now)?;
            }
            Ok(Clockwork::Goes)
        }
    }
}

/// Writes down what time it is: a program that begins goes on from there.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_time(tx: &mut Tx<'_>, now: Time) -> Result<(), StoreError> {
    tx.scheduler_see(now)
}
