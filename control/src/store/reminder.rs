//! What owners were told about the end of paid time. Whoever is deleted stands here first.

use csp_shared::id::{MailId, ServerId};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    billing::life::{Reminder, Told},
    time::Time,
};

impl Read<'_> {
    /// What was said about this end of paid time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reminder_list(&self, server: ServerId, paid_until: Time) -> Result<Vec<Told>, StoreError> {
        let sql = "SELECT r.kind, r.told_at FROM reminders r JOIN servers s ON s.id = r.server_id \
                   WHERE s.uuid = ?1 AND r.paid_until = ?2 ORDER BY r.id";
        self.many(sql, (server.to_string(), paid_until.0), |r| {
            Ok(Told { kind: row::chosen(r, 0, Reminder::parse)?, at: row::time_maybe(r, 1)? })
        })
    }
}

impl Tx<'_> {
    /// Notes a reminder: it counts at once, or once its letter was taken.
    ///
    /// # Errors
    /// When the store cannot keep it, or the same was said before.
    pub fn reminder_insert(
        &mut self,
        server: ServerId,
        paid_until: Time,
        kind: Reminder,
        letter: Option<MailId>,
        now: Time,
    ) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let letter = letter.map(|id| self.key_of("mails", &id.to_string())).transpose()?;
        let told_at = letter.is_none().then_some(now.0);
        let sql = "INSERT INTO reminders (server_id, paid_until, kind, mail_id, created_at, told_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.insert(sql, (server, paid_until.0, kind.as_str(), letter, now.0, told_at)).map(drop)
    }
}
