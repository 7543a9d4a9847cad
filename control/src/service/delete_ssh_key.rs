//! Takes a public SSH key out of an account. Servers keep the keys that they were ordered with: a key that is gone from
//! the list must not lock anybody out at the next reinstall.

use csp_shared::id::{AccountId, SshKeyId};

use super::rename_ssh_key::ChangeSshKeyError;
use crate::store::Tx;

/// Deletes a key.
///
/// # Errors
/// When the account has no such key.
pub fn delete_ssh_key(tx: &mut Tx<'_>, account: AccountId, key: SshKeyId) -> Result<(), ChangeSshKeyError> {
    if tx.ssh_key_delete(account, key)? { Ok(()) } else { Err(ChangeSshKeyError::NotFound) }
}
