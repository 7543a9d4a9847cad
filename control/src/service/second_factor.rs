//! A second thing to sign in with: set up, confirmed by a first code, with new recovery codes, and turned off.

use csp_shared::{
    id::{PersonId, SignInId},
    secret::Secret,
};

use super::{
    check_factor::{Checker, CodeEnd, check_factor},
    write_to_person::write_to_person,
};
use crate::{
    domain::{
        draw::Draw,
        email::Email,
        person::PasswordHash,
        person_letter::{second_factor_off, second_factor_on},
        time::Time,
        totp::{SecondFactor, TotpSecret, recovery_codes, recovery_hash},
        vault::Vault,
    },
    store::{Person, SecondFactorRow, StoreError, Tx},
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// The password was changed just now, by another browser.
    #[error("the password was changed meanwhile")]
    Changed,
    /// It is on.
    #[error("a code is asked for already; turn that off first")]
    On,
    /// It is off.
    #[error("no code is asked for")]
    Off,
    /// Nothing waits for a first code.
    #[error("nothing is set up; begin there")]
    NotSetUp,
    /// The vault failed.
    #[error("the secret could not be sealed")]
    NotSealed,
    /// Nobody signs in with the address.
    #[error("nobody signs in with the address {0}")]
    Nobody(Email),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who gave their password, and what it was compared with.
pub type Proved<'a> = (PersonId, &'a PasswordHash);

fn proved(tx: &Tx<'_>, (id, password): Proved<'_>) -> Result<Person, SecondFactorError> {
    tx.person_get(id)?.filter(|person| person.password == *password).ok_or(SecondFactorError::Changed)
}

fn is_on(factor: &SecondFactorRow) -> bool {
    factor.confirmed_at.is_some()
}

/// Makes a secret for somebody's authenticator. It is asked for nowhere until a code of it was typed.
///
/// # Errors
/// When one is asked for already.
pub fn set_up_factor(
    tx: &mut Tx<'_>,
    vault: &Vault,
    who: Proved<'_>,
    draw: Draw,
    now: Time,
) -> Result<TotpSecret, SecondFactorError> {
    let mut draw = draw;
    let person = proved(tx, who)?;
    if tx.second_factor_get(person.id)?.as_ref().is_some_and(is_on) {
        return Err(SecondFactorError::On);
    }
    let secret = TotpSecret::make(&mut draw);
    let sealed = vault.seal(&person.id.to_string(), draw.bytes(), secret.bytes());
    tx.second_factor_put(person.id, &sealed.ok_or(SecondFactorError::NotSealed)?, now)?;
    Ok(secret)
}

/// Turns it on for somebody who types a code of the secret; answers their recovery codes. Their other browsers are signed out:
/// they never gave a code.
///
/// # Errors
/// When nothing is set up, or it is on.
pub fn confirm_factor(
    tx: &mut Tx<'_>,
    checker: &Checker,
    (id, browser): (PersonId, SignInId),
    code: &SecondFactor,
    draw: Draw,
    now: Time,
) -> Result<CodeEnd<Vec<Secret>>, SecondFactorError> {
    let mut draw = draw;
    let (Some(person), Some(factor)) = (tx.person_get(id)?, tx.second_factor_get(id)?) else {
        return Err(SecondFactorError::NotSetUp);
    };
    if is_on(&factor) {
        return Err(SecondFactorError::On);
    }
    check_factor(tx, checker, &person, &factor, code, &mut draw, now)?.then(|()| {
        tx.second_factor_confirm(id, now)?;
        tx.sign_in_end_all(id, Some(browser))?;
        let codes = new_codes(tx, id, &mut draw)?;
        write_to_person(tx, &person.email, &second_factor_on(), &mut draw, now)?;
        Ok(codes)
    })
}

/// Who gave their password and a code, where one is asked for.
fn proved_by_code(
    tx: &mut Tx<'_>,
    checker: &Checker,
    who: Proved<'_>,
    code: &SecondFactor,
    draw: &mut Draw,
    now: Time,
) -> Result<CodeEnd<Person>, SecondFactorError> {
    let person = proved(tx, who)?;
    let factor = tx.second_factor_get(person.id)?.filter(is_on).ok_or(SecondFactorError::Off)?;
    check_factor(tx, checker, &person, &factor, code, draw, now)?.then(|()| Ok(person))
}

fn new_codes(tx: &mut Tx<'_>, person: PersonId, draw: &mut Draw) -> Result<Vec<Secret>, StoreError> {
    let codes = recovery_codes(draw);
    let hashes: Vec<_> = codes.iter().map(|code| recovery_hash(person, code)).collect();
    tx.recovery_code_put(person, &hashes)?;
    Ok(codes)
}

/// Gives somebody new recovery codes in place of those that are left, for password and code.
///
/// # Errors
/// When no code is asked for.
pub fn renew_recovery_codes(
    tx: &mut Tx<'_>,
    checker: &Checker,
    who: Proved<'_>,
    code: &SecondFactor,
    draw: Draw,
    now: Time,
) -> Result<CodeEnd<Vec<Secret>>, SecondFactorError> {
    let mut draw = draw;
    proved_by_code(tx, checker, who, code, &mut draw, now)?.then(|person| Ok(new_codes(tx, person.id, &mut draw)?))
}

/// Turns it off, for password and code.
///
/// # Errors
/// When it is off.
pub fn turn_off_factor(
    tx: &mut Tx<'_>,
    checker: &Checker,
    who: Proved<'_>,
    code: &SecondFactor,
    draw: Draw,
    now: Time,
) -> Result<CodeEnd<()>, SecondFactorError> {
    let mut draw = draw;
    proved_by_code(tx, checker, who, code, &mut draw, now)?.then(|person| {
        tx.second_factor_delete(person.id)?;
        write_to_person(tx, &person.email, &second_factor_off(false), &mut draw, now)?;
        Ok(())
    })
}

/// The operator turns it off for somebody who lost authenticator and recovery codes, and whom they know to be who they are.
///
/// # Errors
/// When nobody signs in with the address, or it is off.
pub fn lift_factor(tx: &mut Tx<'_>, email: &Email, draw: Draw, now: Time) -> Result<PersonId, SecondFactorError> {
    let mut draw = draw;
    let person = tx.person_by_email(email)?.ok_or_else(|| SecondFactorError::Nobody(email.clone()))?;
    if !tx.second_factor_get(person.id)?.as_ref().is_some_and(is_on) {
        return Err(SecondFactorError::Off);
    }
    tx.second_factor_delete(person.id)?;
    write_to_person(tx, &person.email, &second_factor_off(true), &mut draw, now)?;
    Ok(person.id)
}
