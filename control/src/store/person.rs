//! People who sign in for an account.

use std::net::IpAddr;

use csp_shared::id::{AccountId, PersonId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{email::Email, label::Label, person::PasswordHash, time::Time};

/// Addresses that are remembered of one person; the oldest makes room for the next.
const ADDRESSES_MAX: u32 = 50;

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// For which account; None while the operator has not approved it.
    pub account: Option<AccountId>,
    /// For people, and the account's name when it is opened.
    pub name: String,
    /// What they sign in with.
    pub email: Email,
    /// What is kept of their password.
    pub password: PasswordHash,
    /// Which terms they accepted.
    pub terms_version: String,
    /// When they signed up.
    pub created_at: Time,
}

/// Somebody about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPerson<'a> {
    /// Their id.
    pub id: PersonId,
    /// For which account; None waits for the operator.
    pub account: Option<AccountId>,
    /// For people.
    pub name: &'a Label,
    /// What they sign in with.
    pub email: &'a Email,
    /// What is kept of their password.
    pub password: &'a PasswordHash,
    /// Which terms they accepted just now.
    pub terms_version: &'a str,
}

const COLUMNS: &str = "SELECT p.uuid, a.uuid, p.name, p.email, p.password_hash, p.terms_version, p.created_at \
                       FROM people p LEFT JOIN accounts a ON a.id = p.account_id";

fn person(r: &Row<'_>) -> Result<Person, StoreError> {
    Ok(Person {
        id: row::parsed(r, 0)?,
        account: row::parsed_maybe(r, 1)?,
        name: r.get(2)?,
        email: row::checked(r, 3, Email::of_person)?,
        password: PasswordHash::stored(r.get(4)?),
        terms_version: r.get(5)?,
        created_at: row::time(r, 6)?,
    })
}

impl Read<'_> {
    /// One person.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn person_get(&self, id: PersonId) -> Result<Option<Person>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE p.uuid = ?1"), [id.to_string()], person)
    }

    /// Who signs in with this address.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn person_by_email(&self, email: &Email) -> Result<Option<Person>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE p.email = ?1"), [email.as_str()], person)
    }

    /// Who waits for the operator, longest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn person_waiting(&self) -> Result<Vec<Person>, StoreError> {
        self.many(&format!("{COLUMNS} WHERE p.account_id IS NULL ORDER BY p.id"), [], person)
    }

    /// How many people sign in for an account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn person_count(&self, account: AccountId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM accounts a JOIN people p ON p.account_id = a.id WHERE a.uuid = ?1";
        self.count(sql, [account.to_string()])
    }

    /// Whether whoever signs in with this address did so from there before.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn person_address_is_known(&self, email: &Email, from: IpAddr) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM people p JOIN person_addresses d ON d.person_id = p.id \
                   WHERE p.email = ?1 AND d.address = ?2";
        Ok(self.count(sql, (email.as_str(), from.to_string()))? > 0)
    }
}

impl Tx<'_> {
    /// Keeps somebody new, who accepts the terms now.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_insert(&mut self, new: &NewPerson<'_>, now: Time) -> Result<(), StoreError> {
        let account = new.account.map(|account| self.key_of("accounts", &account.to_string())).transpose()?;
        let sql = "INSERT INTO people (uuid, account_id, name, email, password_hash, terms_version, terms_accepted_at, \
                   created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
        let (name, email, password) = (new.name.as_str(), new.email.as_str(), new.password.reveal());
        self.insert(sql, (new.id.to_string(), account, name, email, password, new.terms_version, now.0)).map(drop)
    }

    /// Gives somebody who waits an account.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_admit(&mut self, id: PersonId, account: AccountId) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &account.to_string())?;
        let sql = "UPDATE people SET account_id = ?2 WHERE uuid = ?1 AND account_id IS NULL";
        self.run(sql, (id.to_string(), account)).map(drop)
    }

    /// Forgets somebody who waits, and whatever links were on the way to them.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_forget(&mut self, id: PersonId) -> Result<(), StoreError> {
        self.mail_link_withdraw(id)?;
        self.run("DELETE FROM people WHERE uuid = ?1 AND account_id IS NULL", [id.to_string()]).map(drop)
    }

    /// Gives somebody another password; who gave the old one and is half-way in begins again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_set_password(&mut self, id: PersonId, password: &PasswordHash) -> Result<(), StoreError> {
        self.half_sign_in_end_all(id)?;
        let sql = "UPDATE people SET password_hash = ?2 WHERE uuid = ?1";
        self.run(sql, (id.to_string(), password.reveal())).map(drop)
    }

    /// Notes which terms somebody accepted just now.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_accept_terms(&mut self, id: PersonId, version: &str, now: Time) -> Result<(), StoreError> {
        let sql =
            "UPDATE people SET terms_version = ?2, terms_accepted_at = ?3 WHERE uuid = ?1 AND terms_version <> ?2";
        self.run(sql, (id.to_string(), version, now.0)).map(drop)
    }

    /// Gives somebody another address to sign in with.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_set_email(&mut self, id: PersonId, email: &Email) -> Result<(), StoreError> {
        self.run("UPDATE people SET email = ?2 WHERE uuid = ?1", (id.to_string(), email.as_str())).map(drop)
    }

    /// Remembers whence somebody came who proved to be themselves.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn person_address_note(&mut self, id: PersonId, from: IpAddr, now: Time) -> Result<(), StoreError> {
        let person = self.key_of("people", &id.to_string())?;
        let sql = "INSERT INTO person_addresses (person_id, address, seen_at) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (person_id, address) DO UPDATE SET seen_at = excluded.seen_at";
        self.run(sql, (person, from.to_string(), now.0))?;
        let sql = "DELETE FROM person_addresses WHERE person_id = ?1 AND id IN (SELECT id FROM person_addresses \
                   WHERE person_id = ?1 ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?2)";
        self.run(sql, (person, ADDRESSES_MAX)).map(drop)
    }
}
