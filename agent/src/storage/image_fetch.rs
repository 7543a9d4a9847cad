//! One image on its way into the cache: downloaded, compared with its digest, judged, and written out as what is kept.

use std::{
    fs::{File, Permissions},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
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
    base_length::Lengths,
    disk::remove_if_there,
    download::{DownloadError, Validator, download},
    durable,
    image_cache::{ImageError, format_name},
    pool::Pool,
    qcow2, raw,
    seal::{SealError, seal},
};

const CHUNK_BYTES: usize = 1024 * 1024;
/// How often a broken connection is resumed before the worker waits longer and tries again.
const TRIES: u32 = 3;
/// Of what is kept.
pub(super) const READ_ONLY: u32 = 0o444;

/// What it takes to have an image.
pub(super) struct Fetch<'a> {
    pub image: &'a Image,
    pub path: &'a Path,
    pub pool: &'a Pool,
    pub lengths: &'a Lengths,
    pub cancelled: &'a Arc<AtomicBool>,
}

impl Fetch<'_> {
    /// Fetches it, judges it, and keeps what is to be kept of it at `path`. Blocks.
    pub(super) fn run(&self) -> Result<(), ImageError> {
        if self.image.size_bytes > IMAGE_BYTES_MAX {
            return Err(ImageError::TooLarge(self.image.size_bytes));
        }
        // Of the file as it comes, under a name that nothing else has: another format is another file.
        let fetched = arriving(self.pool, self.image);
        let io = |source| ImageError::Io { path: fetched.clone(), source };
        let claim = self.pool.claim::<ImageError>(self.image.size_bytes)?;
        let is_resumed = std::fs::metadata(&fetched).is_ok_and(|file| file.len() > 0);
        let mut found = self.download(&fetched)?;
        // Its first part came in an earlier run, and nobody remembers of which state of the file.
        if is_resumed && found != self.image.sha256 {
            remove_if_there(&fetched).map_err(io)?;
            found = self.download(&fetched)?;
        }
        drop(claim);
        let kept = if found == self.image.sha256 {
            self.keep(&fetched)
        } else {
            Err(ImageError::Checksum { url: self.image.url.clone(), found, wanted: self.image.sha256 })
        };
        // What was refused is not fetched again, and of what was unpacked the packed file is not needed any more. A
        // fault of the host's leaves it for the next try.
        match &kept {
            Err(error) if !error.is_the_images() => {}
            _ => remove_if_there(&fetched).map_err(io)?,
        }
        kept
    }

    /// Fetches the file, whole, and gives its digest.
    fn download(&self, fetched: &Path) -> Result<Sha256, ImageError> {
        let (mut tries, mut validator) = (0, Validator::default());
        loop {
            tries += 1;
            match download(&self.image.url, fetched, self.image.size_bytes, &mut validator, self.cancelled) {
                Ok(()) => break,
                Err(DownloadError::Unreachable { .. }) if tries < TRIES => {}
                Err(error) => return Err(error.into()),
            }
        }
        let read = digest(fetched, self.cancelled);
        let digest = read.map_err(|source| ImageError::Io { path: fetched.to_owned(), source })?;
        Ok(digest.ok_or(DownloadError::Cancelled)?)
    }

    /// Judges the fetched file and gives what it holds its name.
    fn keep(&self, fetched: &Path) -> Result<(), ImageError> {
        let io = |source| ImageError::Io { path: self.path.to_owned(), source };
        let header = read_header(fetched).map_err(io)?;
        let whole = match self.image.format {
            ImageFormat::Raw => {
                let sha256 = self.image.sha256;
                raw::parse(&header, self.image.size_bytes).map_err(|reason| ImageError::NotRaw { sha256, reason })?;
                fetched.to_owned()
            }
            ImageFormat::Qcow2 => {
                let sha256 = self.image.sha256;
                let judged = qcow2::parse(&header, self.image.size_bytes);
                let virtual_bytes = judged.map_err(|reason| ImageError::Invalid { sha256, reason })?.virtual_bytes;
                let pool = self.pool.room()?.total;
                if virtual_bytes > pool {
                    return Err(ImageError::LargerThanPool { image: virtual_bytes, pool });
                }
                let base = durable::part_of(self.path);
                let sealed = seal(fetched, virtual_bytes, &base, self.pool, self.cancelled);
                sealed.map_err(|reason| ImageError::Sealed { sha256, reason })?;
                let bytes = std::fs::metadata(&base).map_err(io)?.len();
                self.lengths.note(self.path, bytes).map_err(io)?;
                base
            }
        };
        std::fs::set_permissions(&whole, Permissions::from_mode(READ_ONLY)).map_err(io)?;
        durable::publish(&whole, self.path).map_err(io)
    }
}

/// Where an image is while it is fetched.
pub(super) fn arriving(pool: &Pool, image: &Image) -> PathBuf {
    pool.images().join(format!("{}.{}.part", image.sha256, format_name(image.format)))
}

impl ImageError {
    /// Whether the file itself is at fault, so that it helps nobody to keep it.
    fn is_the_images(&self) -> bool {
        match self {
            Self::Checksum { .. } | Self::TooLarge(_) | Self::Invalid { .. } | Self::NotRaw { .. } => true,
            Self::LargerThanPool { .. } => true,
            Self::Sealed { reason, .. } => matches!(reason, SealError::Damaged(_)),
            Self::Download(_) | Self::Room(_) | Self::Pool(_) | Self::Io { .. } => false,
            Self::Unreadable(_) | Self::Stopping => false,
        }
    }
}

/// As much of a file as its judge wants to see.
pub(super) fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(qcow2::HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
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
