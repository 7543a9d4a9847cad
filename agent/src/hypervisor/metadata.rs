//! What a domain's definition says about where it came from. libvirt keeps it with the domain, so it cannot be lost
//! without it.

use csp_shared::generation::{BootEpoch, DiskEpoch, StartEpoch};
use quick_xml::{Reader, XmlVersion, events::Event};

use super::xml::Element;
use crate::machine::{Epochs, Mark};

/// Namespace of the element. A name, not an address.
pub const NAMESPACE: &str = "urn:csp:server:1";
/// Prefix of the namespace in the XML that we write.
pub const PREFIX: &str = "csp";

/// The epochs that a domain was last defined for, and the mark of its definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Reached by this domain.
    pub epochs: Epochs,
    /// What it was defined from.
    pub definition: Option<Mark>,
}

impl Metadata {
    /// For the `<metadata>` of a definition.
    #[must_use]
    pub fn element(&self) -> Element {
        self.fill(Element::new("csp:server").with("xmlns:csp", NAMESPACE))
    }

    /// For virDomainSetMetadata, which adds the namespace itself.
    #[must_use]
    pub fn bare_element(&self) -> Element {
        self.fill(Element::new("server"))
    }

    /// Reads what virDomainGetMetadata gives. What cannot be read is none: all epochs zero.
    #[must_use]
    pub fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut metadata = Self::default();
        if let Ok(Event::Empty(element) | Event::Start(element)) = reader.read_event() {
            for attribute in element.attributes().flatten() {
                let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else { continue };
                match attribute.key.as_ref() {
                    "start" => metadata.epochs.start = StartEpoch(value.parse().unwrap_or(0)),
                    "boot" => metadata.epochs.boot = BootEpoch(value.parse().unwrap_or(0)),
                    "disk" => metadata.epochs.disk = DiskEpoch(value.parse().unwrap_or(0)),
                    "definition" => metadata.definition = value.parse().ok(),
                    _ => {}
                }
            }
        }
        metadata
    }

    fn fill(&self, element: Element) -> Element {
        let Epochs { start, boot, disk } = self.epochs;
        let element = element.with("start", start).with("boot", boot).with("disk", disk);
        match self.definition {
            Some(mark) => element.with("definition", mark),
            None => element,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_as_it_is_written() {
        let epochs = Epochs { start: StartEpoch(3), boot: BootEpoch(2), disk: DiskEpoch(1) };
        let metadata = Metadata { epochs, definition: Some(Mark(0xab)) };
        assert_eq!(Metadata::parse(&metadata.element().to_text().unwrap()), metadata);
        assert_eq!(Metadata::parse(&metadata.bare_element().to_text().unwrap()), metadata);
        for junk in ["", "<", "<server start='x' definition='y'/>", "<!-- -->"] {
            assert_eq!(Metadata::parse(junk), Metadata::default(), "{junk}");
        }
    }
}
