//! Bearer keys: their hashes, never the keys.

use std::net::IpAddr;

use csp_shared::{
    id::{AccountId, ApiKeyId},
    sha256::Sha256,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{api_key::KeyTerms, label::Label, network::Networks, scope::Scopes, time::Time};

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// For people.
    pub label: String,
    /// Its first and last characters.
    pub preview: String,
    /// What it may do, from where and for how long.
    pub terms: KeyTerms,
    /// When it was made.
    pub created_at: Time,
    /// From then on it opens nothing.
    pub revoked_at: Option<Time>,
    /// When and from where it was used last; up to a minute behind.
    pub last_used: Option<(Time, String)>,
}

/// A key about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey<'a> {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// For people.
    pub label: &'a Label,
    /// Its first and last characters.
    pub preview: &'a str,
    /// What is kept of the key itself.
    pub hash: Sha256,
    /// What it may do, from where and for how long.
    pub terms: &'a KeyTerms,
}

const COLUMNS: &str = "SELECT k.uuid, a.uuid, k.label, k.preview, k.scopes, k.networks, k.expires_at, k.created_at, \
                       k.revoked_at, k.last_used_at, k.last_used_from \
                       FROM api_keys k JOIN accounts a ON a.id = k.account_id";

fn read(r: &Row<'_>) -> Result<ApiKeyRow, StoreError> {
    let networks: Option<String> = r.get(5)?;
    let networks =
        networks.map(|text| Networks::parse_words(&text).map_err(|_| StoreError::Damaged(text))).transpose()?;
    let scopes = row::chosen(r, 4, Scopes::parse_words)?;
    Ok(ApiKeyRow {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        label: r.get(2)?,
        preview: r.get(3)?,
        terms: KeyTerms { scopes, networks, expires_at: row::time_maybe(r, 6)? },
        created_at: row::time(r, 7)?,
        revoked_at: row::time_maybe(r, 8)?,
        last_used: row::time_maybe(r, 9)?.zip(r.get::<_, Option<String>>(10)?),
    })
}

impl Read<'_> {
    /// The key with this hash, also one that opens nothing any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn api_key_by_hash(&self, hash: Sha256) -> Result<Option<ApiKeyRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE k.hash = ?1"), [hash.0], read)
    }

    /// One key, whoever owns it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn api_key_get(&self, id: ApiKeyId) -> Result<Option<ApiKeyRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE k.uuid = ?1"), [id.to_string()], read)
    }

    /// An account's keys, oldest first, also those that open nothing any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn api_key_list(&self, account: AccountId) -> Result<Vec<ApiKeyRow>, StoreError> {
        self.many(&format!("{COLUMNS} WHERE a.uuid = ?1 ORDER BY k.id"), [account.to_string()], read)
    }

    /// Whether a key is neither revoked nor expired.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn api_key_is_open(&self, key: ApiKeyId, now: Time) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM api_keys \
                   WHERE uuid = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
        Ok(self.count(sql, (key.to_string(), now.0))? > 0)
    }
}

impl Tx<'_> {
    /// Keeps a new key's hash and what may be shown of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn api_key_insert(&mut self, new: &NewApiKey<'_>, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &new.account.to_string())?;
        let sql = "INSERT INTO api_keys \
                   (uuid, account_id, hash, preview, label, created_at, scopes, networks, expires_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let params = rusqlite::params![
            new.id.to_string(),
            account,
            new.hash.0,
            new.preview,
            new.label.as_str(),
            now.0,
            new.terms.scopes.to_words(),
            new.terms.networks.as_ref().map(Networks::to_words),
            new.terms.expires_at.map(|end| end.0)
        ];
        self.insert(sql, params).map(drop)
    }

    /// Ends a key. One that was revoked before keeps its time. Who follows its account is woken: he may be there by this key.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn api_key_revoke(&mut self, id: ApiKeyId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE api_keys SET revoked_at = ?2 WHERE uuid = ?1 AND revoked_at IS NULL";
        if self.run(sql, (id.to_string(), now.0))? == 1 {
            let sql = "SELECT a.uuid FROM api_keys k JOIN accounts a ON a.id = k.account_id WHERE k.uuid = ?1";
            let account = self.one(sql, [id.to_string()], |r| row::parsed(r, 0))?;
            self.news.told.insert(account);
        }
        Ok(())
    }

    /// Writes down when and from where a key was used last.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn api_key_note_use(&mut self, id: ApiKeyId, at: Time, from: IpAddr) -> Result<(), StoreError> {
        let sql = "UPDATE api_keys SET last_used_at = ?2, last_used_from = ?3 WHERE uuid = ?1";
        self.run(sql, (id.to_string(), at.0, from.to_string())).map(drop)
    }
}
