//! `GET /manage/{link}`: from a link to a session. The answer leads to an address without the token, whatever it opens.

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use csp_shared::secret::Secret;

use super::{
    PATH,
    answer::{Referrer, guarded, led_away, page},
    refused::Refused,
    session, view,
};
use crate::{
    api::{state::App, throttle::Client},
    domain::token,
    service::visit_link::open_link,
    store::StoreError,
};

/// Longer than any link's token; what is longer is not even hashed.
const TOKEN_BYTES_MAX: usize = 256;

/// `GET /manage/{link}`: a token, with whatever slashes stand around it in what was copied.
pub async fn enter(State(app): State<App>, token: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let client = Client::of(&request.into_parts().0);
    let token =
        token.ok().map(|Path(text)| text.trim_matches('/').to_owned()).filter(|text| text.len() <= TOKEN_BYTES_MAX);
    let Some(token) = token.map(Secret::new) else { return led_away(&app, &client) };
    match open(&app, token, &client).await {
        Ok(Some(browser)) => entered(&app, &browser),
        Ok(None) => led_away(&app, &client),
        Err(error) => Refused::from(error).into_plain_page(&app),
    }
}

/// `HEAD /manage/{link}`: what looks at links without opening them is told nothing, and counts as no use.
pub async fn glance() -> Response {
    let allow = [(header::ALLOW, HeaderValue::from_static("GET"))];
    guarded((StatusCode::METHOD_NOT_ALLOWED, allow), Referrer::Nobody)
}

/// Any other method, which no browser's address bar sends: the page of a link that opens nothing, without a look at it.
pub async fn other(State(app): State<App>) -> Response {
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, &view::closed(&app.settings), Referrer::Nobody);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}

/// A browser always gets a session of its own making: one that it brought is not taken over, so nobody can plant one.
async fn open(app: &App, token: Secret, client: &Client) -> Result<Option<Secret>, StoreError> {
    let (hash, draw, now, from) = (token::hash(&token), app.draw(), app.now(), client.address);
    // Guesses cost a read, and no place among the writes.
    if app.store.read::<_, StoreError>(move |read| read.share_link_by_hash(hash, now)).await?.is_none() {
        return Ok(None);
    }
    app.store.write(move |tx| open_link(tx, &token, from, draw.clone(), now)).await
}

fn entered(app: &App, browser: &Secret) -> Response {
    let mut response = guarded(StatusCode::SEE_OTHER, Referrer::Nobody);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(PATH));
    session::COOKIE.keep(&mut response, &app.settings.public_url, browser);
    response
}
