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
    /// It stopped over a time that nobody counted.
    pub unmeasured: bool,
    /// When the newest transfer was posted, unless an operator said that its time is wrong.
    pub ledger_at: Option<Time>,
}

impl Read<'_> {
    /// The scheduler.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scheduler_get(&self) -> Result<SchedulerRow, StoreError> {
        let sql = "SELECT seen_at, stopped_at, jumped_seconds, unmeasured, \
                   (SELECT created_at FROM transfers WHERE id = (SELECT max(id) FROM transfers) \
                   AND id > (SELECT coalesce(max(transfer_id), 0) FROM ledger_marks)) FROM scheduler";
        self.one(sql, [], |r| {
            let (seen_at, stopped_at) = (row::time_maybe(r, 0)?, row::time_maybe(r, 1)?);
            let (jumped, unmeasured) = (r.get(2)?, r.get(3)?);
            Ok(SchedulerRow { seen_at, stopped_at, jumped, unmeasured, ledger_at: row::time_maybe(r, 4)? })
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
    /// Time leaps by so many `seconds`, from what was counted to `from`: what waits for a time waits on. Answers that are kept,
    /// deadlines of what is under way and letters on their way move along; so does what happened `since` the clock was not
    /// believed, or by one that was ahead, as far as the time from then on decides about a deletion. Every service is looked at
    /// again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn waits_move(&mut self, seconds: i64, since: Option<Time>, from: Time) -> Result<(), StoreError> {
        self.run("UPDATE idempotency_keys SET created_at = created_at + ?1", [seconds])?;
        let actions = "UPDATE actions SET deadline_at = deadline_at + ?1 WHERE status IN ('queued', 'running') AND deadline_at > 0";
        self.run(actions, [seconds])?;
        let mails = "UPDATE mails SET next_at = next_at + ?1, created_at = created_at + ?1 \
                     WHERE accepted_at IS NULL AND refused_at IS NULL AND next_at > 0";
        self.run(mails, [seconds])?;
        // Before the doubt nothing was dated by it.
        let after = since.map_or(from, |since| since.min(from));
        self.run(
            "UPDATE server_locks SET since = since + ?1 WHERE reason = 'unpaid' AND since >= ?2",
            (seconds, after.0),
        )?;
        self.run("UPDATE reminders SET told_at = told_at + ?1 WHERE told_at >= ?2", (seconds, after.0))?;
        let services = "UPDATE servers SET billing_look_at = 0 WHERE service_status IN ('active', 'suspended')";
        self.run(services, [])?;
        self.news.billing = true;
        Ok(())
    }

    /// Notes the time. It never goes back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_see(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = max(coalesce(seen_at, ?1), ?1)", [now.0]).map(drop)
    }

    /// Stops the scheduler: the machine's clock jumped, or `unmeasured` time passed.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_stop(&mut self, jumped: i64, unmeasured: bool, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE scheduler SET stopped_at = ?1, jumped_seconds = ?2, unmeasured = ?3";
        self.run(sql, (now.0, jumped, unmeasured)).map(drop)
    }

    /// Lets it go on from `now`.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn scheduler_resume(&mut self, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE scheduler SET seen_at = ?1, stopped_at = NULL, jumped_seconds = NULL, unmeasured = 0", [now.0])
            .map(drop)
    }

    /// Says that the transfers up to now were posted before now, whatever their times say: the ledger follows the clock from
    /// here.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ledger_mark(&mut self, now: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO ledger_marks (transfer_id, resumed_at) SELECT id, ?1 FROM transfers \
                   WHERE id = (SELECT max(id) FROM transfers)";
        self.run(sql, [now.0]).map(drop)
    }
}
