//! What the store has to be able to read again, and a thief of the database must not: sealed under a key that lies beside the
//! database in a file of its own, and in none of its backups that leave the keys out.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};

/// Length of a nonce in bytes. Random nonces of this length never meet (192 bits).
const NONCE_BYTES: usize = 24;

/// The key.
#[derive(Clone, PartialEq, Eq)]
pub struct Vault([u8; 32]);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// Takes a key of 32 random bytes into custody.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Seals what belongs to `owner`: put into another one's row, it does not open. `random` is drawn before the transaction.
    #[must_use]
    pub fn seal(&self, owner: &str, random: [u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random.get(..NONCE_BYTES)?;
        let payload = Payload { msg: plain, aad: owner.as_bytes() };
        let sealed = self.cipher().encrypt(XNonce::from_slice(nonce), payload).ok()?;
        Some([nonce, &sealed].concat())
    }

    /// Opens what was sealed; None when it was sealed by another key or for another owner, or was altered.
    #[must_use]
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        self.cipher().decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_by_its_key_alone_and_unaltered() {
        let vault = Vault::new([1; 32]);
        let sealed = vault.seal("ada", [7; 32], b"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(vault.open("ada", &sealed).unwrap(), b"secret");
        assert_eq!(vault.open("bob", &sealed), None);
        assert_eq!(Vault::new([2; 32]).open("ada", &sealed), None);
        assert_eq!(vault.open("ada", &sealed[..20]), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(vault.open("ada", &altered), None, "byte {at}");
        }
        assert_eq!(format!("{vault:?}"), "Vault(…)");
    }
}
