//! What people want to pay in, and which payment came of it.

use csp_shared::id::{AccountId, TopUpId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{money::Cents, payment::Reference, time::Time, top_up::TopUpState};

/// Money that somebody wants to pay in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRow {
    /// Its id.
    pub id: TopUpId,
    /// Into whose wallet.
    pub account: AccountId,
    /// How much, as we asked for it.
    pub amount: Cents,
    /// How far it is.
    pub state: TopUpState,
    /// When it was asked for.
    pub created_at: Time,
    /// The payment, as it was credited.
    pub payment: Option<String>,
    /// What of it went back, as Stripe counts it.
    pub refunded: Cents,
}

const ROWS: &str = "SELECT t.uuid, a.uuid, t.amount_cents, t.state, t.created_at, t.payment, t.refunded_cents \
                    FROM top_ups t JOIN accounts a ON a.id = t.account_id";

fn top_up(r: &Row<'_>) -> Result<TopUpRow, StoreError> {
    Ok(TopUpRow {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        amount: row::cents(r, 2)?,
        state: row::chosen(r, 3, TopUpState::parse)?,
        created_at: row::time(r, 4)?,
        payment: r.get(5)?,
        refunded: row::cents(r, 6)?,
    })
}

impl Read<'_> {
    /// The one that is paid on this page of Stripe's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn top_up_by_session(&self, session: &str) -> Result<Option<TopUpRow>, StoreError> {
        self.maybe(&format!("{ROWS} WHERE t.session = ?1"), [session], top_up)
    }

    /// The one of which this payment came.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn top_up_by_payment(&self, payment: &Reference) -> Result<Option<TopUpRow>, StoreError> {
        self.maybe(&format!("{ROWS} WHERE t.payment = ?1"), [payment.as_str()], top_up)
    }

    /// An account's newest ones.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn top_up_list(&self, account: AccountId, limit: u32) -> Result<Vec<TopUpRow>, StoreError> {
        let sql = format!("{ROWS} WHERE a.uuid = ?1 ORDER BY t.created_at DESC, t.id DESC LIMIT ?2");
        self.many(&sql, (account.to_string(), limit), top_up)
    }

    /// How many an account asked for since then, `until` now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn top_up_count(&self, account: AccountId, since: Time, until: Time) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM accounts a JOIN top_ups t ON t.account_id = a.id \
                   WHERE a.uuid = ?1 AND t.created_at > ?2 AND t.created_at <= ?3";
        self.count(sql, (account.to_string(), since.0, until.0))
    }
}

impl Tx<'_> {
    /// Keeps what somebody wants to pay in.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn top_up_insert(
        &mut self,
        id: TopUpId,
        account: AccountId,
        amount: Cents,
        now: Time,
    ) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &account.to_string())?;
        let sql =
            "INSERT INTO top_ups (uuid, account_id, amount_cents, state, created_at) VALUES (?1, ?2, ?3, 'open', ?4)";
        self.insert(sql, (id.to_string(), account, amount.get(), now.0)).map(drop)
    }

    /// Notes on which page of Stripe's it is paid.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn top_up_set_session(&mut self, id: TopUpId, session: &str) -> Result<(), StoreError> {
        self.run("UPDATE top_ups SET session = ?2 WHERE uuid = ?1", (id.to_string(), session)).map(drop)
    }

    /// Notes how far it is; what is paid stays paid.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn top_up_set_state(&mut self, id: TopUpId, state: TopUpState) -> Result<(), StoreError> {
        let sql = "UPDATE top_ups SET state = ?2 WHERE uuid = ?1 AND state <> 'paid'";
        self.run(sql, (id.to_string(), state.as_str())).map(drop)
    }

    /// Notes which payment came of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn top_up_pay(&mut self, id: TopUpId, payment: &Reference) -> Result<(), StoreError> {
        let sql = "UPDATE top_ups SET state = 'paid', payment = ?2 WHERE uuid = ?1 AND state <> 'paid'";
        self.run(sql, (id.to_string(), payment.as_str())).map(drop)
    }

    /// Notes how much of its payment went back in all.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn top_up_set_refunded(&mut self, id: TopUpId, refunded: Cents) -> Result<(), StoreError> {
        let sql = "UPDATE top_ups SET refunded_cents = ?2 WHERE uuid = ?1";
        self.run(sql, (id.to_string(), refunded.get())).map(drop)
    }
}
