//! Looks at the clock before anything is billed by it. One that jumped stops the scheduler until an operator has looked
//! (BILLING 15): months of rent are charged and servers are deleted by it.

use crate::{
    domain::{
        billing::clock::{Clock, look},
        time::Time,
    },
    store::{StoreError, Tx},
};

/// The clock is written down in steps of so many seconds: a write each look would be for nothing.
const NOTED_EVERY_SECONDS: i64 = 30;

/// Whether billing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clockwork {
    /// As it should.
    Goes,
    /// It stands still: the clock had jumped by so many seconds.
    Stopped(i64),
}

/// Looks at the clock. `bound` is how far, in seconds, it may have moved since the last look.
///
/// # Errors
/// When the store cannot keep it.
pub fn watch_clock(tx: &mut Tx<'_>, bound: i64, now: Time) -> Result<Clockwork, StoreError> {
    let known = tx.scheduler_get()?;
    if known.stopped_at.is_some() {
        return Ok(Clockwork::Stopped(known.jumped.unwrap_or_default()));
    }
    match look(known.seen_at, now, bound) {
        Clock::Goes => {
            if known.seen_at.is_none_or(|seen| now >= seen.plus(NOTED_EVERY_SECONDS)) {
                tx.scheduler_see(now)?;
            }
            Ok(Clockwork::Goes)
        }
        Clock::Jumped(by) => {
            tx.scheduler_stop(by, now)?;
            Ok(Clockwork::Stopped(by))
        }
    }
}
