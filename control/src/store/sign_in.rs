//! Browsers in which somebody has signed in: the hashes of what they bring, never that itself.

use std::net::IpAddr;

use csp_shared::{
    id::{AccountId, PersonId, SignInId},
    sha256::Sha256,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{sign_in::ends_at, time::Time};

/// Browsers that one person may be signed in with; the oldest makes room for the next.
const OF_PERSON_MAX: u32 = 50;

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Who signed in.
    pub person: PersonId,
    /// For which account.
    pub account: AccountId,
    /// When.
    pub created_at: Time,
    /// When it was last seen, some minutes behind.
    pub seen_at: Time,
    /// When it is signed out, unless it is seen again.
    pub ends_at: Time,
    /// Whence it signed in.
    pub from: String,
    /// What it says of itself.
    pub user_agent: String,
    /// Which terms its owner accepted last.
    pub terms_version: String,
}

/// A browser that signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSignIn<'a> {
    /// Its id.
    pub id: SignInId,
    /// What is kept of what it brings.
    pub hash: Sha256,
    /// Who signs in.
    pub person: PersonId,
    /// Whence.
    pub from: IpAddr,
    /// What it says of itself.
    pub user_agent: &'a str,
}

const ROWS: &str = "SELECT b.uuid, p.uuid, a.uuid, b.created_at, b.seen_at, b.ends_at, b.from_address, b.user_agent, p.terms_version \
                    FROM sign_ins b JOIN people p ON p.id = b.person_id JOIN accounts a ON a.id = p.account_id";

fn sign_in(r: &Row<'_>) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        id: row::parsed(r, 0)?,
        person: row::parsed(r, 1)?,
        account: row::parsed(r, 2)?,
        created_at: row::time(r, 3)?,
        seen_at: row::time(r, 4)?,
        ends_at: row::time(r, 5)?,
        from: r.get(6)?,
        user_agent: r.get(7)?,
        terms_version: r.get(8)?,
    })
}

impl Read<'_> {
    /// The browser that brings this, unless it is signed out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sign_in_by_hash(&self, hash: Sha256, now: Time) -> Result<Option<SignIn>, StoreError> {
        self.maybe(&format!("{ROWS} WHERE b.hash = ?1 AND b.ends_at > ?2"), (hash.0, now.0), sign_in)
    }

    /// Whether a browser is still signed in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sign_in_is_open(&self, id: SignInId, now: Time) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM sign_ins WHERE uuid = ?1 AND ends_at > ?2";
        Ok(self.count(sql, (id.to_string(), now.0))? > 0)
    }

    /// Where somebody is signed in, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sign_in_list(&self, person: PersonId, now: Time) -> Result<Vec<SignIn>, StoreError> {
        let sql = format!("{ROWS} WHERE p.uuid = ?1 AND b.ends_at > ?2 ORDER BY b.id DESC");
        self.many(&sql, (person.to_string(), now.0), sign_in)
    }
}

impl Tx<'_> {
    /// Keeps a browser that signs in; forgets those that are signed out, and the oldest of who has too many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn sign_in_insert(&mut self, new: &NewSignIn<'_>, now: Time) -> Result<(), StoreError> {
        self.run("DELETE FROM sign_ins WHERE ends_at <= ?1", [now.0])?;
        let person = self.key_of("people", &new.person.to_string())?;
        let sql = "INSERT INTO sign_ins (uuid, hash, person_id, created_at, seen_at, ends_at, from_address, user_agent) \
                   VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)";
        let (ends_at, from) = (ends_at(now, now).0, new.from.to_string());
        self.insert(sql, (new.id.to_string(), new.hash.0, person, now.0, ends_at, from, new.user_agent))?;
        let sql = "DELETE FROM sign_ins WHERE id IN \
                   (SELECT id FROM sign_ins WHERE person_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
        self.run(sql, (person, OF_PERSON_MAX)).map(drop)
    }

    /// Notes that a browser was seen.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn sign_in_seen(&mut self, seen: &SignIn, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE sign_ins SET seen_at = ?2, ends_at = ?3 WHERE uuid = ?1 AND ends_at > ?2";
        self.run(sql, (seen.id.to_string(), now.0, ends_at(seen.created_at, now).0)).map(drop)
    }

    /// Signs out one of somebody's browsers; answers whether there was one. Who follows the account is woken: it may be
    /// there by this browser.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn sign_in_end(&mut self, person: PersonId, id: SignInId) -> Result<bool, StoreError> {
        self.wake_followers(person)?;
        let sql = "DELETE FROM sign_ins WHERE uuid = ?1 AND person_id = (SELECT id FROM people WHERE uuid = ?2)";
        Ok(self.run(sql, (id.to_string(), person.to_string()))? > 0)
    }

    /// Signs out all of somebody's browsers but one, those that are half-way in among them.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn sign_in_end_all(&mut self, person: PersonId, but: Option<SignInId>) -> Result<(), StoreError> {
        self.wake_followers(person)?;
        self.half_sign_in_end_all(person)?;
        let but = but.map(|id| id.to_string()).unwrap_or_default();
        let sql = "DELETE FROM sign_ins WHERE person_id = (SELECT id FROM people WHERE uuid = ?1) AND uuid <> ?2";
        self.run(sql, (person.to_string(), but)).map(drop)
    }

    fn wake_followers(&mut self, person: PersonId) -> Result<(), StoreError> {
        let account = self.person_get(person)?.and_then(|person| person.account);
        self.news.told.extend(account);
        Ok(())
    }
}
