//! Every route of the customer API on one page.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, patch, post},
};

use super::{catalog, console, edge::edge, servers, ssh_keys, state::App, wallet};

/// Where the API begins.
pub const PREFIX: &str = "/api/v1";

/// The customer API, and the console's page.
pub fn router(app: App) -> Router {
    let layer = from_fn_with_state(app.edge(), edge);
    Router::new().nest(PREFIX, routes()).merge(console::routes()).with_state(app).layer(layer)
}

fn routes() -> Router<App> {
    Router::new()
        .route("/balance", get(wallet::balance))
        .route("/transactions", get(wallet::transactions))
        .route("/packages", get(catalog::packages))
        .route("/packages/{uuid_or_slug}", get(catalog::package))
        .route("/os-images", get(catalog::os_images))
        .route("/ssh-keys", get(ssh_keys::list).post(ssh_keys::add))
        .route("/ssh-keys/{uuid}", patch(ssh_keys::rename).delete(ssh_keys::delete))
        .route("/servers", get(servers::show::list).post(servers::order::order))
        .route("/servers/{uuid}", get(servers::show::show))
        .route("/servers/{uuid}/start", post(servers::power::start))
        .route("/servers/{uuid}/stop", post(servers::power::stop))
        .route("/servers/{uuid}/restart", post(servers::power::restart))
        .route("/servers/{uuid}/destroy", post(servers::destroy::destroy))
        .route("/servers/{uuid}/console", post(servers::console::console))
}
