//! Periods of a service and what was paid for each.

use csp_shared::id::{ServerId, TransferId};

use super::{StoreError, Tx};
use crate::domain::{money::Cents, time::Time};

impl Tx<'_> {
    /// Adds the first period of a service, whose ends are not known yet, with its line for the package.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_insert_first(
        &mut self,
        server: ServerId,
        list: Cents,
        net: Cents,
        transfer: TransferId,
        now: Time,
    ) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let period = self.insert("INSERT INTO periods (server_id, ordinal) VALUES (?1, 0)", [server])?;
        // A free period has a line but no transfer.
        let sql = "INSERT INTO paid_lines (period_id, thing, price_cents, net_price_cents, kept_cents, list_cents, \
                   net_cents, transfer_id, created_at) \
                   VALUES (?1, 'package', ?2, ?3, ?2, ?2, ?3, (SELECT id FROM transfers WHERE uuid = ?4), ?5)";
        self.insert(sql, (period, list.get(), net.get(), transfer.to_string(), now.0)).map(drop)
    }

    /// Begins the first period: the server was seen running. A service that has an anchor keeps it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_begin(&mut self, server: ServerId, anchor: Time, paid_until: Time) -> Result<(), StoreError> {
        let sql = "UPDATE servers SET anchor_at = ?2, paid_until = ?3 WHERE uuid = ?1 AND anchor_at IS NULL";
        if self.run(sql, (server.to_string(), anchor.0, paid_until.0))? == 0 {
            return Ok(());
        }
        let sql = "UPDATE periods SET starts_at = ?2, ends_at = ?3 \
                   WHERE ordinal = 0 AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, (server.to_string(), anchor.0, paid_until.0)).map(drop)
    }

    /// Notes that all lines of a service's periods were given back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_credit_all(&mut self, server: ServerId) -> Result<(), StoreError> {
        let sql = "UPDATE paid_lines SET credited_cents = net_cents, kept_cents = 0 WHERE period_id IN \
                   (SELECT p.id FROM periods p JOIN servers s ON s.id = p.server_id WHERE s.uuid = ?1)";
        self.run(sql, [server.to_string()]).map(drop)
    }
}
