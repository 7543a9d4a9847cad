//! How long the base of disks has to be.
//!
//! A base that lost its end still opens: guests read zeros there, and a disk that is made on it is blank. Its name tells what it
//! was made of and not how long that was, so the length of what was sealed is noted beside it, in `DIGEST.qcow2.raw.length`. A
//! file that is kept as it came has the length that its spec says, and needs no note.
//!
//! What must hold:
//! * a note is durable before its base has its name, so that a base without one was made by an earlier agent;
//! * a base of another length than is known of it is not there: it is fetched anew and takes the name of the old one, which
//!   guests that have it open keep.

use std::{
    collections::HashSet,
    ffi::OsStr,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{durable, image_fetch::read_header};

const ENDING: &str = ".length";
const SECTOR_BYTES: u64 = 512;

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    /// There is none.
    Nothing,
    /// Nothing that can be read.
    Damaged,
    /// So many bytes.
    Bytes(u64),
}

/// Judges the lengths of bases, and tells each that is wrong once.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    /// Those that the log has a line about. Held while a note is written, too: two that write one at once would take its
    /// half-made file from each other.
    told: Mutex<HashSet<PathBuf>>,
}

impl Lengths {
    /// Notes the length of a sealed base that is about to get its name. Blocks.
    pub fn note(&self, base: &Path, bytes: u64) -> io::Result<()> {
        let _alone = self.told();
        write(base, bytes)
    }

    /// Whether the file at `base`, which has `bytes`, has the length that its spec says.
    pub fn is(&self, base: &Path, bytes: u64, wanted: u64) -> bool {
        judge(&mut self.told(), base, (bytes != wanted).then(|| other_length(bytes, wanted)))
    }

    /// Whether the sealed base at `base`, which has `bytes`, is as long as it was made. One of an earlier agent is taken as it
    /// is, unless that cannot be all of it, and noted. Blocks.
    pub fn is_as_sealed(&self, base: &Path, bytes: u64) -> io::Result<bool> {
        let mut told = self.told();
        let ails = match read(base)? {
            Noted::Bytes(noted) => (bytes != noted).then(|| other_length(bytes, noted)),
            Noted::Damaged => Some(format!(
                "nobody knows how long it has to be: {} is damaged; where the image cannot be fetched any more, remove that \
                 note to have the base taken as it is",
                note_of(base).display()
            )),
            Noted::Nothing => {
                let least = least_bytes(&read_header(base)?);
                let is_whole = bytes >= least && bytes.is_multiple_of(SECTOR_BYTES);
                if is_whole {
                    adopt(&mut told, base, bytes);
                    return Ok(true);
                }
                Some(format!("it has {bytes} bytes, and as a whole it has whole sectors and at least {least} bytes"))
            }
        };
        Ok(judge(&mut told, base, ails))
    }

    fn told(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A base whose length cannot be noted now is good all the same, and noted another time.
fn adopt(told: &mut HashSet<PathBuf>, base: &Path, bytes: u64) {
    let path = base.display();
    match write(base, bytes) {
        Ok(()) => {
            told.remove(base);
            tracing::info!(base = %path, bytes, "the length of a base that an earlier agent made was noted");
        }
        Err(error) if told.insert(base.to_owned()) => {
            tracing::warn!(base = %path, bytes, %error, "the length of a base cannot be noted; trying again");
        }
        Err(_) => {}
    }
}

/// Whether nothing ails the base. What does is told when it is new.
fn judge(told: &mut HashSet<PathBuf>, base: &Path, ails: Option<String>) -> bool {
    let Some(detail) = ails else {
        told.remove(base);
        return true;
    };
    if told.insert(base.to_owned()) {
        tracing::warn!(
            base = %base.display(),
            detail,
            "a base of disks is not as it was made; it counts as lost, and is fetched anew before a guest is started on it or a \
             disk is made on it. Guests that run on it stay on the file that they have until their next start"
        );
    }
    false
}

fn other_length(has: u64, had: u64) -> String {
    format!("it has {has} bytes and had {had}")
}

/// Where the length of a base is noted.
pub(super) fn note_of(base: &Path) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(ENDING);
    PathBuf::from(name)
}

/// The base, there or not, that a file is by its name the note of, or the half-made note.
#[must_use]
pub fn noted_base(file: &Path) -> Option<PathBuf> {
    let name = file.file_name().and_then(OsStr::to_str)?;
    let base = name.strip_suffix(".part").unwrap_or(name).strip_suffix(ENDING)?;
    Some(file.with_file_name(base))
}

/// Whether a base is not as long as is noted of it, so that it counts as not there. Blocks.
#[must_use]
pub fn is_other_than_noted(base: &Path) -> bool {
    match read(base) {
        Ok(Noted::Bytes(noted)) => std::fs::metadata(base).is_ok_and(|file| file.len() != noted),
        Ok(Noted::Damaged) => true,
        Ok(Noted::Nothing) | Err(_) => false,
    }
}

fn read(base: &Path) -> io::Result<Noted> {
    match std::fs::read(note_of(base)) {
        Ok(text) => {
            let bytes = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
            Ok(bytes.map_or(Noted::Damaged, Noted::Bytes))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Noted::Nothing),
        Err(error) => Err(error),
    }
}

fn write(base: &Path, bytes: u64) -> io::Result<()> {
    durable::write(&note_of(base), bytes.to_string().as_bytes())
}

/// What a disk has at least, by its first sectors: a partition table of the kind GPT names the sector of its copy, the last one.
fn least_bytes(head: &[u8]) -> u64 {
    const TABLE_AT: usize = 512;
    const COPY_AT: std::ops::Range<usize> = 32..40;
    let table = head.get(TABLE_AT..).filter(|table| table.starts_with(b"EFI PART"));
    let copy = table.and_then(|table| table.get(COPY_AT)?.try_into().ok()).map(u64::from_le_bytes);
    copy.map_or(SECTOR_BYTES, |sector| sector.saturating_add(1).saturating_mul(SECTOR_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first sectors of a disk whose partition table has its copy in that sector.
    fn partitioned(copy: u64) -> Vec<u8> {
        let mut head = vec![0; 1024];
        head[512..520].copy_from_slice(b"EFI PART");
        head[544..552].copy_from_slice(&copy.to_le_bytes());
        head
    }

    #[test]
    fn a_partition_table_tells_how_long_its_disk_is_at_least() {
        assert_eq!(least_bytes(&partitioned(2047)), 1 << 20);
        assert_eq!(least_bytes(&partitioned(u64::MAX)), u64::MAX, "a table that is none of a disk's");
        for none in [&[][..], &[0; 4096], &partitioned(2047)[..550]] {
            assert_eq!(least_bytes(none), 512);
        }
    }

    #[test]
    fn a_base_without_a_note_is_taken_as_it_is_unless_that_cannot_be_all_of_it() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("base.qcow2.raw");
        let lengths = Lengths::default();
        let with = |bytes: usize| {
            let mut disk = partitioned(7);
            disk.resize(bytes, 0);
            std::fs::write(&base, disk).unwrap();
            lengths.is_as_sealed(&base, bytes as u64).unwrap()
        };
        for (bytes, is_taken) in [(0, false), (1024, false), (4095, false), (4097, false), (4096, true)] {
            assert_eq!(with(bytes), is_taken, "{bytes}");
            assert_eq!(note_of(&base).exists(), is_taken, "{bytes}");
        }
        assert_eq!(std::fs::read_to_string(note_of(&base)).unwrap(), "4096");
        assert!(!with(8192), "from then on it is the length that it has to have");
    }

    #[test]
    fn a_base_of_another_length_than_noted_is_not_there() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("base.qcow2.raw");
        let lengths = Lengths::default();
        lengths.note(&base, 4096).unwrap();
        for (bytes, is_right) in [(4096, true), (0, false), (3584, false), (4608, false), (4096, true)] {
            std::fs::write(&base, vec![0; bytes]).unwrap();
            assert_eq!(lengths.is_as_sealed(&base, bytes as u64).unwrap(), is_right, "{bytes}");
            assert_eq!(is_other_than_noted(&base), !is_right, "{bytes}");
            assert_eq!(
                lengths.told().len(),
                usize::from(!is_right),
                "told once, and again when it was well in between"
            );
        }
        for damaged in ["", "4096 bytes", "\u{fffd}", "-1"] {
            std::fs::write(note_of(&base), damaged).unwrap();
            assert!(!lengths.is_as_sealed(&base, 4096).unwrap(), "{damaged:?}");
            assert!(is_other_than_noted(&base), "{damaged:?}");
        }
        std::fs::remove_file(note_of(&base)).unwrap();
        assert!(lengths.is_as_sealed(&base, 4096).unwrap(), "as whoever removed it was told");
        assert!(!lengths.is(&base, 4096, 8192) && lengths.is(&base, 4096, 4096), "of a file that is kept as it came");
    }

    #[test]
    fn a_note_names_its_base() {
        let base = Path::new("/pool/images/base.qcow2.raw");
        let note = note_of(base);
        for file in [note.clone(), durable::part_of(&note)] {
            assert_eq!(noted_base(&file).as_deref(), Some(base), "{}", file.display());
        }
        for other in [base.to_owned(), durable::part_of(base), "/pool/images/length".into()] {
            assert_eq!(noted_base(&other), None, "{}", other.display());
        }
    }
}
