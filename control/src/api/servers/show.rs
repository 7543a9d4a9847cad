//! `GET /servers` and `GET /servers/{uuid}`.

use axum::extract::State;

use super::{ServerPath, missing, view::ServerAnswer};
use crate::{
    api::{
        auth::{By, Reads},
        document::tags,
        envelope::{Answer, List},
        error::ApiError,
        page::PageQuery,
        query::Query,
        state::App,
    },
    store::StoreError,
};

/// List servers
///
/// Every server of the account that is not destroyed.
#[utoipa::path(get, path = "/servers", operation_id = "list_servers", tag = tags::SERVERS)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<PageQuery>,
) -> Result<List<ServerAnswer>, ApiError> {
    let (page, now) = (query.page(None)?, app.now());
    let views = app.store.read::<_, StoreError>(move |read| read.server_views(customer.account, now)).await?;
    let total = views.len() as u64;
    Ok(List::new(
        page.cut(views).into_iter().map(|view| ServerAnswer::from(view).with_metrics(&app, now)).collect(),
        total,
        &page,
    ))
}

/// Show a server
///
/// Package, resources, addresses, billing date, status, what it used lately and what is being done to it.
#[utoipa::path(get, path = "/servers/{uuid}", operation_id = "show_server", tag = tags::SERVERS)]
pub async fn show(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
) -> Result<Answer<ServerAnswer>, ApiError> {
    let now = app.now();
    let view = app.store.read::<_, StoreError>(move |read| read.server_view(customer.account, server, now)).await?;
    view.map(|(view, _)| Answer::data(ServerAnswer::from(view).with_metrics(&app, now))).ok_or_else(missing)
}
