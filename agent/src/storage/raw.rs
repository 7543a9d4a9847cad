//! Judges a file that a catalog calls raw. It may hold any bytes, and no tool is ever asked what it is; but one that calls
//! itself an image of another kind is a mistake or a trap, and no guest could start from it. Pure.

const SECTOR_BYTES: u64 = 512;

/// How images of other kinds begin (QEMU, `block/*.c`; a VHD of growing size begins with a copy of its footer).
const OTHERS: [(&[u8], &str); 9] = [
    (b"QFI\xfb", "qcow2"),
    (b"KDMV", "VMDK"),
    (b"COWD", "VMDK"),
    (b"# Disk DescriptorFile", "VMDK"),
    (b"<<< ", "VDI"),
    (b"vhdxfile", "VHDX"),
    (b"conectix", "VHD"),
    (b"QED\0", "QED"),
    (b"LUKS\xba\xbe", "LUKS"),
];

/// Why a file is no raw image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It ends in the middle of a sector.
    #[error("a raw image has whole sectors of {SECTOR_BYTES} bytes, and it has {0} bytes")]
    PartOfSector(u64),
    /// Its first bytes are those of another kind of image.
    #[error("it begins as a {0} file, and the catalog calls it raw; convert it with qemu-img")]
    Other(&'static str),
}

/// Judges a raw image by the first [`super::qcow2::HEADER_BYTES`] of its file, which has `file_bytes`.
///
/// # Errors
/// When it is none.
pub fn parse(bytes: &[u8], file_bytes: u64) -> Result<(), Refused> {
    if !file_bytes.is_multiple_of(SECTOR_BYTES) {
        return Err(Refused::PartOfSector(file_bytes));
    }
    match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, kind)) => Err(Refused::Other(kind)),
        None => Ok(()),
    }
}
