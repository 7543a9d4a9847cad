//! What customers asked for.

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{AccountId, ActionId, ServerId},
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    action::{Command, Status},
    time::Time,
};

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// Which server.
    pub server: ServerId,
    /// What was asked.
    pub command: Command,
    /// How far it is.
    pub status: Status,
    /// The state of the spec that fulfils it.
    pub wanted: Version,
    /// Why it failed: a code, and a sentence for the customer.
    pub error: Option<(String, String)>,
    /// When it was asked.
    pub created_at: Time,
    /// When its host took it up.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// An action about to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAction {
    /// Its id.
    pub id: ActionId,
    /// Who asks.
    pub account: AccountId,
    /// Of which server.
    pub server: ServerId,
    /// What.
    pub command: Command,
    /// The state of the spec that fulfils it.
    pub wanted: Version,
    /// When it fails if it has not ended.
    pub deadline_at: Option<Time>,
}

/// An action that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAction {
    /// Its id.
    pub id: ActionId,
    /// Which server.
    pub server: ServerId,
    /// What was asked.
    pub command: Command,
    /// Queued or running.
    pub status: Status,
    /// The state of the spec that fulfils it.
    pub wanted: Version,
}

const ACTIONS: &str = "SELECT x.uuid, s.uuid, x.command, x.status, x.incarnation, x.generation, x.error_code, \
                       x.error_message, x.created_at, x.started_at, x.finished_at \
                       FROM actions x JOIN servers s ON s.id = x.server_id";

fn action(r: &Row<'_>) -> Result<Action, StoreError> {
    let (code, message): (Option<String>, Option<String>) = (r.get(6)?, r.get(7)?);
    Ok(Action {
        id: row::parsed(r, 0)?,
        server: row::parsed(r, 1)?,
        command: row::chosen(r, 2, Command::parse)?,
        status: row::chosen(r, 3, Status::parse)?,
        wanted: wanted(r)?,
        error: code.zip(message),
        created_at: row::time(r, 8)?,
        started_at: row::time_maybe(r, 9)?,
        finished_at: row::time_maybe(r, 10)?,
    })
}

fn open(r: &Row<'_>) -> Result<OpenAction, StoreError> {
    let Action { id, server, command, status, wanted, .. } = action(r)?;
    Ok(OpenAction { id, server, command, status, wanted })
}

fn wanted(r: &Row<'_>) -> Result<Version, StoreError> {
    Ok(Version { incarnation: Incarnation(row::number(r, 4)?), generation: Generation(row::number(r, 5)?) })
}

impl Read<'_> {
    /// Actions of a server that have not ended, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_open(&self, server: ServerId) -> Result<Vec<OpenAction>, StoreError> {
        let sql = format!("{ACTIONS} WHERE s.uuid = ?1 AND x.status IN ('queued', 'running') ORDER BY x.id");
        self.many(&sql, [server.to_string()], open)
    }

    /// Actions that should have ended by now, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_overdue(&self, now: Time) -> Result<Vec<OpenAction>, StoreError> {
        let sql = format!(
            "{ACTIONS} WHERE x.status IN ('queued', 'running') AND x.deadline_at <= ?1 ORDER BY x.id LIMIT 100"
        );
        self.many(&sql, [now.0], open)
    }

    /// All actions of a server, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_list(&self, server: ServerId) -> Result<Vec<Action>, StoreError> {
        self.many(&format!("{ACTIONS} WHERE s.uuid = ?1 ORDER BY x.id"), [server.to_string()], action)
    }
}

impl Tx<'_> {
    /// Stores an action as queued.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_insert(&mut self, new: &NewAction, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &new.account.to_string())?;
        let server = self.key_of("servers", &new.server.to_string())?;
        let sql = "INSERT INTO actions (uuid, account_id, server_id, command, status, incarnation, generation, deadline_at, \
                   created_at) VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8)";
        let (incarnation, generation) = (row::signed(new.wanted.incarnation.0), row::signed(new.wanted.generation.0));
        let (id, deadline) = (new.id.to_string(), new.deadline_at.map(|at| at.0));
        let command = new.command.as_str();
        self.insert(sql, (id, account, server, command, incarnation, generation, deadline, now.0)).map(drop)
    }

    /// Notes that the host took an action up.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_start(&mut self, id: ActionId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE actions SET status = 'running', started_at = ?2 WHERE uuid = ?1 AND status = 'queued'";
        self.run(sql, (id.to_string(), now.0)).map(drop)
    }

    /// Ends an action. One that ended before keeps its end.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_end(
        &mut self,
        id: ActionId,
        status: Status,
        error: Option<(&str, &str)>,
        now: Time,
    ) -> Result<(), StoreError> {
        let (code, message) = error.unzip();
        let sql = "UPDATE actions SET status = ?2, error_code = ?3, error_message = ?4, finished_at = ?5, \
                   started_at = coalesce(started_at, CASE WHEN ?2 = 'done' THEN ?5 END) \
                   WHERE uuid = ?1 AND status IN ('queued', 'running')";
        self.run(sql, (id.to_string(), status.as_str(), code, message, now.0)).map(drop)
    }
}
