//! What is on sale: questions about the catalog. Changing it is `catalog_apply`'s business.

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{
    id::{ImageId, PackageId},
    spec::{GuestLimits, Image, ImageFormat},
};
use ipnet::Ipv4Net;
use rusqlite::Row;

use super::{Read, StoreError, row, traffic::quota};
use crate::domain::{
    address::Pool,
    catalog::{ServiceType, Size},
    makeup::{BadCpuWord, CpuWord},
    money::Cents,
    slug::Slug,
    traffic::Quota,
};

/// A package on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRow {
    /// Its id.
    pub id: PackageId,
    /// Its key.
    pub slug: String,
    /// Virtual or dedicated.
    pub kind: ServiceType,
    /// For people.
    pub name: String,
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

/// An image on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// Its id.
    pub id: ImageId,
    /// Its key.
    pub key: String,
    /// For which services; `None` means any.
    pub kind: Option<ServiceType>,
    /// For people: `Debian`.
    pub name: String,
    /// For people: `12`.
    pub version: String,
    /// The file.
    pub file: Image,
}

impl ImageRow {
    /// Whether it can be installed on this kind of service.
    #[must_use]
    pub fn is_for(&self, kind: ServiceType) -> bool {
        self.kind.is_none_or(|own| own == kind)
    }
}

/// A location in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRow {
    /// Its key.
    pub slug: Slug,
    /// For people.
    pub name: String,
}

/// A pool that leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    /// Its key.
    pub slug: String,
    /// Where it is routed.
    pub location: String,
    /// The range.
    pub range: Pool,
    /// Resolvers for its guests.
    pub dns: Vec<IpAddr>,
    /// Price of an extra address and month.
    pub extra_monthly: Cents,
}

const PACKAGES: &str = "SELECT uuid, slug, type, name, monthly_cents, cpu, ram_mb, disk_gb, extra_ips_max, \
                        cpu_weight, cpu_percent_max, disk_iops_max, disk_mib_per_second_max, net_mbit_per_second_max, \
                        cpu_models, traffic_bytes, traffic_shape_mbit \
                        FROM packages WHERE active = 1";
const IMAGES: &str =
    "SELECT uuid, key, type, name, version, url, sha256, format, size_bytes FROM images WHERE active = 1";
const POOLS: &str = "SELECT p.slug, l.slug, p.network, p.prefix_len, p.gateway, p.first, p.last, p.dns, \
                     p.extra_monthly_cents FROM address_pools p JOIN locations l ON l.id = p.location_id \
                     WHERE p.active = 1 AND l.active = 1 AND p.family = 4";

fn package(r: &Row<'_>) -> Result<PackageRow, StoreError> {
    Ok(PackageRow {
        id: row::parsed(r, 0)?,
        slug: r.get(1)?,
        kind: row::chosen(r, 2, ServiceType::parse)?,
        name: r.get(3)?,
        monthly: row::cents(r, 4)?,
        size: Size { cpu: row::number(r, 5)?, ram_mb: row::number(r, 6)?, disk_gb: row::number(r, 7)? },
        extra_ips_max: row::number(r, 8)?,
        limits: GuestLimits {
            cpu_weight: row::number_maybe(r, 9)?,
            cpu_percent_max: row::number_maybe(r, 10)?,
            disk_iops_max: row::number_maybe(r, 11)?,
            disk_mib_per_second_max: row::number_maybe(r, 12)?,
            net_mbit_per_second_max: row::number_maybe(r, 13)?,
        },
        cpu_models: row::checked(r, 14, cpu_words)?,
        traffic: quota(r, 15)?,
    })
}

fn cpu_words(text: &str) -> Result<Vec<CpuWord>, BadCpuWord> {
    text.split_whitespace().map(CpuWord::parse).collect()
}

fn image(r: &Row<'_>) -> Result<ImageRow, StoreError> {
    let kind: String = r.get(2)?;
    Ok(ImageRow {
        id: row::parsed(r, 0)?,
        key: r.get(1)?,
        kind: ServiceType::parse(&kind),
        name: r.get(3)?,
        version: r.get(4)?,
        file: Image {
            url: r.get(5)?,
            sha256: row::parsed(r, 6)?,
            format: row::chosen(r, 7, parse_format)?,
            size_bytes: row::number(r, 8)?,
        },
    })
}

fn pool(r: &Row<'_>) -> Result<PoolRow, StoreError> {
    let address: Ipv4Addr = row::parsed(r, 2)?;
    let prefix: u8 = row::number(r, 3)?;
    let dns: String = r.get(7)?;
    let damaged = || StoreError::Damaged(dns.clone());
    Ok(PoolRow {
        slug: r.get(0)?,
        location: r.get(1)?,
        range: Pool {
            network: Ipv4Net::new(address, prefix).map_err(|_| damaged())?,
            gateway: row::parsed(r, 4)?,
            first: row::parsed(r, 5)?,
            last: row::parsed(r, 6)?,
        },
        dns: dns.split_whitespace().map(|a| a.parse().map_err(|_| damaged())).collect::<Result<_, _>>()?,
        extra_monthly: row::cents(r, 8)?,
    })
}

/// A format as the store writes it.
pub(super) fn format_str(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Qcow2 => "qcow2",
        ImageFormat::Raw => "raw",
    }
}

fn parse_format(text: &str) -> Option<ImageFormat> {
    [ImageFormat::Qcow2, ImageFormat::Raw].into_iter().find(|format| format_str(*format) == text)
}

impl Read<'_> {
    /// Packages on sale, in the catalog's order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn package_list(&self) -> Result<Vec<PackageRow>, StoreError> {
        self.many(&format!("{PACKAGES} ORDER BY position, id"), [], package)
    }

    /// A package on sale, by its UUID or slug. No slug can look like a UUID of another package, since both are unique
    /// and the UUID is asked first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn package_get(&self, uuid_or_slug: &str) -> Result<Option<PackageRow>, StoreError> {
        // However a UUID is spelled, the store has it in one spelling.
        let uuid = uuid::Uuid::try_parse(uuid_or_slug).map(|uuid| uuid.to_string());
        let uuid_or_slug = uuid.as_deref().unwrap_or(uuid_or_slug);
        let sql = format!("{PACKAGES} AND (uuid = ?1 OR slug = ?1) ORDER BY uuid = ?1 DESC LIMIT 1");
        self.maybe(&sql, [uuid_or_slug], package)
    }

    /// Images on offer, in the catalog's order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn image_list(&self) -> Result<Vec<ImageRow>, StoreError> {
        self.many(&format!("{IMAGES} ORDER BY position, id"), [], image)
    }

    /// An image on offer, by its key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn image_get(&self, key: &str) -> Result<Option<ImageRow>, StoreError> {
        self.maybe(&format!("{IMAGES} AND key = ?1"), [key], image)
    }

    /// Pools that lease in a location, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pool_list(&self, location: &str) -> Result<Vec<PoolRow>, StoreError> {
        self.many(&format!("{POOLS} AND l.slug = ?1 ORDER BY p.id"), [location], pool)
    }

    /// Locations in use, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn location_list(&self) -> Result<Vec<LocationRow>, StoreError> {
        let sql = "SELECT slug, name FROM locations WHERE active = 1 ORDER BY id";
        self.many(sql, [], |r| Ok(LocationRow { slug: row::checked(r, 0, Slug::parse)?, name: r.get(1)? }))
    }
}
