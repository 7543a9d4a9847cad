//! A text that must not be printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Plain text of a token, key or password on its way through the program. Printing it shows only that it is one;
/// [`Secret::reveal`] is the one door, easy to find in a review.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a plain text into custody.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The plain text. For the wire, the answer that shows it once, and hashing.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
