//! What a host counted of a server's traffic on its public adapters.
//!
//! Totals, not differences: a word that is lost is made good by the next one, and one that comes twice, late or out of order
//! adds nothing. Who keeps months takes the difference to what was told before. As with samples no time of day is told, only
//! how long ago a total stood.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{id::ServerId, sample::NetworkMoved};

/// Earlier totals that one word carries.
pub const EARLIER_MAX: usize = 32;

/// Which counting it is: totals of two countings are not compared. A host that lost its count begins another one, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountId(pub Uuid);

impl fmt::Display for CountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for CountId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// One server's count, now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Whose.
    pub server: ServerId,
    /// Which counting.
    pub count: CountId,
    /// All that its public adapters carried since the counting began, on this host.
    pub total: NetworkMoved,
    /// What the total was at earlier moments, oldest first, as far as they were not told before; at most [`EARLIER_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

/// A total at an earlier moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// How long ago, in seconds.
    pub age_seconds: u64,
    /// What it was.
    pub total: NetworkMoved,
}

impl NetworkMoved {
    /// Whether nothing moved.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both directions together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.received_bytes.saturating_add(self.sent_bytes)
    }

    /// Each amount of the one with that of the other.
    #[must_use]
    pub fn with(&self, other: &Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            received_bytes: both(self.received_bytes, other.received_bytes),
            received_packets: both(self.received_packets, other.received_packets),
            sent_bytes: both(self.sent_bytes, other.sent_bytes),
            sent_packets: both(self.sent_packets, other.sent_packets),
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// What this has more than `other`; nothing where it has less.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_sub)
    }
}
