//! The second step of signing in: a code, from who gave the password a moment ago.

use std::net::IpAddr;

use csp_shared::secret::Secret;

use super::{
    check_factor::{Checker, CodeEnd, check_factor},
    sign_in::{Browser, keep_browser},
};
use crate::{
    domain::{draw::Draw, time::Time, token, totp::SecondFactor},
    store::{StoreError, Tx},
};

/// A browser that is half-way in.
#[derive(Clone, Debug)]
pub struct SecondStep {
    /// What it was given for the password.
    pub token: Secret,
    /// What was typed.
    pub given: SecondFactor,
    /// Whence.
    pub from: IpAddr,
    /// What the browser says of itself.
    pub user_agent: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum SecondStepEnd {
    /// What the browser is to keep.
    SignedIn(Secret),
    /// The code was wrong: another one may be tried.
    Wrong,
    /// No code is looked at for a while.
    TooMany,
    /// The browser is not half-way in, or not any more.
    Ended,
}

/// Signs in who gives a right code.
///
/// # Errors
/// When the store cannot keep it.
pub fn finish_sign_in(
    tx: &mut Tx<'_>,
    checker: &Checker,
    step: &SecondStep,
    draw: Draw,
    now: Time,
) -> Result<SecondStepEnd, StoreError> {
    let mut draw = draw;
    let hash = token::hash(&step.token);
    let Some(person) = tx.half_sign_in_by_hash(hash, now)? else { return Ok(SecondStepEnd::Ended) };
    let (Some(person), Some(factor)) = (tx.person_get(person)?, tx.second_factor_get(person)?) else {
        return Ok(SecondStepEnd::Ended);
    };
    match check_factor(tx, checker, &person, &factor, &step.given, &mut draw, now)? {
        CodeEnd::Wrong => return Ok(SecondStepEnd::Wrong),
        CodeEnd::TooMany => return Ok(SecondStepEnd::TooMany),
        CodeEnd::Done(()) => tx.half_sign_in_end(hash)?,
    }
    let browser = Browser { person: person.id, from: step.from, user_agent: &step.user_agent };
    keep_browser(tx, &browser, &mut draw, now).map(SecondStepEnd::SignedIn)
}
