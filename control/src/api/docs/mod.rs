//! `/docs`: the API for people, made from the same document that programs read.
//!
//! ```text
//! guide      how to begin, and what all requests share
//! reference  every operation, from the OpenAPI document
//! fields     what a body or an answer is made of
//! code       examples: JSON and curl
//! errors     the registry of codes, as a page
//! layout     what the pages share; words: prose with code in it
//! ```
//!
//! Whatever is shown goes through `maud`, which escapes it. No scripts, nothing from elsewhere, one style sheet. The pages
//! are the same for everybody, so each is put together once, when it is first asked for.

mod code;
mod errors;
mod fields;
mod guide;
mod layout;
mod reference;
mod words;

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::{
    guards::{NO_REFERRER, guards},
    state::App,
};
use crate::config::PublicUrl;

/// Where the pages are.
pub const PATH: &str = "/docs";
/// The registry of error codes.
pub const ERRORS: &str = "/docs/errors";
/// What they look like.
const STYLE_PATH: &str = "/docs/docs.css";
const STYLE: &str = include_str!("docs.css");

/// One style sheet from here, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A new version of the program is seen within minutes.
const CACHE: &str = "public, max-age=300";

/// The pages, each once it was asked for.
#[derive(Default)]
struct Pages {
    index: OnceLock<String>,
    errors: OnceLock<String>,
}

/// Pages and style. `url` is what the API is reached by, for examples that can be pasted.
pub fn routes(url: &PublicUrl) -> Router<App> {
    let (pages, url) = (Arc::new(Pages::default()), url.clone());
    let index = {
        let pages = pages.clone();
        move || async move { page(pages.index.get_or_init(|| layout::index(&url.to_string()))) }
    };
    let errors = move || async move { page(pages.errors.get_or_init(errors::page)) };
    let style = || async { file("text/css; charset=utf-8", STYLE.to_owned()) };
    // A slash too much is what a browser's history and a wiki's links end in.
    let to = |path: &'static str| get(move || async move { Redirect::permanent(path) });
    Router::new()
        .route(PATH, get(index))
        .route("/docs/", to(PATH))
        .route(ERRORS, get(errors))
        .route("/docs/errors/", to(ERRORS))
        .route(STYLE_PATH, get(style))
}

fn page(text: &str) -> Response {
    file("text/html; charset=utf-8", text.to_owned())
}

fn file(kind: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
    ];
    (headers, guards(HeaderValue::from_static(POLICY), NO_REFERRER), text).into_response()
}
