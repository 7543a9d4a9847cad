//! `GET /servers/{uuid}/extra-ips`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ExtraIpAnswer;
use crate::{
    api::{
        auth::{By, Reads},
        document::tags,
        envelope::{Bounded, List},
        error::ApiError,
        page::{Listed, NoFilters},
        query::Query,
        servers::{ServerPath, missing},
        state::App,
    },
    store::StoreError,
};

/// How many there may be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExtraIpLimits)]
pub struct Limits {
    /// Of this server, by its package or the provider's word.
    #[schema(minimum = 0, example = 5)]
    max_extra_ips: u32,
}

/// List extra IPs
///
/// The server's public addresses beside its first one, the oldest first. One that was asked for is listed at once, as
/// `queued`; one that is to go stays listed, as `removing`, until the server's host has let go of it.
#[utoipa::path(
    get,
    path = "/servers/{uuid}/extra-ips",
    operation_id = "list_extra_ips",
    tag = tags::SERVERS,
    extensions(("x-example" = json!({"data": [{"monthly_price": 2}]})))
)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<Bounded<ExtraIpAnswer, Limits>, ApiError> {
    let (page, now) = (query.page()?, app.now());
    let found = app.store.read::<_, StoreError>(move |read| {
        let is_own = read.server_standing(customer.account, server, now)?.is_some();
        is_own.then(|| Ok((read.extra_ip_list(server)?, read.extra_ips_max(server)?))).transpose()
    });
    let (ips, max_extra_ips) = found.await?.ok_or_else(missing)?;
    let total = ips.len() as u64;
    let list = List::new(page.cut(ips).into_iter().map(ExtraIpAnswer::from).collect(), total, &page);
    Ok(Bounded::new(list, Limits { max_extra_ips }))
}
