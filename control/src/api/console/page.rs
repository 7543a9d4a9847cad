//! The page, the same for everybody.

use axum::{http::HeaderMap, response::Response};

use crate::api::web::{self, Page};

/// `GET /console`
pub async fn index(headers: HeaderMap) -> Response {
    web::page(Page::Console, &headers)
}
