//! Makes an API key. The plain key is in the answer and nowhere else.

use csp_shared::{
    id::{AccountId, ApiKeyId},
    secret::Secret,
};

use super::check_limit::limit_reached;
use crate::{
    domain::{
        api_key::KeyTerms,
        draw::Draw,
        label::Label,
        limits::{Limit, LimitReached, Limits},
        time::Time,
        token::{self, TokenKind},
    },
    store::{NewApiKey, StoreError, Tx},
};

/// A key that is wanted.
#[derive(Clone, Debug)]
pub struct CreateKey {
    /// Whose.
    pub account: AccountId,
    /// For people.
    pub label: Label,
    /// What it may do, from where and for how long.
    pub terms: KeyTerms,
    /// What an account may usually have.
    pub limits: Limits,
}

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
    /// Nothing opens it any more.
    #[error("its owner closed the account {0}")]
    Closed(AccountId),
    /// It would never open anything.
    #[error("is not in the future")]
    Expired,
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
/// When the account is unknown or has as many keys as it may have, or the key would be expired.
pub fn create_key(tx: &mut Tx<'_>, wanted: &CreateKey, draw: Draw, now: Time) -> Result<KeyCreated, CreateKeyError> {
    let mut draw = draw;
    let account = wanted.account;
    let found = tx.account_get(account)?.ok_or(CreateKeyError::NoAccount(account))?;
    if found.closed_at.is_some() {
        return Err(CreateKeyError::Closed(account));
    }
    if wanted.terms.expires_at.is_some_and(|end| end <= now) {
        return Err(CreateKeyError::Expired);
    }
    if let Some(reached) = limit_reached(tx, account, Limit::ApiKeys, &wanted.limits, now)? {
        return Err(CreateKeyError::Limit(reached));
    }
    let id = ApiKeyId(draw.uuid(now));
    let key = token::make(TokenKind::ApiKey, &mut draw);
    let (hash, preview) = (token::hash(&key), token::preview(&key));
    let new = NewApiKey { id, account, label: &wanted.label, preview: &preview, hash, terms: &wanted.terms };
    tx.api_key_insert(&new, now)?;
    Ok(KeyCreated { id, key })
}
