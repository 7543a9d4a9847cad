//! Lets the scheduler go on after an operator has looked at the clock.

use crate::{
    domain::{billing::clock::is_far_ahead, time::Time},
    store::{StoreError, Tx},
};

/// Why it stands still as before.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The clock and the ledger contradict each other, and nobody said which is wrong.
    #[error(
        "the clock shows {now} UTC, and the newest transfer is of {ledger} UTC: if the clock is wrong, set it right first; if it \
         is right now and was ahead then, say `csp-control scheduler resume --ledger-was-ahead`"
    )]
    LedgerAhead {
        /// By the clock.
        now: Time,
        /// By the ledger.
        ledger: Time,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Believes the clock, which shows `shown`; answers from where time goes on, which may be a little later: the ledger is not
/// undone by it. `ledger_was_ahead` says that a newest transfer far ahead of the clock was posted by a clock that was wrong.
///
/// # Errors
/// When the ledger is far ahead and nobody said so, or the store cannot keep it.
pub fn resume_scheduler(tx: &mut Tx<'_>, ledger_was_ahead: bool, shown: Time) -> Result<Time, ResumeError> {
    let known = tx.scheduler_get()?;
    let from = match known.ledger_at.filter(|_| is_far_ahead(known.ledger_at, shown)) {
        Some(ledger) if !ledger_was_ahead => return Err(ResumeError::LedgerAhead { now: shown, ledger }),
        Some(_) => {
            tx.ledger_mark(shown)?;
            shown
        }
        None => known.ledger_at.map_or(shown, |ledger| ledger.max(shown)),
    };
    tx.scheduler_resume(from)?;
    Ok(from)
}
