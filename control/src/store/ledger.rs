//! The ledger as it is stored, in pages: what a verification reads. Rows come as they are, damaged or not.

use std::collections::BTreeMap;

use csp_shared::id::{AccountId, ServerId};
use rusqlite::Row;

use super::{Read, StoreError, row};
use crate::domain::ledger::verify::{Entry, Keys, LineRow, PeriodRow, Posting, ServiceRows, Side, Sums};

/// A place among the transfers, in the order in which they were posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerPlace(pub(super) i64);

/// A place among the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServicePlace(i64);

fn side(account: Option<AccountId>, book: Option<String>) -> Result<Side, StoreError> {
    match (account, book) {
        (Some(account), None) => Ok(Side::Wallet(account)),
        (None, Some(book)) => Ok(Side::Book(book)),
        _ => Err(StoreError::Damaged("a transfer's side is neither a wallet nor a book, or both".to_owned())),
    }
}

pub(super) const ENTRIES: &str = "SELECT t.id, t.uuid, f.uuid, t.from_book, g.uuid, t.to_book, t.amount_cents, t.cause, t.cause_key, \
     s.uuid, o.uuid, t.balance_after_cents, t.created_at, t.description, s.hostname FROM transfers t \
     LEFT JOIN accounts f ON f.id = t.from_account_id LEFT JOIN accounts g ON g.id = t.to_account_id \
     LEFT JOIN servers s ON s.id = t.server_id LEFT JOIN accounts o ON o.id = s.account_id";

pub(super) fn entry(r: &Row<'_>) -> Result<(LedgerPlace, Entry), StoreError> {
    let server: Option<ServerId> = row::parsed_maybe(r, 9)?;
    let owner: Option<AccountId> = row::parsed_maybe(r, 10)?;
    let entry = Entry {
        transfer: row::parsed(r, 1)?,
        from: side(row::parsed_maybe(r, 2)?, r.get(3)?)?,
        to: side(row::parsed_maybe(r, 4)?, r.get(5)?)?,
        amount: r.get(6)?,
        kind: r.get(7)?,
        key: r.get(8)?,
        server: server.zip(owner),
        balance_after: r.get(11)?,
        description: r.get(13)?,
        at: row::time(r, 12)?,
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

    /// The next services after a place with all that was paid for them, and the place of the last of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_services(
        &self,
        after: ServicePlace,
        limit: u32,
    ) -> Result<(Vec<(ServerId, ServiceRows)>, ServicePlace), StoreError> {
        let sql = "SELECT s.id, s.uuid, s.paid_until, s.service_status IN ('failed', 'destroyed'), \
                   coalesce((SELECT sum(c.amount_cents) FROM actions x JOIN action_credits c ON c.action_id = x.id \
                   WHERE x.server_id = s.id AND x.status IN ('queued', 'running')), 0), s.anchor_at \
                   FROM servers s WHERE s.id > ?1 ORDER BY s.id LIMIT ?2";
        let services = self.many(sql, (after.0, limit), |r| {
            let rows = ServiceRows {
                paid_until: row::time_maybe(r, 2)?,
                has_ended: r.get(3)?,
                pending: r.get(4)?,
                anchor: row::time_maybe(r, 5)?,
                ..ServiceRows::default()
            };
            Ok((r.get::<_, i64>(0)?, (row::parsed::<ServerId>(r, 1)?, rows)))
        })?;
        let last = services.last().map_or(after, |(place, _)| ServicePlace(*place));
        let mut services: BTreeMap<i64, (ServerId, ServiceRows)> = services.into_iter().collect();
        self.ledger_periods(after, last, &mut services)?;
        self.ledger_postings(after, last, &mut services)?;
        Ok((services.into_values().collect(), last))
    }

    fn ledger_periods(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut BTreeMap<i64, (ServerId, ServiceRows)>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT p.server_id, p.ordinal, p.starts_at, p.ends_at, l.thing, l.list_cents, l.net_cents, \
                   l.credited_cents, t.uuid FROM periods p LEFT JOIN paid_lines l ON l.period_id = p.id \
                   LEFT JOIN transfers t ON t.id = l.transfer_id \
                   WHERE p.server_id > ?1 AND p.server_id <= ?2 ORDER BY p.server_id, p.ordinal, l.id";
        let rows = self.many(sql, (after.0, last.0), |r| {
            let span = row::time_maybe(r, 2)?.zip(row::time_maybe(r, 3)?);
            let line = match r.get::<_, Option<String>>(4)? {
                Some(thing) => Some(LineRow {
                    thing,
                    list: r.get(5)?,
                    net: r.get(6)?,
                    credited: r.get(7)?,
                    transfer: row::parsed_maybe(r, 8)?,
                }),
                None => None,
            };
            Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, span, line))
        })?;
        for (server, ordinal, span, line) in rows {
            let Some((_, service)) = services.get_mut(&server) else { continue };
            if service.periods.last().is_none_or(|last| last.ordinal != ordinal) {
                service.periods.push(PeriodRow { ordinal, span, lines: Vec::new() });
            }
            if let (Some(period), Some(line)) = (service.periods.last_mut(), line) {
                period.lines.push(line);
            }
        }
        Ok(())
    }

    fn ledger_postings(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut BTreeMap<i64, (ServerId, ServiceRows)>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT server_id, uuid, cause_key, from_account_id IS NOT NULL, amount_cents FROM transfers \
                   WHERE server_id > ?1 AND server_id <= ?2 AND balance_after_cents IS NOT NULL ORDER BY server_id, id";
        let rows = self.many(sql, (after.0, last.0), |r| {
            let posting =
                Posting { transfer: row::parsed(r, 1)?, key: r.get(2)?, is_debit: r.get(3)?, amount: r.get(4)? };
            Ok((r.get::<_, i64>(0)?, posting))
        })?;
        for (server, posting) in rows {
            if let Some((_, service)) = services.get_mut(&server) {
                service.postings.push(posting);
            }
        }
        Ok(())
    }
}
