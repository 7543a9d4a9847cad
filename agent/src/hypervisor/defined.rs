//! Whether somebody changed a domain since csp defined it: what libvirt writes of it before and after it is defined anew.

use virt::{domain::Domain, error::Error, sys};

use super::{libvirt::read_metadata_of_definition, metadata::Metadata};

/// What stood there when a domain was defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// None, another one of csp's, or the same.
    AsItWas,
    /// Something else than csp had defined.
    Altered,
}

/// A definition, as libvirt tells it.
#[derive(Debug)]
pub(super) struct Defined {
    /// A domain that somebody undefined runs without one.
    is_there: bool,
    /// What the metadata says that it was made from.
    metadata: Metadata,
    xml: String,
}

impl Defined {
    /// Reads it.
    pub fn read(domain: &Domain) -> Result<Self, Error> {
        let is_there = domain.is_persistent()?;
        let metadata = if is_there { read_metadata_of_definition(domain)? } else { Metadata::default() };
        let xml = domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?;
        Ok(Self { is_there, metadata, xml })
    }

    /// Whether it is made from the same as `now`, and differs from it.
    pub fn was_altered(&self, now: &Self) -> bool {
        if !self.is_there {
            return true;
        }
        let same = self.metadata.definition == now.metadata.definition && self.metadata.definition.is_some();
        same && beside_metadata(&self.xml) != beside_metadata(&now.xml)
    }
}

/// What stands before and after the metadata, which carries the epochs of the last boot. No text of a customer's is in a
/// definition, so the first such element is the one.
fn beside_metadata(xml: &str) -> (&str, &str) {
    let (before, rest) = xml.split_once("<metadata>").unwrap_or((xml, ""));
    (before, rest.split_once("</metadata>").map_or(rest, |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Mark;

    fn defined(mark: u64, start: u32, memory: u32) -> Defined {
        let epochs = crate::machine::Epochs { start: csp_shared::generation::StartEpoch(start), ..Default::default() };
        let metadata = Metadata { epochs, definition: Some(Mark(mark)) };
        let written = metadata.element().to_text().unwrap();
        let xml = format!("<domain><metadata>{written}</metadata><memory>{memory}</memory></domain>");
        Defined { is_there: true, metadata, xml }
    }

    #[test]
    fn what_differs_though_it_was_made_from_the_same_was_changed_by_somebody() {
        let now = defined(7, 2, 512);
        assert!(!defined(7, 1, 512).was_altered(&now), "epochs change with every boot");
        assert!(defined(7, 2, 128).was_altered(&now));
        assert!(!defined(6, 2, 128).was_altered(&now), "its spec was another one");
        assert!(Defined { is_there: false, ..defined(7, 2, 512) }.was_altered(&now), "it was undefined");
    }
}
