//! The second thing that somebody signs in with, recovery codes, and browsers that are half-way in: of codes and tokens the hash
//! alone, of the secret what the vault made of it.

use csp_shared::{id::PersonId, sha256::Sha256};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    time::Time,
    totp::{HALF_WAY_SECONDS, Wrong},
};

/// Browsers of one person that are half-way in at once; the oldest makes room for the next.
const HALF_WAY_MAX: u32 = 20;

/// What is kept of somebody's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactorRow {
    /// Sealed.
    pub secret: Vec<u8>,
    /// Since when it is asked for; None: not yet.
    pub confirmed_at: Option<Time>,
    /// The newest step of which a code was used.
    pub last_step: i64,
    /// Codes that were wrong.
    pub wrong: Wrong,
}

impl std::fmt::Debug for SecondFactorRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecondFactorRow(…, confirmed at {:?})", self.confirmed_at)
    }
}

impl Read<'_> {
    /// Somebody's second factor, confirmed or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn second_factor_get(&self, person: PersonId) -> Result<Option<SecondFactorRow>, StoreError> {
        let sql = "SELECT f.secret, f.confirmed_at, f.last_step, f.wrong, f.wrong_since FROM people p \
                   JOIN second_factors f ON f.person_id = p.id WHERE p.uuid = ?1";
        self.maybe(sql, [person.to_string()], |r| {
            let wrong = Wrong { count: row::number(r, 3)?, since: row::time(r, 4)? };
            Ok(SecondFactorRow { secret: r.get(0)?, confirmed_at: row::time_maybe(r, 1)?, last_step: r.get(2)?, wrong })
        })
    }

    /// How many recovery codes somebody has left.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn recovery_code_count(&self, person: PersonId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM people p JOIN recovery_codes c ON c.person_id = p.id WHERE p.uuid = ?1";
        self.count(sql, [person.to_string()])
    }

    /// How many second factors are sealed in the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn second_factor_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM second_factors", [])
    }

    /// Who is half-way in with this.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn half_sign_in_by_hash(&self, hash: Sha256, now: Time) -> Result<Option<PersonId>, StoreError> {
        let sql = "SELECT p.uuid FROM half_sign_ins h JOIN people p ON p.id = h.person_id \
                   WHERE h.hash = ?1 AND h.expires_at > ?2";
        self.maybe(sql, (hash.0, now.0), |r| row::parsed(r, 0))
    }
}

impl Tx<'_> {
    /// Keeps a new secret that is not confirmed yet, in place of another such one.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn second_factor_put(&mut self, person: PersonId, secret: &[u8], now: Time) -> Result<(), StoreError> {
        self.second_factor_delete(person)?;
        let person = self.key_of("people", &person.to_string())?;
        let sql = "INSERT INTO second_factors (person_id, secret, created_at) VALUES (?1, ?2, ?3)";
        self.run(sql, (person, secret, now.0)).map(drop)
    }

    /// From now on it is asked for.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn second_factor_confirm(&mut self, person: PersonId, now: Time) -> Result<(), StoreError> {
        let sql =
            "UPDATE second_factors SET confirmed_at = ?2 WHERE person_id = (SELECT id FROM people WHERE uuid = ?1)";
        self.run(sql, (person.to_string(), now.0)).map(drop)
    }

    /// Notes what came of a code: the newest step that was used, and how many were wrong.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn second_factor_note(&mut self, person: PersonId, last_step: i64, wrong: Wrong) -> Result<(), StoreError> {
        let sql = "UPDATE second_factors SET last_step = ?2, wrong = ?3, wrong_since = ?4 \
                   WHERE person_id = (SELECT id FROM people WHERE uuid = ?1)";
        self.run(sql, (person.to_string(), last_step, wrong.count, wrong.since.0)).map(drop)
    }

    /// Forgets somebody's second factor, with its recovery codes.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn second_factor_delete(&mut self, person: PersonId) -> Result<(), StoreError> {
        let person = self.key_of("people", &person.to_string())?;
        self.run("DELETE FROM recovery_codes WHERE person_id = ?1", [person])?;
        self.run("DELETE FROM half_sign_ins WHERE person_id = ?1", [person])?;
        self.run("DELETE FROM second_factors WHERE person_id = ?1", [person]).map(drop)
    }

    /// Gives somebody new recovery codes in place of those that are left.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn recovery_code_put(&mut self, person: PersonId, hashes: &[Sha256]) -> Result<(), StoreError> {
        let person = self.key_of("people", &person.to_string())?;
        self.run("DELETE FROM recovery_codes WHERE person_id = ?1", [person])?;
        for hash in hashes {
            self.insert("INSERT INTO recovery_codes (person_id, hash) VALUES (?1, ?2)", (person, hash.0))?;
        }
        Ok(())
    }

    /// Uses a recovery code up; answers whether there was one.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn recovery_code_use(&mut self, person: PersonId, hash: Sha256) -> Result<bool, StoreError> {
        let sql = "DELETE FROM recovery_codes WHERE hash = ?1 AND person_id = (SELECT id FROM people WHERE uuid = ?2)";
        Ok(self.run(sql, (hash.0, person.to_string()))? > 0)
    }

    /// Keeps a browser that is half-way in; forgets those that took too long.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn half_sign_in_insert(&mut self, person: PersonId, hash: Sha256, now: Time) -> Result<(), StoreError> {
        self.run("DELETE FROM half_sign_ins WHERE expires_at <= ?1", [now.0])?;
        let person = self.key_of("people", &person.to_string())?;
        let sql = "INSERT INTO half_sign_ins (hash, person_id, expires_at) VALUES (?1, ?2, ?3)";
        self.insert(sql, (hash.0, person, now.plus(HALF_WAY_SECONDS).0))?;
        let sql = "DELETE FROM half_sign_ins WHERE id IN \
                   (SELECT id FROM half_sign_ins WHERE person_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
        self.run(sql, (person, HALF_WAY_MAX)).map(drop)
    }

    /// Ends a browser's half way.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn half_sign_in_end(&mut self, hash: Sha256) -> Result<(), StoreError> {
        self.run("DELETE FROM half_sign_ins WHERE hash = ?1", [hash.0]).map(drop)
    }

    /// Ends every half way of somebody: the password that they gave is another one now, or they signed out everywhere.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn half_sign_in_end_all(&mut self, person: PersonId) -> Result<(), StoreError> {
        let sql = "DELETE FROM half_sign_ins WHERE person_id = (SELECT id FROM people WHERE uuid = ?1)";
        self.run(sql, [person.to_string()]).map(drop)
    }
}
