//! The outermost layer of both HTTP faces: a request gets its id, an answer its envelope, an event its line.
//!
//! Whatever goes wrong below (a handler's refusal, a path or method that does not exist, a panic) leaves here in one
//! shape.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::{
    error::{ApiError, Code},
    guards::{LOADS_NOTHING, NO_REFERRER, UNLISTED, guards},
    manage,
};
use crate::{clock::Clock, entropy::Entropy};

/// Echoed in every answer; what a customer quotes when asking for help.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Marks an answer that is a page of its own, whatever its status: it leaves as it is.
#[derive(Debug, Clone, Copy)]
pub struct Rendered;

/// How long a browser that came by TLS once comes by nothing else.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Longest path and query, in bytes.
const URI_BYTES_MAX: usize = 16 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Longest they may be together, in bytes.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// What is read of a request's head at all; a multiple of the bounds here, so that it is us who refuse.
pub const READ_HEADERS_MAX: usize = 4 * HEADERS_MAX;

/// What the layer draws ids from.
#[derive(Clone)]
pub struct Edge {
    /// For the time in an id.
    pub clock: Arc<dyn Clock>,
    /// For the rest of it.
    pub entropy: Arc<dyn Entropy>,
    /// Whether customers come by TLS, which their browsers are to insist on.
    pub is_https: bool,
}

impl Edge {
    /// The client's own id where it is one, else a fresh one.
    fn request_id(&self, headers: &HeaderMap) -> String {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_request_id(id));
        match given {
            Some(id) => id.to_owned(),
            None => self.entropy.draw().uuid(self.clock.now()).hyphenated().to_string(),
        }
    }
}

/// An id is echoed into a header, a body and the log, so it is short and plain.
fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// What the log may have of a path. A management link's token stands in one, and so may any other that somebody put into
/// the wrong place, whole or in part, spelled plainly or not: below `/manage` only our own names are told.
fn loggable(path: &str) -> Cow<'_, str> {
    if let Some(below) = path.strip_prefix(manage::PATH).and_then(|rest| rest.strip_prefix('/')) {
        let is_ours = below.len() <= 12 && below.bytes().all(|b| b.is_ascii_lowercase() || b == b'.');
        return if is_ours { path.into() } else { format!("{}/…", manage::PATH).into() };
    }
    match path.find("csp_") {
        Some(at) => format!("{}…", path.get(..at).unwrap_or_default()).into(),
        None => path.into(),
    }
}

/// Runs a request inside the layer.
pub async fn edge(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let id = edge.request_id(request.headers());
    let (method, path) = (request.method().clone(), loggable(request.uri().path()).into_owned());
    let span = tracing::info_span!("request", request_id = %id);
    async move {
        let began = tokio::time::Instant::now();
        let response = match bad_head(&request) {
            Some(refusal) => refusal.into_response(),
            None => {
                let outcome = AssertUnwindSafe(next.run(request)).catch_unwind().await;
                outcome.unwrap_or_else(|_| ApiError::plain(Code::Internal).into_response())
            }
        };
        let mut response = enveloped(response, &id);
        if edge.is_https {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
        }
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%method, path, status = response.status().as_u16(), took_ms, "answered");
        response
    }
    .instrument(span)
    .await
}

/// What is wrong with a request's head: larger than anything that we answer, or for nobody or two at once (RFC 9112, 3.2).
fn bad_head(request: &Request) -> Option<ApiError> {
    let (uri, headers) = (request.uri().path_and_query(), request.headers());
    if uri.is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return Some(ApiError::plain(Code::UriTooLong));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        return Some(ApiError::plain(Code::HeadersTooLarge));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    let needs_one = request.version() >= Version::HTTP_11;
    (hosts > 1 || (needs_one && hosts == 0))
        .then(|| ApiError::field(Code::BadRequest, "Host", "must be there, and once"))
}

/// Renders a refusal, and marks the answer with its id.
fn enveloped(mut response: Response, id: &str) -> Response {
    let refusal = match response.extensions_mut().remove::<Rendered>() {
        Some(Rendered) => None,
        None => response.extensions_mut().remove::<ApiError>().or_else(|| foreign_refusal(&response)),
    };
    if let Some(refusal) = refusal {
        log(&refusal);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What is refused now may be there in a moment, and a refusal may name what is a customer's.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A browser may be shown it under an address that holds a token.
        for (name, value) in guards(LOADS_NOTHING, NO_REFERRER).into_iter().chain([UNLISTED]) {
            headers.insert(name, value);
        }
        *response.body_mut() = refusal.render(id).into();
    }
    // Names are the customers' own and may look like markup: no browser may take an answer for a page.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The framework refuses with a bare status: a path, a method, a header that it did not understand.
fn foreign_refusal(response: &Response) -> Option<ApiError> {
    let code = match response.status() {
        StatusCode::NOT_FOUND => return Some(ApiError::new(Code::NotFound, "There is nothing at this path.")),
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::BadRequest,
        status if status.is_server_error() => Code::Internal,
        _ => return None,
    };
    Some(ApiError::plain(code))
}

/// A refusal is the customer's business, a failure ours.
fn log(refusal: &ApiError) {
    let entry = refusal.code.entry();
    if let Some(source) = &refusal.source {
        let chain = std::iter::successors(Some(&**source as &dyn std::error::Error), |error| error.source());
        let causes: Vec<String> = chain.map(ToString::to_string).collect();
        tracing::error!(code = entry.name, "request failed: {}", causes.join(": "));
    } else {
        tracing::debug!(code = entry.name, fields = ?refusal.fields, "request refused");
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::get};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{clock::SetClock, domain::time::Time, entropy::SeededEntropy};

    async fn answer(path: &str) -> (StatusCode, String) {
        async fn panics() -> &'static str {
            panic!("a bug")
        }
        let leaks = || async { ApiError::internal(std::io::Error::other("the password is hunter2")) };
        let edge_state =
            Edge { clock: Arc::new(SetClock::new(Time(0))), entropy: Arc::new(SeededEntropy::new(1)), is_https: false };
        let router = Router::new()
            .route("/panics", get(panics))
            .route("/leaks", get(leaks))
            .route("/teapot", get(|| async { StatusCode::IM_A_TEAPOT }))
            .layer(from_fn_with_state(edge_state, edge));
        let response =
            router.oneshot(Request::get(path).header("host", "a").body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_and_a_failure_answer_in_the_envelope_and_tell_nothing() {
        for path in ["/panics", "/leaks"] {
            let (status, body) = answer(path).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert!(body.contains("\"code\":\"internal\"") && !body.contains("hunter2"), "{path}: {body}");
        }
    }

    #[tokio::test]
    async fn a_bare_status_of_the_framework_is_rendered_too() {
        let (_, body) = answer("/teapot").await;
        assert!(body.starts_with("{\"ok\":false,") && body.contains("bad_request"), "{body}");
    }

    #[test]
    fn no_token_in_a_path_reaches_the_log() {
        for (path, told) in [
            ("/api/v1/servers", "/api/v1/servers"),
            ("/manage", "/manage"),
            ("/manage/state", "/manage/state"),
            ("/manage/manage.css", "/manage/manage.css"),
            ("/manage/csp_sh_0000000000000000000000000000000000000000000", "/manage/…"),
            ("/manage/%63sp_sh_00000000000000000000000000000000000000000", "/manage/…"),
            ("/manage/CSP_SH_0", "/manage/…"),
            ("/manage/state/csp_sh_0", "/manage/…"),
            ("/managecsp_sh_0000", "/manage…"),
            ("/api/v1/account/csp_live_0000", "/api/v1/account/…"),
        ] {
            assert_eq!(loggable(path), told);
        }
    }

    #[test]
    fn only_short_plain_ids_are_echoed() {
        for id in ["a", "0197-af.x_Y", &"a".repeat(128)] {
            assert!(is_request_id(id), "{id}");
        }
        for id in ["", "a b", "a\u{e9}", "a\"b", "<x>", &"a".repeat(129)] {
            assert!(!is_request_id(id), "{id}");
        }
    }
}
