//! Customers' disks: qcow2 overlays on a cached image.
//!
//! What must hold:
//! * a disk under its final name is whole and durable, and its name says whose it is and of which epoch;
//! * nothing here overwrites a disk or removes one: that goes by the [`super::trash`];
//! * no other user of the host can read it;
//! * formats are always given, never probed: a guest writes what it likes into its disk, a qcow2 header too;
//! * the room is checked and taken under one lock, so that two orders cannot both get the last of it.

use std::{
    collections::BTreeSet,
    fs::Permissions,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use csp_shared::{generation::DiskEpoch, id::ServerId, sha256::Sha256};

use super::{
    durable,
    image_cache::{CachedImage, format_name},
    image_fetch::READ_ONLY,
    image_sweep::{ENDINGS, touch},
    pool::{self, Pool, PoolError},
    room::RoomError,
    tool::{Tool, ToolError},
};
use crate::machine::{SeenBase, SeenDisk};

/// A file among the disks: whose it is and of which epoch, and the size in bytes that its guest sees.
pub type DiskFile = (Option<(ServerId, DiskEpoch)>, u64);

/// Making an overlay writes a few clusters; a pool that needs longer is in trouble.
const CREATE_LIMIT: Duration = Duration::from_secs(60);
const GIB: u64 = 1 << 30;
/// What a customer wrote is for root to read, and for the QEMU that libvirt lends it to.
pub(super) const DISK_MODE: u32 = 0o600;

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
    /// Something else has its name.
    #[error("{} is no file, and the server's disk is to be there: move it away", .0.display())]
    InTheWay(PathBuf),
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
    pub(super) pool: Pool,
    /// Where the pool was before.
    former: Vec<PathBuf>,
}

impl Disks {
    /// The disks of `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool, former: Vec::new() }
    }

    /// The same, of a pool that was in these folders before.
    #[must_use]
    pub fn that_were_in(self, former: Vec<PathBuf>) -> Self {
        Self { former, ..self }
    }

    /// Where a disk is, or will be.
    #[must_use]
    pub fn path(&self, server: ServerId, epoch: DiskEpoch) -> PathBuf {
        self.pool.disks().join(format!("{server}.{epoch}.qcow2"))
    }

    /// Whether a file, there or not, is by its place and name a disk of the server. So is one whose place is where the pool was
    /// before, if it is there no more and the pool has that disk: the pool was moved. One that is there still may be newer than
    /// its copy in the pool. Blocks.
    #[must_use]
    pub fn is_place_of(&self, server: ServerId, file: &Path) -> bool {
        let Some((_, epoch)) = parse_name(file).filter(|(owner, _)| *owner == server) else { return false };
        let Some(found) = file.parent() else { return false };
        let is_same =
            |folder: &Path| folder.canonicalize().is_ok_and(|folder| found.canonicalize().ok() == Some(folder));
        let folder = self.pool.disks();
        let was_here = || self.former.iter().any(|dir| Pool::disks_in(dir) == found);
        let is_gone = || matches!(file.symlink_metadata(), Err(error) if is_absent(&error));
        found == folder
            || is_same(&folder)
            || (was_here() && is_gone() && self.path(server, epoch).try_exists().unwrap_or(false))
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

    /// Puts the modes right of the server's disks, of the images that they stand on and of the folders on the way, where somebody
    /// changed them: libvirt lends a disk to QEMU by its owner and leaves its mode, and an image and the folders are QEMU's by
    /// their modes alone. Blocks.
    ///
    /// # Errors
    /// When a mode cannot be set, which names the file or folder.
    pub fn lend(&self, server: ServerId) -> Result<(), DiskError> {
        self.pool.open_folders()?;
        for epoch in self.list(server)? {
            let path = self.path(server, epoch);
            put_right(&path, DISK_MODE).map_err(|source| DiskError::Io { path, source })?;
            if let SeenDisk::Sound { base: SeenBase::Image(image), .. } = self.look_at(server, epoch)? {
                self.lend_base(image)?;
            }
        }
        Ok(())
    }

    /// The same of an image, in whichever form it is kept: many disks stand on it, so nobody may write it.
    fn lend_base(&self, image: Sha256) -> Result<(), DiskError> {
        for ending in ENDINGS {
            let path = self.pool.images().join(format!("{image}.{ending}"));
            match put_right(&path, READ_ONLY) {
                Err(source) if source.kind() != ErrorKind::NotFound => return Err(DiskError::Io { path, source }),
                _ => {}
            }
        }
        Ok(())
    }

    /// All files among the disks, with their owners and sizes. Blocks.
    ///
    /// # Errors
    /// When one cannot be read: then nobody knows.
    pub fn all(&self) -> Result<Vec<DiskFile>, DiskError> {
        self.pool.check()?;
        let sized = self.pool.disk_sizes()?.into_iter();
        Ok(sized.map(|(path, bytes)| (parse_name(&path), bytes)).collect())
    }

    /// Names of all files among the disks. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read: then nobody knows.
    pub fn files(&self) -> Result<Vec<String>, DiskError> {
        self.pool.check()?;
        let files = pool::files(&self.pool.disks())?;
        Ok(files.iter().filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    /// Makes the disk of `gib` GiB as an overlay on `base`, unless it is there. Blocks.
    ///
    /// # Errors
    /// When there is no room, the image does not fit, or the tool fails; then no disk of that epoch is there.
    pub fn create(&self, server: ServerId, epoch: DiskEpoch, gib: u32, base: &CachedImage) -> Result<(), DiskError> {
        let _alone = self.pool.alone();
        self.pool.check()?;
        let path = self.path(server, epoch);
        let io = |source| DiskError::Io { path: path.clone(), source };
        match path.symlink_metadata() {
            Ok(there) if there.is_file() => return Ok(()),
            Ok(_) => return Err(DiskError::InTheWay(path)),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(io(error)),
        }
        let disk_bytes = u64::from(gib) * GIB;
        if base.virtual_bytes > disk_bytes {
            return Err(DiskError::ImageTooLarge { image: base.virtual_bytes, disk: disk_bytes });
        }
        let part = durable::part_of(&path);
        remove_if_there(&part).map_err(io)?; // of a try that a crash cut off; it would count as promised
        self.pool.room()?.check(disk_bytes)?;
        touch(&base.path);
        Tool::new("qemu-img", CREATE_LIMIT)
            .args(["create", "-q", "-f", "qcow2", "-F", format_name(base.format), "-b"])
            .arg(&base.path)
            .arg(&part)
            .arg(disk_bytes.to_string())
            .run()
            .map_err(|source| DiskError::Tool { path: path.clone(), source })?;
        // Before it has its name: nobody ever finds an open one.
        let closed = std::fs::set_permissions(&part, Permissions::from_mode(DISK_MODE));
        closed.and_then(|()| durable::publish(&part, &path)).map_err(io)
    }
}

/// Whose a file among the disks is, by its name; a half-made one too.
#[must_use]
pub fn owner(file: &str) -> Option<ServerId> {
    file.split('.').next()?.parse().ok()
}

fn parse_name(path: &Path) -> Option<(ServerId, DiskEpoch)> {
    let mut parts = path.file_name()?.to_str()?.strip_suffix(".qcow2")?.split('.');
    let (server, epoch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((server, DiskEpoch(epoch)))
}

/// The name leads nowhere, as where a folder on the way is gone or another thing.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Gives a file its mode back, where it has another one.
fn put_right(path: &Path, mode: u32) -> io::Result<()> {
    const RIGHTS: u32 = 0o777;
    if std::fs::metadata(path)?.permissions().mode() & RIGHTS != mode {
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        tracing::warn!(file = %path.display(), "the file's mode was changed behind csp's back; it was set anew");
    }
    Ok(())
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
