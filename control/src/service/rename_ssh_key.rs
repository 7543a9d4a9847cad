//! Gives a public SSH key another name. The key itself never changes: another key is another row.

use csp_shared::id::{AccountId, SshKeyId};

use crate::{
    domain::label::Label,
    store::{SshKeyRow, StoreError, Tx},
};

/// Why a key was not changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ChangeSshKeyError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such SSH key")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Renames a key, if there is a name; answers what it is now.
///
/// # Errors
/// When the account has no such key.
pub fn rename_ssh_key(
    tx: &mut Tx<'_>,
    account: AccountId,
    key: SshKeyId,
    label: Option<&Label>,
) -> Result<SshKeyRow, ChangeSshKeyError> {
    if let Some(label) = label {
        tx.ssh_key_rename(account, key, label)?;
    }
    tx.ssh_key_get(account, key)?.ok_or(ChangeSshKeyError::NotFound)
}
