//! Makes a private network: its subnet is its own from here on, its segment too where its location is said.

use csp_shared::id::{AccountId, NetworkId};

use super::{
    carry_network::{NoSegment, carry_network},
    check_limit::limit_reached,
};
use crate::{
    domain::{
        draw::Draw,
        event::Event,
        label::Label,
        limits::{Limit, LimitReached, Limits},
        slug::Slug,
        time::Time,
    },
    store::{NewNetwork, StoreError, Tx},
};

/// Why no network was made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CreateNetworkError {
    /// The account has as many as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// No such location.
    #[error("there is no location `{0}`")]
    UnknownLocation(String),
    /// It cannot carry one more.
    #[error(transparent)]
    Segment(NoSegment),
    /// Every range is used up.
    #[error("no subnet is free at the moment")]
    NoSubnet,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a network. Without a location it is where its first member is.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn create_network(
    tx: &mut Tx<'_>,
    account: AccountId,
    (name, location): (&Label, Option<&Slug>),
    limits: &Limits,
    draw: Draw,
    now: Time,
) -> Result<NetworkId, CreateNetworkError> {
    let mut draw = draw;
    if let Some(reached) = limit_reached(tx, account, Limit::PrivateNetworks, limits, now)? {
        return Err(CreateNetworkError::Limit(reached));
    }
    let known = tx.location_list()?;
    if let Some(unknown) = location.filter(|slug| !known.iter().any(|location| location.slug == **slug)) {
        return Err(CreateNetworkError::UnknownLocation(unknown.as_str().to_owned()));
    }
    tx.network_free_rested(now)?;
    let taken = tx.network_subnets_taken(now)?;
    let ranges = tx.private_range_list()?;
    let free = ranges.iter().find_map(|row| Some((row, row.range.choose(&taken)?)));
    let (range, subnet) = free.ok_or(CreateNetworkError::NoSubnet)?;
    let id = NetworkId(draw.uuid(now));
    tx.network_insert(&NewNetwork { id, account, name: name.as_str(), range: &range.slug, subnet }, now)?;
    if let Some(location) = location {
        carry_network(tx, id, location, now).map_err(CreateNetworkError::Segment)?;
    }
    tx.event_put(account, &Event::network_created(id, name.as_str()), now)?;
    Ok(id)
}
