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
    #[error("there is no letter {0}; `csp-control mail list` shows those that wait or were given up")]
    Unknown(MailId),
    /// Its recipient was told already.
    #[error("letter {id} is not tried again: its recipient was told at {at} UTC")]
    Told {
        /// Which.
        id: MailId,
        /// When a mail server took it, or the operator told its recipient.
        at: Time,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has a letter tried again from the start, to the address that its account has now.
///
/// # Errors
/// When there is none, or its recipient was told.
pub fn retry_mail(tx: &mut Tx<'_>, id: MailId, now: Time) -> Result<MailRow, SettleError> {
    let letter = tx.mail_get(id)?.ok_or(SettleError::Unknown(id))?;
    if let Some(at) = letter.accepted_at {
        return Err(SettleError::Told { id, at });
    }
    tx.mail_retry(id, now)?;
    tx.mail_get(id)?.ok_or(SettleError::Unknown(id))
}

/// Has every letter tried again that was given up: a mail server was mended, for example.
///
/// # Errors
/// When the store failed.
pub fn retry_mails(tx: &mut Tx<'_>, now: Time) -> Result<Vec<MailRow>, SettleError> {
    let given_up = tx.mail_list()?.into_iter().filter(|letter| letter.refused_at.is_some());
    given_up.map(|letter| retry_mail(tx, letter.id, now)).collect()
}

/// Notes that the operator told its recipient in another way: it counts as if a mail server had taken it.
///
/// # Errors
/// When there is none.
pub fn told_otherwise(tx: &mut Tx<'_>, id: MailId, now: Time) -> Result<MailRow, SettleError> {
    tx.mail_accept(id, now)?;
    tx.mail_get(id)?.ok_or(SettleError::Unknown(id))
}
