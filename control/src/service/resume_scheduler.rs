//! Lets the scheduler go on after an operator has looked at the clock.

use crate::{
    domain::{billing::clock::LEDGER_AHEAD_SECONDS_MAX, time::Time},
    store::{StoreError, Tx},
};

/// Believes the clock from here on; answers whether the scheduler stood still.
///
/// # Errors
/// When the store cannot keep it.
pub fn resume_scheduler(tx: &mut Tx<'_>, now: Time) -> Result<bool, StoreError> {
    let stood_still = tx.scheduler_get()?.stopped_at.is_some();
    if stood_still {
        tx.scheduler_resume(LEDGER_AHEAD_SECONDS_MAX, now)?;
    }
    Ok(stood_still)
}
