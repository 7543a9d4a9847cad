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

/// What a browser gets.
#[derive(Clone, Debug)]
pub enum LetIn {
    /// What it is to keep.
    Whole(Secret),
    /// What it brings to the second step. Opens nothing.
    HalfWay(Secret),
}

/// Signs somebody in, or half-way where a code is asked for. Always by something new: what a browser brought is never taken
/// over, so nobody can plant it. None when the password was changed meanwhile, or the person is gone or waits.
///
/// # Errors
/// When the store cannot keep it.
pub fn sign_in(tx: &mut Tx<'_>, arrival: &Arrival, draw: Draw, now: Time) -> Result<Option<LetIn>, StoreError> {
    let mut draw = draw;
    let person = tx.person_get(arrival.person)?;
    let may = person.is_some_and(|person| person.account.is_some() && person.password == arrival.password);
    if !may {
        return Ok(None);
    }
    if tx.second_factor_get(arrival.person)?.is_some_and(|factor| factor.confirmed_at.is_some()) {
        let half_way = token::make(TokenKind::HalfWay, &mut draw);
        tx.half_sign_in_insert(arrival.person, token::hash(&half_way), now)?;
        return Ok(Some(LetIn::HalfWay(half_way)));
    }
    let browser = Browser { person: arrival.person, from: arrival.from, user_agent: &arrival.user_agent };
    keep_browser(tx, &browser, &mut draw, now).map(|session| Some(LetIn::Whole(session)))
}

/// A browser whose owner gave all that was asked for.
pub(super) struct Browser<'a> {
    pub person: PersonId,
    pub from: IpAddr,
    pub user_agent: &'a str,
}

/// Keeps a browser that is signed in, and whence it came; answers what it brings from now on.
pub(super) fn keep_browser(
    tx: &mut Tx<'_>,
    browser: &Browser<'_>,
    draw: &mut Draw,
    now: Time,
) -> Result<Secret, StoreError> {
    let (id, session) = (SignInId(draw.uuid(now)), token::make(TokenKind::SignIn, draw));
    let user_agent = sign_in::user_agent(browser.user_agent);
    let (hash, person, from) = (token::hash(&session), browser.person, browser.from);
    tx.sign_in_insert(&NewSignIn { id, hash, person, from, user_agent: &user_agent }, now)?;
    tx.person_address_note(person, counted_as(from), now)?;
    Ok(session)
}
