//! Disks that grow: what their headers tell of them, and a larger one for a guest that is off. Under a running guest its QEMU does it.

use std::{collections::BTreeMap, ffi::OsStr, fs::File, io::Read, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use csp_shared::{generation::DiskEpoch, id::ServerId};

use super::{
    disk::{DiskError, Disks},
    image_sweep::image_of,
    pool::Claim,
    qcow2,
    tool::Tool,
};
use crate::machine::{SeenBase, SeenDisk};

/// Growing writes a header and a table.
const GROW_LIMIT: Duration = Duration::from_secs(60);

impl Disks {
    /// The server's disks that are there. Blocks.
    ///
    /// # Errors
    /// When the folder or a disk cannot be read: then nobody knows.
    pub fn look(&self, server: ServerId) -> Result<BTreeMap<DiskEpoch, SeenDisk>, DiskError> {
        let there = self.list(server)?.into_iter();
        there.map(|epoch| Ok((epoch, self.look_at(server, epoch)?))).collect()
    }

    /// One of them, by its header. Blocks.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn look_at(&self, server: ServerId, epoch: DiskEpoch) -> Result<SeenDisk, DiskError> {
        let path = self.path(server, epoch);
        let (mut header, mut length) = (Vec::new(), 0);
        let read = File::open(&path).and_then(|mut file| {
            file.by_ref().take(qcow2::HEADER_BYTES as u64).read_to_end(&mut header)?;
            // After the header: QEMU writes behind a file's end before it tells of that in the header.
            length = file.metadata()?.len();
            Ok(())
        });
        read.map_err(|source| DiskError::Io { path, source })?;
        Ok(match (qcow2::virtual_bytes(&header), qcow2::backing_name(&header)) {
            (Some(bytes), Some(base)) if qcow2::is_disk(&header, length) => {
                SeenDisk::Sound { bytes, base: base_of(base) }
            }
            _ => SeenDisk::Damaged,
        })
    }

    /// Takes the room by which a disk is smaller than `bytes`, for as long as it is being made larger; nothing when it is so
    /// large already. Blocks.
    ///
    /// # Errors
    /// When there is no room.
    pub fn claim_growth(&self, server: ServerId, epoch: DiskEpoch, bytes: u64) -> Result<Option<Claim>, DiskError> {
        self.pool.check()?;
        let size = self.look_at(server, epoch)?.bytes();
        let more = size.and_then(|size| bytes.checked_sub(size)).filter(|more| *more > 0);
        more.map(|more| self.pool.claim(more)).transpose()
    }

    /// Makes a disk larger that no guest has open; QEMU's own lock refuses when one has. Done when it is so large already.
    /// Its format is given: whatever a guest wrote into it stays data. Blocks.
    ///
    /// # Errors
    /// When there is no room or the tool fails; the disk is then as it was.
    pub fn grow(&self, server: ServerId, epoch: DiskEpoch, bytes: u64) -> Result<(), DiskError> {
        let Some(_claim) = self.claim_growth(server, epoch, bytes)? else { return Ok(()) };
        let path = self.path(server, epoch);
        let tool = Tool::new("qemu-img", GROW_LIMIT).args(["resize", "-q", "-f", "qcow2"]).arg(&path);
        let grown = tool.arg(bytes.to_string()).run();
        grown.map(drop).map_err(|source| DiskError::Tool { path, source })
    }
}

fn base_of(name: &[u8]) -> SeenBase {
    if name.is_empty() {
        return SeenBase::Nothing;
    }
    let image = Path::new(OsStr::from_bytes(name)).file_name().and_then(image_of);
    image.map_or(SeenBase::Other, SeenBase::Image)
}
