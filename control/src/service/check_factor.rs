//! The part that everybody shares who asks for a second factor: a code is used once, wrong ones are counted, and whoever it is is
//! written to when a recovery code was used, or when codes are guessed by somebody who has the password.

use super::write_to_person::write_to_person;
use crate::{
    domain::{
        draw::Draw,
        person_letter::{codes_guessed, recovery_code_used},
        time::Time,
        totp::{SecondFactor, TotpSecret, recovery_hash},
        vault::Vault,
    },
    store::{Person, SecondFactorRow, StoreError, Tx},
};

/// What came of a code. What it changed is to be kept in any case: wrong ones are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CodeEnd<T> {
    /// It was right, and is used up; what came of that.
    Done(T),
    /// It was wrong; nothing else was changed.
    Wrong,
    /// There were so many wrong ones that no code of an authenticator is looked at for a while.
    TooMany,
}

impl<T> CodeEnd<T> {
    /// What is done with a right one.
    pub(super) fn then<U, E>(self, act: impl FnOnce(T) -> Result<U, E>) -> Result<CodeEnd<U>, E> {
        match self {
            Self::Done(done) => act(done).map(CodeEnd::Done),
            Self::Wrong => Ok(CodeEnd::Wrong),
            Self::TooMany => Ok(CodeEnd::TooMany),
        }
    }
}

/// What codes are checked by.
#[derive(Clone, Debug)]
pub struct Checker {
    /// Opens their secrets.
    pub vault: Vault,
    /// What the machine's clock shows. An authenticator goes by a clock of its own, not by csp's time.
    pub clock_shows: Time,
}

/// Looks at a code of somebody's.
pub(super) fn check_factor(
    tx: &mut Tx<'_>,
    checker: &Checker,
    person: &Person,
    factor: &SecondFactorRow,
    given: &SecondFactor,
    draw: &mut Draw,
    now: Time,
) -> Result<CodeEnd<()>, StoreError> {
    let wrong = factor.wrong.at(now);
    match given {
        SecondFactor::Recovery(code) => {
            if tx.recovery_code_use(person.id, recovery_hash(person.id, code))? {
                let left = tx.recovery_code_count(person.id)?;
                write_to_person(tx, &person.email, &recovery_code_used(left), draw, now)?;
                return Ok(CodeEnd::Done(()));
            }
        }
        SecondFactor::Code(_) if wrong.is_too_many() => return Ok(CodeEnd::TooMany),
        SecondFactor::Code(code) => {
            let secret = checker.vault.open(&person.id.to_string(), &factor.secret).map(TotpSecret::of);
            if let Some(step) = secret.and_then(|secret| secret.accepts(*code, factor.last_step, checker.clock_shows)) {
                tx.second_factor_note(person.id, step, Default::default())?;
                return Ok(CodeEnd::Done(()));
            }
        }
    }
    // Recovery codes are not found by trying, so wrong ones close nothing; they are counted no further than the bound.
    let more = if wrong.is_too_many() { wrong } else { wrong.more() };
    tx.second_factor_note(person.id, factor.last_step, more)?;
    if more.is_too_many() && more != wrong {
        write_to_person(tx, &person.email, &codes_guessed(), draw, now)?;
    }
    Ok(CodeEnd::Wrong)
}
