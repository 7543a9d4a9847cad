//! The operator API: JSON over a unix socket that only root and the service's group can open. The commands of
//! `csp-control` are its clients.

pub mod catalog_file;
pub mod socket;
pub mod wire;

use axum::{Router, middleware::from_fn_with_state};

use crate::api::{App, edge::edge};

/// The operator API.
#[must_use]
pub fn router(app: App) -> Router {
    let layer = from_fn_with_state(app.edge(), edge);
    Router::new().nest(wire::PREFIX, Router::new()).with_state(app).layer(layer)
}
