//! The part of the catalog about private networks: how a location carries them, and what their subnets are taken from.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::Parsed;
use crate::domain::{
    catalog::PrivateRangeEntry,
    segment::{PrivateRange, SegmentKind, Segments},
    slug::Slug,
};

/// `[locations.private_networks]`; left out: the location has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct SegmentsEntry {
    pub segments: SegmentWord,
    pub first: u32,
    pub last: u32,
    #[serde(default)]
    pub reserved: BTreeSet<u32>,
    /// Left out: what fits an underlay of 1500 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
}

/// `vlan` or `vxlan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the field")]
pub enum SegmentWord {
    Vlan,
    Vxlan,
}

/// `[[private_ranges]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct RangeEntry {
    pub slug: Parsed<Slug>,
    pub cidr: Ipv4Net,
    pub subnet_prefix: u8,
}

impl From<SegmentsEntry> for Segments {
    fn from(entry: SegmentsEntry) -> Self {
        let kind = match entry.segments {
            SegmentWord::Vlan => SegmentKind::Vlan,
            SegmentWord::Vxlan => SegmentKind::Vxlan,
        };
        let SegmentsEntry { first, last, reserved, mtu, .. } = entry;
        Self { kind, first, last, reserved, mtu: mtu.unwrap_or_else(|| kind.usual_mtu()) }
    }
}

impl From<RangeEntry> for PrivateRangeEntry {
    fn from(entry: RangeEntry) -> Self {
        Self {
            slug: entry.slug.0,
            range: PrivateRange { network: entry.cidr.trunc(), subnet_len: entry.subnet_prefix },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::domain::catalog::Catalog;

    const EXAMPLE: &str = include_str!("../../../../docs/examples/catalog.toml");

    /// The example's pool, to its last line about addresses.
    const PUBLIC: &str = "cidr = \"203.0.113.0/24\"\ngateway = \"203.0.113.1\"\nfirst = \"203.0.113.10\"\n\
                          last = \"203.0.113.250\"";

    fn checked(from: &str, to: &str) -> Result<Catalog, String> {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE, "{from}");
        let file = read(&text, "catalog.toml").map_err(|fault| fault.to_string())?;
        let catalog = Catalog::from(file);
        catalog.check().map(|()| catalog).map_err(|bad| bad.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_name() {
        let table = [
            ("first = 4096", "first = 0", "location `first`"),
            ("first = 4096", "first = 9000", "location `first`"),
            ("\nsegments = \"vxlan\"", "\nsegments = \"gre\"", "segments"),
            ("\nsegments = \"vxlan\"", "\nsegments = \"vlan\"", "1 to 4094 for vlan"),
            ("reserved = []", "reserved = [17]", "reserved"),
            ("reserved = []", "reserved = []\nmtu = 100", "mtu"),
            ("reserved = []", "reserved = []\ncolour = 1", "colour"),
            ("cidr = \"10.64.0.0/12\"", "cidr = \"198.51.100.0/24\"", "private range `private`"),
            ("subnet_prefix = 24", "subnet_prefix = 11", "private range `private`"),
            (PUBLIC, "cidr = \"10.64.9.0/24\"\ngateway = \"10.64.9.1\"", "`private` overlaps pool `public-1`"),
            (
                "[[private_ranges]]",
                "[[private_ranges]]\nslug = \"other\"\ncidr = \"10.72.0.0/16\"\nsubnet_prefix = 24\n\n[[private_ranges]]",
                "`private` overlaps private range `other`",
            ),
        ];
        for (from, to, name) in table {
            let refused = checked(from, to).unwrap_err();
            assert!(refused.contains(name), "{to}: {refused}");
        }
    }

    #[test]
    fn pools_of_one_network_share_it_and_no_guest_gets_a_gateway() {
        let beside = |cidr: &str, gateway: &str, first: &str, last: &str| {
            let pool = format!(
                "[[pools]]\nslug = \"public-2\"\nlocation = \"first\"\ncidr = \"{cidr}\"\ngateway = \"{gateway}\"\n\
                 first = \"{first}\"\nlast = \"{last}\"\nextra_ip_price = 2.00\n\n[[private_ranges]]"
            );
            checked("[[private_ranges]]", &pool).map(|_| ())
        };
        let (net, one) = ("203.0.113.0/24", "203.0.113.1");
        assert_eq!(beside(net, one, "203.0.113.2", "203.0.113.9"), Ok(()));
        assert_eq!(beside(net, "203.0.113.254", "203.0.113.2", "203.0.113.9"), Ok(()), "two routers of one network");
        let table = [
            (beside("203.0.113.0/25", one, "203.0.113.2", "203.0.113.9"), "not the same one"),
            (
                beside(net, "203.0.113.20", "203.0.113.2", "203.0.113.9"),
                "`public-1` has the gateway of pool `public-2`",
            ),
            (beside(net, "203.0.113.254", one, "203.0.113.9"), "`public-2` has the gateway of pool `public-1`"),
            (beside(net, one, "203.0.113.2", "203.0.113.10"), "overlap"),
        ];
        for (found, told) in table {
            assert!(found.as_ref().is_err_and(|why| why.contains(told)), "{told}: {found:?}");
        }
    }

    #[test]
    fn an_mtu_that_is_left_out_is_what_fits_an_ordinary_underlay() {
        let catalog = checked("reserved = []", "reserved = [5000]").unwrap();
        let segments = catalog.locations[0].segments.clone().unwrap();
        assert_eq!((segments.mtu, segments.reserved.len()), (1450, 1));
    }
}
