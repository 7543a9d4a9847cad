//! Names in URLs and catalogs: packages, images, locations, hosts.

/// 1 to 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slug(String);

/// A text that is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a short name has 1 to 63 of a-z, 0-9 and hyphens, and begins and ends with a letter or digit")]
pub struct BadSlug;

impl Slug {
    /// Reads a slug.
    ///
    /// # Errors
    /// When it has other characters or is too long.
    pub fn parse(text: &str) -> Result<Self, BadSlug> {
        let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !text.starts_with('-') && !text.ends_with('-');
        if inner && ends && (1..=63).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(BadSlug) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}
