//! Looks into a qcow2 header before any other program opens the file. Pure: bytes in, verdict out.
//!
//! A qcow2 file can name other files of the host as its backing or data file; a tool that opens it would read them into
//! a customer's disk (it happened to others: CVE-2015-5162, CVE-2024-32498). So an image is refused unless every field
//! is one that csp knows and wants. Layout: QEMU, docs/interop/qcow2.txt.

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
/// Extension that ends the list.
const EXTENSION_END: u32 = 0;
/// Extension that names the format of the backing file.
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
/// Extension that points to keys of an encrypted image.
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;
/// Extension that names the external data file.
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;
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

/// Judges an image by the first [`HEADER_BYTES`] of its file (fewer if the file is shorter).
///
/// # Errors
/// When the image is not one that csp hands to QEMU.
pub fn parse(bytes: &[u8]) -> Result<Header, Refused> {
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
    if !CLUSTER_BITS.contains(&u32_at(20)?) {
        return Err(Refused::Header);
    }
    if version == 3 {
        check_features(u64_at(72)?)?;
        if !(HEADER_V3_BYTES_MIN..=HEADER_V3_BYTES_MAX).contains(&header_bytes) || header_bytes % 8 != 0 {
            return Err(Refused::Header);
        }
    }
    check_extensions(bytes, header_bytes as usize)?;
    match u64_at(24)? {
        virtual_bytes @ 1..=VIRTUAL_BYTES_MAX => Ok(Header { virtual_bytes }),
        other => Err(Refused::VirtualSize(other)),
    }
}

/// Size of the disk that a file of our own making describes, in bytes. Judges nothing else: an overlay has a backing
/// file, and should.
#[must_use]
pub fn virtual_bytes(bytes: &[u8]) -> Option<u64> {
    be64(bytes, 24).filter(|_| be32(bytes, 0) == Some(MAGIC))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A plain image of 1 GiB, as `qemu-img create` would write it.
    fn plain() -> Vec<u8> {
        let mut bytes = vec![0; 512];
        put(&mut bytes, 0, &MAGIC.to_be_bytes());
        put(&mut bytes, 4, &3u32.to_be_bytes());
        put(&mut bytes, 20, &16u32.to_be_bytes());
        put(&mut bytes, 24, &(1u64 << 30).to_be_bytes());
        put(&mut bytes, 100, &112u32.to_be_bytes());
        bytes
    }

    fn put(bytes: &mut [u8], offset: usize, field: &[u8]) {
        bytes[offset..offset + field.len()].copy_from_slice(field);
    }

    #[test]
    fn a_plain_image_gives_its_size() {
        assert_eq!(parse(&plain()), Ok(Header { virtual_bytes: 1 << 30 }));
        let mut compressed = plain();
        put(&mut compressed, 72, &COMPRESSION_TYPE.to_be_bytes());
        assert_eq!(parse(&compressed), Ok(Header { virtual_bytes: 1 << 30 }));
    }

    #[test]
    fn whatever_else_is_refused_for_its_reason() {
        let table: [(&str, usize, Vec<u8>, Refused); 16] = [
            ("magic", 0, b"QFI\0".to_vec(), Refused::NotQcow2),
            ("version", 4, 4u32.to_be_bytes().to_vec(), Refused::Version(4)),
            ("backing offset", 8, 400u64.to_be_bytes().to_vec(), Refused::BackingFile),
            ("backing length", 16, 9u32.to_be_bytes().to_vec(), Refused::BackingFile),
            ("cluster", 20, 40u32.to_be_bytes().to_vec(), Refused::Header),
            ("no size", 24, 0u64.to_be_bytes().to_vec(), Refused::VirtualSize(0)),
            ("size", 24, u64::MAX.to_be_bytes().to_vec(), Refused::VirtualSize(u64::MAX)),
            ("encryption", 32, 2u32.to_be_bytes().to_vec(), Refused::Encrypted),
            ("snapshots", 60, 1u32.to_be_bytes().to_vec(), Refused::Snapshots),
            ("dirty", 72, 1u64.to_be_bytes().to_vec(), Refused::Unclean),
            ("corrupt", 72, 2u64.to_be_bytes().to_vec(), Refused::Unclean),
            ("data file bit", 72, 4u64.to_be_bytes().to_vec(), Refused::DataFile),
            ("extended l2", 72, 16u64.to_be_bytes().to_vec(), Refused::Features(16)),
            ("header length", 100, 12u32.to_be_bytes().to_vec(), Refused::Header),
            ("data file name", 112, EXTENSION_DATA_FILE.to_be_bytes().to_vec(), Refused::DataFile),
            ("backing format", 112, EXTENSION_BACKING_FORMAT.to_be_bytes().to_vec(), Refused::BackingFile),
        ];
        for (name, offset, field, reason) in table {
            let mut bytes = plain();
            put(&mut bytes, offset, &field);
            assert_eq!(parse(&bytes), Err(reason), "{name}");
        }
        assert_eq!(parse(&plain()[..110]), Err(Refused::Header), "cut off");
        assert_eq!(parse(b""), Err(Refused::NotQcow2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
        }

        /// Whatever single field is damaged: an accepted image names no other file.
        #[test]
        fn an_accepted_header_names_no_other_file(
            offset in 0usize..300, junk in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let mut bytes = plain();
            put(&mut bytes, offset, &junk);
            if parse(&bytes).is_ok() {
                prop_assert_eq!(be64(&bytes, 8), Some(0));
                prop_assert_eq!(be64(&bytes, 72).map(|bits| bits & !COMPRESSION_TYPE), Some(0));
            }
        }
    }
}
