//! Makes the catalog what a file says.

use std::net::Ipv4Addr;

use csp_shared::id::ServerId;

use crate::{
    domain::{
        catalog::{BadCatalog, Catalog},
        draw::Draw,
        time::Time,
    },
    store::{CatalogChange, StoreError, Tx},
};

/// Why a catalog was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Something in it cannot work.
    #[error("{0}")]
    Bad(#[from] BadCatalog),
    /// A gateway that a guest has.
    #[error("pool `{pool}`: its gateway {gateway} is the address of server {server}; take it off that server first")]
    GatewayInUse {
        /// Which pool.
        pool: String,
        /// Its gateway.
        gateway: Ipv4Addr,
        /// Who has it.
        server: ServerId,
    },
    /// It would retire everything that is sold: an empty file, most likely, and no provider's wish.
    #[error("the catalog names no package, so all that is sold would be retired; to sell nothing, drain the hosts")]
    Empty,
    /// The answer of a dry run: these changes were tried and rolled back.
    #[error("this was a dry run")]
    DryRun(Vec<CatalogChange>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies a catalog; answers what that changed. A dry run is the same code, refused at the end.
///
/// # Errors
/// When something in it cannot work; or with the changes, after a dry run.
pub fn apply_catalog(
    tx: &mut Tx<'_>,
    catalog: &Catalog,
    dry_run: bool,
    draw: Draw,
    now: Time,
) -> Result<Vec<CatalogChange>, ApplyError> {
    let mut draw = draw;
    catalog.check()?;
    if catalog.packages.is_empty() && !tx.package_list()?.is_empty() {
        return Err(ApplyError::Empty);
    }
    for lease in tx.lease_list()? {
        if let Some(pool) = catalog.pools.iter().find(|pool| pool.range.gateway == lease.address) {
            let (pool, gateway, server) = (pool.slug.as_str().to_owned(), lease.address, lease.server);
            return Err(ApplyError::GatewayInUse { pool, gateway, server });
        }
    }
    let changes = tx.catalog_apply(catalog, &mut draw, now)?;
    if dry_run { Err(ApplyError::DryRun(changes)) } else { Ok(changes) }
}
