//! `GET /private-networks/subnets`: what of the ranges is left. Which networks have the rest is nobody else's business.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::{By, Reads},
        document::tags,
        envelope::List,
        error::ApiError,
        page::{Listed, NoFilters},
        query::Query,
        state::App,
    },
    store::{Read, StoreError},
};

/// A range that subnets are taken from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubnetRange)]
pub struct RangeAnswer {
    #[schema(example = "10.64.0.0/12")]
    range: String,
    /// Length of a subnet's prefix.
    #[schema(minimum = 22, maximum = 29, example = 24)]
    prefix: u8,
    /// Subnets in it.
    #[schema(minimum = 1, example = 4096)]
    total: u64,
    /// Those that a network has, or had lately.
    #[schema(minimum = 0, example = 7)]
    used: u64,
    /// Those that a new network can get.
    #[schema(minimum = 0, example = 4089)]
    free: u64,
}

/// List private subnets
///
/// The ranges that private networks get their subnets from, and how many are left in each.
#[utoipa::path(
    get,
    path = "/private-networks/subnets",
    operation_id = "list_private_subnets",
    tag = tags::PRIVATE_NETWORKS
)]
pub async fn list(
    State(app): State<App>,
    By { .. }: By<Reads>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<RangeAnswer>, ApiError> {
    let (page, now) = (query.page()?, app.now());
    let read =
        move |read: &Read<'_>| Ok::<_, StoreError>((read.private_range_list()?, read.network_subnets_taken(now)?));
    let (ranges, taken) = app.store.read(read).await?;
    let (total, shown) = (ranges.len() as u64, page.cut(ranges).into_iter());
    let shown = shown.map(|row| {
        let (total, used) = (row.range.total(), row.range.used(&taken));
        let (range, prefix) = (row.range.network.to_string(), row.range.subnet_len);
        RangeAnswer { range, prefix, total, used, free: total.saturating_sub(used) }
    });
    Ok(List::new(shown.collect(), total, &page))
}
