//! The operator approves somebody who waits, or refuses them.

use csp_shared::id::{AccountId, PersonId};

use super::write_to_person::write_to_person;
use crate::{
    domain::{draw::Draw, label::Label, person_letter, time::Time},
    store::{Person, StoreError, Tx},
};

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// Nobody of that id waits.
    #[error("nobody with the id {0} waits; `csp-control person list` shows who does")]
    NotWaiting(PersonId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn waiting(tx: &Tx<'_>, id: PersonId) -> Result<Person, JudgeError> {
    tx.person_get(id)?.filter(|person| person.account.is_none()).ok_or(JudgeError::NotWaiting(id))
}

/// Opens an account for somebody who waits, and tells them.
///
/// # Errors
/// When nobody of that id waits.
pub fn approve_sign_up(
    tx: &mut Tx<'_>,
    id: PersonId,
    public_url: &str,
    draw: Draw,
    now: Time,
) -> Result<AccountId, JudgeError> {
    let mut draw = draw;
    let person = waiting(tx, id)?;
    let damaged = |_| StoreError::Damaged(format!("the name of the person {id}"));
    let name = Label::parse(&person.name).map_err(damaged)?;
    let account = AccountId(draw.uuid(now));
    tx.account_insert(account, &name, Some(&person.email), now)?;
    tx.person_admit(id, account)?;
    write_to_person(tx, &person.email, &person_letter::approved(public_url), &mut draw, now)?;
    Ok(account)
}

/// Forgets somebody who waits, and tells them.
///
/// # Errors
/// When nobody of that id waits.
pub fn refuse_sign_up(tx: &mut Tx<'_>, id: PersonId, draw: Draw, now: Time) -> Result<(), JudgeError> {
    let mut draw = draw;
    let person = waiting(tx, id)?;
    tx.person_forget(id)?;
    Ok(write_to_person(tx, &person.email, &person_letter::refused(), &mut draw, now)?)
}
