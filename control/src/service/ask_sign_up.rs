//! Somebody types an address to sign up with. Whether it is known is told by a letter to it, and by nothing else.

use super::write_to_person::{write_link, write_to_person};
use crate::{
    domain::{draw::Draw, email::Email, person_letter::known_already, sign_in::Purpose, time::Time},
    store::{NewMailLink, StoreError, Tx},
};

/// Writes a letter: with a link, or that there is an account already. After too many to one address nothing is written, and
/// nobody is told.
///
/// # Errors
/// When the store cannot keep it.
pub fn ask_sign_up(tx: &mut Tx<'_>, email: &Email, public_url: &str, draw: Draw, now: Time) -> Result<(), StoreError> {
    let mut draw = draw;
    if !tx.letter_request(email, now)? {
        return Ok(());
    }
    if tx.person_by_email(email)?.is_some() {
        return write_to_person(tx, email, &known_already(public_url), &mut draw, now);
    }
    let link = NewMailLink { purpose: Purpose::SignUp, email, person: None, account: None };
    write_link(tx, &link, public_url, &mut draw, now)
}
