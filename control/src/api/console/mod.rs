//! The console: a page, and the stream that it opens.
//!
//! ```text
//! page    /console: the same for everybody, nothing of anybody in it
//! stream  /console/stream: a websocket; its first message is a ticket, the rest is the screen
//! close   why a stream was closed, by name
//! ```
//!
//! The ticket stands in the fragment of the page's address: browsers send it to nobody, so it is in no log, no Referer
//! and no proxy's memory. No cookie either, so no other site can open a stream in a customer's name.

pub mod close;
pub mod page;
pub mod stream;

use axum::{Router, routing::get};

use super::state::App;

/// Where the page is.
pub const PATH: &str = "/console";

/// Page and stream.
pub fn routes() -> Router<App> {
    Router::new().route(PATH, get(page::index)).route("/console/stream", get(stream::open))
}
