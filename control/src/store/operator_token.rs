//! Tokens of other machines for the operator API: their hashes, never the tokens.

use csp_shared::{id::OperatorTokenId, sha256::Sha256};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{label::Label, operator_scope::OperatorScopes, time::Time};

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorTokenRow {
    /// Its id.
    pub id: OperatorTokenId,
    /// For people.
    pub label: String,
    /// Its first and last characters.
    pub preview: String,
    /// What it may do.
    pub scopes: OperatorScopes,
    /// When it was made.
    pub created_at: Time,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
    /// Likewise.
    pub revoked_at: Option<Time>,
}

impl OperatorTokenRow {
    /// Whether it opens anything.
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// A token about to be stored.
#[derive(Clone, Debug)]
pub struct NewOperatorToken<'a> {
    /// Its id.
    pub id: OperatorTokenId,
    /// For people.
    pub label: &'a Label,
    /// Its first and last characters.
    pub preview: &'a str,
    /// What is kept of the token itself.
    pub hash: Sha256,
    /// What it may do.
    pub scopes: &'a OperatorScopes,
    /// Until when it works.
    pub expires_at: Option<Time>,
}

const COLUMNS: &str = "SELECT uuid, label, preview, scopes, created_at, expires_at, revoked_at FROM operator_tokens";

fn read(r: &Row<'_>) -> Result<OperatorTokenRow, StoreError> {
    Ok(OperatorTokenRow {
        id: row::parsed(r, 0)?,
        label: r.get(1)?,
        preview: r.get(2)?,
        scopes: row::chosen(r, 3, OperatorScopes::parse)?,
        created_at: row::time(r, 4)?,
        expires_at: row::time_maybe(r, 5)?,
        revoked_at: row::time_maybe(r, 6)?,
    })
}

impl Read<'_> {
    /// The token with this hash, also one that opens nothing any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn operator_token_by_hash(&self, hash: Sha256) -> Result<Option<OperatorTokenRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE hash = ?1"), [hash.0], read)
    }

    /// One token.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn operator_token_get(&self, id: OperatorTokenId) -> Result<Option<OperatorTokenRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE uuid = ?1"), [id.to_string()], read)
    }

    /// All tokens, oldest first, also those that open nothing any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn operator_token_list(&self) -> Result<Vec<OperatorTokenRow>, StoreError> {
        self.many(&format!("{COLUMNS} ORDER BY id"), [], read)
    }
}

impl Tx<'_> {
    /// Keeps a new token's hash and what may be shown of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn operator_token_insert(&mut self, new: &NewOperatorToken<'_>, now: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO operator_tokens (uuid, hash, preview, label, scopes, created_at, expires_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (id, expires_at) = (new.id.to_string(), new.expires_at.map(|end| end.0));
        let scopes = new.scopes.to_text();
        self.insert(sql, (id, new.hash.0, new.preview, new.label.as_str(), scopes, now.0, expires_at)).map(drop)
    }

    /// Ends a token. One that was revoked before keeps its time.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn operator_token_revoke(&mut self, id: OperatorTokenId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE operator_tokens SET revoked_at = ?2 WHERE uuid = ?1 AND revoked_at IS NULL";
        self.run(sql, (id.to_string(), now.0)).map(drop)
    }
}
