//! The ledger. Rows are only ever added; the database itself refuses the rest, and a balance below zero. Each one is told of
//! as an event of its wallet.

use csp_shared::id::{AccountId, TransferId};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    event::Event,
    ledger::{Book, Cause, CauseKind, Holder, Transfer},
    money::Cents,
    time::Time,
};

/// What a cause moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Whose wallet.
    pub account: AccountId,
    /// Whether the wallet took.
    pub is_credit: bool,
    /// How much.
    pub amount: Cents,
}

/// Why a transfer was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The wallet has less.
    #[error("the balance is {missing} short")]
    Insufficient {
        /// How much is missing.
        missing: Cents,
    },
    /// The same cause moved money before.
    #[error("`{0}` was posted before")]
    Twice(String),
    /// Beyond any real amount.
    #[error("the balance would pass its bound")]
    Overflow,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PostError {
    /// For a use case that looked at all of this before: what fails then is the store.
    #[must_use]
    pub fn into_store(self) -> StoreError {
        match self {
            Self::Store(why) => why,
            other => StoreError::Damaged(other.to_string()),
        }
    }
}

impl Read<'_> {
    /// What a cause moved, if it did.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_by_cause(&self, cause: &Cause) -> Result<Option<Posted>, StoreError> {
        let sql = "SELECT a.uuid, t.amount_cents, t.to_account_id IS NOT NULL FROM transfers t \
                   JOIN accounts a ON a.id = coalesce(t.from_account_id, t.to_account_id) WHERE t.cause_key = ?1";
        self.maybe(sql, [cause.to_string()], |r| {
            Ok(Posted { account: row::parsed(r, 0)?, amount: row::cents(r, 1)?, is_credit: r.get(2)? })
        })
    }

    /// How much a cause moved, between whomever.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_amount(&self, cause: &Cause) -> Result<Option<Cents>, StoreError> {
        let sql = "SELECT amount_cents FROM transfers WHERE cause_key = ?1";
        self.maybe(sql, [cause.to_string()], |r| row::cents(r, 0))
    }

    /// Wallets whose balance is not the sum of their movements, with both: empty unless something is very wrong.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_differences(&self) -> Result<Vec<(AccountId, i64, i64)>, StoreError> {
        let sql = "SELECT a.uuid, a.balance_cents, \
                   coalesce((SELECT sum(amount_cents) FROM transfers WHERE to_account_id = a.id), 0) \
                   - coalesce((SELECT sum(amount_cents) FROM transfers WHERE from_account_id = a.id), 0) AS moved \
                   FROM accounts a WHERE a.balance_cents <> moved";
        self.many(sql, [], |r| Ok((row::parsed(r, 0)?, r.get(1)?, r.get(2)?)))
    }
}

impl Tx<'_> {
    /// Posts a transfer and moves the wallet's balance with it. An amount of zero is not posted: it answers the balance.
    ///
    /// # Errors
    /// When the wallet has less, or the cause moved money before.
    pub fn transfer_post(&mut self, transfer: &Transfer, id: TransferId, now: Time) -> Result<Cents, PostError> {
        let (account, credit) = match (transfer.from, transfer.to) {
            (Holder::Book(_), Holder::Wallet(account)) => (account, true),
            (Holder::Wallet(account), Holder::Book(_)) => (account, false),
            _ => return Err(StoreError::Damaged("a transfer moves between a wallet and a book".to_owned()).into()),
        };
        let balance = self.account_get(account)?.map(|a| a.balance);
        let balance = balance.ok_or_else(|| StoreError::Damaged(format!("no account {account}")))?;
        if transfer.amount.is_zero() {
            return Ok(balance);
        }
        if self.transfer_by_cause(&transfer.cause)?.is_some() {
            return Err(PostError::Twice(transfer.cause.to_string()));
        }
        let after = if credit {
            balance.plus(transfer.amount).ok_or(PostError::Overflow)?
        } else {
            let missing = || Cents::new(transfer.amount.get() - balance.get()).unwrap_or_default();
            balance.minus(transfer.amount).ok_or_else(|| PostError::Insufficient { missing: missing() })?
        };
        let owed = match (transfer.from, transfer.to) {
            (Holder::Book(Book::Receivables), _) => transfer.amount.get(),
            (_, Holder::Book(Book::Receivables)) => -transfer.amount.get(),
            _ => 0,
        };
        let sql = "UPDATE accounts SET balance_cents = ?2, owed_cents = owed_cents + ?3 WHERE uuid = ?1";
        self.run(sql, (account.to_string(), after.get(), owed))?;
        self.transfer_insert(transfer, id, Some(after), now)?;
        let told = Event::balance(credit, transfer.amount, after, &transfer.description, transfer.server);
        self.event_put(account, &told, now)?;
        // A renewal was foreseen by whoever comes after it.
        if transfer.cause.kind() != CauseKind::Renewal {
            self.billed_look_again(account, now)?;
        }
        Ok(after)
    }

    /// Posts what moves between two books of the provider's own: a discount, for example. No wallet sees it. An amount of
    /// zero is not posted.
    ///
    /// # Errors
    /// When the cause moved money before.
    pub fn transfer_post_inside(&mut self, transfer: &Transfer, id: TransferId, now: Time) -> Result<(), PostError> {
        if !matches!((transfer.from, transfer.to), (Holder::Book(from), Holder::Book(to)) if from != to) {
            return Err(StoreError::Damaged("a posting inside moves between two books".to_owned()).into());
        }
        if transfer.amount.is_zero() {
            return Ok(());
        }
        if self.transfer_amount(&transfer.cause)?.is_some() {
            return Err(PostError::Twice(transfer.cause.to_string()));
        }
        Ok(self.transfer_insert(transfer, id, None, now)?)
    }

    fn transfer_insert(
        &self,
        transfer: &Transfer,
        id: TransferId,
        after: Option<Cents>,
        now: Time,
    ) -> Result<(), StoreError> {
        let side = |holder: Holder| match holder {
            Holder::Wallet(account) => self.key_of("accounts", &account.to_string()).map(|key| (Some(key), None)),
            Holder::Book(book) => Ok((None, Some(book.as_str()))),
        };
        let (from, to) = (side(transfer.from)?, side(transfer.to)?);
        let server = transfer.server.map(|server| self.key_of("servers", &server.to_string())).transpose()?;
        let sql = "INSERT INTO transfers (uuid, from_account_id, from_book, to_account_id, to_book, amount_cents, cause, \
                   cause_key, server_id, description, balance_after_cents, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let params = rusqlite::params![
            id.to_string(),
            from.0,
            from.1,
            to.0,
            to.1,
            transfer.amount.get(),
            transfer.cause.kind().as_str(),
            transfer.cause.to_string(),
            server,
            transfer.description,
            after.map(Cents::get),
            now.0
        ];
        self.insert(sql, params).map(drop)
    }
}
