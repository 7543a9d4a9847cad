//! What whatever a browser may show sends along: it stands in nobody's frame, shares its window with nobody, and loads and
//! tells no more than its policy says. One list, so that no page has less than another.

use axum::http::{HeaderName, HeaderValue, header};

/// Found by no search.
pub const UNLISTED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));

/// Tells nobody where the reader was: the address may hold a token.
pub const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// The policy of what loads nothing.
pub const LOADS_NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

/// The guards of something with this Content-Security-Policy and this Referrer-Policy.
#[must_use]
pub fn guards(policy: HeaderValue, referrer: HeaderValue) -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, referrer),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ]
}
