//! A server's disk: when it may be made, when it is gone for good, when an older one goes to the trash, when it grows.
//!
//! The note of an epoch is made after its disk got its name and before its first boot. So a crash at any point leaves
//! either a disk without a note, which is taken as it is (it never booted), or a disk with one.
//!
//! A spec's epoch goes back when a reinstall is given up. Then the older disk is the server's again, unless a newer one
//! was noted: that one may have booted, so nothing is started and nothing is touched until the control plane, which is
//! told, asks for the newer one again. A newer disk that never booted stays where it is until a still newer one or a
//! tombstone takes it along.

use csp_shared::{
    generation::DiskEpoch,
    spec::{Desired, ServerSpec},
};

use super::{
    memory::{Elsewhere, Notes},
    step::Step,
};
use crate::machine::{Seen, SeenBase, SeenDisk, SeenDomain};

const GIB: u64 = 1 << 30;

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
    /// It was there, or a newer one was started: whatever was on it is not ours to replace.
    Missing,
    /// Its file is there and is no disk.
    Damaged,
    /// It stands on another image than the spec names: a guest would find the one's files in the other's.
    OnAnotherImage,
    /// It stands on a file that is no image of csp's.
    OnAnotherFile,
    /// The domain names another file, or did when it was last seen: what is in the server's own is older.
    Elsewhere,
}

/// Looks at the disk of the spec's epoch.
#[must_use]
pub fn state(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> DiskState {
    // What a domain says counts as much as the note: the notes may be what was lost.
    let started = notes.disk_started.max(seen.domain.map(|domain| domain.epochs.disk));
    if seen.pool_read_only {
        DiskState::PoolReadOnly
    } else if !seen.pool {
        DiskState::PoolMissing
    } else if is_elsewhere(spec, seen, notes) {
        DiskState::Elsewhere
    } else if started > Some(spec.disk_epoch) {
        DiskState::Missing
    } else if let Some(disk) = seen.disks.get(&spec.disk_epoch) {
        match disk {
            SeenDisk::Damaged => DiskState::Damaged,
            SeenDisk::Sound { base: SeenBase::Image(image), .. } if *image != spec.image.sha256 => {
                DiskState::OnAnotherImage
            }
            SeenDisk::Sound { base: SeenBase::Other, .. } => DiskState::OnAnotherFile,
            SeenDisk::Sound { base: SeenBase::Image(_) | SeenBase::Nothing, .. } => DiskState::Ready,
        }
    } else if started.max(newest(seen)) < Some(spec.disk_epoch) {
        DiskState::ToMake
    } else {
        DiskState::Missing
    }
}

/// The epoch of the server's disk, for the control plane: the spec's if that one is there, else the newest that is.
#[must_use]
pub fn present(desired: &Desired, seen: &Seen, notes: &Notes) -> Option<DiskEpoch> {
    match desired {
        Desired::Present(spec) if state(spec, seen, notes) == DiskState::Ready => Some(spec.disk_epoch),
        Desired::Present(_) | Desired::Absent(_) => newest(seen),
    }
}

fn newest(seen: &Seen) -> Option<DiskEpoch> {
    seen.disks.last_key_value().map(|(epoch, _)| *epoch)
}

/// Whether the guest runs on an older disk than the spec's, which is there: whatever it still writes is given up. A domain
/// that carries no epoch runs on nobody knows which, and is shut down in order.
#[must_use]
pub fn runs_on_older(spec: &ServerSpec, domain: SeenDomain) -> bool {
    domain.epochs.disk != DiskEpoch::default() && domain.epochs.disk < spec.disk_epoch
}

/// Whether what the guest wrote is nowhere but in a file without a name, which its QEMU holds open.
#[must_use]
pub fn only_its_guest_has(seen: &Seen, domain: SeenDomain, state: DiskState) -> bool {
    match state {
        DiskState::Elsewhere => seen.disk_elsewhere.as_deref().is_some_and(is_held_open),
        DiskState::Missing => !seen.disks.contains_key(&domain.epochs.disk),
        _ => false,
    }
}

fn is_elsewhere(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> bool {
    match seen.domain {
        Some(domain) => seen.disk_elsewhere.is_some() && !runs_on_older(spec, domain),
        None => notes.elsewhere.as_ref().is_some_and(|noted| noted.epoch >= spec.disk_epoch && !noted.off),
    }
}

/// What is to be noted of a disk that somebody moved by hand, after this look. It is forgotten once the domain is seen on its
/// own disk, or is gone after it was seen off, or a newer disk was begun.
#[must_use]
pub fn elsewhere(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Option<Elsewhere> {
    let before = notes.elsewhere.clone().filter(|noted| notes.disk_started <= Some(noted.epoch));
    match (seen.domain, &seen.disk_elsewhere) {
        _ if !seen.pool => before,
        // No file of that name outlives its guest.
        (Some(_), Some(file)) if is_held_open(file) => None,
        (Some(domain), Some(file)) => {
            // Without an epoch nobody knows which of them is older.
            let epoch = if domain.epochs.disk == DiskEpoch::default() { spec.disk_epoch } else { domain.epochs.disk };
            Some(Elsewhere { file: file.clone(), epoch, off: !seen.is_up() })
        }
        (Some(_), None) => None,
        (None, _) => before.filter(|noted| !noted.off),
    }
}

/// Whether a file elsewhere has no name of its own any more, and is there as long as the guest holds it open.
#[must_use]
pub fn is_held_open(file: &str) -> bool {
    file.starts_with("/proc/")
}

/// What is left to do about a disk that is there, with the guest off or running on it.
#[must_use]
pub fn settle(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Vec<Step> {
    let is_noted = notes.disk_started >= Some(spec.disk_epoch);
    let note = (!is_noted).then_some(Step::NoteDiskStarted(spec.disk_epoch));
    note.into_iter().chain(retire(seen, Some(spec.disk_epoch))).collect()
}

/// Makes the disk larger that the guest runs on, or that it will. Before anything is stopped for it: where there is no
/// room, the guest runs on. A disk is never made smaller, so one that is larger than its spec says stays so.
#[must_use]
pub fn grow(spec: &ServerSpec, seen: &Seen) -> Option<Step> {
    let bytes = seen.disks.get(&spec.disk_epoch)?.bytes()?;
    (bytes < u64::from(spec.disk_gib) * GIB).then_some(Step::GrowDisk)
}

/// Fetches the image again that the disk stands on, if it is not in the pool any more. It is named by its content, so what
/// comes is what the disk was made on, or nothing.
pub(super) fn base(spec: &ServerSpec, seen: &Seen) -> Option<Step> {
    (!seen.image && !is_flat(spec, seen)).then_some(Step::FetchBase)
}

/// Whether the disk of the spec's epoch needs no image.
#[must_use]
pub fn is_flat(spec: &ServerSpec, seen: &Seen) -> bool {
    seen.disks.get(&spec.disk_epoch).is_some_and(|disk| disk.is_flat())
}

/// Moves disks to the trash: those older than `wanted`, or all.
pub(super) fn retire(seen: &Seen, wanted: Option<DiskEpoch>) -> Vec<Step> {
    let older = |epoch: &&DiskEpoch| wanted.is_none_or(|wanted| **epoch < wanted);
    seen.disks.keys().filter(older).map(|epoch| Step::RetireDisk(*epoch)).collect()
}
