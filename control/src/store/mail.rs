//! Letters on their way out: written in the transaction of what they tell, sent afterwards, until a mail server takes them.

use csp_shared::id::{AccountId, MailId, ServerId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{email::Email, letter::Letter, time::Time};

/// How the cause of a letter begins that tells an old address of the new one: such a letter goes nowhere else.
pub const MOVED: &str = "moved/";

/// A letter about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail<'a> {
    /// Its id, and the first part of its Message-ID.
    pub id: MailId,
    /// To whose owner; None: to somebody who signs in, or wants to.
    pub account: Option<AccountId>,
    /// What it tells; the same thing is never written twice.
    pub cause: &'a str,
    /// The address.
    pub recipient: &'a str,
    /// What it says.
    pub letter: &'a Letter,
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRow {
    /// Its id.
    pub id: MailId,
    /// To whose owner; None: to somebody who signs in, or wants to.
    pub account: Option<AccountId>,
    /// The address.
    pub recipient: String,
    /// What it says.
    pub letter: Letter,
    /// When it was written.
    pub created_at: Time,
    /// How often it was tried in vain.
    pub tries: u32,
    /// Why the last try was in vain.
    pub last_error: Option<String>,
    /// When a server took it.
    pub accepted_at: Option<Time>,
    /// When it was given up.
    pub refused_at: Option<Time>,
    /// Whether a token is to be put into it when it is sent.
    pub has_link: bool,
}

const MAILS: &str = "SELECT m.uuid, a.uuid, m.recipient, m.subject, m.body, m.created_at, m.tries, m.last_error, m.accepted_at, m.refused_at, \
                     m.link_id IS NOT NULL FROM mails m LEFT JOIN accounts a ON a.id = m.account_id";

fn mail(r: &Row<'_>) -> Result<MailRow, StoreError> {
    Ok(MailRow {
        id: row::parsed(r, 0)?,
        account: row::parsed_maybe(r, 1)?,
        recipient: r.get(2)?,
        letter: Letter { subject: r.get(3)?, body: r.get(4)? },
        created_at: row::time(r, 5)?,
        tries: r.get(6)?,
        last_error: r.get(7)?,
        accepted_at: row::time_maybe(r, 8)?,
        refused_at: row::time_maybe(r, 9)?,
        has_link: r.get(10)?,
    })
}

impl Read<'_> {
    /// Letters that are to be tried by now, those that wait longest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mail_due(&self, now: Time, limit: u32) -> Result<Vec<MailRow>, StoreError> {
        let sql = format!(
            "{MAILS} WHERE m.accepted_at IS NULL AND m.refused_at IS NULL AND m.next_at <= ?1 \
             ORDER BY m.next_at, m.id LIMIT ?2"
        );
        self.many(&sql, (now.0, limit), mail)
    }

    /// Letters that no server took: those that wait and those that were given up, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mail_list(&self) -> Result<Vec<MailRow>, StoreError> {
        self.many(&format!("{MAILS} WHERE m.accepted_at IS NULL ORDER BY m.id"), [], mail)
    }

    /// One letter.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mail_get(&self, id: MailId) -> Result<Option<MailRow>, StoreError> {
        self.maybe(&format!("{MAILS} WHERE m.uuid = ?1"), [id.to_string()], mail)
    }
}

impl Tx<'_> {
    /// Puts a letter into the outbox.
    ///
    /// # Errors
    /// When the store cannot keep it, or the same was written before.
    pub fn mail_insert(&mut self, new: &NewMail<'_>, now: Time) -> Result<(), StoreError> {
        let account = new.account.map(|account| self.key_of("accounts", &account.to_string())).transpose()?;
        let sql = "INSERT INTO mails (uuid, account_id, cause_key, recipient, subject, body, created_at, next_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
        let Letter { subject, body } = new.letter;
        self.insert(sql, (new.id.to_string(), account, new.cause, new.recipient, subject, body, now.0)).map(drop)
    }

    /// A mail server took it, or the operator told its recipient: what it says counts as told from here on.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_accept(&mut self, id: MailId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE mails SET accepted_at = ?2, refused_at = NULL WHERE uuid = ?1 AND accepted_at IS NULL";
        self.run(sql, (id.to_string(), now.0))?;
        let sql = "UPDATE reminders SET told_at = ?2 WHERE told_at IS NULL \
                   AND mail_id = (SELECT id FROM mails WHERE uuid = ?1)";
        self.run(sql, (id.to_string(), now.0))?;
        let sql = "UPDATE servers SET billing_look_at = 0 WHERE id IN (SELECT r.server_id FROM reminders r \
                   JOIN mails m ON m.id = r.mail_id WHERE m.uuid = ?1)";
        let touched = self.run(sql, [id.to_string()])?;
        self.news.billing |= touched > 0;
        Ok(())
    }

    /// A try was in vain; the next one is at `next`, or there is none.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_fail(&mut self, id: MailId, error: &str, next: Option<Time>, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE mails SET tries = tries + 1, last_error = ?2, next_at = coalesce(?3, next_at), \
                   refused_at = CASE WHEN ?3 IS NULL THEN ?4 END WHERE uuid = ?1 AND accepted_at IS NULL";
        self.run(sql, (id.to_string(), error, next.map(|at| at.0), now.0)).map(drop)
    }

    /// Tries a letter again that no server took, as if it had been written now, to the address that its account has now.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_retry(&mut self, id: MailId, now: Time) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE mails SET refused_at = NULL, tries = 0, next_at = ?2, created_at = ?2, recipient = \
             CASE WHEN cause_key LIKE '{MOVED}%' THEN recipient \
             ELSE coalesce((SELECT email FROM accounts a WHERE a.id = account_id), recipient) END \
             WHERE uuid = ?1 AND accepted_at IS NULL"
        );
        self.run(&sql, (id.to_string(), now.0)).map(drop)
    }

    /// Sends an account's letters that wait to another address, at once; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_redirect(&mut self, account: AccountId, email: &Email, now: Time) -> Result<usize, StoreError> {
        let sql = format!(
            "UPDATE mails SET recipient = ?2, next_at = ?3 WHERE accepted_at IS NULL AND refused_at IS NULL \
             AND account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND cause_key NOT LIKE '{MOVED}%'"
        );
        self.run(&sql, (account.to_string(), email.as_str(), now.0))
    }

    /// Counts letters to somebody's former address among their account's: they go nowhere else, and are gone with it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_keep_with(&mut self, account: AccountId, former: &Email) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE mails SET account_id = (SELECT id FROM accounts WHERE uuid = ?1), cause_key = '{MOVED}' || cause_key \
             WHERE recipient = ?2 AND account_id IS NULL"
        );
        self.run(&sql, (account.to_string(), former.as_str())).map(drop)
    }

    /// Takes back a server's reminders that no mail server took: they are no longer true. One that is under way just now
    /// may still arrive.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_withdraw(&mut self, server: ServerId) -> Result<(), StoreError> {
        let open = "SELECT m.id FROM reminders r JOIN servers s ON s.id = r.server_id JOIN mails m ON m.id = r.mail_id \
                    WHERE s.uuid = ?1 AND m.accepted_at IS NULL";
        for letter in self.many(open, [server.to_string()], |r| Ok(r.get::<_, i64>(0)?))? {
            self.run("UPDATE reminders SET mail_id = NULL WHERE mail_id = ?1", [letter])?;
            self.run("DELETE FROM mails WHERE id = ?1", [letter])?;
        }
        Ok(())
    }
}
