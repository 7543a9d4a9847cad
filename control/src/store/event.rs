//! What happened, in the order in which it happened, for each account.

use csp_shared::id::{AccountId, ActionId, ServerId};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    event::{Event, Kept},
    time::Time,
};

/// Events that one look of the schedule forgets at most: a long break must not make one long transaction.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Where it stands among the account's events.
    pub position: u64,
    /// What happened.
    pub kind: String,
    /// To which server.
    pub server: Option<ServerId>,
    /// By which action.
    pub action: Option<ActionId>,
    /// The rest: a JSON object.
    pub data: String,
    /// When.
    pub created_at: Time,
}

/// Where an event stands: the internal key of its account, and its number there.
pub(super) struct Place {
    pub(super) key: i64,
    pub(super) position: i64,
}

impl Read<'_> {
    /// An account's events after a position, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn event_list(&self, account: AccountId, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let sql = "SELECT e.position, e.kind, s.uuid, x.uuid, e.data, e.created_at FROM events e \
                   LEFT JOIN servers s ON s.id = e.server_id LEFT JOIN actions x ON x.id = e.action_id \
                   WHERE e.account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND e.position > ?2 \
                   ORDER BY e.position LIMIT ?3";
        self.many(sql, (account.to_string(), row::signed(after), limit), |r| {
            Ok(EventRow {
                position: row::number(r, 0)?,
                kind: r.get(1)?,
                server: row::parsed_maybe(r, 2)?,
                action: row::parsed_maybe(r, 3)?,
                data: r.get(4)?,
                created_at: row::time(r, 5)?,
            })
        })
    }

    /// Which of an account's events are kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn events_kept(&self, account: AccountId) -> Result<Kept, StoreError> {
        let sql = "SELECT (SELECT min(position) FROM events WHERE account_id = a.id), a.events_written \
                   FROM accounts a WHERE a.uuid = ?1";
        let kept = self.maybe(sql, [account.to_string()], |r| {
            let newest: u64 = row::number(r, 1)?;
            let oldest: Option<i64> = r.get(0)?;
            let oldest = oldest.and_then(|oldest| u64::try_from(oldest).ok()).unwrap_or(newest + 1);
            Ok(Kept { oldest, newest })
        })?;
        kept.ok_or_else(|| StoreError::Damaged(format!("no account {account}")))
    }
}

impl Tx<'_> {
    /// Writes an event of an account; who follows it is woken after the commit.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn event_put(&mut self, account: AccountId, event: &Event, now: Time) -> Result<(), StoreError> {
        let key = |table, id: Option<String>| id.map(|id| self.key_of(table, &id)).transpose();
        let server = key("servers", event.server.map(|id| id.to_string()))?;
        let action = key("actions", event.action.map(|id| id.to_string()))?;
        let sql =
            "UPDATE accounts SET events_written = events_written + 1 WHERE uuid = ?1 RETURNING id, events_written";
        let place = self.one(sql, [account.to_string()], |r| Ok(Place { key: r.get(0)?, position: r.get(1)? }))?;
        self.event_insert(account, &place, (server, action), event, now)
    }

    /// Writes an event whose place was taken already, by whoever wrote the account's row anyway.
    pub(super) fn event_insert(
        &mut self,
        account: AccountId,
        place: &Place,
        (server, action): (Option<i64>, Option<i64>),
        event: &Event,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO events (account_id, position, kind, server_id, action_id, data, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.run(sql, (place.key, place.position, event.kind.as_str(), server, action, &event.data, now.0))?;
        self.news.told.insert(account);
        Ok(())
    }

    /// Forgets events from before a time, as many as fit into one look; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn event_forget_old(&mut self, before: Time) -> Result<usize, StoreError> {
        let sql = "DELETE FROM events WHERE (account_id, position) IN \
                   (SELECT account_id, position FROM events WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";
        self.run(sql, (before.0, FORGOTTEN_AT_ONCE))
    }
}
