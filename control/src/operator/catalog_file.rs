//! The catalog as a provider writes it: TOML with tables of locations, packages, images and address pools.
//!
//! Each value is parsed where it stands, so that a wrong one is named with its line. The same types travel from the
//! command to the control plane as JSON.

mod meaning;
mod private_networks;
mod promo_codes;
mod value;

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{sha256::Sha256, spec::ImageFormat};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use self::{
    private_networks::{RangeEntry, SegmentWord, SegmentsEntry},
    promo_codes::{At, Lasting, Off, PromoEntry},
    value::{Amount, Parsed, Price, Text},
};
use crate::{
    config::toml_text::{self, TomlFault},
    domain::{catalog::ServiceType, label::Label, makeup::CpuWord, slug::Slug},
};

/// Fields that are amounts of money or data. As numbers they would go through a float, which forgets how they were written.
const AMOUNTS: [&str; 4] = ["monthly_price", "extra_ip_price", "off", "gb"];

/// Reads a catalog that came from a file called `name`.
///
/// # Errors
/// When it is none: the file, the line and the field are named.
pub fn read(text: &str, name: &str) -> Result<CatalogFile, TomlFault> {
    toml_text::parse_with_amounts(text, name, &AMOUNTS)
}

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
    /// Left out: as much as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficEntry>,
}

/// `traffic` of a package: what all its public adapters carry a month, received and sent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct TrafficEntry {
    pub gb: Amount,
    /// Left out: its owner is told, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape_mbit_per_second: Option<u32>,
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

#[cfg(test)]
mod tests {
    use super::{read as read_file, *};
    use crate::domain::{catalog::Catalog, traffic::Quota};

    const EXAMPLE: &str = include_str!("../../../docs/examples/catalog.toml");
    const TRAFFIC: &str = "traffic = { gb = 2000, shape_mbit_per_second = 10 }";

    fn read(text: &str) -> Result<CatalogFile, TomlFault> {
        read_file(text, "catalog.toml")
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
            (TRAFFIC, "traffic = { gb = 1e3 }", "traffic.gb"),
            (TRAFFIC, "traffic = { gb = 1, past = 3 }", "traffic"),
            (TRAFFIC, "traffic = { shape_mbit_per_second = 3 }", "traffic"),
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
    fn a_package_allows_an_amount_of_traffic_and_says_what_comes_after_it() {
        let with = |traffic: &str| {
            let line = format!("traffic = {traffic}");
            Catalog::from(read(&EXAMPLE.replacen(TRAFFIC, &line, 1)).unwrap())
        };
        let quota = |bytes, shape_mbit_per_second| Some(Quota { bytes, shape_mbit_per_second });
        let first = |catalog: Catalog| catalog.packages[0].traffic;
        assert_eq!(first(with("{ gb = 1000 }")), quota(1_000_000_000_000, None));
        assert_eq!(first(with("{ gb = 0.005, shape_mbit_per_second = 10 }")), quota(5_000_000, Some(10)));
        for bad in ["{ gb = 0 }", "{ gb = 10000000000 }", "{ gb = 1, shape_mbit_per_second = 0 }"] {
            let refused = with(bad).check().unwrap_err().to_string();
            assert!(refused.contains("`starter`") && refused.contains("gb is"), "{bad}: {refused}");
        }
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
    fn amounts_are_read_as_they_are_written() {
        for (written, cents) in
            [("7", 700), ("\"6.95\"", 695), ("6.9", 690), ("0.07", 7), ("0.0", 0), ("1000000000", 100_000_000_000)]
        {
            let text = EXAMPLE.replacen("= 6.95", &format!("= {written}"), 1);
            let price = Catalog::from(read(&text).unwrap()).packages[0].monthly;
            assert_eq!(price.get(), cents, "{written}");
        }
        let text = EXAMPLE.replacen("off = \"2.00\"", "off = 2.00", 1);
        assert_eq!(read(&text).unwrap(), read(EXAMPLE).unwrap(), "a discount needs no quotes");
    }

    #[test]
    fn an_amount_that_is_none_is_refused_by_its_line_its_field_and_what_is_wrong_with_it() {
        let wrong = [
            ("1e2", "has an exponent"),
            ("6.95e0", "has an exponent"),
            ("10.010000000000000000001", "fraction of a cent"),
            ("6.950", "fraction of a cent"),
            ("nan", "is not a number"),
            ("-inf", "is not a number"),
            ("inf", "is not a number"),
            ("-1", "is negative"),
            ("-0.0", "is negative"),
            ("0x10", "is no amount"),
            ("+1", "is no amount"),
            ("1_000", "is no amount"),
            ("1000000000.01", "is above 1000000000"),
            ("\"1e2\"", "has an exponent"),
        ];
        let fields = [
            ("monthly_price = 6.95", "monthly_price", "packages[0]"),
            ("extra_ip_price = 2.00", "extra_ip_price", "pools[0]"),
            ("off = \"2.00\"", "off", "promo_codes[1]"),
        ];
        for (from, field, entry) in fields {
            let line = EXAMPLE[..EXAMPLE.find(from).unwrap()].matches('\n').count() + 1;
            for (written, what) in wrong {
                let text = EXAMPLE.replacen(from, &format!("{field} = {written}"), 1);
                let fault = read(&text).unwrap_err().to_string();
                let place = format!("catalog.toml, line {line}, `{entry}.{field}`: ");
                assert!(fault.starts_with(&place) && fault.contains(what), "{field} = {written}: {fault}");
            }
        }
        let fault = read(&EXAMPLE.replacen("off = \"50%\"", "off = \"50.5%\"", 1)).unwrap_err().to_string();
        assert!(fault.contains("`promo_codes[0].off`: `50.5%` is no percentage"), "{fault}");
    }

    #[test]
    fn what_travels_as_json_has_its_amounts_as_texts() {
        let json = serde_json::to_string(&read(EXAMPLE).unwrap()).unwrap();
        for number in ["6.95", "1e2", "7"] {
            let number = json.replacen("\"monthly_price\":\"6.95\"", &format!("\"monthly_price\":{number}"), 1);
            assert!(number != json && serde_json::from_str::<CatalogFile>(&number).is_err(), "{number}");
        }
    }
}
