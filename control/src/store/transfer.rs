//! The ledger. Rows are only ever added; the database itself refuses the rest, and a balance below zero. Each one is told of
//! as an event of its wallet.

use csp_shared::id::{AccountId, TransferId};

use super::{Read, StoreError, Tx, event::Place, row};
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

/// What a wallet holds, and what its account owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// In the wallet.
    pub balance: Cents,
    /// For disputed payments.
    pub owed: Cents,
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
    /// Nobody's wallet.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
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
    /// Posts a transfer and moves the wallet's balance with it; answers what is held then. An amount of zero is not posted.
    ///
    /// # Errors
    /// When the wallet has less, or the cause moved money before.
    pub fn transfer_post(&mut self, transfer: &Transfer, id: TransferId, now: Time) -> Result<Held, PostError> {
        let (account, credit) = match (transfer.from, transfer.to) {
            (Holder::Book(_), Holder::Wallet(account)) => (account, true),
            (Holder::Wallet(account), Holder::Book(_)) => (account, false),
            _ => return Err(StoreError::Damaged("a transfer moves between a wallet and a book".to_owned()).into()),
        };
        let Wallet { key, held, events } = self.wallet(account)?;
        if transfer.amount.is_zero() {
            return Ok(held);
        }
        let held = match held.after(transfer, credit) {
            Ok(held) => held,
            // Whoever posts again is told so, and not that there is too little for it by now.
            Err(_) if self.transfer_amount(&transfer.cause)?.is_some() => return Err(twice(transfer)),
            Err(why) => return Err(why),
        };
        let server = transfer.server.map(|server| self.key_of("servers", &server.to_string())).transpose()?;
        self.transfer_insert(transfer, id, (Some(key), server), Some(held.balance), now)?;
        let place = Place { key, position: events + 1 };
        let sql = "UPDATE accounts SET balance_cents = ?2, owed_cents = ?3, events_written = ?4 WHERE id = ?1";
        self.run(sql, (key, held.balance.get(), held.owed.get(), place.position))?;
        let told = Event::balance(credit, transfer.amount, held.balance, &transfer.description, transfer.server);
        self.event_insert(account, &place, (server, None), &told, now)?;
        // A renewal was foreseen by whoever comes after it.
        if transfer.cause.kind() != CauseKind::Renewal {
            self.look_again(key, now)?;
        }
        Ok(held)
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
        let server = transfer.server.map(|server| self.key_of("servers", &server.to_string())).transpose()?;
        self.transfer_insert(transfer, id, (None, server), None, now)
    }

    fn wallet(&self, account: AccountId) -> Result<Wallet, PostError> {
        let sql = "SELECT id, balance_cents, owed_cents, events_written FROM accounts WHERE uuid = ?1";
        let found = self.maybe(sql, [account.to_string()], |r| {
            let held = Held { balance: row::cents(r, 1)?, owed: row::cents(r, 2)? };
            Ok(Wallet { key: r.get(0)?, held, events: r.get(3)? })
        })?;
        found.ok_or(PostError::NoAccount(account))
    }

    /// The database refuses the second transfer of a cause.
    fn transfer_insert(
        &self,
        transfer: &Transfer,
        id: TransferId,
        (wallet, server): (Option<i64>, Option<i64>),
        after: Option<Cents>,
        now: Time,
    ) -> Result<(), PostError> {
        let side = |holder: Holder| match holder {
            Holder::Wallet(_) => (wallet, None),
            Holder::Book(book) => (None, Some(book.as_str())),
        };
        let (from, to) = (side(transfer.from), side(transfer.to));
        // A clock that was set back makes nothing older than what is already there: at a month's end each statement would
        // have lines of the other one's balances. What an operator called a wrong clock's time is not followed.
        let sql = "INSERT INTO transfers (uuid, from_account_id, from_book, to_account_id, to_book, amount_cents, cause, \
                   cause_key, server_id, description, balance_after_cents, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, coalesce((SELECT created_at FROM transfers \
                   WHERE id = (SELECT max(id) FROM transfers) AND created_at > ?12 \
                   AND id > (SELECT coalesce(max(transfer_id), 0) FROM ledger_marks)), ?12)) \
                   ON CONFLICT (cause_key) DO NOTHING";
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
        if self.run(sql, params)? == 0 {
            return Err(twice(transfer));
        }
        if transfer.cause.is_told() { self.told(&transfer.cause) } else { Ok(()) }
    }

    /// Keeps what the transfer that was just inserted was told by, from outside, in a second place: a payment whose transfer bears another key by now is not credited
    /// again.
    fn told(&self, cause: &Cause) -> Result<(), PostError> {
        let key = cause.to_string();
        let sql = "INSERT INTO told_causes (transfer_id, cause_key) VALUES (last_insert_rowid(), ?1) \
                   ON CONFLICT (cause_key) DO NOTHING";
        if self.run(sql, [&key])? == 1 {
            return Ok(());
        }
        let what = format!(
            "`{key}` was told before, and its transfer is of another cause now: run `csp-control ledger verify`"
        );
        Err(StoreError::Damaged(what).into())
    }
}

/// A wallet's row, as far as a transfer touches it.
struct Wallet {
    key: i64,
    held: Held,
    /// So many events of it were written.
    events: i64,
}

impl Held {
    /// What is held after a transfer into the wallet or out of it.
    fn after(self, transfer: &Transfer, is_credit: bool) -> Result<Self, PostError> {
        let Self { balance, owed } = self;
        let amount = transfer.amount;
        let balance = if is_credit {
            balance.plus(amount).ok_or(PostError::Overflow)?
        } else {
            let missing = || amount.minus(balance).unwrap_or_default();
            balance.minus(amount).ok_or_else(|| PostError::Insufficient { missing: missing() })?
        };
        let owed = match (transfer.from, transfer.to) {
            (Holder::Book(Book::Receivables), _) => owed.plus(amount).ok_or(PostError::Overflow)?,
            (_, Holder::Book(Book::Receivables)) => owed.minus(amount).ok_or(PostError::Overflow)?,
            _ => owed,
        };
        Ok(Self { balance, owed })
    }
}

fn twice(transfer: &Transfer) -> PostError {
    PostError::Twice(transfer.cause.to_string())
}
