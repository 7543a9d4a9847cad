//! Links in letters to people who sign in, or want to. A token is made each time when such a letter is sent; here is its hash.

use csp_shared::{
    id::{AccountId, MailId, PersonId},
    sha256::Sha256,
};

use super::{NewMail, Read, StoreError, Tx, row};
use crate::domain::{
    email::Email,
    sign_in::{LETTERS_MAX, LETTERS_SECONDS, Purpose},
    time::Time,
};

/// A link about to be written about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMailLink<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Whose address it proves.
    pub email: &'a Email,
    /// Who it is, where that is known.
    pub person: Option<PersonId>,
    /// To which account they are invited, if there is one already.
    pub account: Option<AccountId>,
}

/// What a link opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLink {
    /// What for.
    pub purpose: Purpose,
    /// Whose address it proves.
    pub email: Email,
    /// Who it is.
    pub person: Option<PersonId>,
    /// To which account they are invited.
    pub account: Option<AccountId>,
}

impl Read<'_> {
    /// What a token opens, until its link was used or is too old.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mail_link_by_token(&self, hash: Sha256, now: Time) -> Result<Option<MailLink>, StoreError> {
        let sql = "SELECT l.purpose, l.email, p.uuid, a.uuid FROM mail_link_tokens t JOIN mail_links l ON l.id = t.link_id \
                   LEFT JOIN people p ON p.id = l.person_id LEFT JOIN accounts a ON a.id = l.account_id \
                   WHERE t.hash = ?1 AND l.expires_at > ?2";
        self.maybe(sql, (hash.0, now.0), |r| {
            Ok(MailLink {
                purpose: row::chosen(r, 0, Purpose::parse)?,
                email: row::checked(r, 1, Email::of_person)?,
                person: row::parsed_maybe(r, 2)?,
                account: row::parsed_maybe(r, 3)?,
            })
        })
    }
}

impl Tx<'_> {
    /// Puts a letter with a link into the outbox; forgets links that are too old.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_with_link_insert(
        &mut self,
        mail: &NewMail<'_>,
        new: &NewMailLink<'_>,
        now: Time,
    ) -> Result<(), StoreError> {
        self.mail_link_sweep("expires_at <= ?1", now.0)?;
        let person = new.person.map(|person| self.key_of("people", &person.to_string())).transpose()?;
        let account = new.account.map(|account| self.key_of("accounts", &account.to_string())).transpose()?;
        let sql =
            "INSERT INTO mail_links (purpose, email, person_id, account_id, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let ends = now.plus(new.purpose.seconds()).0;
        let link = self.insert(sql, (new.purpose.as_str(), new.email.as_str(), person, account, ends))?;
        self.mail_insert(mail, now)?;
        self.run("UPDATE mails SET link_id = ?2 WHERE uuid = ?1", (mail.id.to_string(), link)).map(drop)
    }

    /// Keeps the hash of the token that a letter is sent with; answers whether its link is there still.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_link_token_insert(&mut self, mail: MailId, hash: Sha256) -> Result<bool, StoreError> {
        let sql = "INSERT INTO mail_link_tokens (hash, link_id) \
                   SELECT ?2, link_id FROM mails WHERE uuid = ?1 AND link_id IS NOT NULL";
        Ok(self.run(sql, (mail.to_string(), hash.0))? > 0)
    }

    /// Uses a link up, and all others for the same that went to this address.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_link_use(&mut self, link: &MailLink) -> Result<(), StoreError> {
        let (email, purpose) = (link.email.as_str(), link.purpose.as_str());
        let open = "SELECT id FROM mail_links WHERE email = ?1 AND purpose = ?2";
        for id in self.many(open, (email, purpose), |r| Ok(r.get::<_, i64>(0)?))? {
            self.mail_link_sweep("id = ?1", id)?;
        }
        Ok(())
    }

    /// Ends every link that somebody was written about.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn mail_link_withdraw(&mut self, person: PersonId) -> Result<(), StoreError> {
        let person = self.key_of("people", &person.to_string())?;
        self.mail_link_sweep("person_id = ?1", person)
    }

    /// Deletes links, their tokens, and letters about them that no mail server took.
    fn mail_link_sweep(&mut self, which: &'static str, value: i64) -> Result<(), StoreError> {
        let sql = format!(
            "DELETE FROM mails WHERE accepted_at IS NULL AND link_id IN (SELECT id FROM mail_links WHERE {which})"
        );
        self.run(&sql, [value])?;
        self.run(&format!("DELETE FROM mail_links WHERE {which}"), [value]).map(drop)
    }

    /// Notes that somebody asked for a letter to this address; answers whether it may be written. What is kept is the same
    /// for addresses that are known and for others.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn letter_request(&mut self, email: &Email, now: Time) -> Result<bool, StoreError> {
        let hash = Sha256::of(email.as_str().as_bytes());
        self.run("DELETE FROM letter_requests WHERE at <= ?1", [now.0 - LETTERS_SECONDS])?;
        let asked = self.count("SELECT count(*) FROM letter_requests WHERE address_hash = ?1", [hash.0])?;
        if asked < LETTERS_MAX {
            self.insert("INSERT INTO letter_requests (address_hash, at) VALUES (?1, ?2)", (hash.0, now.0))?;
        }
        Ok(asked < LETTERS_MAX)
    }
}
