//! The trash: where disks wait before they are gone for good, so that a mistake can be undone for a while.
//!
//! A name says whose disk it is and when it came, `SERVER.EPOCH.SECONDS.NUMBER.qcow2`, by the [`super::trash_clock`].
//! What must hold:
//! * nothing is removed but files of that name in that folder, and none before its time;
//! * nothing in the trash is replaced;
//! * a disk that "came" in the future was trashed by a clock that is lost: it is stamped anew and waits its whole time.

use std::{
    fmt,
    fs::Permissions,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use csp_shared::{generation::DiskEpoch, id::ServerId};

use super::{
    disk::{DISK_MODE, DiskError, Disks},
    durable,
    pool::{self, PoolError},
    trash_clock::TrashTime,
};

/// Disks of one server, epoch and second in the trash. An epoch is retired once; more are from crashes in between.
const NUMBERS: std::ops::Range<u32> = 0..1000;

/// A disk in the trash, as its name tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// Whose disk it was.
    pub server: ServerId,
    /// Which of them.
    pub epoch: DiskEpoch,
    /// When it came.
    pub at: TrashTime,
    /// Tells it from others with the same name.
    pub number: u32,
}

impl fmt::Display for Trashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, epoch, at, number } = self;
        write!(f, "{server}.{epoch}.{at}.{number}.qcow2")
    }
}

impl Trashed {
    /// Reads a name. `None` for whatever else somebody put there.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".qcow2")?.split('.');
        let trashed = Self {
            server: parts.next()?.parse().ok()?,
            epoch: DiskEpoch(parts.next()?.parse().ok()?),
            at: TrashTime(parts.next()?.parse().ok()?),
            number: parts.next()?.parse().ok()?,
        };
        // Other spellings of the same numbers are not of our making.
        (trashed.to_string() == name).then_some(trashed)
    }
}

/// What is to be done with a disk in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    Remove,
    StampAnew,
}

fn fate(at: TrashTime, now: TrashTime, keep: Duration) -> Fate {
    match now.0.checked_sub(at.0) {
        None => Fate::StampAnew,
        Some(age) if age >= keep.as_secs() => Fate::Remove,
        Some(_) => Fate::Keep,
    }
}

/// What became of the trash.
#[derive(Debug, Default)]
pub struct Emptied {
    /// What is gone for good.
    pub removed: Vec<Trashed>,
    /// What should be and could not.
    pub failed: Vec<DiskError>,
    /// What lies there under a name that is none of a deleted disk's: it takes room and stays.
    pub strange: Vec<PathBuf>,
}

impl Disks {
    /// Moves a disk to the trash at the moment `now`; done when there is none. Blocks.
    ///
    /// # Errors
    /// When it cannot be moved; it is then where it was.
    pub fn retire(&self, server: ServerId, epoch: DiskEpoch, now: TrashTime) -> Result<(), DiskError> {
        self.pool.check()?;
        self.pool.make_up()?;
        let path = self.path(server, epoch);
        // libvirt gives a disk back to root with the mode that it had; one of an older agent was readable by all.
        match std::fs::set_permissions(&path, Permissions::from_mode(DISK_MODE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            set => set.map_err(|source| DiskError::Io { path: path.clone(), source })?,
        }
        self.move_to_trash(&path, Trashed { server, epoch, at: now, number: 0 })
    }

    /// Removes what has been in the trash for `keep` or longer. Each under the lock under which disks are made: who
    /// counts the disks on a base counts them with or without this one, never in between. Blocks.
    ///
    /// # Errors
    /// When the trash cannot be read.
    pub fn empty_trash(&self, now: TrashTime, keep: Duration) -> Result<Emptied, PoolError> {
        self.pool.check()?;
        let mut emptied = Emptied::default();
        for (path, _) in pool::files(&self.pool.trash())? {
            let Some(trashed) = path.file_name().and_then(|name| Trashed::parse(name.to_str()?)) else {
                emptied.strange.push(path);
                continue;
            };
            let _alone = self.pool.alone();
            let done = match fate(trashed.at, now, keep) {
                Fate::Keep => continue,
                Fate::StampAnew => self.move_to_trash(&path, Trashed { at: now, number: 0, ..trashed }),
                Fate::Remove => {
                    let removed = std::fs::remove_file(&path).and_then(|()| durable::sync_parent(&path));
                    removed.map_err(|source| DiskError::Io { path, source }).map(|()| emptied.removed.push(trashed))
                }
            };
            emptied.failed.extend(done.err());
        }
        Ok(emptied)
    }

    /// Gives the file at `from` the first free name in the trash. Done when it is gone.
    fn move_to_trash(&self, from: &Path, trashed: Trashed) -> Result<(), DiskError> {
        let io = |source| DiskError::Io { path: from.to_owned(), source };
        for number in NUMBERS {
            let place: PathBuf = self.pool.trash().join(Trashed { number, ..trashed }.to_string());
            // A hard link refuses to replace what is there; a rename would not.
            match std::fs::hard_link(from, &place) {
                Ok(()) => return give_up(from, &place).map_err(io),
                // The disk is gone, or it is the trash that is not there.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return if from.try_exists().map_err(io)? { Err(io(error)) } else { Ok(()) };
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(io(ErrorKind::AlreadyExists.into()))
    }
}

/// The new name is durable before the old one goes.
fn give_up(from: &Path, place: &Path) -> io::Result<()> {
    durable::sync_parent(place)?;
    std::fs::remove_file(from)?;
    durable::sync_parent(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199d5c4-8d7e-7000-8000-0000000000bb";

    #[test]
    fn only_our_own_names_are_understood() {
        let name = format!("{ID}.2.86400.0.qcow2");
        let trashed = Trashed::parse(&name).unwrap();
        assert_eq!((trashed.epoch, trashed.at, trashed.number), (DiskEpoch(2), TrashTime(86400), 0));
        assert_eq!(trashed.to_string(), name);
        for other in [
            format!("{ID}.2.qcow2"),
            format!("{ID}.2.0.qcow2"),
            format!("{ID}.2.86400.0.1.qcow2"),
            format!("{ID}.2.+86400.0.qcow2"),
            format!("{ID}.02.86400.0.qcow2"),
            format!("{ID}.2.-1.0.qcow2"),
            format!("{ID}.2.86400.0.qcow2.part"),
            format!("{}.2.86400.0.qcow2", ID.replace('-', "")),
            format!("{}.2.86400.0.qcow2", ID.to_uppercase()),
            "backup.qcow2".to_owned(),
            String::new(),
        ] {
            assert_eq!(Trashed::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn a_disk_goes_when_its_time_is_over_and_not_before() {
        let keep = Duration::from_secs(100);
        for (at, now, wanted) in [
            (0, 0, Fate::Keep),
            (0, 99, Fate::Keep),
            (0, 100, Fate::Remove),
            (50, 149, Fate::Keep),
            (50, u64::MAX, Fate::Remove),
            (51, 50, Fate::StampAnew),
            (u64::MAX, 0, Fate::StampAnew),
        ] {
            assert_eq!(fate(TrashTime(at), TrashTime(now), keep), wanted, "{at} {now}");
        }
    }
}
