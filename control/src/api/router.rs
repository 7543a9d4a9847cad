//! Every route of the customer API on one page.
//!
//! A route is its handler: path, words and refusals stand in the attribute above it, everything else in its signature
//! (see `document::sheet`). So a new route is a handler like this one, and a line below:
//!
//! ```ignore
//! /// Rename a server                                             summary: the first line
//! ///
//! /// Gives it another host name; the guest sees it after a reinstall.             description: the rest
//! #[utoipa::path(
//!     post,
//!     path = "/servers/{uuid}/rename",
//!     operation_id = "rename_server",                             the method's name in generated clients
//!     tag = tags::SERVERS,
//!     extensions(("x-error-codes" = json!([Code::ServerBusy])))   only what the use case itself refuses with
//! )]
//! pub async fn rename(
//!     State(app): State<App>,
//!     By { customer, .. }: By<Writes>,                            the scopes, 401, 403, 5xx
//!     ServerPath(server): ServerPath,                             the path's parameter, 404
//!     key: IdempotencyKey,                                        the header, 422
//!     body: JsonBody<RenameBody>,                                 the body's schema, 400, 413, 415, 422
//! ) -> Result<Answered<ServerAnswer>, ApiError> {                 the answer's schema: Answer<T>, List<T> or Answered<T>
//! ```
//!
//! Bodies and answers derive `ToSchema`, queries `IntoParams`; `document::schemas` has types for texts with a form. A new
//! extractor or answer tells what it means by implementing `document::sheet::Part`.
//! `CSP_BLESS=1 cargo nextest run -p csp-tests openapi` writes the document's copy anew.

use std::sync::LazyLock;

use axum::{Router, middleware::from_fn_with_state};
use utoipa_axum::router::OpenApiRouter;

use super::{
    account, actions, catalog, console, docs,
    document::{self, sheet::route},
    edge::edge,
    events, manage, notices, panel, private_networks, servers, ssh_keys,
    state::App,
    statements, stripe, throttle, transactions, wallet, web,
};

/// Where the API begins.
pub const PREFIX: &str = "/api/v1";

/// The routes, made once a process: their document is made along with them, which takes milliseconds, and a test has an
/// app for each of its hundred deaths.
static ROUTES: LazyLock<Router<App>> = LazyLock::new(|| documented().split_for_parts().0);

/// The customer API, its documentation, what browsers open (console, management links, panel), and the door of who takes
/// payments.
pub fn router(app: App) -> Router {
    let (counted, layer) = (from_fn_with_state(app.clone(), throttle::count), from_fn_with_state(app.edge(), edge));
    let pages = console::routes()
        .merge(manage::routes())
        .merge(panel::routes(&app))
        .merge(web::routes())
        .merge(stripe::routes())
        .merge(docs::routes(&app.settings.public_url));
    Router::new().nest(PREFIX, ROUTES.clone()).merge(pages).with_state(app).layer(counted).layer(layer)
}

/// Every route, with its document.
pub(super) fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(route!(account::show))
        .routes(route!(wallet::balance))
        .routes(route!(transactions::transactions))
        .routes(route!(statements::list))
        .routes(route!(statements::show))
        .routes(route!(catalog::locations))
        .routes(route!(catalog::packages))
        .routes(route!(catalog::package))
        .routes(route!(catalog::os_images))
        .routes(route!(ssh_keys::list))
        .routes(route!(ssh_keys::add))
        .routes(route!(ssh_keys::rename))
        .routes(route!(ssh_keys::delete))
        .routes(route!(servers::show::list))
        .routes(route!(servers::order::order))
        .routes(route!(servers::show::show))
        .routes(route!(servers::metrics::metrics))
        .routes(route!(servers::traffic::traffic))
        .routes(route!(servers::update::update))
        .routes(route!(servers::power::start))
        .routes(route!(servers::power::stop))
        .routes(route!(servers::power::restart))
        .routes(route!(servers::extend::extend))
        .routes(route!(servers::change_package::change_package))
        .routes(route!(servers::reinstall::reinstall))
        .routes(route!(servers::extra_ips::list::list))
        .routes(route!(servers::extra_ips::add::add))
        .routes(route!(servers::extra_ips::remove::remove))
        .routes(route!(servers::extra_ips::transfer::transfer))
        .routes(route!(servers::destroy::destroy))
        .routes(route!(servers::console::console))
        .routes(route!(servers::reset_password::reset_password))
        .routes(route!(servers::share_links::list::list))
        .routes(route!(servers::share_links::create::create))
        .routes(route!(servers::share_links::revoke::revoke))
        .routes(route!(private_networks::networks::list))
        .routes(route!(private_networks::networks::create))
        .routes(route!(private_networks::subnets::list))
        .routes(route!(private_networks::networks::show))
        .routes(route!(private_networks::networks::rename))
        .routes(route!(private_networks::networks::delete))
        .routes(route!(private_networks::members::attach))
        .routes(route!(private_networks::members::detach))
        .routes(route!(actions::list::server))
        .routes(route!(actions::list::account))
        .routes(route!(actions::show::show))
        .routes(route!(events::events))
        .routes(route!(notices::list))
        .routes(route!(document::serve::openapi))
}
