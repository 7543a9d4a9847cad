//! Payments, and what of them went back: refunds and disputes. The money is in the ledger; here is what belongs to what.

use csp_shared::id::{AccountId, TransferId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    ledger::Cause,
    money::Cents,
    payment::{Outcome, Payment, Reference},
    time::Time,
};

/// A payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Whose wallet it went into.
    pub account: AccountId,
    /// How much, and what of it went back.
    pub payment: Payment,
}

/// A dispute to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewDispute<'a> {
    /// Its id at whoever took the payment.
    pub reference: &'a Reference,
    /// Of which payment.
    pub payment: &'a Reference,
    /// Whose.
    pub account: AccountId,
    /// How much of it.
    pub amount: Cents,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Its id at whoever took the payment.
    pub reference: String,
    /// Of which payment.
    pub payment: String,
    /// Whose.
    pub account: AccountId,
    /// How much of it.
    pub amount: Cents,
    /// How it ended; nothing while it is open.
    pub outcome: Option<Outcome>,
    /// When it was told.
    pub opened_at: Time,
    /// When it ended.
    pub closed_at: Option<Time>,
}

/// The key of a payment's transfer begins with this.
const TOP_UP: &str = "topup/";

const DISPUTE: &str = "SELECT d.reference, t.cause_key, a.uuid, d.amount_cents, d.outcome, d.opened_at, d.closed_at \
                       FROM disputes d JOIN accounts a ON a.id = d.account_id JOIN transfers t ON t.id = d.payment_id";

fn payment_key(reference: &Reference) -> String {
    Cause::TopUp { reference: reference.as_str().to_owned() }.to_string()
}

fn dispute(row: &Row<'_>) -> Result<Dispute, StoreError> {
    let payment: String = row.get(1)?;
    let outcome = match row.get::<_, Option<String>>(4)? {
        Some(text) => Some(Outcome::parse(&text).ok_or(StoreError::Damaged(text))?),
        None => None,
    };
    Ok(Dispute {
        reference: row.get(0)?,
        payment: payment.strip_prefix(TOP_UP).map(str::to_owned).ok_or(StoreError::Damaged(payment))?,
        account: row::parsed(row, 2)?,
        amount: row::cents(row, 3)?,
        outcome,
        opened_at: row::time(row, 5)?,
        closed_at: row::time_maybe(row, 6)?,
    })
}

impl Read<'_> {
    /// A payment that was credited, with what of it went back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn payment_get(&self, reference: &Reference) -> Result<Option<PaymentRow>, StoreError> {
        let sql = "SELECT a.uuid, t.amount_cents, \
                   coalesce((SELECT sum(amount_cents) FROM refunds WHERE payment_id = t.id), 0), \
                   coalesce((SELECT sum(amount_cents) FROM disputes WHERE payment_id = t.id AND outcome IS NOT 'won'), 0) \
                   FROM transfers t JOIN accounts a ON a.id = t.to_account_id WHERE t.cause_key = ?1";
        self.maybe(sql, [payment_key(reference)], |r| {
            let payment = Payment { paid: row::cents(r, 1)?, refunded: row::cents(r, 2)?, disputed: row::cents(r, 3)? };
            Ok(PaymentRow { account: row::parsed(r, 0)?, payment })
        })
    }

    /// Which payment a refund went back of, and how much.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refund_get(&self, reference: &Reference) -> Result<Option<(String, Cents)>, StoreError> {
        let sql = "SELECT p.cause_key, r.amount_cents FROM transfers t JOIN refunds r ON r.transfer_id = t.id \
                   JOIN transfers p ON p.id = r.payment_id WHERE t.cause_key = ?1";
        let key = Cause::Refund { reference: reference.as_str().to_owned() }.to_string();
        let found = self.maybe(sql, [key], |r| Ok((r.get::<_, String>(0)?, row::cents(r, 1)?)))?;
        Ok(found.map(|(key, amount)| (key.strip_prefix(TOP_UP).unwrap_or(&key).to_owned(), amount)))
    }

    /// One dispute.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dispute_get(&self, reference: &Reference) -> Result<Option<Dispute>, StoreError> {
        self.maybe(&format!("{DISPUTE} WHERE d.reference = ?1"), [reference.as_str()], dispute)
    }

    /// All disputes, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dispute_list(&self) -> Result<Vec<Dispute>, StoreError> {
        self.many(&format!("{DISPUTE} ORDER BY d.id DESC"), [], dispute)
    }
}

impl Tx<'_> {
    /// Notes which payment a refund belongs to.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn refund_insert(&mut self, refund: TransferId, payment: &Reference, amount: Cents) -> Result<(), StoreError> {
        let sql = "INSERT INTO refunds (transfer_id, payment_id, amount_cents) VALUES \
                   ((SELECT id FROM transfers WHERE uuid = ?1), (SELECT id FROM transfers WHERE cause_key = ?2), ?3)";
        self.insert(sql, (refund.to_string(), payment_key(payment), amount.get())).map(drop)
    }

    /// Keeps a new dispute.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn dispute_insert(&mut self, new: &NewDispute<'_>, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &new.account.to_string())?;
        let sql = "INSERT INTO disputes (reference, account_id, payment_id, amount_cents, opened_at) \
                   VALUES (?1, ?2, (SELECT id FROM transfers WHERE cause_key = ?3), ?4, ?5)";
        let payment = payment_key(new.payment);
        self.insert(sql, (new.reference.as_str(), account, payment, new.amount.get(), now.0)).map(drop)
    }

    /// Ends a dispute that is open.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn dispute_close(&mut self, reference: &Reference, outcome: Outcome, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE disputes SET outcome = ?2, closed_at = ?3 WHERE reference = ?1 AND closed_at IS NULL";
        self.run(sql, (reference.as_str(), outcome.as_str(), now.0)).map(drop)
    }
}
