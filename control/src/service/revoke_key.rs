//! Ends an API key: the next request with it is refused, and the consoles that it opened end within a second.

use csp_shared::id::ApiKeyId;

use crate::{
    domain::time::Time,
    store::{ApiKeyRow, StoreError, Tx},
};

/// Why no key was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeKeyError {
    /// Unknown key.
    #[error("there is no API key {0}")]
    NoKey(ApiKeyId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Revokes a key; one that is revoked already stays so. Answers what is kept of it.
///
/// # Errors
/// When the key is unknown.
pub fn revoke_key(tx: &mut Tx<'_>, id: ApiKeyId, now: Time) -> Result<ApiKeyRow, RevokeKeyError> {
    tx.api_key_revoke(id, now)?;
    tx.api_key_get(id)?.ok_or(RevokeKeyError::NoKey(id))
}
