//! What an operator does about a letter that was given up: has it tried again, or tells its recipient in another way.

use csp_shared::id::MailId;

use crate::{
    domain::time::Time,
    store::{MailRow, StoreError, Tx},
};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// None of this id, or taken back since.
    #[error("there is no letter {0}")]
    Unknown(MailId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has a letter tried again from the start, to the address that its account has now. One that was taken stays so.
///
/// # Errors
/// When there is none.
pub fn retry_mail(tx: &mut Tx<'_>, id: MailId, now: Time) -> Result<MailRow, SettleError> {
    tx.mail_retry(id, now)?;
    tx.mail_get(id)?.ok_or(SettleError::Unknown(id))
}

/// Notes that the operator told its recipient in another way: it counts as if a mail server had taken it.
///
/// # Errors
/// When there is none.
pub fn told_otherwise(tx: &mut Tx<'_>, id: MailId, now: Time) -> Result<MailRow, SettleError> {
    tx.mail_accept(id, now)?;
    tx.mail_get(id)?.ok_or(SettleError::Unknown(id))
}
