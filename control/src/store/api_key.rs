//! Bearer keys: their hashes, never the keys.

use csp_shared::{
    id::{AccountId, ApiKeyId},
    sha256::Sha256,
};

use super::{Read, StoreError, Tx, row};
use crate::domain::{label::Label, scope::Scopes, time::Time};

/// A key that may open the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// What it may do.
    pub scopes: Scopes,
}

impl Read<'_> {
    /// The key with this hash, if it is neither revoked nor expired.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn api_key_valid(&self, hash: Sha256, now: Time) -> Result<Option<ApiKey>, StoreError> {
        let sql = "SELECT k.uuid, a.uuid, k.scopes FROM api_keys k JOIN accounts a ON a.id = k.account_id \
                   WHERE k.hash = ?1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2)";
        self.maybe(sql, (hash.0, now.0), |r| {
            let scopes = row::chosen(r, 2, Scopes::parse_words)?;
            Ok(ApiKey { id: row::parsed(r, 0)?, account: row::parsed(r, 1)?, scopes })
        })
    }
}

impl Tx<'_> {
    /// Keeps a new key's hash and what may be shown of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn api_key_insert(
        &mut self,
        key: &ApiKey,
        hash: Sha256,
        preview: &str,
        label: &Label,
        now: Time,
    ) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &key.account.to_string())?;
        let sql = "INSERT INTO api_keys (uuid, account_id, hash, preview, label, created_at, scopes) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (id, scopes) = (key.id.to_string(), key.scopes.to_words());
        self.insert(sql, (id, account, hash.0, preview, label.as_str(), now.0, scopes)).map(drop)
    }
}
