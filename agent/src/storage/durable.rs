//! Files that survive a power cut: written under another name, flushed, renamed, and the folder flushed too.
//!
//! So a file under its final name is always whole. What a crash leaves behind ends in `.part` and is overwritten or
//! swept by the next try.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The name under which `path` is made.
#[must_use]
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Gives the finished file at `part` its name, durably.
///
/// # Errors
/// When the system refuses; `path` is then as it was.
pub fn publish(part: &Path, path: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, path)?;
    sync_parent(path)
}

/// Writes a small file so that it is there whole or not at all.
///
/// # Errors
/// When the system refuses; `path` is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = part_of(path);
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    drop(file);
    publish(&part, path)
}

/// Makes a rename, creation or removal of `path` durable.
///
/// # Errors
/// When the folder cannot be flushed.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
