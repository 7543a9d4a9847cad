//! Images that disks are made from: fetched once, checked, and kept under the name of their content.
//!
//! What must hold:
//! * no other program opens a file before its SHA-256 was compared and its header judged;
//! * a file under its final name was checked, is complete and read-only, and its name says what is in it;
//! * any number of servers that want one image wait for one fetch, and a wait can be given up.

use std::{
    collections::HashMap,
    fs::{File, Permissions},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use csp_shared::{
    limits::IMAGE_BYTES_MAX,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use sha2::Digest;

use super::{
    download::{DownloadError, download},
    durable, qcow2,
    room::{self, Room},
};

const CHUNK_BYTES: usize = 1024 * 1024;
const SECTOR_BYTES: u64 = 512;
/// How often a broken connection is resumed before the worker waits longer and tries again.
const TRIES: u32 = 3;

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
    /// No room for it.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// The disk refused it.
    #[error("cannot keep the image at {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The agent is going down.
    #[error("the agent is stopping")]
    Stopping,
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
#[derive(Debug)]
pub struct ImageCache {
    dir: PathBuf,
    fetches: Mutex<HashMap<Sha256, Arc<tokio::sync::Mutex<()>>>>,
}

impl ImageCache {
    /// Keeps images in `dir`, which exists.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, fetches: Mutex::default() }
    }

    /// Where an image is, or will be.
    #[must_use]
    pub fn path(&self, image: &Image) -> PathBuf {
        self.dir.join(format!("{}.{}", image.sha256, format_name(image.format)))
    }

    /// The checked image, if it is there. Blocks.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn cached(&self, image: &Image) -> Result<Option<CachedImage>, ImageError> {
        let path = self.path(image);
        let there = path.try_exists().map_err(|source| ImageError::Io { path: path.clone(), source })?;
        if there { inspect(image, path).map(Some) } else { Ok(None) }
    }

    /// Gives the checked image, fetching it if it is not there. Dropping the future gives the fetch up; what arrived
    /// is kept for the next.
    ///
    /// # Errors
    /// When the image cannot be had or must not be used.
    pub async fn ensure(&self, image: &Image, room: Room) -> Result<CachedImage, ImageError> {
        let fetch = {
            let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetches.entry(image.sha256).or_default())
        };
        // The guard moves into the thread: a fetch that was given up holds its file until its thread has let go.
        let guard = fetch.lock_owned().await;
        let cancelled = CancelOnDrop::default();
        let flag = Arc::clone(&cancelled.0);
        let (image, path) = (image.clone(), self.path(image));
        let thread = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            if !path.exists() {
                fetch_and_check(&image, &path, room, &flag)?;
            }
            inspect(&image, path)
        });
        thread.await.map_err(|_| ImageError::Stopping)?
    }
}

#[derive(Debug, Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fetch_and_check(image: &Image, path: &Path, room: Room, cancelled: &AtomicBool) -> Result<(), ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    if image.size_bytes > IMAGE_BYTES_MAX {
        return Err(ImageError::TooLarge(image.size_bytes));
    }
    room.check(image.size_bytes)?;
    let part = durable::part_of(path);
    let mut tries = 0;
    loop {
        tries += 1;
        match download(&image.url, &part, image.size_bytes, cancelled) {
            Ok(()) => break,
            Err(DownloadError::Unreachable { .. }) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }

    let found = digest(&part, cancelled).map_err(io)?.ok_or(DownloadError::Cancelled)?;
    let verdict = if found == image.sha256 {
        header(image, &part)
    } else {
        Err(ImageError::Checksum { url: image.url.clone(), found, wanted: image.sha256 })
    };
    if let Err(error) = verdict {
        std::fs::remove_file(&part).map_err(io)?;
        return Err(error);
    }
    std::fs::set_permissions(&part, Permissions::from_mode(0o444)).map_err(io)?;
    durable::publish(&part, path).map_err(io)
}

fn inspect(image: &Image, path: PathBuf) -> Result<CachedImage, ImageError> {
    let virtual_bytes = header(image, &path)?;
    Ok(CachedImage { path, format: image.format, virtual_bytes })
}

/// Size of the disk that the file describes, in bytes.
fn header(image: &Image, path: &Path) -> Result<u64, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    match image.format {
        ImageFormat::Raw => Ok(file.metadata().map_err(io)?.len().next_multiple_of(SECTOR_BYTES)),
        ImageFormat::Qcow2 => {
            let mut bytes = Vec::new();
            file.take(qcow2::HEADER_BYTES as u64).read_to_end(&mut bytes).map_err(io)?;
            let header = qcow2::parse(&bytes);
            header.map(|h| h.virtual_bytes).map_err(|reason| ImageError::Invalid { sha256: image.sha256, reason })
        }
    }
}

/// The file's SHA-256; nothing when it was given up.
fn digest(path: &Path, cancelled: &AtomicBool) -> io::Result<Option<Sha256>> {
    let mut file = File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        match chunk.get(..count) {
            Some([]) | None => return Ok(Some(Sha256(hasher.finalize().into()))),
            Some(_) if cancelled.load(Ordering::Relaxed) => return Ok(None),
            Some(bytes) => hasher.update(bytes),
        }
    }
}
