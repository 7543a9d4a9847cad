//! Counters that only grow. They are what makes a lost, repeated or reordered message harmless.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The first value in use; zero means "never".
            pub const FIRST: Self = Self(1);

            /// The next value. Saturates: a counter that wrapped would turn the newest wish into the oldest.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

counters! {
    /// Grows with every change of a server's spec, or of a private network on a host.
    Generation(u64),
    /// Grows when the control plane's store was restored from a backup.
    Incarnation(u64),
    /// Grows with every connection of a host; a message of an older one changes nothing.
    SessionEpoch(u64),
    /// Grows when a customer asks for `start`: a guest that powered itself off comes back only then.
    StartEpoch(u32),
    /// Grows when a customer asks for `restart`.
    BootEpoch(u32),
    /// Grows when a server's disk is to be made anew. An epoch once started is never made again.
    DiskEpoch(u32),
}

/// Which state of a server's spec. Ordered by incarnation first: after a restore, generations begin again from what
/// the backup knew, and a host must be able to tell that it is ahead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Of the store.
    pub incarnation: Incarnation,
    /// Of the spec.
    pub generation: Generation,
}

/// Which state of a private network on one host; see [`crate::network`]. Not comparable with a server's, nor with the same
/// network's on another host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkVersion(pub Version);

impl fmt::Display for NetworkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.generation)
    }
}
