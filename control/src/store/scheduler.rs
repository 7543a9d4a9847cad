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
}

impl Read<'_> {
    /// The scheduler.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scheduler_get(&self) -> Result<SchedulerRow, StoreError> {
        self.one("SELECT seen_at, stopped_at, jumped_seconds FROM scheduler", [], |r| {
            Ok(SchedulerRow { seen_at: row::time_maybe(r, 0)?, stopped_at: row::time_maybe(r, 1)?, jumped: r.get(2)? })
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

    /// Lets it go on from what the clock shows now.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_resume(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = ?1, stopped_at = NULL, jumped_seconds = NULL", [now.0]).map(drop)
    }
}
