//! Random values from a seed that was drawn before the transaction began.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::time::Time;

/// A stream of random bytes: SHA-256 over the seed and a counter. The same seed gives the same values in the same
/// order, so that a closure which the store runs again writes the same rows.
#[derive(Clone)]
pub struct Draw {
    seed: [u8; 32],
    count: u64,
    /// Where in its second it was drawn, in milliseconds.
    millis: u16,
}

impl Draw {
    /// A stream from its seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0, millis: 0 }
    }

    /// The same, drawn so many milliseconds after a full second. Ids of one second sort by it, so rows that are written
    /// together lie together in the store's indexes: scattered, each would be a page more to write.
    #[must_use]
    pub fn within_second(self, millis: u16) -> Self {
        Self { millis: millis.min(999), ..self }
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.count += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.count.to_be_bytes()).finalize().into()
    }

    /// The next id: UUID version 7 (RFC 9562), whose first 48 bits are the time in milliseconds.
    pub fn uuid(&mut self, now: Time) -> Uuid {
        let [a, b, c, d, e, f, g, h, i, j, ..] = self.bytes();
        let millis = u64::try_from(now.0).unwrap_or(0).saturating_mul(1000).saturating_add(self.millis.into());
        uuid::Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
    }
}

impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The seed makes keys and passwords, so it is a secret.
        write!(f, "Draw(…, {})", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values_and_ids_sort_by_time() {
        let (mut one, mut two) = (Draw::new([7; 32]), Draw::new([7; 32]));
        assert_eq!(one.bytes(), two.bytes());
        let (early, late) = (one.uuid(Time(1_000_000)), one.uuid(Time(1_000_001)));
        assert_eq!((early, late), (two.uuid(Time(1_000_000)), two.uuid(Time(1_000_001))));
        assert!(early < late);
        let later = one.clone().within_second(999).uuid(Time(1_000_001));
        assert!(late < later && later < one.uuid(Time(1_000_002)), "and within their second, where that is known");
        assert_eq!(early.get_version_num(), 7);
    }
}
