//! The scheduler's clock, and whether it stopped over it.

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// What is kept of the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulerRow {
    /// The latest time that it saw on the clock.
    pub seen_at: Option<Time>,
    /// Since when it stands still, by the clock that it did not believe.
    pub stopped_at: Option<Time>,
    /// By how many seconds that clock had jumped.
    pub jumped: Option<i64>,
    /// When the newest transfer was posted.
    pub ledger_at: Option<Time>,
}

impl Read<'_> {
    /// The scheduler.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scheduler_get(&self) -> Result<SchedulerRow, StoreError> {
        let sql = "SELECT seen_at, stopped_at, jumped_seconds, \
                   (SELECT created_at FROM transfers WHERE id = (SELECT max(id) FROM transfers)) FROM scheduler";
        self.one(sql, [], |r| {
            let (seen_at, stopped_at) = (row::time_maybe(r, 0)?, row::time_maybe(r, 1)?);
            Ok(SchedulerRow { seen_at, stopped_at, jumped: r.get(2)?, ledger_at: row::time_maybe(r, 3)? })
        })
    }
}

impl Tx<'_> {
    /// Notes what the clock showed. It never goes back: small steps back must not add up to a large one.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_see(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = max(coalesce(seen_at, ?1), ?1)", [now.0]).map(drop)
    }

    /// Stops the scheduler: the clock jumped.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_stop(&mut self, jumped: i64, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE scheduler SET stopped_at = ?1, jumped_seconds = ?2";
        self.run(sql, (now.0, jumped)).map(drop)
    }

    /// Lets it go on from what the clock shows now. A newest transfer of more than `ahead` seconds later was posted by a
    /// clock that was wrong, and the ledger follows this one from here.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_resume(&mut self, ahead: i64, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE scheduler SET seen_at = ?1, stopped_at = NULL, jumped_seconds = NULL, unbelieved_transfer_id = \
                   coalesce((SELECT id FROM transfers WHERE id = (SELECT max(id) FROM transfers) AND created_at > ?1 + ?2), \
                   unbelieved_transfer_id)";
        self.run(sql, (now.0, ahead)).map(drop)
    }
}
