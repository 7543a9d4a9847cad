//! The part that everybody shares who writes to a customer: into the outbox, where letters are sent at all and the customer
//! has an address.

use csp_shared::id::{AccountId, MailId};

use crate::{
    domain::{draw::Draw, letter::Letter, time::Time},
    store::{NewMail, StoreError, Tx},
};

/// Writes to an account's owner; nothing when that cannot be.
pub(super) fn write_letter(
    tx: &mut Tx<'_>,
    account: AccountId,
    cause: &str,
    letter: &Letter,
    has_mail: bool,
    draw: &mut Draw,
    now: Time,
) -> Result<Option<MailId>, StoreError> {
    let address = tx.account_get(account)?.and_then(|account| account.email).filter(|_| has_mail);
    let Some(recipient) = address else { return Ok(None) };
    let id = MailId(draw.uuid(now));
    tx.mail_insert(&NewMail { id, account: Some(account), cause, recipient: &recipient, letter }, now)?;
    Ok(Some(id))
}
