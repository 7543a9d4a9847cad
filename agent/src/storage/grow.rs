//! Disks that grow: what size they have, and a larger one for a guest that is off. Under a running guest its QEMU does it.

use std::{collections::BTreeMap, fs::File, io::Read, time::Duration};

use csp_shared::{generation::DiskEpoch, id::ServerId};

use super::{
    disk::{DiskError, Disks},
    pool::Claim,
    qcow2,
    tool::Tool,
};

/// Growing writes a header and a table.
const GROW_LIMIT: Duration = Duration::from_secs(60);

impl Disks {
    /// The server's disks that are there, with the size in bytes that the guest sees. One that is damaged counts as larger
    /// than any: nothing is to be done about it here, and who starts it is told by QEMU. Blocks.
    ///
    /// # Errors
    /// When the folder or a disk cannot be read: then nobody knows.
    pub fn sizes(&self, server: ServerId) -> Result<BTreeMap<DiskEpoch, u64>, DiskError> {
        let sized = self.list(server)?.into_iter();
        sized.map(|epoch| Ok((epoch, self.size(server, epoch)?.unwrap_or(u64::MAX)))).collect()
    }

    fn size(&self, server: ServerId, epoch: DiskEpoch) -> Result<Option<u64>, DiskError> {
        let path = self.path(server, epoch);
        let mut header = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(qcow2::SIZE_BYTES as u64).read_to_end(&mut header));
        read.map_err(|source| DiskError::Io { path, source })?;
        Ok(qcow2::virtual_bytes(&header))
    }

    /// Takes the room by which a disk is smaller than `bytes`, for as long as it is being made larger; nothing when it is so
    /// large already. Blocks.
    ///
    /// # Errors
    /// When there is no room.
    pub fn claim_growth(&self, server: ServerId, epoch: DiskEpoch, bytes: u64) -> Result<Option<Claim>, DiskError> {
        self.pool.check()?;
        let more = self.size(server, epoch)?.and_then(|size| bytes.checked_sub(size)).filter(|more| *more > 0);
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
