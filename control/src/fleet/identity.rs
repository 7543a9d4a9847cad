//! The control plane's own keys: the one it uses and the one it will use next.
//!
//! Hosts are told both fingerprints when they join, so that a change of keys needs nothing on any host, even on one
//! that was asleep for a year.

use std::path::Path;

use csp_link::key_file::{Identity, KeyFileError};
use csp_shared::key_pin::KeyPin;

const CURRENT: &str = "link.key";
const NEXT: &str = "link-next.key";

/// Both keys.
#[derive(Debug, Clone)]
pub struct ControlKeys {
    /// Proved in every handshake.
    pub current: Identity,
    /// Known to the hosts, not used yet.
    pub next: Identity,
}

impl ControlKeys {
    /// Reads the keys in `folder`; makes those that are missing.
    ///
    /// # Errors
    /// When a key cannot be read, made or written.
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyFileError> {
        let current = Identity::load_or_create(&folder.join(CURRENT))?;
        Ok(Self { current, next: Identity::load_or_create(&folder.join(NEXT))? })
    }

    /// Reads the keys in `folder`. For `serve`: a control plane that made new keys because a disk was not mounted
    /// would be a stranger to all of its hosts.
    ///
    /// # Errors
    /// When a key is missing or cannot be read.
    pub fn load(folder: &Path) -> Result<Self, KeyFileError> {
        let current = Identity::load(&folder.join(CURRENT))?;
        Ok(Self { current, next: Identity::load(&folder.join(NEXT))? })
    }

    /// What a joining host is told: the fingerprints that it is to accept.
    #[must_use]
    pub fn pins(&self) -> [KeyPin; 2] {
        [self.current.pin(), self.next.pin()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys_stay_the_same_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ControlKeys::load(folder.path()).is_err(), "serve makes no keys");
        let made = ControlKeys::load_or_create(folder.path()).unwrap();
        assert_eq!(ControlKeys::load(folder.path()).unwrap().pins(), made.pins());
        assert_ne!(made.current.pin(), made.next.pin());
    }
}
