//! Somebody closes their account, for password and code: nothing opens it any more, and what is not bookkeeping is gone.

use csp_shared::id::{AccountId, PersonId};

use super::{
    check_factor::{Checker, CodeEnd, check_factor},
    write_to_person::write_to_person,
};
use crate::{
    domain::{
        draw::Draw, email::Email, money::Cents, person::PasswordHash, person_letter::account_closed, time::Time,
        totp::SecondFactor,
    },
    store::{StoreError, Tx},
};

/// Why an account stays.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The password was changed just now, by another browser.
    #[error("the password was changed meanwhile")]
    Changed,
    /// A code is asked for, and none was given.
    #[error("is required: a code of your authenticator, or a recovery code")]
    NoCode,
    /// It has something: each by its name.
    #[error("the account still has {}", .0.join(", "))]
    Remains(Vec<String>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who closes which account.
#[derive(Clone, Debug)]
pub struct CloseAccount {
    /// Who.
    pub person: PersonId,
    /// What the password was compared with.
    pub password: PasswordHash,
    /// Which.
    pub account: AccountId,
    /// What was typed where a code is asked for.
    pub code: Option<SecondFactor>,
    /// When whose it was is forgotten, too.
    pub forget_at: Time,
}

/// Closes an account.
///
/// # Errors
/// When it still has something, or whoever asks has not proved enough.
pub fn close_account(
    tx: &mut Tx<'_>,
    checker: &Checker,
    wanted: &CloseAccount,
    draw: Draw,
    now: Time,
) -> Result<CodeEnd<()>, CloseError> {
    let mut draw = draw;
    let person = tx.person_get(wanted.person)?.filter(|person| person.password == wanted.password);
    let person = person.ok_or(CloseError::Changed)?;
    let left = remains(tx, wanted.account, now)?;
    if !left.is_empty() {
        return Err(CloseError::Remains(left));
    }
    if let Some(factor) = tx.second_factor_get(person.id)?.filter(|factor| factor.confirmed_at.is_some()) {
        let code = wanted.code.as_ref().ok_or(CloseError::NoCode)?;
        match check_factor(tx, checker, &person, &factor, code, &mut draw, now)? {
            CodeEnd::Done(()) => {}
            refused => return Ok(refused),
        }
    }
    tx.account_close(wanted.account, wanted.forget_at, now)?;
    tx.person_delete(person.id, &person.email)?;
    tell(tx, &person.email, &mut draw, now)?;
    Ok(CodeEnd::Done(()))
}

/// After all other letters are gone: this one is to arrive.
fn tell(tx: &mut Tx<'_>, email: &Email, draw: &mut Draw, now: Time) -> Result<(), StoreError> {
    write_to_person(tx, email, &account_closed(), draw, now)
}

fn remains(tx: &Tx<'_>, id: AccountId, now: Time) -> Result<Vec<String>, StoreError> {
    let gone = || StoreError::Damaged(format!("no account {id}"));
    let (account, remains) = (tx.account_get(id)?.ok_or_else(gone)?, tx.account_remains(id, now)?);
    let mut named: Vec<String> = remains.servers.into_iter().map(|name| format!("the server {name}")).collect();
    named.extend(remains.networks.into_iter().map(|name| format!("the private network {name}")));
    let sum = |amount: Cents, what: &str| (!amount.is_zero()).then(|| format!("{amount} USD {what}"));
    named.extend(sum(account.balance, "in its wallet"));
    named.extend(sum(account.owed, "to pay for disputed payments"));
    named.extend((remains.payments > 0).then(|| "payments that are disputed or on their way".to_owned()));
    let page = "a page for paying that may still be used: that ends within two hours after it was opened";
    named.extend((remains.pages > 0).then(|| page.to_owned()));
    Ok(named)
}
