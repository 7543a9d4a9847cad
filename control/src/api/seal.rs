//! What is kept of an `Idempotency-Key`, and how the stored answer is sealed.
//!
//! The answer to an order holds a root password. So it is kept only under a key that csp cannot make by itself: it is
//! derived (HKDF, RFC 5869) from the plaintext API key and the plaintext Idempotency-Key, and neither is stored. Who
//! steals the database learns neither the answer nor what was asked.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use csp_shared::{secret::Secret, sha256::Sha256};
use hkdf::Hkdf;
use subtle::ConstantTimeEq as _;

/// Length of a nonce in bytes. Random nonces of this length never meet (192 bits).
const NONCE_BYTES: usize = 24;

/// Keys for one pair of API key and Idempotency-Key.
pub struct SealKeys {
    /// By which the stored row is found.
    pub lookup: Sha256,
    request: [u8; 32],
    answer: [u8; 32],
}

impl std::fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKeys(…)")
    }
}

impl SealKeys {
    /// Derives the keys.
    #[must_use]
    pub fn derive(api_key: &Secret, idempotency_key: &str) -> Self {
        // An API key holds no NUL, so no other pair gives the same input.
        let input = [api_key.reveal().as_bytes(), &[0], idempotency_key.as_bytes()].concat();
        let hkdf = Hkdf::<sha2::Sha256>::new(Some(b"csp idempotent answer 1"), &input);
        let expand = |purpose: &[u8]| {
            let mut key = [0; 32];
            // 32 bytes are far below HKDF's limit of 8,160, so this cannot fail; a zero key would open nothing.
            let _ = hkdf.expand(purpose, &mut key);
            key
        };
        Self { lookup: Sha256(expand(b"lookup")), request: expand(b"request"), answer: expand(b"answer") }
    }

    /// A fingerprint of a request, keyed, so that a stored one cannot be tried against guessed bodies.
    #[must_use]
    pub fn fingerprint(&self, route: &str, canonical_body: &[u8]) -> Sha256 {
        Sha256::of(&[&self.request[..], route.as_bytes(), &[0], canonical_body].concat())
    }

    /// Seals an answer. `random` is drawn before the transaction.
    #[must_use]
    pub fn seal(&self, fingerprint: &Sha256, random: [u8; 32], answer: &[u8]) -> Option<Vec<u8>> {
        let nonce = random.get(..NONCE_BYTES)?;
        let payload = Payload { msg: answer, aad: &fingerprint.0 };
        let sealed = self.cipher().encrypt(XNonce::from_slice(nonce), payload).ok()?;
        Some([nonce, &sealed].concat())
    }

    /// Opens a sealed answer; None when it was made by other keys or altered.
    #[must_use]
    pub fn open(&self, fingerprint: &Sha256, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: sealed, aad: &fingerprint.0 };
        self.cipher().decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.answer).into())
    }
}

/// Whether two fingerprints are of one request.
#[must_use]
pub fn same(one: &Sha256, two: &Sha256) -> bool {
    one.0.ct_eq(&two.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(api_key: &str, key: &str) -> SealKeys {
        SealKeys::derive(&Secret::new(api_key.to_owned()), key)
    }

    #[test]
    fn an_answer_opens_with_the_same_two_keys_alone() {
        let mine = keys("csp_live_a", "order-1");
        let print = mine.fingerprint("POST /servers", b"{}");
        let sealed = mine.seal(&print, [7; 32], b"root password").unwrap();
        assert_eq!(keys("csp_live_a", "order-1").open(&print, &sealed).unwrap(), b"root password");
        for other in [keys("csp_live_b", "order-1"), keys("csp_live_a", "order-2"), keys("csp_live_a\0o", "rder-1")] {
            assert_eq!(other.open(&print, &sealed), None);
            assert_ne!(other.lookup, mine.lookup);
        }
    }

    #[test]
    fn an_altered_answer_does_not_open() {
        let keys = keys("k", "i");
        let print = keys.fingerprint("r", b"b");
        let sealed = keys.seal(&print, [1; 32], b"answer").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(keys.open(&print, &bad), None, "byte {at}");
        }
        assert_eq!(keys.open(&keys.fingerprint("r", b"c"), &sealed), None);
        assert_eq!(keys.open(&print, &[0; 5]), None);
    }
}
