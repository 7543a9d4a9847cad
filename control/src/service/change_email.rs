//! Another mail address to sign in with: it counts once a letter to it was followed, and the old one is told.

use csp_shared::{id::PersonId, secret::Secret};

use super::write_to_person::{write_link, write_to_person};
use crate::{
    domain::{
        draw::Draw,
        email::Email,
        event::Event,
        person::PasswordHash,
        person_letter::{email_changed, known_already},
        sign_in::Purpose,
        time::Time,
        token,
    },
    store::{NewMailLink, StoreError, Tx},
};

/// Why no address was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeEmailError {
    /// Used, too old, never made, or for something else: nobody learns which.
    #[error("this link opens nothing any more; ask for another one")]
    Ended,
    /// The password was changed just now, by another browser.
    #[error("the password was changed meanwhile")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a letter to the new address of somebody who gave their password. Where somebody else signs in with it, that one is
/// written to, and the browser is told the same.
///
/// # Errors
/// When the password was changed meanwhile.
pub fn ask_email(
    tx: &mut Tx<'_>,
    person: (PersonId, &PasswordHash),
    email: &Email,
    public_url: &str,
    draw: Draw,
    now: Time,
) -> Result<(), ChangeEmailError> {
    let (mut draw, (id, password)) = (draw, person);
    if tx.person_get(id)?.is_none_or(|person| person.password != *password) {
        return Err(ChangeEmailError::Changed);
    }
    if !tx.letter_request(email, now)? {
        return Ok(());
    }
    if tx.person_by_email(email)?.is_some() {
        return Ok(write_to_person(tx, email, &known_already(public_url), &mut draw, now)?);
    }
    let link = NewMailLink { purpose: Purpose::NewEmail, email, person: Some(id), account: None };
    Ok(write_link(tx, &link, public_url, &mut draw, now)?)
}

/// Changes the address of whoever came by such a letter, and tells the old one.
///
/// # Errors
/// When the link opens nothing, or somebody else signs in with the address by now.
pub fn confirm_email(tx: &mut Tx<'_>, token: &Secret, draw: Draw, now: Time) -> Result<(), ChangeEmailError> {
    let mut draw = draw;
    let link = tx.mail_link_by_token(token::hash(token), now)?.filter(|link| link.purpose == Purpose::NewEmail);
    let link = link.ok_or(ChangeEmailError::Ended)?;
    let person = link.person.and_then(|id| tx.person_get(id).transpose()).transpose()?;
    let person = person.ok_or(ChangeEmailError::Ended)?;
    if tx.person_by_email(&link.email)?.is_some() {
        return Err(ChangeEmailError::Ended);
    }
    tx.person_set_email(person.id, &link.email)?;
    let account = person.account.and_then(|id| tx.account_get(id).transpose()).transpose()?;
    let is_theirs = |email: &String| email.eq_ignore_ascii_case(person.email.as_str());
    if let Some(account) = account.filter(|account| account.email.as_ref().is_some_and(is_theirs)) {
        tx.account_set_email(account.id, &link.email)?;
        tx.mail_redirect(account.id, &link.email, now)?;
        tx.event_put(account.id, &Event::account_updated(&["email"]), now)?;
    }
    // A link to the old address must not give the account to whoever reads there.
    tx.mail_link_withdraw(person.id)?;
    write_to_person(tx, &person.email, &email_changed(&link.email), &mut draw, now)?;
    // What was written to the old address is to go with the account when that is closed: nothing else leads there any more.
    if let Some(account) = person.account {
        tx.mail_keep_with(account, &person.email)?;
    }
    Ok(())
}
