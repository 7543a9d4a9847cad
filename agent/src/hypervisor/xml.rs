//! Elements, and the serializer that makes text of them. No XML is put together in any other way.

use std::io;

use quick_xml::{Writer, events::BytesText};

/// One element: attributes, then either text or children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), text: None, children: Vec::new() }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With this text for its content.
    #[must_use]
    pub fn text(mut self, text: impl ToString) -> Self {
        self.text = Some(text.to_string());
        self
    }

    /// With one more child.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// With more children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The text of the document whose root this is.
    ///
    /// # Errors
    /// Never for plain values; the serializer's signature has one.
    pub fn to_text(&self) -> io::Result<String> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
        self.write(&mut writer)?;
        String::from_utf8(writer.into_inner()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let attributes = self.attributes.iter().map(|(name, value)| (*name, value.as_str()));
        let element = writer.create_element(self.name).with_attributes(attributes);
        match (&self.text, self.children.as_slice()) {
            (Some(text), _) => element.write_text_content(BytesText::new(text)),
            (None, []) => element.write_empty(),
            (None, children) => {
                element.write_inner_content(|writer| children.iter().try_for_each(|child| child.write(writer)))
            }
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::{Reader, XmlVersion, events::Event};

    use super::*;

    proptest! {
        /// Whatever stands in a value, a parser finds that value, and nothing more than was put in.
        #[test]
        fn no_text_escapes_its_attribute(value in "[^\\p{Cc}\u{fffe}\u{ffff}]*") {
            let text = Element::new("source").with("file", &value).to_text().unwrap();
            let mut reader = Reader::from_str(&text);
            let Event::Empty(found) = reader.read_event().unwrap() else { panic!("{text}") };
            let attributes: Vec<_> = found.attributes().map(Result::unwrap).collect();
            prop_assert_eq!(attributes.len(), 1);
            prop_assert_eq!(attributes[0].normalized_value(XmlVersion::Implicit1_0).unwrap(), value);
            prop_assert_eq!(reader.read_event().unwrap(), Event::Eof);
        }
    }
}
