//! Images that disks are made from: fetched once, checked, and kept under the name of their content.
//!
//! What must hold:
//! * no other program opens a file before its SHA-256 was compared and its header judged;
//! * a file under its final name was checked, is complete and read-only, and its name says what it was made of;
//! * what is kept is raw: a qcow2 file is written out as one by [`super::seal`], so no guest reads through its tables;
//! * a file that is not as long as what was kept is not there, see [`super::base_length`];
//! * any number of servers that want one image wait for one fetch, and a wait can be given up;
//! * what a fetch will take of the pool is nobody else's from its beginning on;
//! * what is kept is bounded, see [`super::image_sweep`].

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use csp_shared::{
    id::ServerId,
    limits::IMAGE_BYTES_MAX,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};

use super::{
    base_length::Lengths,
    download::DownloadError,
    image_fetch::{Fetch, arriving, read_header},
    pool::{Pool, PoolError},
    qcow2, raw, room,
    seal::SealError,
};

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It did not arrive.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// It is not the file that the catalog names.
    #[error("the file at {url} has the digest {found}, the catalog says {wanted}")]
    Checksum {
        /// From where.
        url: String,
        /// What arrived.
        found: Sha256,
        /// What was ordered.
        wanted: Sha256,
    },
    /// Larger than a host takes.
    #[error("the image has {0} bytes, more than {IMAGE_BYTES_MAX}")]
    TooLarge(u64),
    /// Not an image of its format.
    #[error("the image {sha256} is refused: {reason}")]
    Invalid {
        /// Which one.
        sha256: Sha256,
        /// Why.
        reason: qcow2::Refused,
    },
    /// Not a raw image.
    #[error("the image {sha256} is refused: {reason}")]
    NotRaw {
        /// Which one.
        sha256: Sha256,
        /// Why.
        reason: raw::Refused,
    },
    /// Its header is fine, the rest is not.
    #[error("the image {sha256} is refused")]
    Sealed {
        /// Which one.
        sha256: Sha256,
        /// Why.
        #[source]
        reason: SealError,
    },
    /// The disk that it describes is larger than any of this host.
    #[error("the image describes a disk of {image} bytes, the whole pool has {pool}")]
    LargerThanPool {
        /// Bytes of the image's disk.
        image: u64,
        /// Bytes of the pool.
        pool: u64,
    },
    /// No room for it.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// The pool is not there.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The disk refused it.
    #[error("cannot keep the image at {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A disk of which nobody can tell what it stands on.
    #[error("cannot tell what the disk {} stands on, so no image is removed; is it damaged?", .0.display())]
    Unreadable(PathBuf),
    /// The agent is going down.
    #[error("the agent is stopping")]
    Stopping,
}

impl ImageError {
    /// How much room was wanting, if that is what was.
    fn lacks_room(&self) -> Option<room::RoomError> {
        match self {
            Self::Room(error) | Self::Sealed { reason: SealError::Room(error), .. } => Some(*error),
            _ => None,
        }
    }
}

/// A checked image in the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedImage {
    /// Where; read-only.
    pub path: PathBuf,
    /// How it is laid out.
    pub format: ImageFormat,
    /// Size of the disk that it describes, in bytes.
    pub virtual_bytes: u64,
}

/// The format's name, as QEMU and libvirt write it.
#[must_use]
pub fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Qcow2 => "qcow2",
        ImageFormat::Raw => "raw",
    }
}

/// The folder of images and who is fetching which.
#[derive(Debug, Clone)]
pub struct ImageCache {
    pub(super) pool: Pool,
    pub(super) fetches: Arc<Mutex<HashMap<Sha256, Arc<tokio::sync::Mutex<()>>>>>,
    /// The image that each server's spec names.
    pub(super) named: Arc<Mutex<BTreeMap<ServerId, Sha256>>>,
    lengths: Arc<Lengths>,
}

impl ImageCache {
    /// Keeps images in `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool, fetches: Arc::default(), named: Arc::default(), lengths: Arc::default() }
    }

    /// Takes note of the image that a server's spec names; `None` when it is to be gone. Such an image stays in the cache.
    pub fn name(&self, server: ServerId, image: Option<&Image>) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        match image {
            Some(image) => drop(named.insert(server, image.sha256)),
            None => drop(named.remove(&server)),
        }
    }

    /// How much of an image that is being fetched has arrived, in percent. Blocks.
    #[must_use]
    pub fn arrived_percent(&self, image: &Image) -> Option<u8> {
        let arrived = std::fs::metadata(arriving(&self.pool, image)).ok()?.len();
        u8::try_from(arrived.saturating_mul(100).checked_div(image.size_bytes)?.min(100)).ok()
    }

    /// Where what is kept of an image is, or will be.
    #[must_use]
    pub fn path(&self, image: &Image) -> PathBuf {
        let ending = match image.format {
            ImageFormat::Qcow2 => "qcow2.raw",
            ImageFormat::Raw => "raw",
        };
        self.pool.images().join(format!("{}.{ending}", image.sha256))
    }

    /// The checked image, if it is there and as long as it was made. Blocks.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn cached(&self, image: &Image) -> Result<Option<CachedImage>, ImageError> {
        let path = self.path(image);
        match self.bytes_of_whole(image, &path).map_err(|source| ImageError::Io { path: path.clone(), source })? {
            Some(virtual_bytes) => Ok(Some(CachedImage { path, format: ImageFormat::Raw, virtual_bytes })),
            None => self.kept_as_it_came(image),
        }
    }

    /// The length of what is kept of an image; nothing when it is not there as a whole.
    fn bytes_of_whole(&self, image: &Image, path: &Path) -> io::Result<Option<u64>> {
        let Some(bytes) = bytes_of(path)? else { return Ok(None) };
        let is_whole = match image.format {
            ImageFormat::Qcow2 => self.lengths.is_as_sealed(path, bytes)?,
            ImageFormat::Raw => self.lengths.is(path, bytes, image.size_bytes),
        };
        Ok(is_whole.then_some(bytes))
    }

    /// A qcow2 file from before they were written out as raw ones: disks of this host are overlays on it.
    fn kept_as_it_came(&self, image: &Image) -> Result<Option<CachedImage>, ImageError> {
        let path = self.pool.images().join(format!("{}.qcow2", image.sha256));
        if image.format != ImageFormat::Qcow2 {
            return Ok(None);
        }
        let bytes = bytes_of(&path).map_err(|source| ImageError::Io { path: path.clone(), source })?;
        if !bytes.is_some_and(|bytes| self.lengths.is(&path, bytes, image.size_bytes)) {
            return Ok(None);
        }
        let header = read_header(&path).map_err(|source| ImageError::Io { path: path.clone(), source })?;
        let judged = qcow2::parse(&header, image.size_bytes);
        let virtual_bytes =
            judged.map_err(|reason| ImageError::Invalid { sha256: image.sha256, reason })?.virtual_bytes;
        Ok(Some(CachedImage { path, format: ImageFormat::Qcow2, virtual_bytes }))
    }

    /// Sees to it that the checked image is there, fetching it if it is not. Dropping the future gives the fetch up; what arrived
    /// is kept for the next.
    ///
    /// # Errors
    /// When the image cannot be had or must not be used.
    pub async fn ensure(&self, image: &Image) -> Result<(), ImageError> {
        let fetch = {
            let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetches.entry(image.sha256).or_default())
        };
        // The guard moves into the thread: a fetch that was given up holds its file until its thread has let go.
        let guard = fetch.lock_owned().await;
        let cancelled = CancelOnDrop::default();
        let flag = Arc::clone(&cancelled.0);
        let (cache, image) = (self.clone(), image.clone());
        let thread = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            if cache.cached(&image)?.is_some() {
                return Ok(());
            }
            let path = cache.path(&image);
            let Self { pool, lengths, .. } = &cache;
            let fetch = || Fetch { image: &image, path: &path, pool, lengths, cancelled: &flag }.run();
            match fetch() {
                Err(error) if error.lacks_room().is_some_and(|refused| cache.makes_room_after(refused)) => fetch(),
                done => done,
            }
        });
        thread.await.map_err(|_| ImageError::Stopping)?
    }
}

/// The length of a file that may not be there.
fn bytes_of(path: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(Some(file.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Debug, Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
