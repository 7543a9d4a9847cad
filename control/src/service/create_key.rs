//! Makes an API key. The plain key is in the answer and nowhere else.

use csp_shared::{
    id::{AccountId, ApiKeyId},
    secret::Secret,
};

use crate::{
    domain::{
        draw::Draw,
        label::Label,
        scope::Scopes,
        time::Time,
        token::{self, TokenKind},
    },
    store::{ApiKey, StoreError, Tx},
};

/// A new key.
#[derive(Clone, Debug)]
pub struct KeyCreated {
    /// Its id.
    pub id: ApiKeyId,
    /// Shown once.
    pub key: Secret,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key for an account.
///
/// # Errors
/// When the account is unknown.
pub fn create_key(
    tx: &mut Tx<'_>,
    account: AccountId,
    label: &Label,
    scopes: Scopes,
    draw: Draw,
    now: Time,
) -> Result<KeyCreated, CreateKeyError> {
    let mut draw = draw;
    if tx.account_get(account)?.is_none() {
        return Err(CreateKeyError::NoAccount(account));
    }
    let id = ApiKeyId(draw.uuid(now));
    let key = token::make(TokenKind::ApiKey, &mut draw);
    tx.api_key_insert(&ApiKey { id, account, scopes }, token::hash(&key), &token::preview(&key), label, now)?;
    Ok(KeyCreated { id, key })
}
