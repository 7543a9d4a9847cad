//! Ways out of the trash, beside a running agent.
//!
//! What must hold, without a lock that agent and operator would share:
//! * a disk that is put back replaces nothing: a hard link refuses where a rename would not;
//! * until it has its new name it keeps the old one, so whatever cuts this off loses nothing;
//! * what is copied out of the pool stands on nothing in it, and only root can read it.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::{
    disk::{DISK_MODE, DiskError, Disks},
    durable,
    pool::{self, Pool, PoolError},
    tool::{Tool, ToolError},
    trash::Trashed,
};

/// Terabytes, from one slow disk to another.
const COPY_LIMIT: Duration = Duration::from_secs(12 * 3600);
const MEASURE_LIMIT: Duration = Duration::from_secs(600);
/// What a copy leaves free where it goes: it may be the file system that the agent keeps its specs on.
const SPARE_BYTES: u64 = 1 << 30;
const BLOCK_BYTES: u64 = 512;

/// A disk in the trash and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Which one.
    pub disk: Trashed,
    /// Its full size, which counts in the pool's room.
    pub full_bytes: u64,
    /// What it occupies.
    pub occupied_bytes: u64,
}

/// Why a disk could not be copied out.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something of that name is there, perhaps of a try that was cut off.
    #[error("{} is there already; remove it, or choose another name", .0.display())]
    Exists(PathBuf),
    /// The pool's room is promised to servers.
    #[error("{} is in the pool, whose room is promised to servers; choose a folder outside it", .0.display())]
    InPool(PathBuf),
    /// Not enough room where it should go.
    #[error("the copy needs {needed} bytes and {} has {there} to give", path.display())]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// Bytes of the copy.
        needed: u64,
        /// Bytes that can be taken there.
        there: u64,
    },
    /// qemu-img failed.
    #[error("cannot copy {}", path.display())]
    Tool {
        /// Which disk.
        path: PathBuf,
        /// What happened.
        #[source]
        source: ToolError,
    },
    /// The system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Everything of our own in the trash, oldest first. Blocks.
///
/// # Errors
/// When the trash cannot be read.
pub fn list(pool: &Pool) -> Result<Vec<Resting>, PoolError> {
    pool.check()?;
    let mut resting = Vec::new();
    for (path, metadata) in pool::files(&pool.trash())? {
        let Some(disk) = path.file_name().and_then(|name| Trashed::parse(name.to_str()?)) else { continue };
        let full_bytes = pool::disk_size(&path, &metadata)?;
        resting.push(Resting { disk, full_bytes, occupied_bytes: metadata.blocks() * BLOCK_BYTES });
    }
    resting.sort_by_key(|resting| (resting.disk.at, resting.disk.server, resting.disk.epoch, resting.disk.number));
    Ok(resting)
}

impl Disks {
    /// Gives a disk in the trash its place among the servers' disks back, where nothing of that name may be. Blocks.
    ///
    /// # Errors
    /// When it is no longer in the trash, or its place is taken; then it is where it was.
    pub fn put_back(&self, disk: Trashed) -> Result<PathBuf, DiskError> {
        self.pool.check()?;
        let (from, place) = (self.pool.trash().join(disk.to_string()), self.path(disk.server, disk.epoch));
        let at_place = |source| DiskError::Io { path: place.clone(), source };
        fs::hard_link(&from, &place).and_then(|()| durable::sync_parent(&place)).map_err(at_place)?;
        match fs::remove_file(&from).and_then(|()| durable::sync_parent(&from)) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(DiskError::Io { path: from, source }),
            _ => Ok(place),
        }
    }
}

/// Copies a disk in the trash to `to`, a qcow2 file that stands on no image. The disk stays where it is. Blocks.
///
/// # Errors
/// When it cannot be read, or there is no room for it there; then nothing is left behind.
pub fn copy_out(pool: &Pool, disk: Trashed, to: &Path) -> Result<(), CopyError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::Io { path, source }
    };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).create(folder).map_err(io(folder))?;
    let folder = folder.canonicalize().map_err(io(folder))?;
    if pool.holds(&folder).map_err(io(&folder))? {
        return Err(CopyError::InPool(to.to_owned()));
    }
    let to = folder.join(to.file_name().ok_or_else(|| CopyError::Exists(to.to_owned()))?);
    let (from, part) = (pool.trash().join(disk.to_string()), durable::part_of(&to));
    for path in [&to, &part] {
        if path.try_exists().map_err(io(path))? {
            return Err(CopyError::Exists(path.clone()));
        }
    }
    check_room(&from, &folder)?;
    // Made before it is filled: no other user ever reads what a customer wrote.
    OpenOptions::new().write(true).create_new(true).mode(DISK_MODE).open(&part).map_err(io(&part))?;
    let copied = Tool::new("qemu-img", COPY_LIMIT).args(["convert", "-q", "-f", "qcow2", "-O", "qcow2"]);
    let copied = copied.arg(&from).arg(&part).run().map_err(|source| CopyError::Tool { path: from, source });
    // As in the trash: a link does not replace what came there meanwhile.
    let named = copied.and_then(|_| {
        let named = fs::File::open(&part).and_then(|file| file.sync_all());
        named.and_then(|()| fs::hard_link(&part, &to)).map_err(io(&to))
    });
    let swept = fs::remove_file(&part).and_then(|()| durable::sync_parent(&to)).map_err(io(&part));
    named.and(swept)
}

#[derive(Deserialize)]
struct Measured {
    required: u64,
}

fn check_room(disk: &Path, folder: &Path) -> Result<(), CopyError> {
    let tool = |source| CopyError::Tool { path: disk.to_owned(), source };
    let measure =
        Tool::new("qemu-img", MEASURE_LIMIT).args(["measure", "--output", "json", "-f", "qcow2", "-O", "qcow2"]);
    let printed = measure.arg(disk).run().map_err(tool)?;
    let io = |source| CopyError::Io { path: folder.to_owned(), source };
    let Measured { required } = serde_json::from_slice(&printed).map_err(|error| io(error.into()))?;
    let stat = nix::sys::statvfs::statvfs(folder).map_err(|errno| io(errno.into()))?;
    let there = stat.blocks_available().saturating_mul(stat.fragment_size()).saturating_sub(SPARE_BYTES);
    if required <= there { Ok(()) } else { Err(CopyError::NoRoom { path: folder.to_owned(), needed: required, there }) }
}
