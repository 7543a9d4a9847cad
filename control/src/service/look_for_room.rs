//! What each location has to give now: asked by orders, inside of their transaction, and by whoever wants to know
//! whether an order would find a place.

use std::net::Ipv4Addr;

use csp_shared::{id::AccountId, spec::CpuUse};

use crate::{
    domain::{
        catalog::ServiceType,
        placement::{Need, Room},
        slug::Slug,
        time::Time,
    },
    store::{LocationRow, PackageRow, PoolRow, Read, StoreError},
};

/// An address that is free, and the pool that it is from.
pub type FreeAddress = (PoolRow, Ipv4Addr);

/// What a server of a package needs of its host.
#[must_use]
pub fn need_of(package: &PackageRow) -> Need<'_> {
    let cpu_use = match package.kind {
        ServiceType::Vps => CpuUse::Shared,
        ServiceType::Dedicated => CpuUse::Pinned,
    };
    let size = package.size;
    Need {
        cpus: size.cpu.into(),
        ram_mib: size.ram_mb.into(),
        disk_gib: size.disk_gb.into(),
        cpu_use,
        cpu_models: &package.cpu_models,
        has_rate: package.limits.net_mbit_per_second_max.is_some(),
    }
}

/// What of what is sold a location could take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where.
    pub location: LocationRow,
    /// Slugs of the packages that an order would find room and an address for.
    pub available: Vec<String>,
}

/// Which packages are available where: what an order would find if it came now, each taken by itself.
///
/// # Errors
/// When the store cannot be read.
pub fn offers(read: &Read<'_>, packages: &[PackageRow], now: Time) -> Result<Vec<Offer>, StoreError> {
    let offer = |location: LocationRow| {
        let room = room_in(read, &location.slug, None, now)?;
        let fits = packages.iter().filter(|package| room.place(&need_of(package)).is_ok());
        let available = fits.map(|package| package.slug.clone()).collect();
        Ok(Offer { location, available })
    };
    read.location_list()?.into_iter().map(offer).collect()
}

/// What a location has to give: to `account`, whose servers are to stand apart, or to anybody.
///
/// # Errors
/// When the store cannot be read.
pub fn room_in(
    read: &Read<'_>,
    location: &Slug,
    account: Option<AccountId>,
    now: Time,
) -> Result<Room<FreeAddress>, StoreError> {
    let hosts = read.host_loads(location.as_str(), account, now)?;
    Ok(Room { hosts, address: free_address(read, location, now)? })
}

/// The lowest free address of the oldest pool that has one.
pub(super) fn free_address(read: &Read<'_>, location: &Slug, now: Time) -> Result<Option<FreeAddress>, StoreError> {
    for pool in read.pool_list(location.as_str())? {
        let mut taken = read.lease_taken(&pool.slug, now)?;
        while let Some(address) = pool.range.choose(&taken) {
            // A range that moved here from another pool of the catalog keeps its holders.
            // And what a host may have of which nobody knows whose it is.
            let is_somebodys = read.lease_is_held(address, now)? || read.orphan_has_address(address)?;
            if !is_somebodys && !read.address_is_aside(address)? {
                return Ok(Some((pool, address)));
            }
            taken.insert(address);
        }
    }
    Ok(None)
}
