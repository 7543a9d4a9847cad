//! Who sends the request: by a bearer key, or by a browser in which somebody has signed in. Both are looked up by their hash
//! at every request, so that revoking a key or signing out works at once.

use std::{marker::PhantomData, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use csp_shared::{id::AccountId, secret::Secret};

use super::{
    document::sheet::{Part, Sheet},
    error::{ApiError, Code},
    panel::session::{COOKIE, signed_in, signed_out},
    state::App,
    throttle::Client,
};
use crate::{
    domain::{
        api_key::{KeyRefusal, admit},
        scope::{Alternatives, Scope, Scopes, suffice},
        time::Time,
        token,
    },
    service::note_key_uses::KeyUse,
    store::{Credential, StoreError},
};

/// Longer than any key of ours; what is longer is not even hashed.
const KEY_BYTES_MAX: usize = 256;

/// A customer, by one of the account's keys or a browser.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Whose key.
    pub account: AccountId,
    /// Which key, or browser.
    pub by: Credential,
    /// What was sent to show it: stored answers are sealed under it.
    pub secret: Secret,
    /// What may be done with it.
    pub scopes: Scopes,
    /// From then on it opens nothing.
    pub opens_until: Option<Time>,
    /// Whence the request came, behind whatever proxies of ours.
    pub address: IpAddr,
}

/// What a route asks of the key. A handler cannot get at a [`Customer`] without naming it.
pub trait Need: Send + Sync + 'static {
    /// One of these must be held whole.
    const ALTERNATIVES: Alternatives;
}

/// A look at the account's things.
pub struct Reads;
impl Need for Reads {
    const ALTERNATIVES: Alternatives = &[&[Scope::Read]];
}

/// A change that costs nothing.
pub struct Writes;
impl Need for Writes {
    const ALTERNATIVES: Alternatives = &[&[Scope::Write]];
}

/// A change that costs money.
pub struct Spends;
impl Need for Spends {
    const ALTERNATIVES: Alternatives = &[&[Scope::Write, Scope::Billing]];
}

/// A look at the wallet.
pub struct ReadsWallet;
impl Need for ReadsWallet {
    const ALTERNATIVES: Alternatives = &[&[Scope::Read], &[Scope::Billing]];
}

/// A screen.
pub struct OpensConsole;
impl Need for OpensConsole {
    const ALTERNATIVES: Alternatives = &[&[Scope::Console]];
}

/// A customer whose key may do what `N` names.
pub struct By<N> {
    /// Who.
    pub customer: Customer,
    need: PhantomData<N>,
}

impl<N: Need> FromRequestParts<App> for By<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let client = Client::of(parts);
        let by_browser = browser(parts, app);
        let customer = match by_browser {
            Some(secret) => by_sign_in(parts, app, secret, &client).await?,
            None => by_key(parts, app, &client).await?,
        };
        if !suffice(customer.scopes, N::ALTERNATIVES) {
            return Err(lacking(N::ALTERNATIVES));
        }
        Ok(Self { customer, need: PhantomData })
    }
}

async fn by_key(parts: &Parts, app: &App, client: &Client) -> Result<Customer, ApiError> {
    let secret = bearer(parts, "Send your API key as `Authorization: Bearer csp_live_…`.")
        .map_err(|refusal| app.throttle.failed(client, refusal))?;
    let (hash, now) = (token::hash(&secret), app.now());
    let found = app.store.read::<_, StoreError>(move |read| read.api_key_by_hash(hash)).await?;
    let key = found.ok_or(KeyRefusal::Ended).and_then(|key| {
        let admitted = admit(&key.terms, key.revoked_at, now, client.address);
        admitted.map(|()| key)
    });
    let key = key.map_err(|refusal| app.throttle.failed(client, refused(refusal, client.address)))?;
    app.throttle.signed_in(client, key.id.0)?;
    app.key_uses.note(key.id, KeyUse { at: now, from: client.address });
    let (by, scopes, opens_until) = (Credential::Key(key.id), key.terms.scopes, key.terms.expires_at);
    Ok(Customer { account: key.account, by, secret, scopes, opens_until, address: client.address })
}

/// What a browser brought that sends no key. Who sends one means it, and no other site can have it sent.
fn browser(parts: &Parts, app: &App) -> Option<Secret> {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    COOKIE.brought(&parts.headers, &app.settings.public_url)
}

/// Whoever has signed in may do all that a key can.
async fn by_sign_in(parts: &Parts, app: &App, secret: Secret, client: &Client) -> Result<Customer, ApiError> {
    let found = signed_in(parts, app, &secret, client).await?;
    let (by, opens_until) = (Credential::SignIn(found.id), Some(found.ends_at));
    let (account, scopes, address) = (found.account, Scopes::all(), client.address);
    Ok(Customer { account, by, secret, scopes, opens_until, address })
}

impl<N: Need> Part for By<N> {
    fn describe(sheet: &mut Sheet) {
        sheet.needs(N::ALTERNATIVES);
        sheet.refuses(&[
            Code::Unauthorized,
            Code::NetworkNotAllowed,
            Code::InsufficientScope,
            Code::Internal,
            Code::Unavailable,
        ]);
    }
}

fn ended() -> ApiError {
    ApiError::new(Code::Unauthorized, "This API key is unknown, revoked or expired.")
}

/// A key that was revoked or expired, or a browser that was signed out, while its request was held open: told as at the door.
pub fn ended_by(credential: Credential) -> ApiError {
    match credential {
        Credential::Key(_) => ended(),
        Credential::SignIn(_) => signed_out(),
    }
}

/// Whoever holds a key that ended learns nothing of it, not even that it once worked. Whoever holds one that works learns
/// which address we see, to mend a proxy by, and not the networks.
fn refused(refusal: KeyRefusal, from: IpAddr) -> ApiError {
    match refusal {
        KeyRefusal::Ended => ended(),
        KeyRefusal::WrongNetwork => {
            ApiError::new(Code::NetworkNotAllowed, format!("This API key may not be used from {from}."))
        }
    }
}

fn lacking(needed: Alternatives) -> ApiError {
    let names = |all: &&[Scope]| all.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" and ");
    let needed = needed.iter().map(names).collect::<Vec<_>>().join(", or ");
    ApiError::new(Code::InsufficientScope, format!("This request needs a key with the scope {needed}."))
}

/// The bearer token of a request; `how` is told where there is none.
///
/// # Errors
/// When there is none, more than one, or what cannot be one.
pub(crate) fn bearer(parts: &Parts, how: &'static str) -> Result<Secret, ApiError> {
    let missing = || ApiError::new(Code::Unauthorized, how);
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    // Two of them: whoever sits in between may have read the other one.
    let (Some(value), None) = (values.next(), values.next()) else { return Err(missing()) };
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(missing)?;
    let key = key.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(missing());
    }
    Ok(Secret::new(key.to_owned()))
}
