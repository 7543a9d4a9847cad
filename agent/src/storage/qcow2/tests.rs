//! One field after the other.

use proptest::prelude::*;

use super::*;

/// Of the plain image's file: header, counts, their table, and the two entries of its first level.
const FILE_BYTES: u64 = (3 << 16) + 16;

fn parse(bytes: &[u8]) -> Result<Header, Refused> {
    super::parse(bytes, FILE_BYTES)
}

/// A plain image of 1 GiB, as `qemu-img create` would write it.
fn plain() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    put(&mut bytes, 0, &MAGIC.to_be_bytes());
    put(&mut bytes, 4, &3u32.to_be_bytes());
    put(&mut bytes, 20, &16u32.to_be_bytes());
    put(&mut bytes, 24, &(1u64 << 30).to_be_bytes());
    put(&mut bytes, 36, &2u32.to_be_bytes());
    put(&mut bytes, 40, &(3u64 << 16).to_be_bytes());
    put(&mut bytes, 48, &(1u64 << 16).to_be_bytes());
    put(&mut bytes, 56, &1u32.to_be_bytes());
    put(&mut bytes, 96, &4u32.to_be_bytes());
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
    let table: [(&str, usize, Vec<u8>, Refused); 28] = [
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
        ("bitmaps", 112, EXTENSION_BITMAPS.to_be_bytes().to_vec(), Refused::Bitmaps),
        ("count bits", 96, 7u32.to_be_bytes().to_vec(), Refused::Header),
        ("compression", 104, vec![2], Refused::Header),
        ("header longer than a cluster", 20, 6u32.to_be_bytes().to_vec(), Refused::Header),
        ("more than its clusters", 24, (4u64 << 30).to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("no clusters", 36, 0u32.to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("endless clusters", 36, u32::MAX.to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("clusters in the header", 40, 0u64.to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("clusters out of line", 40, (3u64 << 16 | 8).to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("clusters behind the end", 40, (4u64 << 16).to_be_bytes().to_vec(), Refused::Table("table of clusters")),
        ("counts at no place", 48, u64::MAX.to_be_bytes().to_vec(), Refused::Table("table of reference counts")),
        ("endless counts", 56, u32::MAX.to_be_bytes().to_vec(), Refused::Table("table of reference counts")),
        ("backing format", 112, EXTENSION_BACKING_FORMAT.to_be_bytes().to_vec(), Refused::BackingFile),
    ];
    for (name, offset, field, reason) in table {
        let mut bytes = plain();
        put(&mut bytes, offset, &field);
        assert_eq!(parse(&bytes), Err(reason), "{name}");
    }
    assert_eq!(parse(&plain()[..110]), Err(Refused::Header), "cut off");
    assert_eq!(parse(b""), Err(Refused::NotQcow2));
    let cut_off = super::parse(&plain(), 2 << 16);
    assert_eq!(cut_off, Err(Refused::Table("table of clusters")), "its file ends before its tables");
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
