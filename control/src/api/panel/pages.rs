//! `/panel` and whatever stands below it, `/panel/v1` apart: one page, whose script shows what its address says.

use axum::{Router, http::HeaderMap, routing::get};

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
        .route(PATH, get(index))
        .route("/panel/", get(index))
        .route("/panel/{*page}", get(index))
        .route("/panel/brand.css", get(brand::style))
        .route("/panel/brand/logo", get(brand::logo))
}
