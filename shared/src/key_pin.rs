//! The fingerprint by which one side knows the other's public key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sha256::Sha256;

const PREFIX: &str = "sha256:";

/// SHA-256 of a SubjectPublicKeyInfo in DER (RFC 5280, 4.1). Written `sha256:` and unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPin(pub Sha256);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key fingerprint is `sha256:` and 43 characters of base64url")]
pub struct NotKeyPin;

impl KeyPin {
    /// The fingerprint of a key in DER.
    #[must_use]
    pub fn of(spki_der: &[u8]) -> Self {
        Self(Sha256::of(spki_der))
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyPin {
    type Err = NotKeyPin;
    fn from_str(text: &str) -> Result<Self, NotKeyPin> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).ok_or(NotKeyPin)?).map_err(|_| NotKeyPin)?;
        bytes.try_into().map(|digest| Self(Sha256(digest))).map_err(|_| NotKeyPin)
    }
}

impl Serialize for KeyPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
