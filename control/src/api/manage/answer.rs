//! What every answer of the page sends along, and the page that tells nothing: of a link that opens nothing.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::Markup;

use super::{CLOSED, view};
use crate::api::{
    edge::Rendered,
    error::{ApiError, Code},
    guards::{NO_REFERRER, UNLISTED, guards},
    state::App,
    throttle::Client,
};

/// The panel's design, as far as a page without its components has it, and what is of this page alone.
const STYLE: &str = concat!(
    include_str!("../../../web/src/styles/tokens.css"),
    include_str!("../../../web/src/styles/base.css"),
    include_str!("../../../web/src/styles/controls.css"),
    include_str!("view/manage.css")
);
const SCRIPT: &str = include_str!("view/manage.js");

/// Style and script from here alone, none inline; forms go nowhere else. The empty icon keeps browsers from asking for one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a browser tells of where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referrer {
    /// Nothing to anybody: the address may hold a link's token.
    Nobody,
    /// Our own pages alone. With nothing at all, browsers call the origin of a form `null`, and it could not be checked.
    Ourselves,
}

impl Referrer {
    fn value(self) -> HeaderValue {
        match self {
            Self::Nobody => NO_REFERRER,
            Self::Ourselves => HeaderValue::from_static("same-origin"),
        }
    }
}

/// Any answer, with what all of them send along.
pub fn guarded(answer: impl IntoResponse, referrer: Referrer) -> Response {
    let guards = guards(HeaderValue::from_static(POLICY), referrer.value());
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = ([no_store, UNLISTED], guards, answer).into_response();
    response.extensions_mut().insert(Rendered);
    response
}

/// A page.
pub fn page(status: StatusCode, page: &Markup, referrer: Referrer) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guarded((status, [kind], page.0.clone()), referrer)
}

/// The answer to a session that opens nothing: the same bytes, whether it ended or never was. It counts as a failed sign-in,
/// and beyond that allowance another page says so.
pub fn closed(app: &App, client: &Client) -> Response {
    counted(app, client).unwrap_or_else(|| nothing(app))
}

/// The same for a link: its token leaves the address bar also where it opens nothing, and without a script. What ended may be
/// still in use elsewhere, copied wrongly by one letter. It leads to one place for all, so nothing is learned from where.
pub fn led_away(app: &App, client: &Client) -> Response {
    let away = || guarded((StatusCode::SEE_OTHER, [(header::LOCATION, CLOSED)]).into_response(), Referrer::Nobody);
    counted(app, client).unwrap_or_else(away)
}

/// `GET /manage/closed`
pub async fn end(State(app): State<App>) -> Response {
    nothing(&app)
}

/// Counts what opened nothing; answers what is told instead where that was too often.
fn counted(app: &App, client: &Client) -> Option<Response> {
    too_many(app, &app.throttle.failed(client, ApiError::plain(Code::NotFound)))
}

/// The page in place of a refusal, where that is one of too many requests.
pub fn too_many(app: &App, refusal: &ApiError) -> Option<Response> {
    let wait_s = refusal.retry_after.filter(|_| refusal.code == Code::RateLimited)?;
    let mut response = page(StatusCode::TOO_MANY_REQUESTS, &view::too_many(&app.settings), Referrer::Nobody);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    Some(response)
}

/// The same where nothing was tried.
pub fn nothing(app: &App) -> Response {
    page(StatusCode::NOT_FOUND, &view::closed(&app.settings), Referrer::Nobody)
}

/// `GET /manage/manage.css`
pub async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// `GET /manage/manage.js`
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    guarded(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text), Referrer::Nobody)
}
