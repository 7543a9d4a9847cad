//! `/manage`: the page of one server, for whoever holds a management link and has no account.
//!
//! ```text
//! enter      /manage/{link}: swaps the link for a session, and takes the token out of the address bar, also of one that opens nothing
//! session    whose browser it is, by its cookie; and whether a change was sent from our own page
//! show       /manage: the page, and /manage/state for its script, which says whose page it is
//! power, reinstall, console, leave: one change each
//! refused    why a change was not made, as a page
//! answer     what all pages send along: no store, no index, a strict policy
//! view       how it looks: page, curves, words
//! ```
//!
//! Rendered here and whole without a script; forms are sent by the browser. The page knows one server and nothing of the
//! account: no money, no other server, no names of keys. What a link allows is asked of the store in the transaction of
//! every change, so a link that was revoked a moment ago does nothing more.

pub mod answer;
pub mod console;
pub mod enter;
pub mod leave;
pub mod power;
pub mod refused;
pub mod reinstall;
pub mod session;
pub mod show;
mod view;

use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};

use super::state::App;

/// Where the page is. Links are below it.
pub const PATH: &str = "/manage";

/// Where links lead that open nothing.
const CLOSED: &str = "/manage/closed";

/// Page, links and changes.
pub fn routes() -> Router<App> {
    let back = || async { Redirect::to(PATH) };
    Router::new()
        .route(PATH, get(show::page))
        .route("/manage/", get(back))
        .route(CLOSED, get(answer::end))
        // All that is below, so that a link with a slash too many is still taken for one.
        .route("/manage/{*link}", get(enter::enter).head(enter::glance).post(back).fallback(enter::other))
        .route("/manage/state", post(show::state).get(back))
        .route("/manage/manage.css", get(answer::style))
        .route("/manage/manage.js", get(answer::script))
        // The answer to a refused change stands at its own address: whoever asks for that one again is led back.
        .route("/manage/start", post(power::start).get(back))
        .route("/manage/stop", post(power::stop).get(back))
        .route("/manage/restart", post(power::restart).get(back))
        .route("/manage/reinstall", post(reinstall::reinstall).get(back))
        .route("/manage/console", post(console::console).get(back))
        .route("/manage/ticket", post(console::ticket_again).get(back))
        .route("/manage/leave", post(leave::leave).get(back))
}
