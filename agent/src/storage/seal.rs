//! Makes a fetched qcow2 image into a base of disks: a plain raw file, written here, once.
//!
//! Why: what a disk's guest would read through is then no file of somebody else's making. A table that points outside
//! the file, a stretch that cannot be unpacked, a file that was cut off before its digest was taken are found here,
//! before anybody pays for them; and the QEMU of a running guest never parses what was fetched.
//!
//! The header was judged before ([`super::qcow2`]), so the tools are given a file that names no other, with tables of a
//! bounded size. They are bounded in memory and time all the same, and write no more than the pool has room for.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use serde::Deserialize;

use super::{
    disk::remove_if_there,
    pool::{Pool, PoolError},
    room::RoomError,
    tool::{Ended, Tool, ToolError},
};

/// To read all tables of an image.
const LOOK_LIMIT: Duration = Duration::from_secs(5 * 60);
/// To unpack an image, on a slow disk too.
const CONVERT_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Address space of a tool, in bytes. A count of every cluster of the largest image in the smallest clusters takes a
/// sixteenth of it; the rest is threads.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// `qemu-img check`: there are clusters that nothing refers to, which costs room and nothing else.
const LEAKS: i32 = 3;

/// Why an image did not become a base.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Whatever reads it fails.
    #[error("the image is damaged: {0}")]
    Damaged(String),
    /// What is in it does not fit.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The pool is not there.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// qemu-img did not do it, for a reason of the host's.
    #[error("cannot unpack the image")]
    Tool(#[from] ToolError),
    /// The system refused.
    #[error("cannot clear the way for {path}", path = path.display())]
    Io {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Writes the content of the qcow2 file `image`, a disk of `virtual_bytes`, to the raw file `base`. Blocks.
///
/// # Errors
/// When the image is damaged, or the host cannot do it; then there is no `base`.
pub fn seal(
    image: &Path,
    virtual_bytes: u64,
    base: &Path,
    pool: &Pool,
    cancelled: &Arc<AtomicBool>,
) -> Result<(), SealError> {
    let bounded = |limit| Tool::new("qemu-img", limit).memory_max(MEMORY_BYTES_MAX).until(cancelled);
    let checked = bounded(LOOK_LIMIT).args(["check", "-q", "-f", "qcow2"]).arg(image).end()?;
    if !matches!(checked.code, Some(0 | LEAKS)) {
        return Err(blame(checked));
    }
    let needed = needed_bytes(bounded(LOOK_LIMIT), image)?;
    // Counted twice while it is being written, by the claim and by what is no longer free: the safe side.
    let _claim = pool.claim::<SealError>(needed.min(virtual_bytes))?;
    let clear = || remove_if_there(base).map_err(|source| SealError::Io { path: base.to_owned(), source });
    clear()?; // of a try that was cut off
    let convert = bounded(CONVERT_LIMIT).args(["convert", "-f", "qcow2", "-O", "raw"]).arg(image).arg(base);
    let converted = convert.end();
    if matches!(&converted, Ok(ended) if ended.code == Some(0)) {
        return Ok(());
    }
    clear()?;
    let converted = converted?;
    // Who is to blame, the image or the pool? An image that can be read to its end without writing anything is sound.
    let nowhere = format!("driver=null-co,size={virtual_bytes}");
    let read = bounded(CONVERT_LIMIT).args(["convert", "-n", "-f", "qcow2", "--target-image-opts"]);
    let read = read.arg(image).arg(nowhere).end()?;
    Err(if read.code == Some(0) { converted.into_error().into() } else { blame(read) })
}

/// A tool that ended by itself found fault with the image; one that was ended by a signal says nothing about it.
fn blame(ended: Ended) -> SealError {
    if ended.code.is_some() { SealError::Damaged(ended.complaint()) } else { ended.into_error().into() }
}

/// How many bytes its content takes at most.
fn needed_bytes(tool: Tool, image: &Path) -> Result<u64, SealError> {
    #[derive(Deserialize)]
    struct Measured {
        required: u64,
    }
    // As if for a qcow2 file: for a raw one the answer would count what is empty too.
    let ended = tool.args(["measure", "--output=json", "-f", "qcow2", "-O", "qcow2"]).arg(image).end()?;
    match serde_json::from_slice(&ended.printed) {
        Ok(Measured { required }) if ended.code == Some(0) => Ok(required),
        _ => Err(blame(ended)),
    }
}
