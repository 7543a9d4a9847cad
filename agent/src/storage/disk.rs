//! Customers' disks: qcow2 overlays on a cached image.
//!
//! What must hold:
//! * a disk under its final name is whole and durable, and its name says whose it is and of which epoch;
//! * nothing here overwrites a disk or removes one: it goes to the trash under a name of its own;
//! * formats are always given, never probed: a guest writes what it likes into its disk, a qcow2 header too;
//! * the room is checked and taken under one lock, so that two orders cannot both get the last of it.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use csp_shared::{generation::DiskEpoch, id::ServerId};

use super::{
    durable,
    image_cache::{CachedImage, format_name},
    pool::{self, Pool, PoolError},
    room::RoomError,
    tool::{Tool, ToolError},
};

/// Making an overlay writes a few clusters; a pool that needs longer is in trouble.
const CREATE_LIMIT: Duration = Duration::from_secs(60);
const GIB: u64 = 1 << 30;
/// Disks of one server and epoch in the trash. An epoch is retired once; more are from crashes in between.
const TRASH_NUMBERS: std::ops::Range<u32> = 0..1000;

/// Why a disk could not be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The pool is not there.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// No room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The image needs a larger disk.
    #[error("the image describes a disk of {image} bytes, the server's disk has {disk}")]
    ImageTooLarge {
        /// Bytes of the image's disk.
        image: u64,
        /// Bytes of the server's.
        disk: u64,
    },
    /// qemu-img failed.
    #[error("cannot make the disk {}", path.display())]
    Tool {
        /// Which disk.
        path: PathBuf,
        /// What happened.
        #[source]
        source: ToolError,
    },
    /// The system refused.
    #[error("cannot handle the disk {}", path.display())]
    Io {
        /// Which disk.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The disks of a pool.
#[derive(Debug)]
pub struct Disks {
    pool: Pool,
    creating: Mutex<()>,
}

impl Disks {
    /// The disks of `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool, creating: Mutex::default() }
    }

    /// Where a disk is, or will be.
    #[must_use]
    pub fn path(&self, server: ServerId, epoch: DiskEpoch) -> PathBuf {
        self.pool.disks().join(format!("{server}.{epoch}.qcow2"))
    }

    /// Epochs of the server's disks that are there. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read: then nobody knows.
    pub fn list(&self, server: ServerId) -> Result<BTreeSet<DiskEpoch>, DiskError> {
        self.pool.check()?;
        let files = pool::files(&self.pool.disks())?;
        let names = files.iter().filter_map(|(path, _)| parse_name(path));
        Ok(names.filter(|(owner, _)| *owner == server).map(|(_, epoch)| epoch).collect())
    }

    /// Makes the disk of `gib` GiB as an overlay on `base`, unless it is there. Blocks.
    ///
    /// # Errors
    /// When there is no room, the image does not fit, or the tool fails; then no disk of that epoch is there.
    pub fn create(&self, server: ServerId, epoch: DiskEpoch, gib: u32, base: &CachedImage) -> Result<(), DiskError> {
        let _one_at_a_time = self.creating.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.pool.check()?;
        let path = self.path(server, epoch);
        let io = |source| DiskError::Io { path: path.clone(), source };
        if path.try_exists().map_err(io)? {
            return Ok(());
        }
        let disk_bytes = u64::from(gib) * GIB;
        if base.virtual_bytes > disk_bytes {
            return Err(DiskError::ImageTooLarge { image: base.virtual_bytes, disk: disk_bytes });
        }
        let part = durable::part_of(&path);
        remove_if_there(&part).map_err(io)?; // of a try that a crash cut off; it would count as promised
        self.pool.room()?.check(disk_bytes)?;
        Tool::new("qemu-img", CREATE_LIMIT)
            .args(["create", "-q", "-f", "qcow2", "-F", format_name(base.format), "-b"])
            .arg(&base.path)
            .arg(&part)
            .arg(disk_bytes.to_string())
            .run()
            .map_err(|source| DiskError::Tool { path: path.clone(), source })?;
        durable::publish(&part, &path).map_err(io)
    }

    /// Moves a disk to the trash; done when there is none. Blocks.
    ///
    /// # Errors
    /// When it cannot be moved; it is then where it was.
    pub fn retire(&self, server: ServerId, epoch: DiskEpoch) -> Result<(), DiskError> {
        self.pool.check()?;
        let path = self.path(server, epoch);
        let io = |source| DiskError::Io { path: path.clone(), source };
        for number in TRASH_NUMBERS {
            let place = self.pool.trash().join(format!("{server}.{epoch}.{number}.qcow2"));
            // A hard link refuses to replace what is there; a rename would not.
            match std::fs::hard_link(&path, &place) {
                Ok(()) => {
                    durable::sync_parent(&place).map_err(io)?;
                    std::fs::remove_file(&path).map_err(io)?;
                    return durable::sync_parent(&path).map_err(io);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(io(ErrorKind::AlreadyExists.into()))
    }
}

fn parse_name(path: &Path) -> Option<(ServerId, DiskEpoch)> {
    let mut parts = path.file_name()?.to_str()?.strip_suffix(".qcow2")?.split('.');
    let (server, epoch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((server, DiskEpoch(epoch)))
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
