//! Gives an account another mail address: what waits goes there, and the one before is told, since whoever reads there may
//! not have wished it.

use csp_shared::id::{AccountId, MailId};

use crate::{
    domain::{draw::Draw, email::Email, event::Event, letter, time::Time},
    store::{MOVED, NewMail, StoreError, Tx},
};

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailMoved {
    /// Whether the address is another one than before.
    pub changed: bool,
    /// Letters that wait, and go to it now.
    pub letters: usize,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum MoveMailError {
    /// Unknown.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes where an account's letters go.
///
/// # Errors
/// When there is no such account.
pub fn move_mail(
    tx: &mut Tx<'_>,
    id: AccountId,
    email: &Email,
    has_mail: bool,
    draw: Draw,
    now: Time,
) -> Result<MailMoved, MoveMailError> {
    let mut draw = draw;
    let account = tx.account_get(id)?.ok_or(MoveMailError::NoAccount(id))?;
    if account.email.as_deref() == Some(email.as_str()) {
        return Ok(MailMoved { changed: false, letters: 0 });
    }
    tx.account_set_email(id, email)?;
    let letters = tx.mail_redirect(id, email, now)?;
    tx.event_put(id, &Event::account_updated(&["email"]), now)?;
    if let Some(before) = account.email.filter(|_| has_mail) {
        let letter = letter::moved(&account.name, email);
        let (mail, cause) = (MailId(draw.uuid(now)), format!("{MOVED}{id}/{}", draw.uuid(now)));
        tx.mail_insert(
            &NewMail { id: mail, account: Some(id), cause: &cause, recipient: &before, letter: &letter },
            now,
        )?;
    }
    Ok(MailMoved { changed: true, letters })
}
