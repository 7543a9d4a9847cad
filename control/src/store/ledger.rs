//! The ledger as it is stored, in pages: what a verification reads. Rows come as they are, damaged or not.

use csp_shared::id::{AccountId, ServerId};
use rusqlite::Row;

use super::{Read, StoreError, row};
use crate::domain::ledger::verify::{DisputeRow, Entry, Keys, PaidIn, PaymentRows, RefundRow, Side, Sums};

/// A place among the transfers, in the order in which they were posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerPlace(pub(super) i64);

impl LedgerPlace {
    /// After every transfer.
    pub const END: Self = Self(i64::MAX);
}

fn side(account: Option<AccountId>, book: Option<String>) -> Side {
    match (account, book) {
        (Some(account), None) => Side::Wallet(account),
        (None, Some(book)) => Side::Book(book),
        (None, None) => Side::None,
        (Some(_), Some(_)) => Side::Both,
    }
}

/// Before when a transfer was posted, whatever its own time says, as far as a mark tells.
macro_rules! posted_before {
    ($transfer:literal) => {
        concat!("(SELECT min(resumed_at) FROM ledger_marks WHERE transfer_id >= ", $transfer, ")")
    };
}
pub(super) use posted_before;

pub(super) const ENTRIES: &str = concat!(
    "SELECT t.id, t.uuid, f.uuid, t.from_book, g.uuid, t.to_book, t.amount_cents, t.cause, t.cause_key, s.uuid, o.uuid, \
     t.balance_after_cents, t.created_at, t.description, s.hostname, k.cause_key, \
     EXISTS (SELECT 1 FROM ledger_marks WHERE transfer_id = t.id), ",
    posted_before!("t.id"),
    " FROM transfers t \
     LEFT JOIN told_causes k ON k.transfer_id = t.id \
     LEFT JOIN accounts f ON f.id = t.from_account_id LEFT JOIN accounts g ON g.id = t.to_account_id \
     LEFT JOIN servers s ON s.id = t.server_id LEFT JOIN accounts o ON o.id = s.account_id"
);

pub(super) fn entry(r: &Row<'_>) -> Result<(LedgerPlace, Entry), StoreError> {
    let server: Option<ServerId> = row::parsed_maybe(r, 9)?;
    let owner: Option<AccountId> = row::parsed_maybe(r, 10)?;
    let at = row::time(r, 12)?;
    let entry = Entry {
        transfer: row::parsed(r, 1)?,
        from: side(row::parsed_maybe(r, 2)?, r.get(3)?),
        to: side(row::parsed_maybe(r, 4)?, r.get(5)?),
        amount: r.get(6)?,
        kind: r.get(7)?,
        key: r.get(8)?,
        server: server.zip(owner),
        balance_after: r.get(11)?,
        description: r.get(13)?,
        told: r.get(15)?,
        at,
        dated: row::time_maybe(r, 17)?.map_or(at, |said| said.min(at)),
        is_marked: r.get(16)?,
    };
    Ok((LedgerPlace(r.get(0)?), entry))
}

impl Read<'_> {
    /// The next transfers after a place, oldest first, and the place of the last of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_page(&self, after: LedgerPlace, limit: u32) -> Result<(Vec<Entry>, LedgerPlace), StoreError> {
        let rows = self.many(&format!("{ENTRIES} WHERE t.id > ?1 ORDER BY t.id LIMIT ?2"), (after.0, limit), entry)?;
        let last = rows.last().map_or(after, |(place, _)| *place);
        Ok((rows.into_iter().map(|(_, entry)| entry).collect(), last))
    }

    /// What the wallets hold and their owners owe, as the accounts say.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_sums(&self) -> Result<Sums, StoreError> {
        let sql = "SELECT uuid, balance_cents, owed_cents FROM accounts ORDER BY id";
        Ok(Sums { wallets: self.many(sql, [], |r| Ok((row::parsed(r, 0)?, r.get(1)?, r.get(2)?)))? })
    }

    /// Hands `keys` the next cause keys in their own order, those of transfers up to a place; answers whether there may
    /// be more. Goes through the index that keeps them unique, and through nothing else: that index is what is tried.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_keys(
        &self,
        keys: &mut Keys,
        after: &mut (String, LedgerPlace),
        until: LedgerPlace,
        limit: u32,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT cause_key, id, uuid FROM transfers \
                   WHERE cause_key >= ?1 AND (cause_key > ?1 OR id > ?2) ORDER BY cause_key, id LIMIT ?3";
        let params = (after.0.clone(), after.1.0, limit);
        let page =
            self.many(sql, params, |r| Ok((r.get::<_, String>(0)?, LedgerPlace(r.get(1)?), row::parsed(r, 2)?)))?;
        let more = u32::try_from(page.len()) == Ok(limit);
        for (key, place, transfer) in page {
            // A transfer of later is not among those that were counted.
            if place.0 <= until.0 {
                keys.take(&key, transfer);
            }
            *after = (key, place);
        }
        Ok(more)
    }

    /// Refunds and disputes, all of them, with the payments that they are of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_payments(&self) -> Result<PaymentRows, StoreError> {
        let paid_in = |r: &Row<'_>, at: usize| -> Result<PaidIn, StoreError> {
            Ok(PaidIn { key: r.get(at)?, account: row::parsed_maybe(r, at + 1)?, amount: r.get(at + 2)? })
        };
        let sql = "SELECT t.uuid, r.amount_cents, p.cause_key, a.uuid, p.amount_cents FROM refunds r \
                   JOIN transfers t ON t.id = r.transfer_id JOIN transfers p ON p.id = r.payment_id \
                   LEFT JOIN accounts a ON a.id = p.to_account_id ORDER BY r.transfer_id";
        let refunds = self.many(sql, [], |r| {
            Ok(RefundRow { transfer: row::parsed(r, 0)?, amount: r.get(1)?, payment: paid_in(r, 2)? })
        })?;
        let sql = "SELECT d.reference, o.uuid, d.amount_cents, d.outcome, d.opened_at, d.closed_at, p.cause_key, a.uuid, \
                   p.amount_cents FROM disputes d JOIN accounts o ON o.id = d.account_id \
                   JOIN transfers p ON p.id = d.payment_id LEFT JOIN accounts a ON a.id = p.to_account_id ORDER BY d.id";
        let disputes = self.many(sql, [], |r| {
            Ok(DisputeRow {
                reference: r.get(0)?,
                account: row::parsed(r, 1)?,
                amount: r.get(2)?,
                outcome: r.get(3)?,
                opened_at: row::time(r, 4)?,
                closed_at: row::time_maybe(r, 5)?,
                payment: paid_in(r, 6)?,
            })
        })?;
        let sql = "SELECT k.cause_key FROM told_causes k \
                   WHERE NOT EXISTS (SELECT 1 FROM transfers t WHERE t.id = k.transfer_id) ORDER BY k.transfer_id";
        let untold = self.many(sql, [], |r| Ok(r.get(0)?))?;
        Ok(PaymentRows { refunds, disputes, untold })
    }
}
