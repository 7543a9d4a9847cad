//! A server's disk: when it may be made, when it is gone for good, when an older one goes to the trash.
//!
//! The note of an epoch is made after its disk got its name and before its first boot. So a crash at any point leaves
//! either a disk without a note, which is taken as it is (it never booted), or a disk with one.

use csp_shared::{generation::DiskEpoch, spec::ServerSpec};

use super::{memory::Notes, step::Step};
use crate::machine::Seen;

/// How it stands with the disk of the spec's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// The pool is not there, so nothing is known.
    PoolMissing,
    /// The pool takes no writes, so nothing can be done in it.
    PoolReadOnly,
    /// It is there.
    Ready,
    /// It was never there and is to be made.
    ToMake,
    /// It was there, or a newer one was, and is not: whatever was on it is not ours to replace.
    Missing,
}

/// Looks at the disk of the spec's epoch.
#[must_use]
pub fn state(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> DiskState {
    // What a disk or a domain says counts as much as the note: the notes may be what was lost.
    let defined = seen.domain.map(|domain| domain.epochs.disk);
    let newest_known = notes.disk_started.max(seen.disks.last().copied()).max(defined);
    if seen.pool_read_only {
        DiskState::PoolReadOnly
    } else if !seen.pool {
        DiskState::PoolMissing
    } else if seen.disks.contains(&spec.disk_epoch) {
        DiskState::Ready
    } else if newest_known < Some(spec.disk_epoch) {
        DiskState::ToMake
    } else {
        DiskState::Missing
    }
}

/// Makes the disk of the spec's epoch, from an image that is there by then, with the guest off by then.
#[must_use]
pub fn make(spec: &ServerSpec, seen: &Seen) -> Vec<Step> {
    let mut steps = vec![Step::CreateDisk, Step::NoteDiskStarted(spec.disk_epoch)];
    steps.extend(retire(seen, Some(spec.disk_epoch)));
    steps
}

/// What is left to do about a disk that is there.
#[must_use]
pub fn settle(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Vec<Step> {
    let is_noted = notes.disk_started >= Some(spec.disk_epoch);
    let note = (!is_noted).then_some(Step::NoteDiskStarted(spec.disk_epoch));
    note.into_iter().chain(retire(seen, Some(spec.disk_epoch))).collect()
}

/// Moves disks to the trash: those older than `wanted`, or all.
pub(super) fn retire(seen: &Seen, wanted: Option<DiskEpoch>) -> Vec<Step> {
    let older = |epoch: &&DiskEpoch| wanted.is_none_or(|wanted| **epoch < wanted);
    seen.disks.iter().filter(older).map(|epoch| Step::RetireDisk(*epoch)).collect()
}
