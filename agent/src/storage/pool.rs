//! The folder that holds images, disks, seeds and trash; usually a file system of its own.
//!
//! It carries an id file, and the host's state folder notes that id. Why: when the file system is not mounted, the
//! empty folder under it looks like a host without disks, and a host that believes this makes customers' servers anew,
//! empty. So an id is made only in an empty folder that no note speaks of, and everything asks [`Pool::check`] first.

use std::{
    fs::{DirBuilder, Metadata, Permissions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

use super::{
    durable, qcow2,
    room::{Room, RoomError},
};

/// The file in a pool's folder that holds its id.
pub const ID_FILE: &str = "pool.id";
const BLOCK_BYTES: u64 = 512;
/// QEMU runs as another user: it may pass through folders, not list them.
const FOLDER_MODE: u32 = 0o711;
/// Where no QEMU has anything to do.
const CLOSED_MODE: u32 = 0o700;
/// What `mkfs` leaves behind.
const LOST_AND_FOUND: &str = "lost+found";

/// Why a pool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No id file.
    #[error("{} has no pool.id: is its file system mounted?", path.display())]
    NoId {
        /// The pool.
        path: PathBuf,
    },
    /// An id file that holds none.
    #[error("{} is damaged, it holds no pool's id: `csp-agent check` says how to mend it", path.display())]
    DamagedId {
        /// The file.
        path: PathBuf,
    },
    /// The id of another pool.
    #[error("{} is pool {found}, this host's pool is {wanted}: is the right file system mounted?", path.display())]
    OtherId {
        /// The pool.
        path: PathBuf,
        /// What the folder says.
        found: Uuid,
        /// What the host noted.
        wanted: Uuid,
    },
    /// Something is in the folder that csp did not put there.
    #[error("{} is not empty and has no pool.id: a new pool begins in an empty folder", path.display())]
    NotEmpty {
        /// The pool.
        path: PathBuf,
    },
    /// Nothing can be written to it.
    #[error("{} is mounted read-only: look for errors of its file system or disk (`dmesg`), then mount it anew", path.display())]
    ReadOnly {
        /// The pool.
        path: PathBuf,
    },
    /// No pool yet.
    #[error("{} is not there: this host never had a pool; `csp-agent run` makes it", path.display())]
    NoNote {
        /// Where its id would be noted.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use the pool at {}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An opened pool. That it was opened once does not say that it is still mounted.
#[derive(Debug, Clone)]
pub struct Pool {
    dir: PathBuf,
    id: Uuid,
    reserve_bytes: u64,
    taking: Arc<Taking>,
}

/// What is being taken of the pool right now.
#[derive(Debug, Default)]
struct Taking {
    /// Held from the look at the room until what was seen there is taken.
    alone: Mutex<()>,
    /// Bytes of files that are being written and are no disks.
    claimed: AtomicU64,
}

/// Room for a file that is being written, in nobody else's reach until it is dropped.
#[derive(Debug)]
pub struct Claim {
    taking: Arc<Taking>,
    bytes: u64,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.taking.claimed.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a folder is to this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preview {
    /// Its pool.
    Known,
    /// A pool that it does not know yet, as after a new enrolment.
    Other,
    /// No pool yet, and nothing else either.
    New,
}

impl Pool {
    /// Opens the pool in `dir`, whose id is noted in `note`. The first time, with no note, an empty folder becomes a
    /// pool with the id `fresh`, and a pool that has an id already is taken over, as after a new enrolment.
    ///
    /// # Errors
    /// When the folder is not this host's pool and cannot become it.
    pub fn open(dir: PathBuf, note: &Path, fresh: Uuid, reserve_bytes: u64) -> Result<Self, PoolError> {
        let id = match read_id(note)? {
            Some(id) => id,
            None => {
                let id = match read_id(&dir.join(ID_FILE))? {
                    Some(id) => id,
                    None => begin(&dir, fresh)?,
                };
                let folder = note.parent().map_or(Ok(()), std::fs::create_dir_all);
                let noted = folder.and_then(|()| durable::write(note, id.to_string().as_bytes()));
                noted.map_err(|source| io_at(note, source))?;
                id
            }
        };
        let pool = Self { dir, id, reserve_bytes, taking: Arc::default() };
        pool.check()?;
        pool.make_folders()?;
        Ok(pool)
    }

    /// What [`Pool::open`] would find, changing nothing.
    ///
    /// # Errors
    /// When the folder is not this host's pool and cannot become it.
    pub fn preview(dir: &Path, note: &Path) -> Result<Preview, PoolError> {
        match (read_id(note)?, read_id(&dir.join(ID_FILE))?) {
            (Some(wanted), Some(found)) if wanted == found => Ok(Preview::Known),
            (Some(wanted), Some(found)) => Err(PoolError::OtherId { path: dir.to_owned(), found, wanted }),
            (Some(_), None) => Err(PoolError::NoId { path: dir.to_owned() }),
            (None, Some(_)) => Ok(Preview::Other),
            (None, None) => is_free(dir).map(|()| Preview::New),
        }
    }

    /// The pool that this host has, mounted now. Makes nothing.
    ///
    /// # Errors
    /// When it has none yet, or it is not there.
    pub fn known(dir: PathBuf, note: &Path, reserve_bytes: u64) -> Result<Self, PoolError> {
        let id = read_id(note)?.ok_or_else(|| PoolError::NoNote { path: note.to_owned() })?;
        let pool = Self { dir, id, reserve_bytes, taking: Arc::default() };
        pool.check().map(|()| pool)
    }

    /// Whether the pool is there now.
    ///
    /// # Errors
    /// When it is not mounted, another one is, or it takes no writes.
    pub fn check(&self) -> Result<(), PoolError> {
        match read_id(&self.dir.join(ID_FILE))? {
            Some(found) if found == self.id => self.check_writable(),
            Some(found) => Err(PoolError::OtherId { path: self.dir.clone(), found, wanted: self.id }),
            None => Err(PoolError::NoId { path: self.dir.clone() }),
        }
    }

    fn check_writable(&self) -> Result<(), PoolError> {
        let stat = nix::sys::statvfs::statvfs(&self.dir).map_err(|errno| io_at(&self.dir, errno.into()))?;
        let is_read_only = stat.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY);
        if is_read_only { Err(PoolError::ReadOnly { path: self.dir.clone() }) } else { Ok(()) }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The folder that it is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where images are.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// Where disks are.
    #[must_use]
    pub fn disks(&self) -> PathBuf {
        Self::disks_in(&self.dir)
    }

    /// Where disks are in a pool that is in that folder.
    #[must_use]
    pub fn disks_in(dir: &Path) -> PathBuf {
        dir.join("disks")
    }

    /// Where seeds are.
    #[must_use]
    pub fn seeds(&self) -> PathBuf {
        self.dir.join("seeds")
    }

    /// Where guests' serial consoles are written.
    #[must_use]
    pub fn consoles(&self) -> PathBuf {
        self.dir.join("consoles")
    }

    /// Where disks wait for their end.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.dir.join("trash")
    }

    /// Whether a folder, given by its true path, is in the pool.
    ///
    /// # Errors
    /// When the pool's own true path cannot be told.
    pub fn holds(&self, folder: &Path) -> io::Result<bool> {
        Ok(folder.starts_with(self.dir.canonicalize()?))
    }

    /// What the pool has and has promised, read from the disks themselves.
    ///
    /// # Errors
    /// When something in it cannot be read: a disk that was not counted would be promised twice.
    pub fn room(&self) -> Result<Room, PoolError> {
        let stat = nix::sys::statvfs::statvfs(&self.dir).map_err(|errno| io_at(&self.dir, errno.into()))?;
        let fragment = stat.fragment_size();
        let mut room = Room {
            total: stat.blocks().saturating_mul(fragment),
            available: stat.blocks_available().saturating_mul(fragment),
            reserve: self.reserve_bytes,
            claimed: self.taking.claimed.load(Ordering::Relaxed),
            ..Room::default()
        };
        for (folder, sum) in [(self.disks(), &mut room.promised), (self.trash(), &mut room.trash)] {
            for (path, metadata) in files(&folder)? {
                let virtual_bytes = disk_size(&path, &metadata)?;
                *sum = sum.saturating_add(virtual_bytes);
                room.occupied = room.occupied.saturating_add((metadata.blocks() * BLOCK_BYTES).min(virtual_bytes));
            }
        }
        Ok(room)
    }

    /// The files among the disks, each with the size in bytes that its guest sees.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn disk_sizes(&self) -> Result<Vec<(PathBuf, u64)>, PoolError> {
        let sized = files(&self.disks())?.into_iter();
        sized.map(|(path, metadata)| disk_size(&path, &metadata).map(|bytes| (path, bytes))).collect()
    }

    /// What the files of one of its folders occupy, in bytes.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn occupied(&self, folder: &Path) -> Result<u64, PoolError> {
        Ok(files(folder)?.iter().map(|(_, metadata)| metadata.blocks() * BLOCK_BYTES).sum())
    }

    /// Held by whoever looks at the room and then takes of it, so that two cannot both get the last of it.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.taking.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for a file of that size, until it is written.
    ///
    /// # Errors
    /// When there is none, or the pool cannot be looked at.
    pub fn claim<E: From<PoolError> + From<RoomError>>(&self, bytes: u64) -> Result<Claim, E> {
        let _alone = self.alone();
        self.room()?.check(bytes)?;
        self.taking.claimed.fetch_add(bytes, Ordering::Relaxed);
        Ok(Claim { taking: Arc::clone(&self.taking), bytes })
    }

    fn make_folders(&self) -> Result<(), PoolError> {
        self.folders().into_iter().try_for_each(|(folder, mode)| make_folder(&folder, mode))
    }

    /// Makes the folders anew that somebody removed, with what was in them. Not that of disks: an empty one would say that
    /// there are none.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_up(&self) -> Result<(), PoolError> {
        for (folder, mode) in
            self.folders().into_iter().filter(|(folder, _)| *folder != self.disks() && !folder.is_dir())
        {
            tracing::warn!(folder = %folder.display(), "a folder of the pool was removed; it is made anew");
            make_folder(&folder, mode)?;
        }
        Ok(())
    }

    /// Gives folders that somebody closed while they were in use their modes back, and lets others pass through the pool itself:
    /// QEMU's user has to. Blocks.
    ///
    /// # Errors
    /// When one cannot be looked at, or its mode cannot be set.
    pub fn open_folders(&self) -> Result<(), PoolError> {
        self.check()?; // what lies under it is not ours to open
        let pass = mode_of(&self.dir)? | FOLDER_MODE;
        for (folder, mode) in self.folders().into_iter().chain([(self.dir.clone(), pass)]) {
            if mode_of(&folder)? & mode != mode {
                set_mode(&folder, mode)?;
                tracing::warn!(folder = %folder.display(), "the folder's mode was changed behind csp's back; it was set anew");
            }
        }
        Ok(())
    }

    /// Which of its folders are not there. Of a pool that is there.
    #[must_use]
    pub fn missing_folders(dir: &Path) -> Vec<PathBuf> {
        let pool = Self { dir: dir.to_owned(), id: Uuid::nil(), reserve_bytes: 0, taking: Arc::default() };
        pool.folders().into_iter().map(|(folder, _)| folder).filter(|folder| !folder.is_dir()).collect()
    }

    /// Its folders, each with its mode.
    fn folders(&self) -> [(PathBuf, u32); 5] {
        [
            (self.images(), FOLDER_MODE),
            (self.disks(), FOLDER_MODE),
            (self.seeds(), FOLDER_MODE),
            (self.consoles(), FOLDER_MODE),
            (self.trash(), CLOSED_MODE),
        ]
    }
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), PoolError> {
    match DirBuilder::new().mode(CLOSED_MODE).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io_at(folder, error)),
        _ => {}
    }
    // Whatever the umask is, and whatever an older agent made.
    set_mode(folder, mode)
}

fn begin(dir: &Path, fresh: Uuid) -> Result<Uuid, PoolError> {
    is_free(dir)?;
    if !dir.is_dir() {
        std::fs::create_dir_all(dir).map_err(|source| io_at(dir, source))?;
        set_mode(dir, FOLDER_MODE)?;
    }
    let path = dir.join(ID_FILE);
    durable::write(&path, fresh.to_string().as_bytes()).map_err(|source| io_at(&path, source))?;
    Ok(fresh)
}

fn set_mode(folder: &Path, mode: u32) -> Result<(), PoolError> {
    std::fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(|source| io_at(folder, source))
}

fn mode_of(folder: &Path) -> Result<u32, PoolError> {
    const RIGHTS: u32 = 0o7777;
    let found = std::fs::metadata(folder).map_err(|source| io_at(folder, source))?;
    Ok(found.permissions().mode() & RIGHTS)
}

/// Whether nobody keeps anything in the folder. One that does not exist is free.
fn is_free(dir: &Path) -> Result<(), PoolError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|source| io_at(dir, source))?,
    };
    for entry in entries {
        let name = entry.map_err(|source| io_at(dir, source))?.file_name();
        // A crash may have left the id's own temporary file.
        if name != LOST_AND_FOUND && name != "pool.id.part" {
            return Err(PoolError::NotEmpty { path: dir.to_owned() });
        }
    }
    Ok(())
}

/// The id that a file holds; nothing when there is no such file.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn read_id(path: &Path) -> Result<Option<Uuid>, PoolError> {
    match std::fs::read_to_string(path) {
        Ok(text) => match Uuid::try_parse(text.trim()) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(PoolError::DamagedId { path: path.to_owned() }),
        },
        // No text at all.
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(PoolError::DamagedId { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_at(path, source)),
    }
}

/// The files of a folder. One that goes away meanwhile is not there.
pub(super) fn files(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, PoolError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| io_at(folder, source))? {
        let entry = entry.map_err(|source| io_at(folder, source))?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => found.push((entry.path(), metadata)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(io_at(&entry.path(), source)),
        }
    }
    Ok(found)
}

/// Full size of a disk of ours, in bytes; of a half-made one, what it occupies.
pub(super) fn disk_size(path: &Path, metadata: &Metadata) -> Result<u64, PoolError> {
    let mut header = Vec::new();
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(io_at(path, source)),
    };
    file.take(qcow2::SIZE_BYTES as u64).read_to_end(&mut header).map_err(|source| io_at(path, source))?;
    Ok(qcow2::virtual_bytes(&header).unwrap_or(metadata.len()))
}

fn io_at(path: &Path, source: io::Error) -> PoolError {
    PoolError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Uuid = Uuid::from_u128(1);
    const SECOND: Uuid = Uuid::from_u128(2);

    #[test]
    fn an_unmounted_pool_is_missing_and_never_begun_anew() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.note"));
        std::fs::create_dir(&dir).unwrap();
        let pool = Pool::open(dir.clone(), &note, FIRST, 0).unwrap();
        pool.check().unwrap();
        assert_eq!(Pool::open(dir.clone(), &note, SECOND, 0).unwrap().id, FIRST, "opened again, the same");

        std::fs::rename(&dir, home.path().join("away")).unwrap();
        std::fs::create_dir(&dir).unwrap();
        assert!(matches!(pool.check(), Err(PoolError::NoId { .. })));
        assert!(matches!(Pool::open(dir.clone(), &note, SECOND, 0), Err(PoolError::NoId { .. })));
        assert!(!dir.join(ID_FILE).exists());
    }

    #[test]
    fn nobody_but_root_lists_what_is_in_a_pool() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.note"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for round in 0..2 {
            let pool = Pool::open(dir.clone(), &note, FIRST, 0).unwrap();
            assert_eq!(mode(&dir), 0o711);
            for folder in [pool.images(), pool.disks(), pool.seeds(), pool.consoles()] {
                assert_eq!(mode(&folder), 0o711, "QEMU passes through {}, round {round}", folder.display());
                set_mode(&folder, 0o755).unwrap(); // an older agent's, or somebody's mistake: mended at the next start
            }
            assert_eq!(mode(&pool.trash()), 0o700);
        }
    }

    #[test]
    fn an_id_that_is_damaged_is_told_apart_from_one_that_is_not_there() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.note"));
        let pool = Pool::open(dir.clone(), &note, FIRST, 0).unwrap();
        for damaged in [&b""[..], b"0000", b"\xff\xfe"] {
            std::fs::write(dir.join(ID_FILE), damaged).unwrap();
            let told = pool.check().unwrap_err();
            assert!(matches!(&told, PoolError::DamagedId { path } if *path == dir.join(ID_FILE)), "{told}");
            assert!(matches!(Pool::open(dir.clone(), &note, SECOND, 0), Err(PoolError::DamagedId { .. })));
        }
        std::fs::copy(&note, dir.join(ID_FILE)).unwrap();
        pool.check().unwrap();
    }

    #[test]
    fn folders_that_were_closed_are_opened_to_pass_and_not_to_list() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.note"));
        let pool = Pool::open(dir.clone(), &note, FIRST, 0).unwrap();
        let modes = || pool.folders().map(|(folder, _)| mode_of(&folder).unwrap());
        let made = modes();
        for closed in [0o700, 0o500, 0o711] {
            for (folder, _) in pool.folders().into_iter().filter(|(folder, _)| *folder != pool.trash()) {
                set_mode(&folder, closed).unwrap();
            }
            set_mode(&dir, closed).unwrap();
            pool.open_folders().unwrap();
            assert_eq!((modes(), mode_of(&dir).unwrap()), (made, 0o711), "{closed:o}");
        }
        set_mode(&dir, 0o755).unwrap();
        pool.open_folders().unwrap();
        assert_eq!(mode_of(&dir).unwrap(), 0o755, "who lets others list it may");
    }

    #[test]
    fn another_pool_in_its_place_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.note"));
        std::fs::create_dir(&dir).unwrap();
        let pool = Pool::open(dir.clone(), &note, FIRST, 0).unwrap();
        std::fs::write(dir.join(ID_FILE), SECOND.to_string()).unwrap();
        assert!(matches!(pool.check(), Err(PoolError::OtherId { .. })));
    }

    #[test]
    fn a_folder_with_foreign_files_does_not_become_a_pool() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("pool");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("thesis.txt"), "").unwrap();
        let refused = Pool::open(dir, &home.path().join("pool.note"), FIRST, 0);
        assert!(matches!(refused, Err(PoolError::NotEmpty { .. })));
    }
}
