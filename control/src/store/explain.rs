//! What stands around a transfer: the lines that it paid, the request behind it, the promo code. For explaining it.

use csp_shared::id::{AccountId, ServerId, TransferId};
use rusqlite::Row;

use super::{
    Read, StoreError,
    ledger::{ENTRIES, LedgerPlace, entry},
    row,
};
use crate::domain::ledger::{
    explain::{Around, Asked, PaidLine},
    verify::Entry,
};

/// Of whom transfers are to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everything in a wallet, and what moved past it for its owner's servers.
    Account(AccountId),
    /// Everything about one server.
    Server(ServerId),
}

const LINES: &str = "SELECT l.thing, e.address, p.ordinal, p.starts_at, p.ends_at, l.list_cents, l.net_cents, \
                     l.credited_cents, l.from_at FROM paid_lines l JOIN periods p ON p.id = l.period_id \
                     JOIN servers s ON s.id = p.server_id LEFT JOIN leases e ON e.id = l.lease_id \
                     WHERE s.uuid = ?1 AND l.transfer_id = (SELECT id FROM transfers WHERE uuid = ?2) \
                     ORDER BY p.ordinal, l.id";

fn line(r: &Row<'_>) -> Result<PaidLine, StoreError> {
    Ok(PaidLine {
        thing: r.get(0)?,
        address: r.get(1)?,
        ordinal: r.get(2)?,
        span: row::time_maybe(r, 3)?.zip(row::time_maybe(r, 4)?),
        list: r.get(5)?,
        net: r.get(6)?,
        credited: r.get(7)?,
        from: row::time_maybe(r, 8)?,
    })
}

impl Read<'_> {
    /// The place of a transfer; none when there is no such transfer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_place(&self, transfer: TransferId) -> Result<Option<LedgerPlace>, StoreError> {
        self.maybe("SELECT id FROM transfers WHERE uuid = ?1", [transfer.to_string()], |r| Ok(LedgerPlace(r.get(0)?)))
    }

    /// The key of a transfer's cause.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfer_key(&self, transfer: TransferId) -> Result<Option<String>, StoreError> {
        self.maybe("SELECT cause_key FROM transfers WHERE uuid = ?1", [transfer.to_string()], |r| Ok(r.get(0)?))
    }

    /// The next transfers of an account or a server after a place, oldest first, each with the hostname of its server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_of(
        &self,
        whose: Whose,
        after: LedgerPlace,
        limit: u32,
    ) -> Result<Vec<(Entry, Option<String>)>, StoreError> {
        let (which, uuid) = match whose {
            // Three walks along an index, merged: no wallet is ever sorted as a whole.
            Whose::Account(account) => (
                "SELECT id FROM transfers \
                 WHERE from_account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND id > ?2 \
                 UNION ALL SELECT id FROM transfers \
                 WHERE to_account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND id > ?2 \
                 UNION ALL SELECT t.id FROM transfers t JOIN servers s ON s.id = t.server_id \
                 WHERE s.account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND t.id > ?2 \
                 AND t.from_account_id IS NULL AND t.to_account_id IS NULL",
                account.to_string(),
            ),
            Whose::Server(server) => (
                "SELECT id FROM transfers WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) AND id > ?2",
                server.to_string(),
            ),
        };
        let sql = format!("{ENTRIES} WHERE t.id IN ({which} ORDER BY 1 LIMIT ?3) ORDER BY t.id");
        self.many(&sql, (uuid, after.0, limit), |r| Ok((entry(r)?.1, r.get(14)?)))
    }

    /// What stands around a transfer about a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_around(&self, server: ServerId, transfer: TransferId) -> Result<Around, StoreError> {
        let lines = self.many(LINES, (server.to_string(), transfer.to_string()), line)?;
        let sql = "SELECT c.code FROM promo_uses u JOIN promo_codes c ON c.id = u.promo_id \
                   WHERE u.server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        let promo = self.maybe(sql, [server.to_string()], |r| Ok(r.get(0)?))?;
        Ok(Around { lines, promo, asked: None })
    }

    /// What was asked for, for an action's id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_asked(&self, action: &str) -> Result<Option<Asked>, StoreError> {
        self.maybe("SELECT uuid, command, status, created_at FROM actions WHERE uuid = ?1", [action], asked)
    }
}

fn asked(r: &Row<'_>) -> Result<Asked, StoreError> {
    Ok(Asked { action: row::parsed(r, 0)?, command: r.get(1)?, status: r.get(2)?, at: row::time(r, 3)? })
}
