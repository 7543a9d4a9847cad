//! The part that everybody shares who writes to people who sign in, or want to: into the outbox, with or without a link.

use csp_shared::id::MailId;

use crate::{
    domain::{draw::Draw, email::Email, letter::Letter, person_letter::with_link, time::Time},
    store::{NewMail, NewMailLink, StoreError, Tx},
};

/// Writes a letter.
pub(super) fn write_to_person(
    tx: &mut Tx<'_>,
    to: &Email,
    letter: &Letter,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let id = MailId(draw.uuid(now));
    let cause = format!("person/{id}");
    tx.mail_insert(&NewMail { id, account: None, cause: &cause, recipient: to.as_str(), letter }, now)
}

/// Writes a letter with a link.
pub(super) fn write_link(
    tx: &mut Tx<'_>,
    link: &NewMailLink<'_>,
    public_url: &str,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let (id, letter) = (MailId(draw.uuid(now)), with_link(link.purpose, public_url));
    let cause = format!("person/{id}");
    let mail = NewMail { id, account: None, cause: &cause, recipient: link.email.as_str(), letter: &letter };
    tx.mail_with_link_insert(&mail, link, now)
}
