//! The judge of fetched images, fed with whatever a fuzzer makes of real headers. `scripts/fuzz image` runs it.
//!
//! The first four bytes are the length of the file in sectors, the rest is its beginning. Nothing may make the judge
//! panic; and what it lets pass is read here a second time, by offsets alone: it names no other file, asks for nothing
//! that csp does not know, and its tables lie within the file.
#![no_main]

#[path = "../../agent/src/storage/qcow2.rs"]
#[allow(dead_code, reason = "the size of csp's own overlays is read elsewhere")]
mod qcow2;

use libfuzzer_sys::fuzz_target;

const SECTOR_BYTES: u64 = 512;

fuzz_target!(|input: &[u8]| {
    let Some((sectors, file)) = input.split_first_chunk::<4>() else { return };
    let file_bytes = (u64::from(u32::from_le_bytes(*sectors)) * SECTOR_BYTES).max(file.len() as u64);
    let Ok(header) = qcow2::parse(file, file_bytes) else { return };

    let u32_at = |at: usize| u64::from(u32::from_be_bytes(file[at..at + 4].try_into().unwrap()));
    let u64_at = |at: usize| u64::from_be_bytes(file[at..at + 8].try_into().unwrap());
    let (version, cluster_bits) = (u32_at(4), u32_at(20));
    assert!((2..=3).contains(&version) && (9..=21).contains(&cluster_bits));
    assert_eq!((u64_at(8), u32_at(16)), (0, 0), "a backing file");
    assert_eq!((u32_at(32), u32_at(60)), (0, 0), "encryption or snapshots");
    assert!(header.virtual_bytes == u64_at(24) && (1..=qcow2::VIRTUAL_BYTES_MAX).contains(&header.virtual_bytes));
    let cluster = 1u64 << cluster_bits;
    let entries_for = |disk: u64| disk.div_ceil(cluster * (cluster / 8));
    let tables = [(u64_at(40), u32_at(36) * 8), (u64_at(48), u32_at(56) * cluster)];
    for (offset, bytes) in tables {
        let end = offset.checked_add(bytes).unwrap();
        assert!(offset >= cluster && offset % cluster == 0 && bytes <= 32 << 20);
        assert!(end <= file_bytes.next_multiple_of(cluster), "a table behind the end");
    }
    assert!(u32_at(36) >= entries_for(header.virtual_bytes), "a disk larger than its table");
    let mut at = if version == 2 { 72 } else { u32_at(100) as usize };
    if version == 3 {
        assert_eq!(u64_at(72) & !(1 << 3), 0, "unknown features");
    }
    // Its extensions end, and none of them names a file, a key or a bitmap.
    loop {
        let (kind, length) = (u32_at(at), u32_at(at + 4) as usize);
        match kind {
            0 => break,
            0xe279_2aca | 0x4441_5441 | 0x0537_be77 | 0x2385_2875 => panic!("extension {kind:#x} passed"),
            _ => at += 8 + length.next_multiple_of(8),
        }
    }
});
