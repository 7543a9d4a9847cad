//! Gives an account other limits than the usual ones. What it has above a lowered limit stays.

use csp_shared::id::AccountId;

use crate::{
    domain::limits::Limit,
    store::{StoreError, Tx},
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SetLimitsError {
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets each limit that is named; None takes it back to the usual one.
///
/// # Errors
/// When the account is unknown.
pub fn set_account_limits(
    tx: &mut Tx<'_>,
    account: AccountId,
    choices: &[(Limit, Option<u32>)],
) -> Result<(), SetLimitsError> {
    if tx.account_get(account)?.is_none() {
        return Err(SetLimitsError::NoAccount(account));
    }
    for (limit, max) in choices {
        tx.account_limit_put(account, *limit, *max)?;
    }
    Ok(())
}
