//! `GET /servers/{uuid}/share-links`.

use axum::extract::State;

use super::view::LinkAnswer;
use crate::{
    api::{
        auth::{By, Reads},
        document::tags,
        envelope::List,
        error::ApiError,
        page::{Listed, NoFilters},
        query::Query,
        servers::{ServerPath, missing},
        state::App,
    },
    store::StoreError,
};

/// List management links
///
/// Links that open the server's page without an account, oldest first. Revoked and expired ones are not among them, and no
/// token is shown again.
#[utoipa::path(
    get,
    path = "/servers/{uuid}/share-links",
    operation_id = "list_share_links",
    tag = tags::SHARE_LINKS
)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<LinkAnswer>, ApiError> {
    let (page, now) = (query.page()?, app.now());
    let found = app.store.read::<_, StoreError>(move |read| {
        let shown = read.server_standing(customer.account, server, now)?;
        shown.map(|_| read.share_link_list(server, now)).transpose()
    });
    let rows = found.await?.ok_or_else(missing)?;
    let total = rows.len() as u64;
    Ok(List::new(page.cut(rows).into_iter().map(LinkAnswer::from).collect(), total, &page))
}
