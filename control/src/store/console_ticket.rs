//! Tickets that open a console once: their hashes, never the tickets.

use csp_shared::{
    id::{AccountId, ApiKeyId, ServerId},
    sha256::Sha256,
};

use super::{StoreError, Tx, row};
use crate::domain::time::Time;

/// What a ticket opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleTicket {
    /// Whose screen.
    pub server: ServerId,
    /// Whose server, when the ticket was made.
    pub account: AccountId,
    /// The key that asked for it.
    pub key: ApiKeyId,
}

impl Tx<'_> {
    /// Keeps a ticket's hash until `expires_at`; forgets those that are too old.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn console_ticket_insert(
        &mut self,
        ticket: &ConsoleTicket,
        hash: Sha256,
        expires_at: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        self.run("DELETE FROM console_tickets WHERE expires_at <= ?1", [now.0])?;
        let server = self.key_of("servers", &ticket.server.to_string())?;
        let key = self.key_of("api_keys", &ticket.key.to_string())?;
        let sql = "INSERT INTO console_tickets (hash, server_id, api_key_id, expires_at) VALUES (?1, ?2, ?3, ?4)";
        self.insert(sql, (hash.0, server, key, expires_at.0)).map(drop)
    }

    /// Uses a ticket up. None when there is none with this hash, or it is too old.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn console_ticket_take(&mut self, hash: Sha256, now: Time) -> Result<Option<ConsoleTicket>, StoreError> {
        let sql = "SELECT s.uuid, a.uuid, k.uuid FROM console_tickets t JOIN servers s ON s.id = t.server_id \
                   JOIN accounts a ON a.id = s.account_id JOIN api_keys k ON k.id = t.api_key_id \
                   WHERE t.hash = ?1 AND t.expires_at > ?2";
        let found = self.maybe(sql, (hash.0, now.0), |r| {
            Ok(ConsoleTicket { server: row::parsed(r, 0)?, account: row::parsed(r, 1)?, key: row::parsed(r, 2)? })
        })?;
        self.run("DELETE FROM console_tickets WHERE hash = ?1", [hash.0])?;
        Ok(found)
    }
}
