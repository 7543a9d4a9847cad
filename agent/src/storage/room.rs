//! How much a pool can still promise. Disks are counted by their full size, however little is written in them yet.
//!
//! Without over-commit: a pool that fills up stops every guest on the host at once, and the customer who wrote the last
//! block is not the one who is to blame. Pure sums here; the numbers are read in `pool`.

/// No room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pool has {free} bytes left to promise and {wanted} are needed; free some or move servers to another host")]
pub struct RoomError {
    /// Bytes needed.
    pub wanted: u64,
    /// Bytes that nobody was promised.
    pub free: u64,
}

/// What a pool has and has promised, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Size of the file system.
    pub total: u64,
    /// What is free in it now.
    pub available: u64,
    /// Full sizes of the disks, the trash included.
    pub promised: u64,
    /// What those disks already occupy.
    pub occupied: u64,
    /// Never promised.
    pub reserve: u64,
}

impl Room {
    /// What can still be promised: what is free now, less what the disks may still grow by and the reserve. Images and
    /// whatever else lies in the file system are taken into account by not being free.
    #[must_use]
    pub fn free(&self) -> u64 {
        let growth = self.promised.saturating_sub(self.occupied);
        self.available.saturating_sub(growth).saturating_sub(self.reserve)
    }

    /// What the pool could promise if it held no disks.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.free().saturating_add(self.promised).min(self.total.saturating_sub(self.reserve))
    }

    /// Whether `wanted` more bytes can be promised.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(&self, wanted: u64) -> Result<(), RoomError> {
        let free = self.free();
        if wanted <= free { Ok(()) } else { Err(RoomError { wanted, free }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_disk_counts_in_full_before_a_byte_of_it_is_written() {
        let room = Room { total: 1000, available: 900, promised: 500, occupied: 50, reserve: 100 };
        assert_eq!(room.free(), 350);
        assert_eq!(room.check(350), Ok(()));
        assert_eq!(room.check(351), Err(RoomError { wanted: 351, free: 350 }));
        assert_eq!(room.capacity(), 850);
    }

    proptest! {
        /// Promises taken one after another never exceed what the file system can hold beside its reserve.
        #[test]
        fn what_was_promised_always_fits(available in 0u64..1 << 50, reserve in 0u64..1 << 45,
                                         asks in proptest::collection::vec(0u64..1 << 48, 0..20)) {
            let mut room = Room { total: available, available, promised: 0, occupied: 0, reserve };
            for ask in asks {
                if room.check(ask).is_ok() {
                    room.promised += ask;
                }
            }
            prop_assert!(room.promised + reserve <= available || room.promised == 0);
        }
    }
}
