//! `Idempotency-Key`: the same request sent twice has one effect and one answer.
//!
//! The stored answer is written in the transaction of its effect, so there is no moment between the two in which a
//! crash could lose one of them. A twin that arrives meanwhile waits for the writer and then finds the answer: nothing
//! is ever "in flight" from the outside. Refusals are not stored; what changed nothing may be tried again.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    response::{IntoResponse, Response},
};
use csp_shared::{
    id::{AccountId, HostId},
    sha256::Sha256,
};
use serde::Serialize;
use utoipa::openapi::{
    ObjectBuilder, Type,
    path::{ParameterBuilder, ParameterIn},
};

use super::{
    auth::Customer,
    body::JsonBody,
    document::sheet::{Part, Sheet},
    envelope::{Answer, json, render},
    error::{ApiError, Code},
    seal::{SealKeys, same},
    state::App,
};
use crate::{
    domain::time::Time,
    store::{Read, StoreError, StoredAnswer, Tx},
};

/// What the client sends.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// As at Stripe, whose clients people copy.
const KEY_CHARS_MAX: usize = 255;

/// The key of a request, if it has one, and what the request is to. Every handler of a POST, PATCH or DELETE takes it and
/// runs its effect in [`Once`]; a test over the document finds one that does not.
#[derive(Debug)]
pub struct IdempotencyKey {
    key: Option<String>,
    /// Method, path and query, as they came: what a handler would have to name it could name wrongly.
    route: String,
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let route = format!("{} {}", parts.method, parts.uri.path_and_query().map_or("", |path| path.as_str()));
        key(&parts.headers).map(|key| Self { key: key.map(str::to_owned), route })
    }
}

impl Part for IdempotencyKey {
    fn describe(sheet: &mut Sheet) {
        let words = "A text of your choice for this one request, best a fresh UUID. The same request sent again with the \
                     same key has no second effect and gets the same answer, for 24 hours.";
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]([ -~]{0,253}[!-~])?$"));
        let parameter = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        sheet.parameter(parameter.description(Some(words)).schema(Some(schema.build())));
        sheet.refuses(&[Code::BadRequest, Code::IdempotencyKeyReused]);
    }
}

/// What a use case did.
#[derive(Debug)]
pub struct Effect<B> {
    /// What the customer is told.
    pub answer: B,
    /// Whose specs changed.
    pub wake: Option<HostId>,
}

/// An answer with `T` in its `data` and the body `B`, given now or before.
pub struct Answered<T, B = Answer<T>> {
    response: Response,
    body: PhantomData<fn() -> (T, B)>,
}

impl<T, B> Answered<T, B> {
    fn of(body: Vec<u8>, replayed: bool) -> Self {
        let mut response = json(body);
        if replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Self { response, body: PhantomData }
    }
}

impl<T, B> IntoResponse for Answered<T, B> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T, B: Part> Part for Answered<T, B> {
    fn describe(sheet: &mut Sheet) {
        B::describe(sheet);
        sheet.answers_header("Idempotent-Replayed");
    }
}

/// A request that is to have its effect once.
pub struct Once {
    account: AccountId,
    now: Time,
    sealed: Option<Sealed>,
}

/// What a request came to.
struct Outcome {
    body: Vec<u8>,
    wake: Option<HostId>,
    replayed: bool,
}

/// The part for requests that carry a key.
struct Sealed {
    keys: SealKeys,
    request: Sha256,
    nonce: [u8; 32],
}

impl Once {
    /// A request with this key and this body.
    #[must_use]
    pub fn new<T>(app: &App, key: &IdempotencyKey, customer: &Customer, body: &JsonBody<T>) -> Self {
        let sealed = key.key.as_deref().map(|text| {
            let keys = SealKeys::derive(&customer.secret, text);
            Sealed { request: keys.fingerprint(&key.route, &body.canonical), keys, nonce: app.draw().bytes() }
        });
        Self { account: customer.account, now: app.now(), sealed }
    }

    /// Runs the effect, unless its answer is stored already; answers the customer and wakes the host.
    ///
    /// # Errors
    /// With the effect's refusal, or when the key belongs to another request.
    pub async fn run<T, B: Serialize>(
        self,
        app: &App,
        effect: impl Fn(&mut Tx<'_>) -> Result<Effect<B>, ApiError> + Send + 'static,
    ) -> Result<Answered<T, B>, ApiError> {
        let outcome = app.store.write(move |tx| self.attempt(tx, &effect)).await?;
        if let Some(host) = outcome.wake {
            app.wake.wake(host);
        }
        Ok(Answered::of(outcome.body, outcome.replayed))
    }

    /// The answer that was given before, or the request back. For effects beyond the store, which the transaction of the
    /// answer cannot hold: only who has the turn at the thing concerned asks.
    ///
    /// # Errors
    /// When the key belongs to another request.
    pub async fn replayed<T>(self, app: &App) -> Result<Result<Answered<T>, Self>, ApiError> {
        let (body, this) = app.store.read(move |read| self.look(read).map(|body| (body, self))).await?;
        Ok(body.map(|body| Answered::of(body, true)).ok_or(this))
    }

    fn look(&self, read: &Read<'_>) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let stored = read.idempotency_get(self.account, sealed.keys.lookup, self.now)?;
        stored.map(|stored| sealed.replay(&stored)).transpose()
    }

    fn attempt<B: Serialize>(
        &self,
        tx: &mut Tx<'_>,
        effect: &impl Fn(&mut Tx<'_>) -> Result<Effect<B>, ApiError>,
    ) -> Result<Outcome, ApiError> {
        let first = |done: Effect<B>| Outcome { body: render(&done.answer), wake: done.wake, replayed: false };
        let Some(sealed) = &self.sealed else { return effect(tx).map(first) };
        if let Some(body) = self.look(tx)? {
            return Ok(Outcome { body, wake: None, replayed: true });
        }
        let done = effect(tx).map(first)?;
        let unsealed = || StoreError::Damaged("an answer could not be sealed".to_owned());
        let sealed_body = sealed.keys.seal(&sealed.request, sealed.nonce, &done.body).ok_or_else(unsealed)?;
        let answer = StoredAnswer { request: sealed.request, status: 200, sealed_body };
        tx.idempotency_insert(self.account, sealed.keys.lookup, &answer, self.now)?;
        Ok(done)
    }
}

impl Sealed {
    fn replay(&self, stored: &StoredAnswer) -> Result<Vec<u8>, ApiError> {
        if !same(&stored.request, &self.request) {
            return Err(ApiError::plain(Code::IdempotencyKeyReused));
        }
        let damaged = || StoreError::Damaged("a stored answer does not open".to_owned());
        Ok(self.keys.open(&self.request, &stored.sealed_body).ok_or_else(damaged)?)
    }
}

fn key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let (first, second) = (values.next(), values.next());
    let Some(value) = first else { return Ok(None) };
    // A tab is no part of it, though HTTP lets one through.
    let good = |text: &&str| (1..=KEY_CHARS_MAX).contains(&text.len()) && !text.contains('\t');
    match value.to_str().ok().filter(good) {
        Some(text) if second.is_none() => Ok(Some(text)),
        _ => {
            let reason = format!("must be one header of 1 to {KEY_CHARS_MAX} printable ASCII characters");
            Err(ApiError::field(Code::BadRequest, "Idempotency-Key", reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_short_printable_header() {
        let headers = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
            }
            headers
        };
        assert_eq!(key(&headers(&[])).unwrap(), None);
        assert_eq!(key(&headers(&[b"order 17"])).unwrap(), Some("order 17"));
        let long = "a".repeat(256);
        for bad in [&[b"a".as_slice(), b"b"] as &[&[u8]], &[b""], &[b"\xff"], &[b"a\tb"], &[long.as_bytes()]] {
            assert_eq!(key(&headers(bad)).unwrap_err().code, Code::BadRequest, "{bad:?}");
        }
    }
}
