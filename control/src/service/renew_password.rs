//! Another password: by a letter for who forgot it, or with the old one. Other browsers are signed out by it.

use std::net::IpAddr;

use csp_shared::{
    id::{PersonId, SignInId},
    secret::Secret,
};

use super::write_to_person::{write_link, write_to_person};
use crate::{
    domain::{
        draw::Draw, email::Email, network::counted_as, person::PasswordHash, person_letter::password_changed,
        sign_in::Purpose, time::Time, token,
    },
    store::{NewMailLink, StoreError, Tx},
};

/// Why no password was changed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// Used, too old, never made, or for something else: nobody learns which.
    #[error("this link opens nothing any more; ask for another one")]
    Ended,
    /// It was changed just now, by another browser.
    #[error("the password was changed meanwhile")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a letter to an address that somebody signs in with; to another none, which is told by nothing.
///
/// # Errors
/// When the store cannot keep it.
pub fn ask_reset(tx: &mut Tx<'_>, email: &Email, public_url: &str, draw: Draw, now: Time) -> Result<(), StoreError> {
    let mut draw = draw;
    let may = tx.letter_request(email, now)?;
    let Some(person) = tx.person_by_email(email)?.filter(|_| may) else { return Ok(()) };
    let link = NewMailLink { purpose: Purpose::Reset, email, person: Some(person.id), account: None };
    write_link(tx, &link, public_url, &mut draw, now)
}

/// Changes the password of whoever came by such a letter, and signs them out everywhere. Whence they came is known from then
/// on, so that guesses from elsewhere do not keep them from signing in.
///
/// # Errors
/// When the link opens nothing.
pub fn reset_by_letter(
    tx: &mut Tx<'_>,
    token: &Secret,
    password: &PasswordHash,
    from: IpAddr,
    draw: Draw,
    now: Time,
) -> Result<(), RenewError> {
    let link = tx.mail_link_by_token(token::hash(token), now)?.filter(|link| link.purpose == Purpose::Reset);
    let person = link.as_ref().and_then(|link| link.person).ok_or(RenewError::Ended)?;
    renew(tx, person, password, None, draw, now)?;
    Ok(tx.person_address_note(person, counted_as(from), now)?)
}

/// Changes the password of somebody who gave the old one, and signs out all browsers but theirs.
///
/// # Errors
/// When it was changed meanwhile.
pub fn change_password(
    tx: &mut Tx<'_>,
    (person, browser): (PersonId, SignInId),
    old: &PasswordHash,
    new: &PasswordHash,
    draw: Draw,
    now: Time,
) -> Result<(), RenewError> {
    if tx.person_get(person)?.is_none_or(|person| person.password != *old) {
        return Err(RenewError::Changed);
    }
    renew(tx, person, new, Some(browser), draw, now)
}

fn renew(
    tx: &mut Tx<'_>,
    id: PersonId,
    password: &PasswordHash,
    but: Option<SignInId>,
    draw: Draw,
    now: Time,
) -> Result<(), RenewError> {
    let mut draw = draw;
    let person = tx.person_get(id)?.ok_or(RenewError::Ended)?;
    tx.person_set_password(id, password)?;
    tx.sign_in_end_all(id, but)?;
    // Whatever else was on its way was asked for by whoever had the old password, or their mail.
    tx.mail_link_withdraw(id)?;
    Ok(write_to_person(tx, &person.email, &password_changed(), &mut draw, now)?)
}
