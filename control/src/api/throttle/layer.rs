//! The layer that finds out whose request it is, counts it, and marks the answer with what is left.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::too_many;
use crate::{
    api::{
        error::{ApiError, Code},
        manage,
        state::App,
    },
    domain::{
        network::client_address,
        rate::{Taken, Tally, seconds_rounded_up},
    },
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The other end of the connection; put into every request by whoever accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Whose request it is, as far as its address tells, and what has been counted for it.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client's, behind whatever proxies of ours.
    pub address: IpAddr,
    tally: Arc<Mutex<Option<Tally>>>,
}

impl Client {
    fn at(address: IpAddr) -> Self {
        Self { address, tally: Arc::default() }
    }

    /// Whose request this is. One that came past the layer is nobody's: of an address that is in no network.
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get().cloned().unwrap_or_else(|| Self::at(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    /// Remembers what was counted, for the headers.
    pub(super) fn counted(&self, taken: Taken, what: &str) -> Result<(), ApiError> {
        let (tally, outcome) = match taken {
            Taken::Yes(_, tally) => (tally, Ok(())),
            Taken::No(wait, tally) => (tally, Err(too_many(what, wait, tally))),
        };
        let mut held = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none_or(|other| tally.is_nearer_its_end(other)) {
            *held = Some(tally);
        }
        outcome
    }
}

/// People who hold a link get a page, programs what they read.
fn refused(app: &App, path: &str, refusal: ApiError) -> Response {
    let is_page = path == manage::PATH || path.starts_with("/manage/");
    let page = is_page.then(|| manage::answer::too_many(app, &refusal)).flatten();
    page.unwrap_or_else(|| refusal.into_response())
}

/// Runs a request inside the layer.
pub async fn count(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |Peer(address)| *address);
    let forwarded_for: Vec<&str> =
        request.headers().get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    let client = match client_address(peer, forwarded_for.into_iter(), &app.settings.trusted_proxies) {
        Ok(address) => Client::at(address),
        // Nobody's allowance is to pay for it.
        Err(why) => return ApiError::field(Code::BadRequest, "X-Forwarded-For", why.to_string()).into_response(),
    };
    request.extensions_mut().insert(client.clone());
    let mut response = match app.throttle.request(&client) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(&app, request.uri().path(), refusal),
    };
    if let Some(tally) = *client.tally.lock().unwrap_or_else(PoisonError::into_inner) {
        let headers = response.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(tally.limit));
        headers.insert(REMAINING, HeaderValue::from(tally.remaining));
        headers.insert(RESET, HeaderValue::from(seconds_rounded_up(tally.whole_in)));
    }
    response
}
