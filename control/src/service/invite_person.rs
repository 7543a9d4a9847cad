//! The operator invites somebody, to an account of their own or to one that is there.

use csp_shared::id::AccountId;

use super::write_to_person::write_link;
use crate::{
    domain::{draw::Draw, email::Email, sign_in::Purpose, time::Time},
    store::{NewMailLink, StoreError, Tx},
};

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// They have an account, or wait for one.
    #[error("somebody with the address {0} has signed up already")]
    Known(Email),
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// Nothing opens it any more.
    #[error("its owner closed the account {0}")]
    Closed(AccountId),
    /// One sign-in an account, for now.
    #[error("somebody signs in for the account {0} already")]
    Taken(AccountId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes an invitation.
///
/// # Errors
/// When the address is known, or the account is unknown or taken.
pub fn invite_person(
    tx: &mut Tx<'_>,
    email: &Email,
    account: Option<AccountId>,
    public_url: &str,
    draw: Draw,
    now: Time,
) -> Result<(), InviteError> {
    let mut draw = draw;
    if tx.person_by_email(email)?.is_some() {
        return Err(InviteError::Known(email.clone()));
    }
    if let Some(account) = account {
        let found = tx.account_get(account)?.ok_or(InviteError::NoAccount(account))?;
        if found.closed_at.is_some() {
            return Err(InviteError::Closed(account));
        }
        if tx.person_count(account)? > 0 {
            return Err(InviteError::Taken(account));
        }
    }
    let link = NewMailLink { purpose: Purpose::Invitation, email, person: None, account };
    Ok(write_link(tx, &link, public_url, &mut draw, now)?)
}
