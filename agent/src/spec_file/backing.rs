//! Where records are kept: a folder of the host, or memory for simulation.

use std::{
    collections::BTreeMap,
    fs,
    future::{Future, ready},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::storage::durable;

/// A file's name, and its content or why it cannot be read.
pub type NamedContent = (String, io::Result<Vec<u8>>);

/// A small folder of small files.
pub trait Backing: Send + Sync + 'static {
    /// All files, in any order.
    fn read_all(&self) -> impl Future<Output = io::Result<Vec<NamedContent>>> + Send;

    /// Replaces a file. On return its new content survives a power cut; on failure it has the old or the new one.
    fn write(&self, name: &str, content: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send;
}

/// A folder of the host's own disk.
#[derive(Clone, Debug)]
pub struct FolderBacking(PathBuf);

impl FolderBacking {
    /// Opens the folder, makes it if need be (mode 0700: specs hold password hashes), and sweeps what a crash left.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        durable::sync_parent(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self(folder))
    }
}

impl Backing for FolderBacking {
    async fn read_all(&self) -> io::Result<Vec<NamedContent>> {
        let folder = self.0.clone();
        tokio::task::spawn_blocking(move || read_folder(&folder)).await.map_err(io::Error::other)?
    }

    async fn write(&self, name: &str, content: Vec<u8>) -> io::Result<()> {
        let path = self.0.join(name);
        tokio::task::spawn_blocking(move || durable::write(&path, &content)).await.map_err(io::Error::other)?
    }
}

fn read_folder(folder: &Path) -> io::Result<Vec<NamedContent>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())))
        })
        .collect()
}

/// Files in memory, shared by its clones: what a simulated host keeps when its agent crashes. Never waits, so that a
/// simulation can step through it without a runtime.
#[derive(Clone, Debug, Default)]
pub struct MemoryBacking(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Backing for MemoryBacking {
    fn read_all(&self) -> impl Future<Output = io::Result<Vec<NamedContent>>> + Send {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(files.iter().map(|(name, content)| (name.clone(), Ok(content.clone()))).collect()))
    }

    fn write(&self, name: &str, content: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), content);
        ready(Ok(()))
    }
}
