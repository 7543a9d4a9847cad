//! `/panel` and whatever stands below it, `/panel/v1` apart: one page, whose script shows what its address says. And `/`, from
//! where people are led there.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::brand;
use crate::api::{
    state::App,
    web::{self, Page},
};

/// Where the pages are.
pub const PATH: &str = "/panel";

/// Every address of a page.
pub fn routes() -> Router<App> {
    let index = |headers: HeaderMap| async move { web::page(Page::Panel, &headers) };
    Router::new()
        .route("/", get(root))
        .route(PATH, get(index))
        .route("/panel/", get(index))
        .route("/panel/{*page}", get(index))
        .route("/panel/brand.css", get(brand::style))
        .route("/panel/brand/logo", get(brand::logo))
}

/// `GET /`: whoever typed the host's name alone wants the panel; a program is told that nothing is there.
async fn root(headers: HeaderMap) -> Response {
    let mut response = match web::reads_pages(&headers) {
        true => Redirect::to(PATH).into_response(),
        false => web::missing(),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
