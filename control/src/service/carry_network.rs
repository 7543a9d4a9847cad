//! The part that creating a network and attaching its first member share: a segment of the location, which it keeps.

use csp_shared::id::NetworkId;

use crate::{
    domain::{private_network::Carrier, slug::Slug, time::Time},
    store::{StoreError, Tx},
};

/// Why a location cannot carry one network more.
#[derive(Debug, thiserror::Error)]
pub enum NoSegment {
    /// It carries none.
    #[error("location `{0}` has no private networks")]
    NotThere(String),
    /// All are given.
    #[error("no segment is free in location `{0}` at the moment")]
    NoneFree(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives a network its place in a location.
pub(super) fn carry_network(
    tx: &mut Tx<'_>,
    network: NetworkId,
    location: &Slug,
    now: Time,
) -> Result<Carrier, NoSegment> {
    let name = || location.as_str().to_owned();
    let segments = tx.location_segments(location.as_str())?.ok_or_else(|| NoSegment::NotThere(name()))?;
    let taken = tx.network_segments_taken(location.as_str(), now)?;
    let number = segments.choose(&taken).ok_or_else(|| NoSegment::NoneFree(name()))?;
    let carrier = Carrier { kind: segments.kind, number, mtu: segments.mtu };
    tx.network_settle(network, location, carrier)?;
    Ok(carrier)
}
