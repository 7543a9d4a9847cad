//! Looks into a qcow2 header before any other program opens the file. Pure: bytes in, verdict out.
//!
//! A qcow2 file can name other files of the host as its backing or data file; a tool that opens it would read them into
//! a customer's disk (it happened to others: CVE-2015-5162, CVE-2024-32498). So an image is refused unless every field
//! is one that csp knows and wants; and unless the tables that a tool reads into its memory are within the file, and of
//! the size that the disk needs. Layout: QEMU, docs/interop/qcow2.txt.

/// How much of a file [`parse`] wants to see, in bytes: the smallest cluster, in which the header and its extensions
/// must lie.
pub const HEADER_BYTES: usize = 64 * 1024;
/// Largest disk that an image may describe, in bytes (64 TiB).
pub const VIRTUAL_BYTES_MAX: u64 = 64 << 40;

/// How much of a file [`virtual_bytes`] wants to see, in bytes.
pub const SIZE_BYTES: usize = 32;

const MAGIC: u32 = 0x5146_49fb;
const HEADER_V2_BYTES: u32 = 72;
const HEADER_V3_BYTES_MIN: u32 = 104;
/// A header is short; one that claims more than this is not from a tool that we know.
const HEADER_V3_BYTES_MAX: u32 = 4096;
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Incompatible feature: a compression type is named. The one that we take; not dirty (0), corrupt (1), external data
/// file (2) or extended L2 entries (4).
const COMPRESSION_TYPE: u64 = 1 << 3;
/// Largest table of the first level, and of reference counts, that QEMU reads, in bytes.
const L1_BYTES_MAX: u64 = 32 << 20;
const REFCOUNT_TABLE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of an entry in either.
const ENTRY_BYTES: u64 = 8;
/// Counts have at most 2^6 bits.
const REFCOUNT_ORDER_MAX: u32 = 6;
/// zlib and zstd.
const COMPRESSION_TYPE_MAX: u8 = 1;
/// Where the compression type stands, in a header that is long enough.
const COMPRESSION_TYPE_AT: usize = 104;
/// Extension that ends the list.
const EXTENSION_END: u32 = 0;
/// Extension that names the format of the backing file.
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
/// Extension that points to keys of an encrypted image.
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;
/// Extension that names the external data file.
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;
/// Extension that points to bitmaps of what changed since a backup.
const EXTENSION_BITMAPS: u32 = 0x2385_2875;
const EXTENSIONS_MAX: usize = 64;

/// Why an image is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another format, or none.
    #[error("the file does not begin as qcow2 does")]
    NotQcow2,
    /// Neither 2 nor 3.
    #[error("qcow2 version {0} is unknown; convert the image with qemu-img")]
    Version(u32),
    /// Ends in the middle of its header.
    #[error("the qcow2 header is cut off or its sizes are wrong")]
    Header,
    /// Names another file, whose content it would show.
    #[error("the image has a backing file; flatten it with `qemu-img convert`")]
    BackingFile,
    /// Names another file for its data.
    #[error("the image keeps its data in another file; flatten it with `qemu-img convert`")]
    DataFile,
    /// Encrypted.
    #[error("the image is encrypted")]
    Encrypted,
    /// Was not closed, or is damaged.
    #[error("the image is marked as not cleanly closed or corrupt; repair it with `qemu-img check -r all`")]
    Unclean,
    /// Needs what csp does not know.
    #[error("the image needs unknown features (bits {0:#x}); convert it with qemu-img")]
    Features(u64),
    /// Carries snapshots, whose content nobody looked at.
    #[error("the image carries internal snapshots; flatten it with `qemu-img convert`")]
    Snapshots,
    /// Carries bitmaps, which nobody looked at.
    #[error("the image carries bitmaps of a backup; flatten it with `qemu-img convert`")]
    Bitmaps,
    /// Its tables are not where they can be, or not of a size that they can have.
    #[error("the image's {0} lies outside of the file or has a wrong size; the file is cut off or damaged")]
    Table(&'static str),
    /// Describes an impossible disk.
    #[error("the image describes a disk of {0} bytes")]
    VirtualSize(u64),
}

/// What is known of an image that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Size of the disk that it describes, in bytes.
    pub virtual_bytes: u64,
}

/// Judges an image by the first [`HEADER_BYTES`] of its file (fewer if the file is shorter), which has `file_bytes`.
///
/// # Errors
/// When the image is not one that csp hands to QEMU.
pub fn parse(bytes: &[u8], file_bytes: u64) -> Result<Header, Refused> {
    if be32(bytes, 0) != Some(MAGIC) {
        return Err(Refused::NotQcow2);
    }
    let u32_at = |offset| be32(bytes, offset).ok_or(Refused::Header);
    let u64_at = |offset| be64(bytes, offset).ok_or(Refused::Header);

    let version = u32_at(4)?;
    let header_bytes = match version {
        2 => HEADER_V2_BYTES,
        3 => u32_at(100)?,
        other => return Err(Refused::Version(other)),
    };
    if u64_at(8)? != 0 || u32_at(16)? != 0 {
        return Err(Refused::BackingFile);
    }
    if u32_at(32)? != 0 {
        return Err(Refused::Encrypted);
    }
    if u32_at(60)? != 0 {
        return Err(Refused::Snapshots);
    }
    let cluster_bits = u32_at(20)?;
    if !CLUSTER_BITS.contains(&cluster_bits) {
        return Err(Refused::Header);
    }
    let file = Clusters { bytes: 1 << cluster_bits, file_bytes };
    if version == 3 {
        check_features(u64_at(72)?)?;
        check_version_3(bytes, header_bytes, file.bytes)?;
    }
    check_extensions(bytes, header_bytes as usize)?;
    let virtual_bytes = match u64_at(24)? {
        virtual_bytes @ 1..=VIRTUAL_BYTES_MAX => virtual_bytes,
        other => return Err(Refused::VirtualSize(other)),
    };
    check_tables(bytes, file, virtual_bytes)?;
    Ok(Header { virtual_bytes })
}

/// What version 3 adds, beside its features.
fn check_version_3(bytes: &[u8], header_bytes: u32, cluster_bytes: u64) -> Result<(), Refused> {
    let lengths = HEADER_V3_BYTES_MIN..=HEADER_V3_BYTES_MAX;
    let is_short = lengths.contains(&header_bytes) && u64::from(header_bytes) <= cluster_bytes;
    let is_packed_as_known = match bytes.get(COMPRESSION_TYPE_AT) {
        Some(kind) if header_bytes > HEADER_V3_BYTES_MIN => *kind <= COMPRESSION_TYPE_MAX,
        _ => true,
    };
    let counts = be32(bytes, 96).ok_or(Refused::Header)?;
    let is_right = is_short && header_bytes.is_multiple_of(8) && counts <= REFCOUNT_ORDER_MAX && is_packed_as_known;
    if is_right { Ok(()) } else { Err(Refused::Header) }
}

/// The two tables that are read as a whole before anything else.
fn check_tables(bytes: &[u8], file: Clusters, virtual_bytes: u64) -> Result<(), Refused> {
    let u32_at = |offset| be32(bytes, offset).ok_or(Refused::Header);
    let u64_at = |offset| be64(bytes, offset).ok_or(Refused::Header);
    let l1_bytes = u64::from(u32_at(36)?) * ENTRY_BYTES;
    let is_of_a_size = (file.l1_bytes(virtual_bytes)..=L1_BYTES_MAX).contains(&l1_bytes);
    if !is_of_a_size || !file.holds(u64_at(40)?, l1_bytes) {
        return Err(Refused::Table("table of clusters"));
    }
    let refcount_bytes = u64::from(u32_at(56)?) * file.bytes;
    let is_of_a_size = (1..=REFCOUNT_TABLE_BYTES_MAX).contains(&refcount_bytes);
    if !is_of_a_size || !file.holds(u64_at(48)?, refcount_bytes) {
        return Err(Refused::Table("table of reference counts"));
    }
    Ok(())
}

/// A file as its tables see it.
#[derive(Clone, Copy)]
struct Clusters {
    bytes: u64,
    file_bytes: u64,
}

impl Clusters {
    /// Whether a table can lie there: on a cluster of its own behind the header, within the file. The last cluster of a
    /// file need not be filled up.
    fn holds(self, offset: u64, bytes: u64) -> bool {
        let end = offset.checked_add(bytes);
        let is_within = end.is_some_and(|end| end.div_ceil(self.bytes) <= self.file_bytes.div_ceil(self.bytes));
        is_within && offset >= self.bytes && offset.is_multiple_of(self.bytes)
    }

    /// What a disk of that size needs of the first level: an entry for each cluster of entries for clusters.
    fn l1_bytes(self, virtual_bytes: u64) -> u64 {
        virtual_bytes.div_ceil(self.bytes * (self.bytes / ENTRY_BYTES)) * ENTRY_BYTES
    }
}

/// Size of the disk that a file of our own making describes, in bytes. Judges nothing else: an overlay has a backing
/// file, and should.
#[must_use]
pub fn virtual_bytes(bytes: &[u8]) -> Option<u64> {
    be64(bytes, 24).filter(|_| be32(bytes, 0) == Some(MAGIC))
}

/// Whether a file of our own making, of that length, is still a disk: QEMU did not find its tables wrong and mark it, its
/// data lies in no other file, and the two tables that are read before anything else are within it.
#[must_use]
pub fn is_disk(bytes: &[u8], file_bytes: u64) -> bool {
    const CORRUPT_OR_DATA_FILE: u64 = 0b110;
    let is_refused = be32(bytes, 4) == Some(3) && be64(bytes, 72).is_none_or(|bits| bits & CORRUPT_OR_DATA_FILE != 0);
    let bits = be32(bytes, 20).filter(|bits| !is_refused && CLUSTER_BITS.contains(bits));
    let tables = bits
        .zip(virtual_bytes(bytes))
        .map(|(bits, virtual_bytes)| check_tables(bytes, Clusters { bytes: 1 << bits, file_bytes }, virtual_bytes));
    tables.is_some_and(|tables| tables.is_ok())
}

/// Name of the file that one of our own making stands on; empty when it stands on none. `None`: it is cut off, or no such
/// file.
#[must_use]
pub fn backing_name(bytes: &[u8]) -> Option<&[u8]> {
    let at = be64(bytes, 8).filter(|_| be32(bytes, 0) == Some(MAGIC))?;
    let (at, length) = (usize::try_from(at).ok()?, be32(bytes, 16)? as usize);
    bytes.get(at..at.checked_add(length)?)
}

fn check_features(incompatible: u64) -> Result<(), Refused> {
    const UNCLEAN: u64 = 0b11;
    const DATA_FILE: u64 = 0b100;
    if incompatible & DATA_FILE != 0 {
        return Err(Refused::DataFile);
    }
    if incompatible & UNCLEAN != 0 {
        return Err(Refused::Unclean);
    }
    match incompatible & !COMPRESSION_TYPE {
        0 => Ok(()),
        unknown => Err(Refused::Features(unknown)),
    }
}

/// Walks the header's extensions. Unknown ones are hints by their definition, so they pass.
fn check_extensions(bytes: &[u8], start: usize) -> Result<(), Refused> {
    let mut offset = start;
    for _ in 0..EXTENSIONS_MAX {
        let kind = be32(bytes, offset).ok_or(Refused::Header)?;
        let length = be32(bytes, offset.saturating_add(4)).ok_or(Refused::Header)? as usize;
        match kind {
            EXTENSION_END => return Ok(()),
            EXTENSION_BACKING_FORMAT => return Err(Refused::BackingFile),
            EXTENSION_DATA_FILE => return Err(Refused::DataFile),
            EXTENSION_ENCRYPTION => return Err(Refused::Encrypted),
            EXTENSION_BITMAPS => return Err(Refused::Bitmaps),
            _ => offset = offset.saturating_add(8).saturating_add(length.next_multiple_of(8)),
        }
    }
    Err(Refused::Header)
}

fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_be_bytes)
}

fn be64(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(8)?)?;
    field.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests;
