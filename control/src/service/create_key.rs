//! Makes an API key. The plain key is in the answer and nowhere else.

use csp_shared::{
    id::{AccountId, ApiKeyId},
    secret::Secret,
};

use super::check_limit::limit_reached;
use crate::{
    domain::{
        draw::Draw,
        label::Label,
        limits::{Limit, LimitReached, Limits},
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
    /// The account has as many as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key for an account.
///
/// # Errors
/// When the account is unknown, or has as many keys as it may have.
pub fn create_key(
    tx: &mut Tx<'_>,
    account: AccountId,
    label: &Label,
    scopes: Scopes,
    limits: &Limits,
    draw: Draw,
    now: Time,
) -> Result<KeyCreated, CreateKeyError> {
    let mut draw = draw;
    if tx.account_get(account)?.is_none() {
        return Err(CreateKeyError::NoAccount(account));
    }
    if let Some(reached) = limit_reached(tx, account, Limit::ApiKeys, limits, now)? {
        return Err(CreateKeyError::Limit(reached));
    }
    let id = ApiKeyId(draw.uuid(now));
    let key = token::make(TokenKind::ApiKey, &mut draw);
    tx.api_key_insert(&ApiKey { id, account, scopes }, token::hash(&key), &token::preview(&key), label, now)?;
    Ok(KeyCreated { id, key })
}
