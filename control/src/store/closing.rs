//! Accounts that are closed: what stands in the way, what is deleted at once, and what when the books need it no more.

use csp_shared::id::{AccountId, PersonId};

use super::{Read, StoreError, Tx};
use crate::domain::{
    email::Email,
    time::Time,
    top_up::{PAGE_SECONDS, WORD_SECONDS},
};

/// What an account still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Host names of servers, failed ones too.
    pub servers: Vec<String>,
    /// Names of private networks.
    pub networks: Vec<String>,
    /// Payments that are on their way, or disputed.
    pub payments: u64,
    /// Pages where somebody may still pay.
    pub pages: u64,
}

/// What is deleted or blanked of an account at once. ?1 is its key. What is bookkeeping (transfers, periods and their lines,
/// disputes, refunds, top-ups) stays, and what the provider must not lose sight of: addresses that were leased, and actions.
const CLEARED: [&str; 13] = [
    "DELETE FROM link_sessions WHERE link_id IN \
     (SELECT l.id FROM servers s JOIN share_links l ON l.server_id = s.id WHERE s.account_id = ?1)",
    "UPDATE share_links SET label = '', last_used_from = NULL WHERE server_id IN \
     (SELECT id FROM servers WHERE account_id = ?1)",
    "DELETE FROM server_labels WHERE server_id IN (SELECT id FROM servers WHERE account_id = ?1)",
    "UPDATE server_locks SET note = NULL WHERE server_id IN (SELECT id FROM servers WHERE account_id = ?1)",
    "UPDATE servers SET hostname = 'closed', user_data = NULL, authorized_keys = '[]', chosen_key = NULL, \
     ssh_key_id = NULL WHERE account_id = ?1",
    "DELETE FROM ssh_keys WHERE account_id = ?1",
    "UPDATE api_keys SET label = '', networks = NULL, last_used_from = NULL WHERE account_id = ?1",
    "UPDATE networks SET name = 'closed' WHERE account_id = ?1",
    "DELETE FROM events WHERE account_id = ?1",
    "DELETE FROM idempotency_keys WHERE account_id = ?1",
    "DELETE FROM notices WHERE account_id = ?1",
    "UPDATE reminders SET mail_id = NULL WHERE mail_id IN (SELECT id FROM mails WHERE account_id = ?1)",
    "DELETE FROM mails WHERE account_id = ?1",
];

impl Read<'_> {
    /// What an account still has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_remains(&self, account: AccountId, now: Time) -> Result<Remains, StoreError> {
        let id = account.to_string();
        let servers = "SELECT s.hostname FROM accounts a JOIN servers s ON s.account_id = a.id WHERE a.uuid = ?1 \
                       AND s.service_status <> 'destroyed' ORDER BY s.id";
        let networks = "SELECT n.name FROM accounts a JOIN networks n ON n.account_id = a.id WHERE a.uuid = ?1 \
                        AND n.state = 'active' ORDER BY n.id";
        let payments = "SELECT (SELECT count(*) FROM top_ups t WHERE t.account_id = a.id AND t.state = 'pending') + \
                        (SELECT count(*) FROM disputes d WHERE d.account_id = a.id AND d.closed_at IS NULL) \
                        FROM accounts a WHERE a.uuid = ?1";
        let pages = "SELECT count(*) FROM accounts a JOIN top_ups t ON t.account_id = a.id \
                     WHERE a.uuid = ?1 AND t.state = 'open' AND t.session IS NOT NULL AND t.created_at > ?2";
        Ok(Remains {
            servers: self.many(servers, [&id], |r| Ok(r.get(0)?))?,
            networks: self.many(networks, [&id], |r| Ok(r.get(0)?))?,
            payments: self.count(payments, [&id])?,
            pages: self.count(pages, (&id, now.0 - PAGE_SECONDS - WORD_SECONDS))?,
        })
    }
}

impl Tx<'_> {
    /// Closes an account: its keys end, and what is not bookkeeping is gone. Its name and address stay until `forget_at`.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn account_close(&mut self, id: AccountId, forget_at: Time, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &id.to_string())?;
        self.run("UPDATE api_keys SET revoked_at = ?2 WHERE account_id = ?1 AND revoked_at IS NULL", (account, now.0))?;
        for sql in CLEARED {
            self.run(sql, [account])?;
        }
        let sql = "UPDATE accounts SET closed_at = ?2, forget_at = ?3 WHERE id = ?1";
        self.run(sql, (account, now.0, forget_at.0))?;
        self.news.told.insert(id);
        Ok(())
    }

    /// Forgets somebody who signed in: browsers, codes, places, links that are on their way, and letters.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_delete(&mut self, id: PersonId, email: &Email) -> Result<(), StoreError> {
        self.sign_in_end_all(id, None)?;
        self.second_factor_delete(id)?;
        self.mail_link_withdraw(id)?;
        let person = self.key_of("people", &id.to_string())?;
        self.run("DELETE FROM person_addresses WHERE person_id = ?1", [person])?;
        self.run("DELETE FROM people WHERE id = ?1", [person])?;
        // Letters of an account are that account's: the address may have been somebody else's before.
        self.run("DELETE FROM mails WHERE account_id IS NULL AND recipient = ?1", [email.as_str()]).map(drop)
    }

    /// Forgets whose closed accounts were that the books need no more.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn account_forget_due(&mut self, now: Time) -> Result<(), StoreError> {
        let due = "SELECT id, email FROM accounts WHERE forget_at <= ?1 AND email IS NOT NULL";
        for (account, email) in self.many(due, [now.0], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))? {
            let untold = "DELETE FROM mails WHERE account_id = ?1 AND id NOT IN \
                          (SELECT mail_id FROM reminders WHERE mail_id IS NOT NULL)";
            self.run(untold, [account])?;
            // Who signs in with the address by now keeps what was written to it.
            let stray = "DELETE FROM mails WHERE account_id IS NULL AND recipient = ?1 \
                         AND NOT EXISTS (SELECT 1 FROM people WHERE email = ?1)";
            self.run(stray, [email])?;
        }
        let sql = "UPDATE accounts SET name = 'Closed account', email = NULL, forget_at = NULL WHERE forget_at <= ?1";
        self.run(sql, [now.0]).map(drop)
    }
}
