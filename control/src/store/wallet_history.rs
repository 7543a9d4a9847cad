//! A wallet's movements as lists: filtered, in parts, and in sums. Each half of a wallet (what it took, what it gave) is a
//! walk along an index, and SQLite merges the two: no list is ever sorted as a whole.

use csp_shared::id::{AccountId, ServerId, TransferId};
use rusqlite::Row;

use super::{LedgerPlace, Read, StoreError, row};
use crate::domain::{ledger::CauseKind, money::Cents, statement::Movement, time::Time};

/// A movement as its wallet's owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// Its id.
    pub id: TransferId,
    /// Whether the wallet took (`credit`) or gave (`debit`).
    pub is_credit: bool,
    /// How much.
    pub amount: Cents,
    /// What the wallet held then.
    pub balance_after: Cents,
    /// Which kind of cause.
    pub kind: CauseKind,
    /// The cause's key.
    pub key: String,
    /// The server that it is about.
    pub server: Option<ServerId>,
    /// What that is called.
    pub hostname: Option<String>,
    /// In words.
    pub description: String,
    /// When.
    pub created_at: Time,
}

/// Which movements are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferFilter {
    /// From this second on.
    pub from: Option<Time>,
    /// Before this second.
    pub until: Option<Time>,
    /// About this server.
    pub server: Option<ServerId>,
    /// Of this kind.
    pub cause: Option<CauseKind>,
}

/// Where a part of a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin<Id> {
    /// With so many skipped.
    Offset(u32),
    /// With the one that came before this one.
    Before(Id),
}

/// Which half of a wallet, as a column, and the rest of the question: the same for both halves.
fn half(column: &str, what: &str) -> String {
    format!(
        "SELECT {what} FROM transfers t JOIN accounts a ON a.uuid = ?1 \
         WHERE t.{column} = a.id AND (?2 IS NULL OR t.created_at >= ?2) AND (?3 IS NULL OR t.created_at < ?3) \
         AND (?4 IS NULL OR t.server_id = (SELECT id FROM servers WHERE uuid = ?4)) AND (?5 IS NULL OR t.cause = ?5)"
    )
}

const BEFORE: &str = " AND (?6 IS NULL OR t.id < (SELECT id FROM transfers WHERE uuid = ?6))";

fn columns(is_credit: u8) -> String {
    format!(
        "t.id, {is_credit}, t.uuid, t.amount_cents, t.balance_after_cents, t.cause, t.cause_key, \
         (SELECT uuid FROM servers WHERE id = t.server_id), t.description, t.created_at, \
         (SELECT hostname FROM servers WHERE id = t.server_id)"
    )
}

fn read(r: &Row<'_>) -> Result<TransferRow, StoreError> {
    Ok(TransferRow {
        is_credit: r.get(1)?,
        id: row::parsed(r, 2)?,
        amount: row::cents(r, 3)?,
        balance_after: row::cents(r, 4)?,
        kind: row::chosen(r, 5, CauseKind::parse)?,
        key: r.get(6)?,
        server: row::parsed_maybe(r, 7)?,
        description: r.get(8)?,
        created_at: row::time(r, 9)?,
        hostname: r.get(10)?,
    })
}

type Asked = (String, Option<i64>, Option<i64>, Option<String>, Option<&'static str>);

impl TransferFilter {
    fn asked(&self, account: AccountId) -> Asked {
        let time = |at: Option<Time>| at.map(|at| at.0);
        let server = self.server.map(|server| server.to_string());
        (account.to_string(), time(self.from), time(self.until), server, self.cause.map(CauseKind::as_str))
    }
}

impl Read<'_> {
    /// A part of a wallet's movements, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_list(
        &self,
        account: AccountId,
        filter: &TransferFilter,
        begin: Begin<TransferId>,
        limit: u32,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let (took, gave) = (half("to_account_id", &columns(1)), half("from_account_id", &columns(0)));
        let sql = format!("{took}{BEFORE} UNION ALL {gave}{BEFORE} ORDER BY 1 DESC LIMIT ?7 OFFSET ?8");
        let (before, offset) = match begin {
            Begin::Offset(offset) => (None, offset),
            Begin::Before(id) => (Some(id.to_string()), 0),
        };
        let (account, from, until, server, cause) = filter.asked(account);
        self.many(&sql, (account, from, until, server, cause, before, limit, offset), read)
    }

    /// How many movements of a wallet there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_count(&self, account: AccountId, filter: &TransferFilter) -> Result<u64, StoreError> {
        let (took, gave) = (half("to_account_id", "count(*)"), half("from_account_id", "count(*)"));
        self.count(&format!("SELECT ({took}) + ({gave})"), filter.asked(account))
    }

    /// Whether a movement is this wallet's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_is_of(&self, account: AccountId, transfer: TransferId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM transfers t JOIN accounts a ON a.uuid = ?1 \
                   WHERE t.uuid = ?2 AND (t.from_account_id = a.id OR t.to_account_id = a.id)";
        Ok(self.count(sql, (account.to_string(), transfer.to_string()))? > 0)
    }

    /// The last movement of a wallet from one second on and before another, or what an operator said to be older than that; the
    /// beginning when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_last(&self, account: AccountId, from: Time, until: Time) -> Result<LedgerPlace, StoreError> {
        let half = |column: &str| {
            format!(
                "(SELECT coalesce(max(id), 0) FROM transfers WHERE {column} = a.id AND created_at >= ?2 AND created_at < ?3)"
            )
        };
        let (took, gave) = (half("to_account_id"), half("from_account_id"));
        let marked =
            "(SELECT coalesce(max(transfer_id), 0) FROM ledger_marks WHERE resumed_at >= ?2 AND resumed_at < ?3)";
        let sql = format!("SELECT max({took}, {gave}, {marked}) FROM accounts a WHERE a.uuid = ?1");
        let found = self.maybe(&sql, (account.to_string(), from.0, until.0), |r| Ok(LedgerPlace(r.get(0)?)))?;
        Ok(found.unwrap_or_default())
    }

    /// What a wallet held after its last movement up to a place.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_balance(&self, account: AccountId, last: LedgerPlace) -> Result<Cents, StoreError> {
        let half =
            |column: &str| format!("(SELECT coalesce(max(id), 0) FROM transfers WHERE {column} = a.id AND id <= ?2)");
        let (took, gave) = (half("to_account_id"), half("from_account_id"));
        let sql = format!(
            "SELECT t.balance_after_cents FROM accounts a JOIN transfers t ON t.id = max({took}, {gave}) WHERE a.uuid = ?1"
        );
        let found = self.maybe(&sql, (account.to_string(), last.0), |r| row::cents(r, 0))?;
        Ok(found.unwrap_or_default())
    }

    /// What moved in a wallet after one place in the ledger, up to another.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_sums(
        &self,
        account: AccountId,
        after: LedgerPlace,
        last: LedgerPlace,
    ) -> Result<Movement, StoreError> {
        let half = |column: &str| {
            format!(
                "(SELECT coalesce(sum(amount_cents), 0) FROM transfers WHERE {column} = a.id AND id > ?2 AND id <= ?3)"
            )
        };
        let sql =
            format!("SELECT {}, {} FROM accounts a WHERE a.uuid = ?1", half("to_account_id"), half("from_account_id"));
        let found = self.maybe(&sql, (account.to_string(), after.0, last.0), |r| {
            Ok(Movement { credits: row::cents(r, 0)?, debits: row::cents(r, 1)? })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// The movements of a wallet after one place in the ledger, up to another, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_span(
        &self,
        account: AccountId,
        after: LedgerPlace,
        last: LedgerPlace,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let half = |column: &str, is_credit| {
            let columns = columns(is_credit);
            format!(
                "SELECT {columns} FROM transfers t JOIN accounts a ON a.uuid = ?1 \
                 WHERE t.{column} = a.id AND t.id > ?2 AND t.id <= ?3"
            )
        };
        let sql = format!("{} UNION ALL {} ORDER BY 1", half("to_account_id", 1), half("from_account_id", 0));
        self.many(&sql, (account.to_string(), after.0, last.0), read)
    }
}
