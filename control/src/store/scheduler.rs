//! The scheduler's clock, and whether it stopped over it.

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// What is kept of the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerRow {
    /// The latest time of csp that was noted.
    pub seen_at: Option<Time>,
    /// Since when it stands still.
    pub stopped_at: Option<Time>,
    /// By how many seconds the machine's clock had jumped.
    pub jumped: Option<i64>,
    /// When the newest transfer was posted, unless an operator said that its time is wrong.
    pub ledger_at: Option<Time>,
}

impl Read<'_> {
    /// The scheduler.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scheduler_get(&self) -> Result<SchedulerRow, StoreError> {
        let sql = "SELECT seen_at, stopped_at, jumped_seconds, \
                   (SELECT created_at FROM transfers WHERE id = (SELECT max(id) FROM transfers) \
                   AND id > (SELECT coalesce(max(transfer_id), 0) FROM ledger_marks)) FROM scheduler";
        self.one(sql, [], |r| {
            let (seen_at, stopped_at) = (row::time_maybe(r, 0)?, row::time_maybe(r, 1)?);
            Ok(SchedulerRow { seen_at, stopped_at, jumped: r.get(2)?, ledger_at: row::time_maybe(r, 3)? })
        })
    }
}

impl Read<'_> {
    /// How many transfers since the last mark are of a later time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfers_after(&self, time: Time) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM transfers WHERE created_at > ?1 \
                   AND id > (SELECT coalesce(max(transfer_id), 0) FROM ledger_marks)";
        self.one(sql, [time.0], |r| row::number(r, 0))
    }
}

impl Tx<'_> {
    /// Moves what waits for a time by so many seconds: answers that are kept, and the deadlines of what is under way.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn waits_move(&mut self, seconds: i64) -> Result<(), StoreError> {
        self.run("UPDATE idempotency_keys SET created_at = created_at + ?1", [seconds])?;
        let sql = "UPDATE actions SET deadline_at = deadline_at + ?1 WHERE status IN ('queued', 'running') AND deadline_at > 0";
        self.run(sql, [seconds]).map(drop)
    }

    /// Notes the time. It never goes back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_see(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = max(coalesce(seen_at, ?1), ?1)", [now.0]).map(drop)
    }

    /// Stops the scheduler: the machine's clock jumped.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_stop(&mut self, jumped: i64, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE scheduler SET stopped_at = ?1, jumped_seconds = ?2";
        self.run(sql, (now.0, jumped)).map(drop)
    }

    /// Lets it go on from `now`.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_resume(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = ?1, stopped_at = NULL, jumped_seconds = NULL", [now.0]).map(drop)
    }

    /// Says that the transfers up to now were posted before now, whatever their times say: the ledger follows the clock from
    /// here.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ledger_mark(&mut self, now: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO ledger_marks (transfer_id, resumed_at) SELECT id, ?1 FROM transfers \
                   WHERE id = (SELECT max(id) FROM transfers) ON CONFLICT (transfer_id) DO NOTHING";
        self.run(sql, [now.0]).map(drop)
    }
}
