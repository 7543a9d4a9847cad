//! Somebody came by the link in a letter, so the address is theirs, and chooses name and password. Nothing is kept of
//! anybody before that: whoever types a stranger's address leaves no password behind that opens an account later.

use csp_shared::{
    id::{AccountId, PersonId},
    secret::Secret,
};

use crate::{
    domain::{
        draw::Draw,
        label::Label,
        person::PasswordHash,
        sign_in::{Admission, SignUp},
        time::Time,
        token,
    },
    store::{NewPerson, StoreError, Tx},
};

/// What somebody chose.
#[derive(Clone, Debug)]
pub struct FinishSignUp {
    /// Of the link.
    pub token: Secret,
    /// For people, and the account's name.
    pub name: Label,
    /// What is kept of the password.
    pub password: PasswordHash,
    /// Which terms were accepted; empty where there are none.
    pub terms_version: String,
    /// Who may sign up now.
    pub mode: SignUp,
}

/// Why nobody was signed up.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Used, too old, never made, for something else, or sign-up was closed meanwhile: nobody learns which.
    #[error("this link opens nothing any more; ask for another one")]
    Ended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs somebody up; answers what becomes of them.
///
/// # Errors
/// When the link opens nothing.
pub fn finish_sign_up(tx: &mut Tx<'_>, wanted: &FinishSignUp, draw: Draw, now: Time) -> Result<Admission, FinishError> {
    let mut draw = draw;
    let link = tx.mail_link_by_token(token::hash(&wanted.token), now)?.ok_or(FinishError::Ended)?;
    let admission = wanted.mode.admits(link.purpose);
    if admission == Admission::Never || tx.person_by_email(&link.email)?.is_some() {
        return Err(FinishError::Ended);
    }
    let account = match (admission, link.account) {
        (Admission::AtOnce, Some(account)) if tx.person_count(account)? > 0 => return Err(FinishError::Ended),
        (Admission::AtOnce, Some(account)) => Some(account),
        (Admission::AtOnce, None) => {
            let account = AccountId(draw.uuid(now));
            tx.account_insert(account, &wanted.name, Some(&link.email), now)?;
            Some(account)
        }
        _ => None,
    };
    let person = NewPerson {
        id: PersonId(draw.uuid(now)),
        account,
        name: &wanted.name,
        email: &link.email,
        password: &wanted.password,
        terms_version: &wanted.terms_version,
    };
    tx.person_insert(&person, now)?;
    tx.mail_link_use(&link)?;
    Ok(admission)
}
