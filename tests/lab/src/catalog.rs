//! The lab's catalog: the example of the documentation, cut to the size of a laptop, with the lab's image.
//!
//! Slugs, prices and the shape are the example's, so whoever read it knows the lab's. Sizes are a fraction, since a
//! host promises no disk or memory twice and several hosts share one machine. Every image key of the example leads to
//! the mini guest; a Debian as customers buy it has a key of its own, where it was made.

use toml::{Table, Value};

use crate::{
    error::{LabError, Result},
    layout::{IMAGE_PORT, MANAGEMENT},
};

/// The catalog of the documentation.
const EXAMPLE: &str = include_str!("../../../docs/examples/catalog.toml");
/// Where the lab's hosts stand: the example's one location.
pub const LOCATION: &str = "first";

/// What is divided by how much, and the least that a guest needs.
const FRACTIONS: [(&str, i64, i64); 4] =
    [("cpu", 4, 1), ("ram_mb", 4, 256), ("disk_gb", 10, 2), ("max_net_mbit_per_second", 100, 1)];

/// The lab's own packages, which are the first of the example but for this: rates in megabits, and little traffic a month.
const RATED: [(&str, i64); 2] = [("rated-10", 10), ("rated-50", 50)];
const RATED_EXTRA_IPS: i64 = 5;
const METERED: &str = "metered";
/// What it allows a month, in bytes, and the rate past it.
const METERED_GB: f64 = 0.006;
const METERED_MBIT: i64 = 1;

/// The real Debian's key in the catalog.
const DEBIAN_KEY: &str = "debian-12-cloud";

/// How the lab's location carries private networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Segments {
    /// Over the hosts' management network.
    Vxlan,
    /// As VLANs on the hosts' trunks, for a machine whose kernel keeps tags apart.
    Vlan,
}

/// An image file that `scripts/image` made: its name, and what the stanza beside it tells of digest, size and format.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Of the file, without a folder.
    pub file: &'a str,
    /// The text of the stanza.
    pub stanza: &'a str,
}

fn wrong(what: impl std::fmt::Display) -> LabError {
    LabError::State(format!("cannot make the lab's catalog: {what}"))
}

impl Image<'_> {
    /// Makes a catalog's entry one of this image.
    fn fill(&self, entry: &mut Table) -> Result<()> {
        let stanza: Table = self.stanza.parse().map_err(wrong)?;
        entry.insert("url".to_owned(), Value::String(format!("http://{MANAGEMENT}:{IMAGE_PORT}/{}", self.file)));
        for key in ["sha256", "format", "size_bytes"] {
            let value = stanza.get(key).ok_or_else(|| wrong(format!("{} comes without {key}", self.file)))?;
            entry.insert(key.to_owned(), value.clone());
        }
        Ok(())
    }
}

/// The text of the lab's catalog: the mini guest behind every key of the example, and the Debian if there is one.
///
/// # Errors
/// When a text is not what this program knows.
pub fn render(mini: Image<'_>, debian: Option<Image<'_>>, segments: Segments) -> Result<String> {
    let mut catalog: Table = EXAMPLE.parse().map_err(wrong)?;
    for image in tables(&mut catalog, "images").ok_or_else(|| wrong("the example has no images"))? {
        mini.fill(image)?;
    }
    if let (Some(debian), Some(Value::Array(images))) = (debian, catalog.get_mut("images")) {
        let texts = [("key", DEBIAN_KEY), ("name", "Debian"), ("version", "12")];
        let mut entry: Table = texts.map(|(key, text)| (key.to_owned(), Value::from(text))).into_iter().collect();
        debian.fill(&mut entry)?;
        images.push(Value::Table(entry));
    }
    for package in tables(&mut catalog, "packages").ok_or_else(|| wrong("the example has no packages"))? {
        for (key, divisor, least) in FRACTIONS {
            if let Some(Value::Integer(size)) = package.get_mut(key) {
                *size = (*size / divisor).max(least);
            }
        }
    }
    add_own(&mut catalog)?;
    if segments == Segments::Vlan {
        let tags = [("segments", Value::from("vlan")), ("first", Value::from(100)), ("last", Value::from(199))];
        let tags: Table = tags.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        for location in tables(&mut catalog, "locations").ok_or_else(|| wrong("the example has no locations"))? {
            location.insert("private_networks".to_owned(), Value::Table(tags.clone()));
        }
    }
    toml::to_string(&catalog).map_err(wrong)
}

/// Adds the lab's own packages. Nothing of the others' traffic is used up by what tests send.
fn add_own(catalog: &mut Table) -> Result<()> {
    let traffic = [("gb", Value::from(METERED_GB)), ("shape_mbit_per_second", Value::from(METERED_MBIT))];
    let traffic: Table = traffic.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
    let packages = catalog.get_mut("packages").and_then(Value::as_array_mut);
    let packages = packages.ok_or_else(|| wrong("the example has no packages"))?;
    let first = packages.first().and_then(Value::as_table).ok_or_else(|| wrong("no package"))?.clone();
    let mut add = |slug: &str, differs: &[(&str, Value)]| {
        let mut package = first.clone();
        for (key, value) in [("slug", slug.into()), ("name", slug.into())].iter().chain(differs) {
            package.insert((*key).to_owned(), value.clone());
        }
        packages.push(Value::Table(package));
    };
    add(METERED, &[("traffic", Value::Table(traffic))]);
    for (slug, mbit) in RATED {
        add(slug, &[("max_net_mbit_per_second", mbit.into()), ("max_extra_ips", RATED_EXTRA_IPS.into())]);
    }
    Ok(())
}

fn tables<'a>(catalog: &'a mut Table, key: &str) -> Option<impl Iterator<Item = &'a mut Table>> {
    Some(catalog.get_mut(key)?.as_array_mut()?.iter_mut().filter_map(Value::as_table_mut))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINI: Image<'_> = Image { file: "mini.qcow2", stanza: "sha256 = \"ab\"\nsize_bytes = 7\nformat = \"qcow2\"" };

    #[test]
    fn every_image_is_the_labs_and_every_package_is_small() {
        let text = render(MINI, None, Segments::Vxlan).unwrap();
        let mut catalog: Table = text.parse().unwrap();
        for image in tables(&mut catalog, "images").unwrap() {
            assert_eq!(image["url"].as_str(), Some("http://198.51.100.1:8000/mini.qcow2"));
            assert_eq!(image["sha256"].as_str(), Some("ab"));
        }
        let sizes: Vec<i64> =
            tables(&mut catalog, "packages").unwrap().map(|package| package["disk_gb"].as_integer().unwrap()).collect();
        assert!(sizes.len() >= 4 && sizes.iter().all(|size| (2..100).contains(size)), "{sizes:?}");
        let locations = catalog["locations"].as_array().unwrap();
        assert!(locations.iter().any(|location| location["slug"].as_str() == Some(LOCATION)));
    }

    #[test]
    fn an_image_without_a_digest_is_refused() {
        let bare = Image { stanza: "size_bytes = 7", ..MINI };
        assert!(render(bare, None, Segments::Vxlan).unwrap_err().to_string().contains("sha256"));
        assert!(render(MINI, Some(bare), Segments::Vxlan).unwrap_err().to_string().contains("sha256"));
    }

    #[test]
    fn a_real_debian_is_one_more_image_and_changes_no_other() {
        let stanza = "sha256 = \"cd\"\nsize_bytes = 9\nformat = \"qcow2\"";
        let with = render(MINI, Some(Image { file: "debian.qcow2", stanza }), Segments::Vxlan).unwrap();
        let (with, without): (Table, Table) =
            (with.parse().unwrap(), render(MINI, None, Segments::Vxlan).unwrap().parse().unwrap());
        let (with, without) = (with["images"].as_array().unwrap(), without["images"].as_array().unwrap());
        let (debian, others) = with.split_last().unwrap();
        assert_eq!(others, without.as_slice());
        assert_eq!(debian["key"].as_str(), Some("debian-12-cloud"));
        assert_eq!(debian["url"].as_str(), Some("http://198.51.100.1:8000/debian.qcow2"));
        assert_eq!(debian["sha256"].as_str(), Some("cd"));
    }
    #[test]
    fn private_networks_are_vlans_where_that_is_asked_for() {
        let mut catalog: Table = render(MINI, None, Segments::Vlan).unwrap().parse().unwrap();
        for location in tables(&mut catalog, "locations").unwrap() {
            assert_eq!(location["private_networks"]["segments"].as_str(), Some("vlan"));
        }
    }
}
