//! What customers asked for. Whatever changes an action here also writes the event that tells of it.

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{AccountId, ActionId, ServerId, ShareLinkId},
    observed::Activity,
};
use rusqlite::{Row, types::Value};

use super::{Begin, Read, StoreError, Tx, row};
use crate::domain::{
    action::{self, Command, Status},
    event::Event,
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
    /// The same as a number from 0 to 100.
    pub percent: u8,
    /// The state of the spec that fulfils it.
    pub wanted: Version,
    /// Why it failed: a code, and a sentence for the customer.
    pub error: Option<(String, String)>,
    /// What its host said last of why it could not be done, in its own words: for the operator alone.
    pub host_says: Option<String>,
    /// The management link through which it was asked for, and what that is called.
    pub link: Option<(ShareLinkId, String)>,
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

/// Which of an account's actions are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionFilter {
    /// Of this server alone.
    pub server: Option<ServerId>,
    /// At this status alone.
    pub status: Option<Status>,
    /// Of this kind alone.
    pub command: Option<Command>,
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

/// What a host does for a server right now is of interest while an action runs.
pub(super) const OPEN: &str = ACTIONS;
const ACTIONS: &str = "SELECT x.uuid, s.uuid, x.command, x.status, x.incarnation, x.generation, x.error_code, \
                       x.error_message, x.created_at, x.started_at, x.finished_at, \
                       CASE WHEN x.status = 'running' THEN \
                       (SELECT json_array(json_extract(o.body, '$.activity'), json_extract(o.body, '$.arrived_percent')) \
                       FROM observations o \
                       JOIN placements p ON p.id = o.placement_id WHERE p.server_id = s.id ORDER BY p.id DESC LIMIT 1) END, \
                       x.host_says, k.uuid, k.label FROM actions x JOIN servers s ON s.id = x.server_id \
                       LEFT JOIN action_links y ON y.action_id = x.id LEFT JOIN share_links k ON k.id = y.link_id";

fn action(r: &Row<'_>) -> Result<Action, StoreError> {
    let (code, message): (Option<String>, Option<String>) = (r.get(6)?, r.get(7)?);
    let (command, status) = (row::chosen(r, 2, Command::parse)?, row::chosen(r, 3, Status::parse)?);
    let (activity, arrived_percent) = under_way(r)?;
    Ok(Action {
        id: row::parsed(r, 0)?,
        server: row::parsed(r, 1)?,
        command,
        status,
        percent: action::percent(command, status, activity, arrived_percent),
        wanted: wanted(r)?,
        error: code.zip(message),
        host_says: r.get(12)?,
        link: row::parsed_maybe(r, 13)?.zip(r.get::<_, Option<String>>(14)?),
        created_at: row::time(r, 8)?,
        started_at: row::time_maybe(r, 9)?,
        finished_at: row::time_maybe(r, 10)?,
    })
}

/// What the host does for the server, and how much of an image has arrived there.
fn under_way(r: &Row<'_>) -> Result<(Option<Activity>, Option<u8>), StoreError> {
    let Some(both) = r.get::<_, Option<String>>(11)? else { return Ok((None, None)) };
    serde_json::from_str(&both).map_err(|why| StoreError::Damaged(why.to_string()))
}

pub(super) fn open(r: &Row<'_>) -> Result<OpenAction, StoreError> {
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

    /// Actions that should have ended by now, the longest overdue first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_overdue(&self, now: Time) -> Result<Vec<OpenAction>, StoreError> {
        let sql = format!(
            "{ACTIONS} WHERE x.status IN ('queued', 'running') AND x.deadline_at <= ?1 ORDER BY x.deadline_at, x.id LIMIT 100"
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

    /// One action of an account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_get(&self, account: AccountId, id: ActionId) -> Result<Option<Action>, StoreError> {
        let sql = format!("{ACTIONS} WHERE x.uuid = ?1 AND x.account_id = (SELECT id FROM accounts WHERE uuid = ?2)");
        self.maybe(&sql, (id.to_string(), account.to_string()), action)
    }

    /// The newest action of a server that has not ended; one that is only about its adapters comes last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_running(&self, server: ServerId) -> Result<Option<Action>, StoreError> {
        let sql = format!(
            "{ACTIONS} WHERE s.uuid = ?1 AND x.status IN ('queued', 'running') ORDER BY x.command IN \
                     ('add_extra_ip', 'remove_extra_ip', 'move_extra_ip', 'attach_network', 'detach_network'), x.id DESC LIMIT 1"
        );
        self.maybe(&sql, [server.to_string()], action)
    }

    /// The newest action of a server, if it has ended in vain.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_failed_last(&self, server: ServerId) -> Result<Option<Action>, StoreError> {
        let sql = format!("{ACTIONS} WHERE s.uuid = ?1 ORDER BY x.id DESC LIMIT 1");
        let newest = self.maybe(&sql, [server.to_string()], action)?;
        Ok(newest.filter(|action| action.status == Status::Failed))
    }

    /// The action that ordered a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_of_order(&self, server: ServerId) -> Result<Option<Action>, StoreError> {
        let sql = format!("{ACTIONS} WHERE s.uuid = ?1 AND x.command = 'create' ORDER BY x.id LIMIT 1");
        self.maybe(&sql, [server.to_string()], action)
    }

    /// A part of an account's actions, newest first, destroyed servers' among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_page(
        &self,
        account: AccountId,
        filter: ActionFilter,
        begin: Begin<ActionId>,
        limit: u32,
    ) -> Result<Vec<Action>, StoreError> {
        let (mut wanted, mut params) = filtered(account, filter);
        let offset = match begin {
            Begin::Offset(offset) => offset,
            Begin::Before(id) => {
                wanted.push_str(" AND x.id < (SELECT id FROM actions WHERE uuid = ?)");
                params.push(id.to_string().into());
                0
            }
        };
        let sql = format!("{ACTIONS} WHERE {wanted} ORDER BY x.id DESC LIMIT ? OFFSET ?");
        params.extend([limit.into(), offset.into()]);
        self.many(&sql, rusqlite::params_from_iter(params), action)
    }

    /// How many actions of an account a filter leaves.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_count(&self, account: AccountId, filter: ActionFilter) -> Result<u64, StoreError> {
        let (wanted, params) = filtered(account, filter);
        self.count(&format!("SELECT count(*) FROM actions x WHERE {wanted}"), rusqlite::params_from_iter(params))
    }
}

/// A filter as a condition. Parts that are not wanted are left out, so that an index serves what is there.
fn filtered(account: AccountId, filter: ActionFilter) -> (String, Vec<Value>) {
    let mut sql = "x.account_id = (SELECT id FROM accounts WHERE uuid = ?)".to_owned();
    let mut params = vec![Value::from(account.to_string())];
    let mut and = |condition: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push_str(condition);
            params.push(value.into());
        }
    };
    and(" AND x.server_id = (SELECT id FROM servers WHERE uuid = ?)", filter.server.map(|server| server.to_string()));
    and(" AND x.status = ?", filter.status.map(|status| status.as_str().to_owned()));
    and(" AND x.command = ?", filter.command.map(|command| command.as_str().to_owned()));
    (sql, params)
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
        self.insert(sql, (id, account, server, command, incarnation, generation, deadline, now.0))?;
        self.event_put(new.account, &Event::action(new.server, new.id, new.command, Status::Queued, None), now)
    }

    /// Has another version of the spec fulfil an action.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_want(&mut self, id: ActionId, wanted: Version) -> Result<(), StoreError> {
        let sql = "UPDATE actions SET incarnation = ?2, generation = ?3 WHERE uuid = ?1";
        let (incarnation, generation) = (row::signed(wanted.incarnation.0), row::signed(wanted.generation.0));
        self.run(sql, (id.to_string(), incarnation, generation)).map(drop)
    }

    /// Notes that the host took an action up. One that was noted before keeps its time.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_start(&mut self, id: ActionId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE actions SET status = 'running', started_at = ?2 WHERE uuid = ?1 AND status = 'queued'";
        let touched = self.run(sql, (id.to_string(), now.0))?;
        if touched == 1 { self.action_tell(id, Status::Running, None, now) } else { Ok(()) }
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
        let touched = self.run(sql, (id.to_string(), status.as_str(), code, message, now.0))?;
        if touched == 1 { self.action_tell(id, status, error, now) } else { Ok(()) }
    }

    /// Notes what a host says of why an action is not done; the newest word stays.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_host_says(&mut self, id: ActionId, words: &str) -> Result<(), StoreError> {
        let sql = "UPDATE actions SET host_says = ?2 WHERE uuid = ?1 AND host_says IS NOT ?2";
        self.run(sql, (id.to_string(), words)).map(drop)
    }

    fn action_tell(
        &mut self,
        id: ActionId,
        status: Status,
        error: Option<(&str, &str)>,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "SELECT a.uuid, s.uuid, x.command FROM actions x JOIN accounts a ON a.id = x.account_id \
                   JOIN servers s ON s.id = x.server_id WHERE x.uuid = ?1";
        let (account, server, command) = self.one(sql, [id.to_string()], |r| {
            Ok((row::parsed(r, 0)?, row::parsed(r, 1)?, row::chosen(r, 2, Command::parse)?))
        })?;
        self.event_put(account, &Event::action(server, id, command, status, error), now)
    }
}
