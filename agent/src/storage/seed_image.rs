//! Makes a seed into a small ISO 9660 image with the label that cloud-init looks for.
//!
//! One image a server, under a name that carries the mark of what it was made from. It is handed to the guest as a
//! read-only disk, so that no driver for CD drives is needed.
//!
//! The name says only what an image was made as. So each ends with a block of its own, behind the file system, that has
//! the digest of all before it: a guest that started from a damaged seed would be up without address and key, and nobody
//! would be told.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use csp_shared::{id::ServerId, sha256::Sha256};
use sha2::Digest;

use super::{
    disk::remove_if_there,
    durable,
    pool::{self, PoolError},
    seed::SeedFiles,
    tool::{Tool, ToolError},
};
use crate::machine::Mark;

const LABEL: &str = "CIDATA";
const LIMIT: Duration = Duration::from_secs(60);
/// A block of the file system. The seal has one, so that the whole stays one of whole blocks.
const BLOCK_BYTES: usize = 2048;
/// More than xorriso and the largest user data make of a seed, in bytes.
const BYTES_MAX: u64 = 4 << 20;

/// Why a seed could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The folder cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// xorriso failed.
    #[error("cannot make the seed {}", path.display())]
    Tool {
        /// Which seed.
        path: PathBuf,
        /// What happened.
        #[source]
        source: ToolError,
    },
    /// The system refused.
    #[error("cannot handle the seed {}", path.display())]
    Io {
        /// Which seed.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The folder of seeds.
#[derive(Debug)]
pub struct Seeds {
    dir: PathBuf,
}

impl Seeds {
    /// Keeps seeds in `dir`, which exists.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// What the server's seed was made from, if it has one. Several are a part of a work that a crash cut off: they
    /// have the mark zero, which nothing wants; and so has one that is not as it was made. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn see(&self, server: ServerId) -> Result<Option<Mark>, SeedError> {
        Ok(match self.list(server)?.as_slice() {
            [] => None,
            [(mark, path)] if is_whole(path) => Some(*mark),
            _ => Some(Mark(0)),
        })
    }

    /// Where the seed of that mark is, or will be.
    #[must_use]
    pub fn path(&self, server: ServerId, mark: Mark) -> PathBuf {
        self.dir.join(format!("{server}.{mark}.iso"))
    }

    /// Writes the server's seed and removes its others. Blocks.
    ///
    /// # Errors
    /// When it cannot be made; then no seed of that mark is there.
    pub fn write(&self, server: ServerId, mark: Mark, files: &SeedFiles) -> Result<(), SeedError> {
        let path = self.path(server, mark);
        let work = durable::part_of(&path);
        let io = |source| SeedError::Io { path: path.clone(), source };
        remove_folder(&work).map_err(io)?;
        let made = build(&work, &path, files);
        remove_folder(&work).map_err(io)?; // also after a failure: it holds a password's hash
        made?;
        for (_, other) in self.list(server)?.into_iter().filter(|(_, other)| *other != path) {
            remove_if_there(&other).map_err(io)?;
        }
        durable::sync_parent(&path).map_err(io)
    }

    /// Removes every seed of the server. Blocks.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove(&self, server: ServerId) -> Result<(), SeedError> {
        for (_, path) in self.list(server)? {
            let removed = remove_if_there(&path).and_then(|()| durable::sync_parent(&path));
            removed.map_err(|source| SeedError::Io { path, source })?;
        }
        Ok(())
    }

    fn list(&self, server: ServerId) -> Result<Vec<(Mark, PathBuf)>, SeedError> {
        let files = pool::files(&self.dir)?;
        let named = files.into_iter().filter_map(|(path, _)| Some((parse_name(&path)?, path)));
        Ok(named.filter(|((owner, _), _)| *owner == server).map(|((_, mark), path)| (mark, path)).collect())
    }
}

/// Everything in a folder that only root can enter, until the finished image leaves it.
fn build(work: &Path, path: &Path, files: &SeedFiles) -> Result<(), SeedError> {
    let io = |source| SeedError::Io { path: path.to_owned(), source };
    let tree = work.join("files");
    let image = work.join("seed.iso");
    DirBuilder::new().mode(0o700).create(work).and_then(|()| std::fs::create_dir(&tree)).map_err(io)?;
    let texts =
        [("meta-data", &files.meta_data), ("user-data", &files.user_data), ("network-config", &files.network_config)];
    for (name, text) in texts {
        std::fs::write(tree.join(name), text).map_err(io)?;
    }
    Tool::new("xorriso", LIMIT)
        .args(["-no_rc", "-as", "mkisofs", "-quiet", "-V", LABEL, "-J", "-r", "-o"])
        .arg(&image)
        .arg(&tree)
        .run()
        .map_err(|source| SeedError::Tool { path: path.to_owned(), source })?;
    seal(&image).map_err(io)?;
    // Readable by its owner alone; libvirt gives it to the guest's QEMU while that runs.
    let restricted = std::fs::set_permissions(&image, Permissions::from_mode(0o600));
    restricted.and_then(|()| durable::publish(&image, path)).map_err(io)
}

/// Writes the digest of an image behind it.
fn seal(image: &Path) -> io::Result<()> {
    let mut block = [0; BLOCK_BYTES];
    let digest = Sha256::of(&std::fs::read(image)?).0;
    block.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    OpenOptions::new().append(true).open(image)?.write_all(&block)
}

/// Whether an image is as it was made. One that cannot be read is not.
fn is_whole(path: &Path) -> bool {
    read_seal(path).is_ok_and(|(digest, block)| block.starts_with(&digest.0))
}

/// The digest of an image and the block behind it. Read in pieces: every look at a server asks for it, many at once, and an
/// image is large.
fn read_seal(path: &Path) -> io::Result<(Sha256, [u8; BLOCK_BYTES])> {
    let file = File::open(path)?;
    let all = file.metadata()?.len().min(BYTES_MAX);
    let image = all.checked_sub(BLOCK_BYTES as u64).ok_or(ErrorKind::UnexpectedEof)?;
    let mut hasher = sha2::Sha256::new();
    io::copy(&mut (&file).take(image), &mut hasher)?;
    let mut block = [0; BLOCK_BYTES];
    (&file).read_exact(&mut block)?;
    Ok((Sha256(hasher.finalize().into()), block))
}

fn remove_folder(work: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(work) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn parse_name(path: &Path) -> Option<(ServerId, Mark)> {
    let (server, mark) = path.file_name()?.to_str()?.strip_suffix(".iso")?.split_once('.')?;
    Some((server.parse().ok()?, mark.parse().ok()?))
}
