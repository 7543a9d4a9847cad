//! The catalog as a provider writes it: TOML with tables of locations, packages, images and address pools.
//!
//! Each value is parsed where it stands, so that a wrong one is named with its line. The same types travel from the
//! command to the control plane as JSON.

mod private_networks;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use csp_shared::{
    sha256::Sha256,
    spec::{GuestLimits, Image, ImageFormat},
};
use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::private_networks::{RangeEntry, SegmentWord, SegmentsEntry};
use crate::domain::{
    address::Pool,
    billing::promo::{Code, Discount, Duration, Promo, Terms},
    catalog::{AddressPool, Catalog, Location, OsImage, Package, PrivateRangeEntry, ServiceType, Size},
    label::Label,
    makeup::CpuWord,
    money::Cents,
    segment::Segments,
    slug::Slug,
    time::{BadTime, Time},
};

/// The whole file. What is left out of it is not sold any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    /// Where hosts stand.
    #[serde(default)]
    pub locations: Vec<LocationEntry>,
    /// What is sold, in the order shown.
    #[serde(default)]
    pub packages: Vec<PackageEntry>,
    /// What can be installed, in the order shown.
    #[serde(default)]
    pub images: Vec<ImageEntry>,
    /// Addresses to lease.
    #[serde(default)]
    pub pools: Vec<PoolEntry>,
    /// Codes that take something off.
    #[serde(default)]
    pub promo_codes: Vec<PromoEntry>,
    /// Addresses that private networks get.
    #[serde(default)]
    pub private_ranges: Vec<RangeEntry>,
}

/// `[[locations]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct LocationEntry {
    pub slug: Parsed<Slug>,
    pub name: Parsed<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_networks: Option<SegmentsEntry>,
}

/// `[[packages]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct PackageEntry {
    pub slug: Parsed<Slug>,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub name: Parsed<Label>,
    pub cpu: u16,
    pub ram_mb: u32,
    pub disk_gb: u32,
    pub monthly_price: Price,
    #[serde(default)]
    pub max_extra_ips: u32,
    /// Left out: 100, as every guest has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u32>,
    /// Of one processor, for the whole guest. Left out, as the following: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_disk_iops: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_disk_mib_per_second: Option<u32>,
    /// Of all its public adapters together, in each direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_net_mbit_per_second: Option<u32>,
    /// Left out: any processor will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_models: Vec<Parsed<CpuWord>>,
}

/// `[[images]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct ImageEntry {
    pub key: Parsed<Slug>,
    /// Left out: for both.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub name: Parsed<Label>,
    pub version: Parsed<Label>,
    pub url: String,
    pub sha256: Sha256,
    pub format: ImageFormat,
    pub size_bytes: u64,
}

/// `[[pools]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct PoolEntry {
    pub slug: Parsed<Slug>,
    pub location: Parsed<Slug>,
    pub cidr: Ipv4Net,
    pub gateway: Ipv4Addr,
    /// Left out: the network's first address. Network, broadcast and gateway are never leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Ipv4Addr>,
    /// Left out: the network's last address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Ipv4Addr>,
    #[serde(default)]
    pub dns: Vec<IpAddr>,
    pub extra_ip_price: Price,
}

/// `[[promo_codes]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct PromoEntry {
    pub code: Parsed<Code>,
    /// What it takes off.
    pub off: Off,
    /// Left out: the first period alone.
    #[serde(default)]
    pub duration: Lasting,
    /// Left out: for both.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Left out: for every package.
    #[serde(default)]
    pub packages: Vec<Parsed<Slug>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<At>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<At>,
    /// Left out: as often as people like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// Left out: once.
    #[serde(default = "once")]
    pub max_uses_per_account: u32,
}

/// `first` or `recurring`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the billing rules")]
pub enum Lasting {
    #[default]
    First,
    Recurring,
}

/// `15%` or `2.00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Off(pub Discount);

impl TryFrom<String> for Off {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let refuse = || format!("`{text}` is no discount: write a percentage as 15%, or an amount as 2.00");
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(|percent| Self(Discount::Percent(percent))).map_err(|_| refuse()),
            None => text.parse().map(|amount| Self(Discount::Amount(amount))).map_err(|_| refuse()),
        }
    }
}

impl From<Off> for String {
    fn from(off: Off) -> Self {
        match off.0 {
            Discount::Percent(percent) => format!("{percent}%"),
            Discount::Amount(amount) => amount.to_string(),
        }
    }
}

/// `2026-06-10` or `2026-06-10 12:00:00`, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct At(pub Time);

impl TryFrom<String> for At {
    type Error = BadTime;
    fn try_from(text: String) -> Result<Self, BadTime> {
        text.parse().map(Self)
    }
}

impl From<At> for String {
    fn from(at: At) -> Self {
        at.0.to_string()
    }
}

fn once() -> u32 {
    1
}

/// `vps` or `dedicated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the two words of the contract")]
pub enum Kind {
    Vps,
    Dedicated,
}

impl From<Kind> for ServiceType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vps => Self::Vps,
            Kind::Dedicated => Self::Dedicated,
        }
    }
}

impl From<CatalogFile> for Catalog {
    fn from(file: CatalogFile) -> Self {
        Self {
            locations: file.locations.into_iter().map(location).collect(),
            packages: file.packages.into_iter().map(package).collect(),
            images: file.images.into_iter().map(image).collect(),
            pools: file.pools.into_iter().map(pool).collect(),
            promos: file.promo_codes.into_iter().map(promo).collect(),
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

fn promo(entry: PromoEntry) -> Promo {
    let duration = match entry.duration {
        Lasting::First => Duration::First,
        Lasting::Recurring => Duration::Recurring,
    };
    Promo {
        code: entry.code.0,
        terms: Terms { discount: entry.off.0, duration },
        kind: entry.kind.map(ServiceType::from),
        packages: entry.packages.into_iter().map(|slug| slug.0).collect(),
        valid_from: entry.valid_from.map(|at| at.0),
        valid_until: entry.valid_until.map(|at| at.0),
        uses_max: entry.max_uses,
        uses_per_account_max: Some(entry.max_uses_per_account),
    }
}

/// A text that was parsed where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

/// A text form that can be refused.
pub trait Text: Sized {
    /// Reads the text.
    ///
    /// # Errors
    /// Says what is expected.
    fn from_text(text: &str) -> Result<Self, String>;
    /// The text that is read back as this.
    fn text(&self) -> &str;
}

impl Text for Slug {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for Code {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for CpuWord {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Text for Label {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|why| why.to_string())
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl<T: Text> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text())
    }
}

impl<'de, T: Text> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::from_text(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// An amount in USD: `6.95` or `"6.95"`, exact to the cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(pub Cents);

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceVisitor)
    }
}

struct PriceVisitor;

impl de::Visitor<'_> for PriceVisitor {
    type Value = Price;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price as 6.95")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Price, E> {
        text.parse().map(Price).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Price, E> {
        self.visit_str(&whole.to_string())
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Price, E> {
        self.visit_str(&whole.to_string())
    }

    /// The shortest decimal that reads back as the same float is what stood in the file, as long as it is short: 6.95
    /// stays 6.95, and 6.955 has too many decimals and is refused rather than rounded.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Price, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml_text;

    const EXAMPLE: &str = include_str!("../../../docs/examples/catalog.toml");

    fn read(text: &str) -> Result<CatalogFile, toml_text::TomlFault> {
        toml_text::parse(text, "catalog.toml")
    }

    #[test]
    fn the_example_is_a_good_catalog_and_travels_as_json() {
        let file = read(EXAMPLE).unwrap();
        let catalog = Catalog::from(file.clone());
        catalog.check().unwrap();
        let prices: Vec<String> =
            catalog.packages.iter().map(|p| format!("{} {}", p.slug.as_str(), p.monthly)).collect();
        assert_eq!(prices[..2], ["starter 6.95", "performance 42.95"]);
        assert!(catalog.packages.iter().any(|p| p.kind == ServiceType::Dedicated));
        let json = serde_json::to_string(&file).unwrap();
        assert_eq!(serde_json::from_str::<CatalogFile>(&json).unwrap(), file);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let table = [
            ("monthly_price = 6.95", "monthly_price = 6.955", "monthly_price"),
            ("monthly_price = 6.95", "monthly_price = -1", "monthly_price"),
            ("monthly_price = 6.95", "monthly_price = true", "monthly_price"),
            ("max_disk_iops = 2000", "max_disk_iops = \"many\"", "max_disk_iops"),
            ("max_disk_iops = 2000", "max_disk_iops = -1", "max_disk_iops"),
            ("max_disk_iops = 2000", "cpu_models = [\"two words\"]", "cpu_models"),
            ("max_disk_iops = 2000", "cpu_models = \"EPYC\"", "cpu_models"),
            ("slug = \"starter\"", "slug = \"Starter!\"", "slug"),
            ("slug = \"starter\"", "slug = \"starter\"\nprice = 1", "unknown field `price`"),
            ("type = \"vps\"", "type = \"cloud\"", "type"),
            ("cidr = \"203.0.113.0/24\"", "cidr = \"203.0.113.0/33\"", "cidr"),
            ("format = \"qcow2\"", "format = \"vmdk\"", "format"),
        ];
        for (from, to, name) in table {
            let text = EXAMPLE.replacen(from, to, 1);
            assert_ne!(text, EXAMPLE, "{from}");
            let fault = read(&text).unwrap_err().to_string();
            assert!(fault.starts_with("catalog.toml, line ") && fault.contains(name), "{to}: {fault}");
        }
    }

    #[test]
    fn bounds_that_no_guest_could_live_with_are_refused_with_their_package() {
        for bound in [
            "cpu_weight = 0",
            "max_cpu_percent = 4",
            "max_cpu_percent = 201",
            "cpu_weight = 10001",
            "max_net_mbit_per_second = 0",
            "max_net_mbit_per_second = 100001",
        ] {
            let bare = EXAMPLE.replacen("max_net_mbit_per_second = 500\n", "", 1);
            let file = read(&bare.replacen("max_disk_iops = 2000", bound, 1)).unwrap();
            let refused = Catalog::from(file).check().unwrap_err().to_string();
            assert!(refused.contains("`starter`") && refused.contains("max_cpu_percent"), "{bound}: {refused}");
        }
        let file = read(&EXAMPLE.replacen("max_disk_iops = 2000", "max_cpu_percent = 200", 1)).unwrap();
        let starter = Catalog::from(file).packages.remove(0);
        assert_eq!((starter.limits.cpu_percent_max, starter.limits.disk_mib_per_second_max), (Some(200), Some(200)));
        assert_eq!(starter.limits.net_mbit_per_second_max, Some(500));
    }

    #[test]
    fn a_package_names_processors_and_not_too_many() {
        let with = |words: &[&str]| {
            let line = format!("cpu_models = {words:?}");
            Catalog::from(read(&EXAMPLE.replacen("max_disk_iops = 2000", &line, 1)).unwrap())
        };
        let catalog = with(&["EPYC", "Xeon"]);
        catalog.check().unwrap();
        let words: Vec<&str> = catalog.packages[0].cpu_models.iter().map(CpuWord::as_str).collect();
        assert_eq!(words, ["EPYC", "Xeon"]);
        let refused = with(&["x"; 17]).check().unwrap_err().to_string();
        assert!(refused.contains("`starter`") && refused.contains("cpu_models"), "{refused}");
    }

    #[test]
    fn whole_prices_and_texts_are_prices_too() {
        for price in ["7", "\"6.95\"", "6.9", "0.07"] {
            assert!(read(&EXAMPLE.replacen("= 6.95", &format!("= {price}"), 1)).is_ok(), "{price}");
        }
    }
}
