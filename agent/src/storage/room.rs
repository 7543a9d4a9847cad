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
    /// Full sizes of servers' disks.
    pub promised: u64,
    /// Full sizes of disks in the trash: each can be put back, and then grow.
    pub trash: u64,
    /// What all those disks already occupy.
    pub occupied: u64,
    /// Never promised.
    pub reserve: u64,
    /// Full sizes of images that are being fetched or unpacked.
    pub claimed: u64,
}

impl Room {
    /// What all disks may still grow by.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.promised.saturating_add(self.trash).saturating_sub(self.occupied)
    }

    /// What can still be promised: what is free now, less what the disks may still grow by and the reserve. Images and
    /// whatever else lies in the file system are taken into account by not being free.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.available.saturating_sub(self.growth()).saturating_sub(self.reserve).saturating_sub(self.claimed)
    }

    /// What the pool could promise if no server had a disk on it: what it offers to the control plane, which takes off
    /// what it has placed there. What is in the trash is offered to nobody until it is gone.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        let usable = self.total.saturating_sub(self.reserve).saturating_sub(self.trash);
        self.free().saturating_add(self.promised).min(usable)
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
        let room =
            Room { total: 1000, available: 900, promised: 500, trash: 0, occupied: 50, reserve: 100, claimed: 0 };
        assert_eq!(room.free(), 350);
        assert_eq!(room.check(350), Ok(()));
        assert_eq!(room.check(351), Err(RoomError { wanted: 351, free: 350 }));
        assert_eq!(room.capacity(), 850);
        let fetching = Room { claimed: 350, ..room };
        assert_eq!((fetching.check(1).is_err(), fetching.capacity()), (true, 500), "an image on its way has its room");
    }

    #[test]
    fn what_rests_in_the_trash_is_offered_to_nobody() {
        let full = Room { total: 1000, available: 900, promised: 800, trash: 0, occupied: 0, reserve: 100, claimed: 0 };
        assert_eq!((full.free(), full.capacity()), (0, 800));
        let trashed = Room { promised: 500, trash: 300, ..full };
        assert_eq!(
            (trashed.free(), trashed.capacity()),
            (0, 500),
            "the control plane took 300 off what it placed here"
        );
        let emptied = Room { trash: 0, ..trashed };
        assert_eq!((emptied.free(), emptied.capacity()), (300, 800));
    }

    proptest! {
        /// What the control plane thinks is free (the offer less what it placed) is what the host takes.
        #[test]
        fn the_offer_agrees_with_what_can_be_made(available in 0u64..1 << 50, promised in 0u64..1 << 49,
                                                  trash in 0u64..1 << 49, reserve in 0u64..1 << 45,
                                                  total in 0u64..1 << 51) {
            let room = Room { total, available, promised, trash, occupied: 0, reserve, claimed: 0 };
            prop_assert!(room.capacity().saturating_sub(promised) <= room.free());
        }

        /// Promises taken one after another never exceed what the file system can hold beside its reserve.
        #[test]
        fn what_was_promised_always_fits(available in 0u64..1 << 50, reserve in 0u64..1 << 45,
                                         asks in proptest::collection::vec(0u64..1 << 48, 0..20)) {
            let mut room = Room { total: available, available, promised: 0, trash: 0, occupied: 0, reserve, claimed: 0 };
            for ask in asks {
                if room.check(ask).is_ok() {
                    room.promised += ask;
                }
            }
            prop_assert!(room.promised + reserve <= available || room.promised == 0);
        }
    }
}
