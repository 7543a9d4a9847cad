//! What a provider sells: locations, packages, images and address pools, parsed and checked as a whole.

use std::{collections::BTreeSet, net::IpAddr};

use csp_shared::{
    limits::IMAGE_BYTES_MAX,
    spec::{GuestLimits, Image},
};

use super::{
    address::Pool,
    billing::promo::{Discount, Promo},
    label::Label,
    makeup::{CPU_WORDS_MAX, CpuWord},
    money::Cents,
    segment::{self, PrivateRange, Segments},
    slug::Slug,
    traffic::Quota,
};

/// Everything in a provider's catalog file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Where servers can stand.
    pub locations: Vec<Location>,
    /// What is sold, in the order shown.
    pub packages: Vec<Package>,
    /// What can be installed, in the order shown.
    pub images: Vec<OsImage>,
    /// Addresses to lease.
    pub pools: Vec<AddressPool>,
    /// Ranges that the subnets of private networks are taken from, in this order.
    pub private_ranges: Vec<PrivateRangeEntry>,
    /// Codes that take something off.
    pub promos: Vec<Promo>,
}

/// A place with one or more hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its key.
    pub slug: Slug,
    /// For people.
    pub name: Label,
    /// How it carries private networks; None: it has none.
    pub segments: Option<Segments>,
}

/// A range of private addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateRangeEntry {
    /// Its key.
    pub slug: Slug,
    /// The range.
    pub range: PrivateRange,
}

/// Virtual or dedicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceType {
    /// Shares its host.
    Vps,
    /// Has a host alone.
    Dedicated,
}

impl ServiceType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Vps, Self::Dedicated];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vps => "vps",
            Self::Dedicated => "dedicated",
        }
    }

    /// Reads what [`ServiceType::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Something that is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its key.
    pub slug: Slug,
    /// Virtual or dedicated.
    pub kind: ServiceType,
    /// For people.
    pub name: Label,
    /// Price of a month.
    pub monthly: Cents,
    /// What it gives.
    pub size: Size,
    /// What a guest of it may use of its host at most.
    pub limits: GuestLimits,
    /// How many extra addresses a server of it may have.
    pub extra_ips_max: u32,
    /// Words of which one is in the name of its host's processor; none: any processor will do.
    pub cpu_models: Vec<CpuWord>,
    /// What a server of it may carry a month; None: as much as it likes.
    pub traffic: Option<Quota>,
}

/// Resources as sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Virtual processors.
    pub cpu: u16,
    /// Memory, in units of 2^20 bytes, as the contract's `ram_mb` is used.
    pub ram_mb: u32,
    /// Disk, in units of 2^30 bytes, as the contract's `disk_gb` is used.
    pub disk_gb: u32,
}

/// Something that can be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsImage {
    /// Its key.
    pub key: Slug,
    /// For which services; `None` means any.
    pub kind: Option<ServiceType>,
    /// For people: `Debian`.
    pub name: Label,
    /// For people: `12`.
    pub version: Label,
    /// The file.
    pub file: Image,
}

/// Addresses to lease in one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPool {
    /// Its key.
    pub slug: Slug,
    /// Where it is routed.
    pub location: Slug,
    /// The range.
    pub range: Pool,
    /// Resolvers for its guests.
    pub dns: Vec<IpAddr>,
    /// Price of an extra address and month.
    pub extra_monthly: Cents,
}

/// What makes a catalog unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCatalog {
    /// Two entries with one key.
    #[error("{0} `{1}` stands twice")]
    Twice(&'static str, String),
    /// A pool elsewhere.
    #[error("pool `{pool}` names location `{location}`, which is not in the catalog")]
    NoLocation {
        /// Which pool.
        pool: String,
        /// What it names.
        location: String,
    },
    /// A range that cannot work.
    #[error("pool `{pool}`: {why}")]
    Pool {
        /// Which pool.
        pool: String,
        /// What is wrong.
        why: super::address::BadPool,
    },
    /// Two pools that would lease one address twice.
    #[error("pools `{0}` and `{1}` overlap")]
    Overlap(String, String),
    /// Two pools of networks that are neither one nor apart: their guests would look for each other in the wrong place.
    #[error("the networks of pools `{0}` and `{1}` overlap and are not the same one")]
    NetworksOverlap(String, String),
    /// A guest would get the address by which another pool's guests leave.
    #[error("pool `{0}` has the gateway of pool `{1}` in its range")]
    GatewayInRange(String, String),
    /// A location whose segments cannot work.
    #[error("location `{location}`: {why}")]
    Segments {
        /// Which location.
        location: String,
        /// What is wrong.
        why: segment::BadSegments,
    },
    /// A range that cannot work.
    #[error("private range `{range}`: {why}")]
    PrivateRange {
        /// Which range.
        range: String,
        /// What is wrong.
        why: segment::BadRange,
    },
    /// Addresses that would be somebody's twice.
    #[error("private range `{0}` overlaps {1} `{2}`")]
    RangeOverlap(String, &'static str, String),
    /// A promo code that nobody could use.
    #[error("promo code `{0}`: {1}")]
    Promo(String, String),
    /// An image that no host would take.
    #[error("image `{0}`: {1}")]
    Image(String, &'static str),
    /// A package that no host can run.
    #[error("package `{0}`: {1}")]
    Package(String, &'static str),
}

impl Catalog {
    /// Checks the catalog as a whole.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), BadCatalog> {
        unique("location", self.locations.iter().map(|l| &l.slug))?;
        unique("package", self.packages.iter().map(|p| &p.slug))?;
        unique("image", self.images.iter().map(|i| &i.key))?;
        unique("pool", self.pools.iter().map(|p| &p.slug))?;
        unique("private range", self.private_ranges.iter().map(|r| &r.slug))?;
        self.locations.iter().try_for_each(check_location)?;
        self.images.iter().try_for_each(check_image)?;
        self.packages.iter().try_for_each(check_package)?;
        self.promos.iter().try_for_each(|promo| self.check_promo(promo))?;
        for (index, pool) in self.pools.iter().enumerate() {
            let name = || pool.slug.as_str().to_owned();
            pool.range.check().map_err(|why| BadCatalog::Pool { pool: name(), why })?;
            if !self.locations.iter().any(|l| l.slug == pool.location) {
                return Err(BadCatalog::NoLocation { pool: name(), location: pool.location.as_str().to_owned() });
            }
            let overlapping = self.pools.iter().take(index).find(|other| overlap(&pool.range, &other.range));
            if let Some(other) = overlapping {
                return Err(BadCatalog::Overlap(other.slug.as_str().to_owned(), name()));
            }
            self.check_beside_others(pool, index)?;
        }
        self.check_private_ranges()
    }
}

impl Catalog {
    fn check_beside_others(&self, pool: &AddressPool, index: usize) -> Result<(), BadCatalog> {
        let name = |pool: &AddressPool| pool.slug.as_str().to_owned();
        for (_, other) in self.pools.iter().enumerate().filter(|(place, _)| *place != index) {
            let (one, two) = (pool.range.network, other.range.network);
            if one != two && segment::overlap(&one, &two) {
                return Err(BadCatalog::NetworksOverlap(name(other), name(pool)));
            }
            // Its own gateway is left out of a range; another's is an address like any.
            let leases = pool.range.first <= other.range.gateway && other.range.gateway <= pool.range.last;
            if leases && other.range.gateway != pool.range.gateway {
                return Err(BadCatalog::GatewayInRange(name(pool), name(other)));
            }
        }
        Ok(())
    }

    /// No address is two ranges', or a pool's beside: a guest with both would not know which of them it speaks to.
    fn check_private_ranges(&self) -> Result<(), BadCatalog> {
        for (index, entry) in self.private_ranges.iter().enumerate() {
            let name = || entry.slug.as_str().to_owned();
            entry.range.check().map_err(|why| BadCatalog::PrivateRange { range: name(), why })?;
            let shares = |other: &ipnet::Ipv4Net| segment::overlap(&entry.range.network, other);
            let others = self.private_ranges.iter().take(index).map(|o| ("private range", &o.slug, o.range.network));
            let pools = self.pools.iter().map(|pool| ("pool", &pool.slug, pool.range.network));
            if let Some((what, slug, _)) = others.chain(pools).find(|(_, _, network)| shares(network)) {
                return Err(BadCatalog::RangeOverlap(name(), what, slug.as_str().to_owned()));
            }
        }
        Ok(())
    }

    fn check_promo(&self, promo: &Promo) -> Result<(), BadCatalog> {
        let refuse = |why: String| Err(BadCatalog::Promo(promo.code.as_str().to_owned(), why));
        if self.promos.iter().filter(|other| other.code == promo.code).count() > 1 {
            return refuse("it stands twice".to_owned());
        }
        match promo.terms.discount {
            Discount::Percent(percent) if !(1..=100).contains(&percent) => {
                return refuse("percent is 1 to 100".to_owned());
            }
            Discount::Amount(amount) if amount.is_zero() => return refuse("amount is zero".to_owned()),
            _ => {}
        }
        if let Some((from, until)) = promo.valid_from.zip(promo.valid_until).filter(|(from, until)| from >= until) {
            return refuse(format!("it would be valid from {from} until {until}"));
        }
        if promo.uses_max == Some(0) || promo.uses_per_account_max == Some(0) {
            return refuse("it could never be used".to_owned());
        }
        let sold = |slug: &Slug| self.packages.iter().any(|package| package.slug == *slug);
        match promo.packages.iter().find(|slug| !sold(slug)) {
            Some(slug) => refuse(format!("package `{}` is not in the catalog", slug.as_str())),
            None => Ok(()),
        }
    }
}

fn overlap(one: &Pool, two: &Pool) -> bool {
    one.first <= two.last && two.first <= one.last
}

fn unique<'a>(kind: &'static str, slugs: impl Iterator<Item = &'a Slug>) -> Result<(), BadCatalog> {
    let mut seen = BTreeSet::new();
    for slug in slugs {
        if !seen.insert(slug) {
            return Err(BadCatalog::Twice(kind, slug.as_str().to_owned()));
        }
    }
    Ok(())
}

fn check_location(location: &Location) -> Result<(), BadCatalog> {
    let named = |why| BadCatalog::Segments { location: location.slug.as_str().to_owned(), why };
    location.segments.as_ref().map_or(Ok(()), |segments| segments.check().map_err(named))
}

fn check_image(image: &OsImage) -> Result<(), BadCatalog> {
    let refuse = |why| Err(BadCatalog::Image(image.key.as_str().to_owned(), why));
    let web = image.file.url.starts_with("https://") || image.file.url.starts_with("http://");
    if !web || image.file.url.len() > 2000 || image.file.url.chars().any(|c| c.is_control() || c == ' ') {
        return refuse("its url is not an https: or http: address");
    }
    if image.file.size_bytes == 0 || image.file.size_bytes > IMAGE_BYTES_MAX {
        return refuse("size_bytes is the file's length, at most 64 GiB");
    }
    Ok(())
}

fn check_package(package: &Package) -> Result<(), BadCatalog> {
    let Size { cpu, ram_mb, disk_gb } = package.size;
    let good = (1..=512).contains(&cpu) && (64..=16_777_216).contains(&ram_mb) && (1..=1_048_576).contains(&disk_gb);
    if !good || package.extra_ips_max > 64 {
        let why = "cpu is 1 to 512, ram_mb 64 to 16777216, disk_gb 1 to 1048576, extra_ips_max at most 64";
        return Err(BadCatalog::Package(package.slug.as_str().to_owned(), why));
    }
    if package.cpu_models.len() > CPU_WORDS_MAX {
        return Err(BadCatalog::Package(package.slug.as_str().to_owned(), "cpu_models has at most 16 words"));
    }
    if let Some(Quota { bytes, shape_mbit_per_second }) = package.traffic {
        // From a kilobyte to what fits a column, in whole gigabytes.
        let is_good = (1_000..=9_000_000_000_000_000_000).contains(&bytes)
            && shape_mbit_per_second.is_none_or(|rate| (1..=100_000).contains(&rate));
        if !is_good {
            let why = "traffic: gb is 0.000001 to 9000000000, shape_mbit_per_second 1 to 100000";
            return Err(BadCatalog::Package(package.slug.as_str().to_owned(), why));
        }
    }
    let GuestLimits { cpu_weight, cpu_percent_max, disk_iops_max, disk_mib_per_second_max, net_mbit_per_second_max } =
        package.limits;
    let within = |bound: Option<u32>, least, most| bound.is_none_or(|bound| (least..=most).contains(&bound));
    let weight_is_good = within(cpu_weight, 1, 10_000);
    // Less than that and the guest's own clock stands still for too long to work.
    let percent_is_good = within(cpu_percent_max, 5, u32::from(cpu) * 100);
    if !weight_is_good
        || !percent_is_good
        || !within(disk_iops_max, 50, 10_000_000)
        || !within(disk_mib_per_second_max, 1, 1_000_000)
        || !within(net_mbit_per_second_max, 1, 100_000)
    {
        let why = "cpu_weight is 1 to 10000, max_cpu_percent 5 to 100 times its cpu, max_disk_iops 50 to 10000000, \
                   max_disk_mib_per_second 1 to 1000000, max_net_mbit_per_second 1 to 100000";
        return Err(BadCatalog::Package(package.slug.as_str().to_owned(), why));
    }
    Ok(())
}
