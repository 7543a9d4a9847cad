//! Somebody signs in with a browser, and out again.

use std::net::IpAddr;

use csp_shared::{
    id::{PersonId, SignInId},
    secret::Secret,
};

use crate::{
    domain::{
        draw::Draw,
        network::counted_as,
        person::PasswordHash,
        sign_in,
        time::Time,
        token::{self, TokenKind},
    },
    store::{NewSignIn, StoreError, Tx},
};

/// A browser whose owner gave the right password.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who.
    pub person: PersonId,
    /// What the password was compared with.
    pub password: PasswordHash,
    /// Whence.
    pub from: IpAddr,
    /// What the browser says of itself.
    pub user_agent: String,
}

/// Signs somebody in; answers what the browser is to keep. Always something new: what a browser brought is never taken over,
/// so nobody can plant it. None when the password was changed meanwhile, or the person is gone or waits.
///
/// # Errors
/// When the store cannot keep it.
pub fn sign_in(tx: &mut Tx<'_>, arrival: &Arrival, draw: Draw, now: Time) -> Result<Option<Secret>, StoreError> {
    let mut draw = draw;
    let person = tx.person_get(arrival.person)?;
    let may = person.is_some_and(|person| person.account.is_some() && person.password == arrival.password);
    if !may {
        return Ok(None);
    }
    let (id, session) = (SignInId(draw.uuid(now)), token::make(TokenKind::SignIn, &mut draw));
    let user_agent = sign_in::user_agent(&arrival.user_agent);
    let (hash, person, from) = (token::hash(&session), arrival.person, arrival.from);
    tx.sign_in_insert(&NewSignIn { id, hash, person, from, user_agent: &user_agent }, now)?;
    tx.person_address_note(person, counted_as(from), now)?;
    Ok(Some(session))
}
