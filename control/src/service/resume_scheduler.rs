//! Lets the scheduler go on after an operator has looked at the clock.

use crate::{
    domain::{
        billing::clock::{is_far_ahead, is_near},
        time::Time,
    },
    store::{SchedulerRow, StoreError, Tx},
};

/// Why it stands still as before.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The clock shows another time than what was counted or the ledger's, and nobody said which is right.
    #[error(
        "the clock shows {shown} UTC, csp counted {counted} UTC, {}: look at another clock; if this one is wrong, set it right \
         first; if it is right, say what time it is: csp-control scheduler resume --it-is 'YYYY-MM-DD HH:MM' (UTC)",
        newest(*ledger, *later)
    )]
    Contradicted {
        /// By the clock.
        shown: Time,
        /// As it was counted.
        counted: Time,
        /// By the newest transfer.
        ledger: Option<Time>,
        /// How many transfers are of a later time than the clock shows.
        later: u64,
    },
    /// The operator's clock and the machine's differ.
    #[error("you say that it is {said} UTC, and the machine's clock shows {shown} UTC: set it right first")]
    NotThatTime {
        /// By the operator.
        said: Time,
        /// By the clock.
        shown: Time,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn newest(ledger: Option<Time>, later: u64) -> String {
    match (ledger, later) {
        (None, _) => "and nothing was posted".to_owned(),
        (Some(at), 0) => format!("and the newest transfer is of {at} UTC"),
        (Some(at), later) => {
            format!(
                "and the newest transfer is of {at} UTC ({later} are of a later time than now and would count as older)"
            )
        }
    }
}

/// The times that an operator compared.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// What the machine's clock shows.
    pub shown: Time,
    /// What time it is as it was counted.
    pub counted: Time,
    /// What the operator says, from another clock.
    pub said: Option<Time>,
}

/// Believes the clock; answers from where time goes on, which may be a little later than it shows: the ledger is not undone by
/// it. Where clock, count and ledger contradict each other only somebody's word that the clock is right makes them follow it:
/// months of rent are charged by that. What waits for a time, answers that are kept and deadlines, waits on: for it no time
/// passed.
///
/// # Errors
/// When they contradict each other and nobody said what time it is, or another one, or the store cannot keep it.
pub fn resume_scheduler(tx: &mut Tx<'_>, compared: Compared) -> Result<Time, ResumeError> {
    let Compared { shown, counted, said } = compared;
    let SchedulerRow { ledger_at: ledger, stopped_at, .. } = tx.scheduler_get()?;
    let agrees = is_near(shown, counted) && !is_far_ahead(ledger, shown);
    match said {
        Some(said) if !is_near(said, shown) => return Err(ResumeError::NotThatTime { said, shown }),
        None if !agrees => {
            let later = tx.transfers_after(shown)?;
            return Err(ResumeError::Contradicted { shown, counted, ledger, later });
        }
        _ => {}
    }
    let from = match ledger {
        _ if agrees => shown.max(counted).max(ledger.unwrap_or(shown)),
        // Also where an earlier word dated the newest transfer: by a time that is not over yet.
        _ if is_far_ahead(ledger.max(Some(counted)), shown) => {
            tx.ledger_mark(shown)?;
            shown
        }
        ledger => shown.max(ledger.unwrap_or(shown)),
    };
    if !agrees {
        tx.waits_move(from.0.saturating_sub(counted.0), stopped_at, from)?;
    }
    tx.scheduler_resume(from)?;
    Ok(from)
}
