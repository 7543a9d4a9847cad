//! What the file means: its entries become those of the catalog.

use csp_shared::spec::{GuestLimits, Image};

use super::{Amount, CatalogFile, ImageEntry, LocationEntry, PackageEntry, PoolEntry, TrafficEntry};
use crate::domain::{
    address::Pool,
    billing::promo::Promo,
    catalog::{AddressPool, Catalog, Location, OsImage, Package, PrivateRangeEntry, ServiceType, Size},
    gigabytes::Gigabytes,
    segment::Segments,
    traffic::Quota,
};

impl From<CatalogFile> for Catalog {
    fn from(file: CatalogFile) -> Self {
        Self {
            locations: file.locations.into_iter().map(location).collect(),
            packages: file.packages.into_iter().map(package).collect(),
            images: file.images.into_iter().map(image).collect(),
            pools: file.pools.into_iter().map(pool).collect(),
            promos: file.promo_codes.into_iter().map(Promo::from).collect(),
            private_ranges: file.private_ranges.into_iter().map(PrivateRangeEntry::from).collect(),
        }
    }
}

fn location(entry: LocationEntry) -> Location {
    let segments = entry.private_networks.map(Segments::from);
    Location { slug: entry.slug.0, name: entry.name.0, segments }
}

fn package(entry: PackageEntry) -> Package {
    Package {
        slug: entry.slug.0,
        kind: entry.kind.into(),
        name: entry.name.0,
        monthly: entry.monthly_price.0,
        size: Size { cpu: entry.cpu, ram_mb: entry.ram_mb, disk_gb: entry.disk_gb },
        limits: GuestLimits {
            cpu_weight: entry.cpu_weight,
            cpu_percent_max: entry.max_cpu_percent,
            disk_iops_max: entry.max_disk_iops,
            disk_mib_per_second_max: entry.max_disk_mib_per_second,
            net_mbit_per_second_max: entry.max_net_mbit_per_second,
        },
        extra_ips_max: entry.max_extra_ips,
        cpu_models: entry.cpu_models.into_iter().map(|word| word.0).collect(),
        traffic: entry.traffic.map(|TrafficEntry { gb: Amount(Gigabytes(bytes)), shape_mbit_per_second }| Quota {
            bytes,
            shape_mbit_per_second,
        }),
    }
}

fn image(entry: ImageEntry) -> OsImage {
    OsImage {
        key: entry.key.0,
        kind: entry.kind.map(ServiceType::from),
        name: entry.name.0,
        version: entry.version.0,
        file: Image { sha256: entry.sha256, url: entry.url, format: entry.format, size_bytes: entry.size_bytes },
    }
}

fn pool(entry: PoolEntry) -> AddressPool {
    let range = Pool {
        network: entry.cidr,
        gateway: entry.gateway,
        first: entry.first.unwrap_or(entry.cidr.network()),
        last: entry.last.unwrap_or(entry.cidr.broadcast()),
    };
    let (slug, location, extra_monthly) = (entry.slug.0, entry.location.0, entry.extra_ip_price.0);
    AddressPool { slug, location, range, dns: entry.dns, extra_monthly }
}
