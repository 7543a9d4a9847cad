//! Ids in paths. What is no UUID names nothing: it is answered like what does not exist, so each route says how.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts as _, Path},
    http::request::Parts,
};

/// The one id in a route's path; nothing when it is none.
pub async fn id<T: FromStr, S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<T> {
    let Path(text) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    text.parse().ok()
}

/// The two ids in a route's path; nothing when one of them is none.
pub async fn ids<A: FromStr, B: FromStr, S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<(A, B)> {
    let Path((one, other)) = Path::<(String, String)>::from_request_parts(parts, state).await.ok()?;
    Some((one.parse().ok()?, other.parse().ok()?))
}
