//! Whether a disk in the trash may become its server's disk again. Pure.
//!
//! Only where the server still wants exactly that disk and nothing but that disk can be meant: its epoch is the spec's,
//! it was started (so the planner never makes another of that epoch), and no disk of that epoch or a newer one is there.
//! Everything else is copied to a file: a person looks at that and decides.

use std::collections::BTreeSet;

use csp_shared::{generation::DiskEpoch, spec::Desired};
use serde::Serialize;

use crate::spec_file::Record;

/// What can be done with a disk in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayBack {
    /// Its server waits for it.
    AsDisk,
    /// The server was destroyed, and a tombstone is never taken back.
    Destroyed,
    /// The host does not know what the server should be.
    Unknown,
    /// The server has gone on to another disk, as by a reinstall.
    Superseded,
    /// A disk of that epoch is there, or the agent may make one at any moment.
    Taken,
}

impl WayBack {
    /// For people.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::AsDisk => "its server waits for it; `restore` without --to puts it back",
            Self::Destroyed => "its server was destroyed; restore it to a file",
            Self::Unknown => "this host has no readable spec of its server; restore it to a file",
            Self::Superseded => "its server has a newer disk; restore it to a file",
            Self::Taken => "its server has such a disk, or is about to get one; restore it to a file",
        }
    }
}

/// Decides about the disk of `epoch`, of the server whose record and whose present disks these are.
#[must_use]
pub fn way_back(epoch: DiskEpoch, record: Option<&Record>, disks: &BTreeSet<DiskEpoch>) -> WayBack {
    let Some(Record { desired, notes }) = record else { return WayBack::Unknown };
    let Desired::Present(spec) = desired else { return WayBack::Destroyed };
    if spec.disk_epoch != epoch {
        WayBack::Superseded
    } else if notes.disk_started != Some(epoch) || disks.last() >= Some(&epoch) {
        WayBack::Taken
    } else {
        WayBack::AsDisk
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{
        fixture::{World, disk_of, spec},
        memory::Notes,
        step::Step,
    };

    fn record(epoch: u32, started: Option<u32>) -> Record {
        let mut spec = spec();
        spec.disk_epoch = DiskEpoch(epoch);
        let notes = Notes { disk_started: started.map(DiskEpoch), ..Notes::default() };
        Record { desired: Desired::Present(Box::new(spec)), notes }
    }

    #[test]
    fn only_the_disk_that_the_server_waits_for_goes_back() {
        let disks = |epochs: &[u32]| epochs.iter().copied().map(DiskEpoch).collect::<BTreeSet<_>>();
        let two = DiskEpoch(2);
        for (record, there, wanted) in [
            (Some(record(2, Some(2))), disks(&[]), WayBack::AsDisk),
            (Some(record(2, Some(2))), disks(&[1]), WayBack::AsDisk),
            (Some(record(2, Some(2))), disks(&[2]), WayBack::Taken),
            (Some(record(2, Some(2))), disks(&[3]), WayBack::Taken),
            (Some(record(2, Some(1))), disks(&[]), WayBack::Taken),
            (Some(record(2, None)), disks(&[]), WayBack::Taken),
            (Some(record(3, Some(3))), disks(&[]), WayBack::Superseded),
            (Some(record(1, Some(2))), disks(&[]), WayBack::Superseded),
            (None, disks(&[]), WayBack::Unknown),
        ] {
            assert_eq!(way_back(two, record.as_ref(), &there), wanted, "{record:?} {there:?}");
        }
        let world = World::new(&spec()).wants_gone();
        let destroyed = Record { desired: world.desired, notes: Notes::default() };
        assert_eq!(way_back(two, Some(&destroyed), &disks(&[])), WayBack::Destroyed);
    }

    proptest! {
        /// What goes back is a disk that the planner neither makes nor moves: it was missing, and then it is there.
        #[test]
        fn a_disk_that_goes_back_was_missing_and_is_kept(epoch in 1u32..4, wanted in 1u32..4, started in proptest::option::of(1u32..4),
                                                         there in proptest::collection::btree_set((1u32..4).prop_map(DiskEpoch), 0..3)) {
            let record = record(wanted, started);
            if way_back(DiskEpoch(epoch), Some(&record), &there) == WayBack::AsDisk {
                let Desired::Present(spec) = &record.desired else { unreachable!() };
                let mut world = World::new(spec);
                world.seen.disks = there.into_iter().map(|epoch| (epoch, disk_of(4))).collect();
                world.notes = record.notes.clone();
                prop_assert!(world.plan().fault.is_some() && !world.plan().steps.contains(&Step::CreateDisk));
                world.seen.disks.insert(DiskEpoch(epoch), disk_of(4));
                prop_assert!(!world.plan().steps.contains(&Step::RetireDisk(DiskEpoch(epoch))));
                prop_assert!(world.settle().is_settled());
            }
        }
    }
}
