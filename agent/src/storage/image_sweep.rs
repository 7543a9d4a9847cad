//! The cache of images is bounded: what no server needs goes, the image that no disk was made from for longest first.
//!
//! What must hold:
//! * a base that a disk stands on stays, the trash's and half-made disks counted; while one disk cannot be read, all stay;
//! * an image that a server's spec names stays, for an order may be waiting for it, and so does one that is being fetched;
//! * nothing is removed but files of the names that the cache gives;
//! * a part into which nothing ever arrived, and the note of a base that is not there, go as soon as nobody fetches the image:
//!   they occupy next to nothing, so no bound would ever ask for them.
//!
//! An image's last use is its file's time of change. A clock that is wrong costs another download and nothing else.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    fs::File,
    io::{ErrorKind, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
    sync::{Arc, PoisonError},
    time::SystemTime,
};

use csp_shared::sha256::Sha256;
use nix::sys::{
    stat::{UtimensatFlags, utimensat},
    time::TimeSpec,
};

use super::{
    base_length,
    disk::remove_if_there,
    durable,
    image_cache::{ImageCache, ImageError},
    pool::{self, PoolError},
    qcow2,
    room::RoomError,
};

const BLOCK_BYTES: u64 = 512;
/// What follows the digest in the name of what is kept of an image: fetched raw, written out from a qcow2 file, and from before
/// those were written out.
pub(super) const ENDINGS: [&str; 3] = ["raw", "qcow2.raw", "qcow2"];

/// A file of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name in the folder of images.
    pub name: OsString,
    /// Of which image it is, or a part of it.
    pub image: Sha256,
    /// What it occupies, in bytes.
    pub bytes: u64,
    /// When a disk was last made from it, or something of it last arrived.
    pub used: SystemTime,
}

impl ImageCache {
    /// Removes what no server needs until all files together occupy no more than `bytes_max`, and tells what that was.
    /// Blocks.
    ///
    /// # Errors
    /// When the pool or one of its disks cannot be read; then nothing is removed.
    pub fn sweep(&self, bytes_max: u64) -> Result<Vec<Kept>, ImageError> {
        // Under the lock under which disks are made: no base goes from under one that is just being made.
        let _alone = self.pool.alone();
        self.pool.check()?;
        self.drop_remnants()?;
        let kept = self.files()?;
        let excess = sum(&kept).saturating_sub(bytes_max);
        if excess == 0 {
            return Ok(Vec::new());
        }
        let (going, _) = oldest(self.needless(kept)?, excess);
        self.remove(&going)?;
        Ok(going)
    }

    /// Whether room was made for what was refused for want of it. Removes nothing when that would not be enough, or when it
    /// cannot be told what is needed; then the refusal stands. Blocks.
    #[must_use]
    pub fn makes_room_after(&self, refused: RoomError) -> bool {
        let made = self.make_room(refused.wanted.saturating_sub(refused.free));
        made.unwrap_or_else(|error| {
            tracing::warn!(%error, "no room could be made by removing images");
            false
        })
    }

    fn make_room(&self, missing: u64) -> Result<bool, ImageError> {
        let _alone = self.pool.alone();
        self.pool.check()?;
        let (going, freed) = oldest(self.needless(self.files()?)?, missing);
        let is_enough = freed >= missing;
        if is_enough {
            self.remove(&going)?;
        }
        Ok(is_enough)
    }

    /// Removes what fetches left of images of which not one byte could be had, and notes whose base is gone.
    fn drop_remnants(&self) -> Result<(), ImageError> {
        // Held to the end: no fetch begins meanwhile.
        let fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fetched = |image: &Sha256| fetches.get(image).is_some_and(|fetch| Arc::strong_count(fetch) > 1);
        for (path, file) in pool::files(&self.pool.images())? {
            let is_part = path.extension() == Some(OsStr::new("part"));
            let noted = base_length::noted_base(&path);
            let image = noted.as_ref().unwrap_or(&path).file_name().and_then(image_of);
            let is_remnant = match &noted {
                Some(base) => base.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound),
                None => file.len() == 0 && is_part,
            };
            if is_remnant && image.is_some_and(|image| !is_fetched(&image)) {
                remove_if_there(&path).map_err(|source| ImageError::Io { path, source })?;
            }
        }
        Ok(())
    }

    /// The files of the cache. Whatever else lies in its folder is none of them.
    fn files(&self) -> Result<Vec<Kept>, PoolError> {
        let files = pool::files(&self.pool.images())?.into_iter();
        let kept = files.filter_map(|(path, file)| {
            let name = path.file_name()?.to_owned();
            let (image, bytes) = (image_of(&name)?, file.blocks() * BLOCK_BYTES);
            Some(Kept { name, image, bytes, used: file.modified().ok()? })
        });
        Ok(kept.collect())
    }

    /// What of them no server needs.
    fn needless(&self, mut kept: Vec<Kept>) -> Result<Vec<Kept>, ImageError> {
        let bases = self.bases()?;
        let named: HashSet<Sha256> =
            self.named.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        // Who fetches an image or waits for it holds its lock, too.
        fetches.retain(|_, fetch| Arc::strong_count(fetch) > 1);
        kept.retain(|kept| {
            !bases.contains(&kept.name) && !named.contains(&kept.image) && !fetches.contains_key(&kept.image)
        });
        Ok(kept)
    }

    /// Names of the files that disks stand on.
    fn bases(&self) -> Result<BTreeSet<OsString>, ImageError> {
        let mut bases = BTreeSet::new();
        for folder in [self.pool.disks(), self.pool.trash()] {
            for (path, _) in pool::files(&folder)? {
                let mut header = Vec::new();
                let read =
                    File::open(&path).and_then(|file| file.take(qcow2::HEADER_BYTES as u64).read_to_end(&mut header));
                read.map_err(|source| ImageError::Io { path: path.clone(), source })?;
                match qcow2::backing_name(&header) {
                    Some(name) => bases.extend(Path::new(OsStr::from_bytes(name)).file_name().map(OsStr::to_owned)),
                    // What a crash left of a disk that was being made is made anew.
                    None if path.extension() == Some(OsStr::new("part")) => {}
                    None => return Err(ImageError::Unreadable(path)),
                }
            }
        }
        Ok(bases)
    }

    fn remove(&self, going: &[Kept]) -> Result<(), ImageError> {
        for Kept { name, bytes, .. } in going {
            let path = self.pool.images().join(name);
            // Its note last: a base never is without one for a moment.
            let gone = remove_if_there(&path).and_then(|()| remove_if_there(&base_length::note_of(&path)));
            let gone = gone.and_then(|()| durable::sync_parent(&path));
            gone.map_err(|source| ImageError::Io { path, source })?;
            tracing::info!(file = %name.display(), bytes, "an image that no server needs was removed from the cache");
        }
        Ok(())
    }
}

/// Takes note that a disk is made from the image at `path` now.
pub(super) fn touch(path: &Path) {
    let now = (&TimeSpec::UTIME_OMIT, &TimeSpec::UTIME_NOW);
    // What cannot be noted only goes earlier.
    let _ = utimensat(nix::fcntl::AT_FDCWD, path, now.0, now.1, UtimensatFlags::FollowSymlink);
}

fn sum(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| kept.bytes).sum()
}

/// The longest unused of them that together free `wanted` bytes, or all; and what they free.
fn oldest(mut kept: Vec<Kept>, wanted: u64) -> (Vec<Kept>, u64) {
    kept.sort_by(|one, other| (one.used, &one.name).cmp(&(other.used, &other.name)));
    let mut freed = 0;
    kept.retain(|kept| {
        let goes = freed < wanted;
        freed += if goes { kept.bytes } else { 0 };
        goes
    });
    (kept, freed)
}

/// Of which image a file is, by its name: `DIGEST.raw`, `DIGEST.qcow2.raw`, `DIGEST.qcow2`, and the parts of them.
pub(super) fn image_of(name: &OsStr) -> Option<Sha256> {
    let (digest, ending) = name.to_str()?.split_once('.')?;
    let ending = ending.strip_suffix(".part").unwrap_or(ending);
    ENDINGS.contains(&ending).then(|| digest.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_used_last_goes_last_and_no_more_goes_than_has_to() {
        let kept = |name: &str, used, bytes| Kept {
            name: name.into(),
            image: Sha256::of(name.as_bytes()),
            bytes,
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
        };
        let all = || vec![kept("new", 30, 10), kept("old", 10, 10), kept("middle", 20, 10)];
        for (wanted, names, freed) in [
            (0, vec![], 0),
            (1, vec!["old"], 10),
            (11, vec!["old", "middle"], 20),
            (99, vec!["old", "middle", "new"], 30),
        ] {
            let (going, frees) = oldest(all(), wanted);
            assert_eq!(
                (going.iter().map(|kept| kept.name.to_str().unwrap()).collect::<Vec<_>>(), frees),
                (names, freed)
            );
        }
    }

    #[test]
    fn an_empty_part_goes_when_nobody_fetches_it() {
        let home = tempfile::tempdir().unwrap();
        let pool = pool::Pool::open(home.path().join("pool"), &home.path().join("note"), uuid::Uuid::from_u128(1), 0);
        let cache = ImageCache::new(pool.unwrap());
        let path = |content: &[u8], ending| cache.pool.images().join(format!("{}.{ending}", Sha256::of(content)));
        let (empty, begun, whole) = (path(b"empty", "qcow2.part"), path(b"begun", "raw.part"), path(b"whole", "raw"));
        for (file, bytes) in [(&empty, "".as_bytes()), (&begun, b"x"), (&whole, b"")] {
            std::fs::write(file, bytes).unwrap();
        }
        let fetching = Arc::clone(cache.fetches.lock().unwrap().entry(Sha256::of(b"empty")).or_default());
        cache.sweep(u64::MAX).unwrap();
        assert!(empty.exists(), "somebody fetches it");
        drop(fetching);
        cache.sweep(u64::MAX).unwrap();
        assert_eq!((empty.exists(), begun.exists(), whole.exists()), (false, true, true));
    }

    #[test]
    fn a_note_goes_with_its_base_and_no_sooner() {
        let home = tempfile::tempdir().unwrap();
        let pool = pool::Pool::open(home.path().join("pool"), &home.path().join("note"), uuid::Uuid::from_u128(1), 0);
        let cache = ImageCache::new(pool.unwrap());
        let base = |content: &[u8]| cache.pool.images().join(format!("{}.qcow2.raw", Sha256::of(content)));
        let (kept, lost, fetched) = (base(b"kept"), base(b"lost"), base(b"fetched"));
        std::fs::write(&kept, b"a base").unwrap();
        let lost_part = durable::part_of(&base_length::note_of(&lost));
        let foreign = cache.pool.images().join("by-hand.length");
        for note in [&kept, &lost, &fetched].map(|base| base_length::note_of(base)) {
            std::fs::write(note, b"6").unwrap();
        }
        std::fs::write(&lost_part, b"").unwrap();
        std::fs::write(&foreign, b"a stick").unwrap();
        let fetching = Arc::clone(cache.fetches.lock().unwrap().entry(Sha256::of(b"fetched")).or_default());
        let notes = || [&kept, &lost, &fetched].map(|base| base_length::note_of(base).exists());
        assert!(cache.sweep(u64::MAX).unwrap().is_empty());
        assert_eq!(notes(), [true, false, true], "the base that is on its way is about to have its name");
        assert!(!lost_part.exists() && foreign.exists());
        drop(fetching);
        let gone = cache.sweep(0).unwrap();
        assert_eq!(gone.iter().map(|kept| kept.name.as_os_str()).collect::<Vec<_>>(), [kept.file_name().unwrap()]);
        assert_eq!(notes(), [false; 3]);
        assert!(!kept.exists() && foreign.exists());
    }

    #[test]
    fn a_file_of_the_cache_is_known_by_its_name() {
        let digest = Sha256::of(b"image");
        for ending in ["raw", "qcow2", "qcow2.raw", "raw.part", "qcow2.part", "qcow2.raw.part"] {
            assert_eq!(image_of(format!("{digest}.{ending}").as_ref()), Some(digest), "{ending}");
        }
        for other in [format!("{digest}"), format!("{digest}.raw.bak"), "base.raw".to_owned(), ".raw".to_owned()] {
            assert_eq!(image_of(other.as_ref()), None, "{other}");
        }
        for note in ["qcow2.raw.length", "qcow2.raw.length.part"] {
            assert_eq!(image_of(format!("{digest}.{note}").as_ref()), None, "{note} is no part of the image");
        }
    }
}
