//! `/panel/v1`: what a person who signs in needs beside the public API: signing up, in and out, password, mail address, keys.
//!
//! ```text
//! brand      whose panel it is
//! session    whose browser it is, by its cookie
//! sign_up    an address, a letter, and a name and password
//! sign_in    in and out, and where else
//! person     password and mail address
//! second_factor  codes of an authenticator, and recovery codes
//! keys       API keys
//! pages      /panel: the pages that call this
//! top_ups    paying in by card
//! account    terms, a copy of all that is kept, and the end
//! ```
//!
//! JSON in the envelope of the public API. A key opens nothing here (a key never makes keys or changes sign-in data), and
//! every change must be JSON from a page of ours. The pages that call this come from the same origin.

mod account;
pub mod brand;
mod keys;
mod pages;
mod person;
mod qr;
mod second_factor;
pub mod session;
mod sign_in;
mod sign_up;
mod top_ups;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, any, delete, get, post},
};

use super::{
    browser::check_change,
    error::{ApiError, Code},
    state::App,
};

/// Where all of it is.
pub const PREFIX: &str = "/panel/v1";

/// Whether a route is for who has signed in, or for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// For everybody.
    Open,
    /// For who has signed in.
    SignedIn,
}

/// One route.
pub struct Route {
    /// Its methods.
    pub methods: &'static [&'static str],
    /// Below [`PREFIX`].
    pub path: &'static str,
    /// For whom.
    pub door: Door,
    handler: MethodRouter<App>,
}

/// Every route. The router is made from this list, and tests go through it.
#[must_use]
pub fn listed() -> Vec<Route> {
    use Door::{Open, SignedIn};
    let route = |methods, path, door, handler| Route { methods, path, door, handler };
    vec![
        route(&["GET"], "/site", Open, get(brand::site)),
        route(&["GET", "POST"], "/sign-up", Open, get(sign_up::rules).post(sign_up::ask)),
        route(&["POST"], "/sign-up/finish", Open, post(sign_up::finish)),
        route(&["POST"], "/sign-in", Open, post(sign_in::sign_in)),
        route(&["POST"], "/sign-in/code", Open, post(sign_in::code)),
        route(&["POST"], "/password/forgotten", Open, post(person::forgotten)),
        route(&["POST"], "/password/reset", Open, post(person::reset)),
        route(&["POST"], "/email/confirm", Open, post(person::confirm_email)),
        route(&["GET"], "/person", SignedIn, get(person::show)),
        route(&["POST"], "/password", SignedIn, post(person::change_password)),
        route(&["POST"], "/email", SignedIn, post(person::change_email)),
        route(&["GET"], "/second-factor", SignedIn, get(second_factor::show)),
        route(&["POST"], "/second-factor/set-up", SignedIn, post(second_factor::set_up)),
        route(&["POST"], "/second-factor/confirm", SignedIn, post(second_factor::confirm)),
        route(&["POST"], "/second-factor/recovery-codes", SignedIn, post(second_factor::recovery_codes)),
        route(&["POST"], "/second-factor/turn-off", SignedIn, post(second_factor::turn_off)),
        route(&["GET", "DELETE"], "/sign-ins", SignedIn, get(sign_in::list).delete(sign_in::end_all)),
        route(&["DELETE"], "/sign-ins/{uuid}", SignedIn, delete(sign_in::end)),
        route(&["POST"], "/sign-out", SignedIn, post(sign_in::sign_out)),
        route(&["POST"], "/terms", SignedIn, post(account::terms)),
        route(&["GET"], "/export", SignedIn, get(account::export)),
        route(&["POST"], "/account/close", SignedIn, post(account::close)),
        route(&["GET", "POST"], "/top-ups", SignedIn, get(top_ups::list).post(top_ups::ask)),
        route(&["GET", "POST"], "/keys", SignedIn, get(keys::list).post(keys::create)),
        route(&["DELETE"], "/keys/{uuid}", SignedIn, delete(keys::revoke)),
    ]
}

/// The routes.
pub fn routes(app: &App) -> Router<App> {
    let routes = listed().into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler));
    // What is not here is refused as such: the pages take every other address below theirs.
    let absent = || async { ApiError::new(Code::NotFound, "There is nothing at this path.") };
    let routes = routes.route("/{*absent}", any(absent)).layer(from_fn_with_state(app.clone(), from_our_page));
    Router::new().nest(PREFIX, routes).merge(pages::routes())
}

/// Signing in and up are changes, too: another site's page must not sign a browser in as somebody else.
async fn from_our_page(State(app): State<App>, request: Request, next: Next) -> Response {
    match check_change(request.method(), request.headers(), &app.settings.public_url) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
