//! Whose browser it is, by its cookie.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
};
use csp_shared::secret::Secret;

use crate::{
    api::{
        browser::{Cookie, check_change},
        error::{ApiError, Code},
        state::App,
        throttle::Client,
    },
    domain::{
        sign_in::{WHOLE_SECONDS, note_is_old},
        token::{self, TokenKind},
    },
    store::{Person, SignIn, StoreError},
};

/// Holds what shows that somebody has signed in.
pub const COOKIE: Cookie = Cookie {
    secure_name: "__Host-csp_panel",
    plain_name: "csp_panel",
    kind: TokenKind::SignIn,
    seconds: WHOLE_SECONDS,
};

/// Somebody who has signed in, and with which browser.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// With which browser.
    pub browser: SignIn,
    /// Whence the request came.
    pub client: Client,
}

/// The refusal of a browser that is not signed in, or was.
pub fn signed_out() -> ApiError {
    ApiError::new(Code::Unauthorized, "You are not signed in, or not any more.")
}

/// The refusal of a change while newer terms wait.
fn terms_first(version: &str) -> ApiError {
    let words = format!("Our terms are newer than those that you accepted. Read and accept `{version}` first.");
    ApiError::new(Code::TermsNotAccepted, words)
}

/// The browser that brings this cookie, in which somebody is signed in. A change must come from a page of ours, and from
/// somebody who accepted the terms of now.
///
/// # Errors
/// When nobody is, the change may come from elsewhere, or newer terms wait.
pub async fn signed_in(parts: &Parts, app: &App, brought: &Secret, client: &Client) -> Result<SignIn, ApiError> {
    let found = whose_browser(parts, app, brought, client).await?;
    match app.settings.sign_up.newer_than(&found.terms_version).filter(|_| !parts.method.is_safe()) {
        Some(version) => Err(terms_first(version)),
        None => Ok(found),
    }
}

/// Names who the page that asks was shown to.
const PERSON: HeaderName = HeaderName::from_static("x-csp-person");

async fn whose_browser(parts: &Parts, app: &App, brought: &Secret, client: &Client) -> Result<SignIn, ApiError> {
    check_change(&parts.method, &parts.headers, &app.settings.public_url)?;
    let (hash, now) = (token::hash(brought), app.now());
    let found = app.store.read::<_, StoreError>(move |read| read.sign_in_by_hash(hash, now)).await?;
    let found = found.ok_or_else(|| app.throttle.failed(client, signed_out()))?;
    // A tab that stayed open while somebody else signed in must not act for them.
    let shown_to = parts.headers.get(PERSON).map(HeaderValue::as_bytes);
    if shown_to.is_some_and(|shown_to| shown_to != found.person.to_string().as_bytes()) {
        return Err(signed_out());
    }
    app.throttle.signed_in(client, found.id.0)?;
    note(app, &found).await;
    Ok(found)
}

/// Notes that a browser was seen, once in some minutes. Where that cannot be kept, it is signed out early, and no worse.
async fn note(app: &App, found: &SignIn) {
    let (seen, now) = (found.clone(), app.now());
    if !note_is_old(seen.seen_at, now) {
        return;
    }
    if let Err(why) = app.store.write::<_, StoreError>(move |tx| tx.sign_in_seen(&seen, now)).await {
        tracing::warn!(%why, "when a browser was seen last could not be noted");
    }
}

/// The same, also while newer terms wait: to accept them, or to leave.
#[derive(Debug)]
pub struct AnyTerms(pub SignedIn);

impl FromRequestParts<App> for AnyTerms {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        SignedIn::of(parts, app, false).await.map(Self)
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Self::of(parts, app, true).await
    }
}

impl SignedIn {
    async fn of(parts: &Parts, app: &App, needs_terms: bool) -> Result<Self, ApiError> {
        let client = Client::of(parts);
        let brought = COOKIE.brought(&parts.headers, &app.settings.public_url);
        // A key opens nothing here, and who sends one is told so, whatever else comes with it.
        let brought = brought.filter(|_| !parts.headers.contains_key(header::AUTHORIZATION));
        let brought = brought.ok_or_else(|| app.throttle.failed(&client, signed_out()))?;
        let browser = match needs_terms {
            true => signed_in(parts, app, &brought, &client).await?,
            false => whose_browser(parts, app, &brought, &client).await?,
        };
        let id = browser.person;
        let person = app.store.read::<_, StoreError>(move |read| read.person_get(id)).await?;
        Ok(Self { person: person.ok_or_else(signed_out)?, browser, client })
    }
}
