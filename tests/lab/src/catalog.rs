//! The lab's catalog: the example of the documentation, cut to the size of a laptop, with the lab's image.
//!
//! Slugs, prices and the shape are the example's, so whoever read it knows the lab's. Sizes are a fraction, since a
//! host promises no disk or memory twice and several hosts share one machine. Every image key leads to the mini guest.

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
const FRACTIONS: [(&str, i64, i64); 3] = [("cpu", 4, 1), ("ram_mb", 4, 256), ("disk_gb", 10, 2)];

/// The text of the lab's catalog for an image of which `stanza` tells digest, size and format.
///
/// # Errors
/// When one of the two texts is not what this program knows.
pub fn render(image_file: &str, stanza: &str) -> Result<String> {
    let wrong = |what: &str| LabError::State(format!("cannot make the lab's catalog: {what}"));
    let mut catalog: Table = EXAMPLE.parse().map_err(|error| wrong(&format!("{error}")))?;
    let stanza: Table = stanza.parse().map_err(|error| wrong(&format!("{error}")))?;
    let url = format!("http://{MANAGEMENT}:{IMAGE_PORT}/{image_file}");
    for image in tables(&mut catalog, "images").ok_or_else(|| wrong("the example has no images"))? {
        image.insert("url".to_owned(), Value::String(url.clone()));
        for key in ["sha256", "format", "size_bytes"] {
            let value = stanza.get(key).ok_or_else(|| wrong(&format!("{image_file} comes without {key}")))?;
            image.insert(key.to_owned(), value.clone());
        }
    }
    for package in tables(&mut catalog, "packages").ok_or_else(|| wrong("the example has no packages"))? {
        for (key, divisor, least) in FRACTIONS {
            if let Some(Value::Integer(size)) = package.get_mut(key) {
                *size = (*size / divisor).max(least);
            }
        }
    }
    toml::to_string(&catalog).map_err(|error| wrong(&format!("{error}")))
}

fn tables<'a>(catalog: &'a mut Table, key: &str) -> Option<impl Iterator<Item = &'a mut Table>> {
    Some(catalog.get_mut(key)?.as_array_mut()?.iter_mut().filter_map(Value::as_table_mut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_the_labs_and_every_package_is_small() {
        let text = render("mini.qcow2", "sha256 = \"ab\"\nsize_bytes = 7\nformat = \"qcow2\"").unwrap();
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
        assert!(render("mini.qcow2", "size_bytes = 7").unwrap_err().to_string().contains("sha256"));
    }
}
