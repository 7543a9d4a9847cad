//! Adds a public SSH key to an account.

use csp_shared::id::{AccountId, SshKeyId};

use super::check_limit::limit_reached;
use crate::{
    domain::{
        draw::Draw,
        label::Label,
        limits::{Limit, LimitReached, Limits},
        ssh_key::SshKey,
        time::Time,
    },
    store::{StoreError, Tx},
};

/// Why a key was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddSshKeyError {
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// There already.
    #[error("the account has this key already, as `{0}`")]
    Known(String),
    /// The account has as many as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a key. `limits` is what an account may usually have.
///
/// # Errors
/// When the account is unknown, has the key already, or has as many as it may have.
pub fn add_ssh_key(
    tx: &mut Tx<'_>,
    account: AccountId,
    label: &Label,
    key: &SshKey,
    limits: &Limits,
    draw: Draw,
    now: Time,
) -> Result<SshKeyId, AddSshKeyError> {
    let mut draw = draw;
    if tx.account_get(account)?.is_none() {
        return Err(AddSshKeyError::NoAccount(account));
    }
    if let Some(known) = tx.ssh_key_by_fingerprint(account, key.fingerprint())? {
        return Err(AddSshKeyError::Known(known.label));
    }
    if let Some(reached) = limit_reached(tx, account, Limit::SshKeys, limits, now)? {
        return Err(AddSshKeyError::Limit(reached));
    }
    let id = SshKeyId(draw.uuid(now));
    tx.ssh_key_insert(account, id, label, key, now)?;
    Ok(id)
}
