//! A disk without power: what was flushed is there, of what was not each write is there, gone, or torn between sectors.

use std::collections::BTreeMap;

use super::{chance::Chance, vfs::Event};

/// What a disk writes whole, in bytes.
const SECTOR: usize = 512;

/// Files by name.
pub type Image = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Debug, Default)]
pub struct Disk {
    flushed: Image,
    /// In order, since the last flush of their file.
    unflushed: BTreeMap<String, Vec<Change>>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
    Delete,
}

/// What becomes of writes that were not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unflushed {
    /// All gone.
    Dropped,
    /// Each its own fate.
    ByChance,
    /// All there, as when a process dies and its machine does not.
    Kept,
}

impl Disk {
    pub fn new(flushed: Image) -> Self {
        Self { flushed, unflushed: BTreeMap::new() }
    }

    pub fn take(&mut self, event: &Event) {
        let (file, change) = match event {
            Event::Write { file, at, bytes } => (file, Change::Write(*at, bytes.clone())),
            Event::Truncate { file, size } => (file, Change::Truncate(*size)),
            Event::Delete { file } => (file, Change::Delete),
            Event::Answered(_) => return,
            Event::Sync { file } => {
                for change in self.unflushed.remove(file).unwrap_or_default() {
                    apply(&mut self.flushed, file, &change, |_| true);
                }
                return;
            }
        };
        self.unflushed.entry(file.clone()).or_default().push(change);
    }

    /// The disk as it is found when power comes back.
    pub fn cut(&self, fate: Unflushed, chance: &mut Chance) -> Image {
        let mut image = self.flushed.clone();
        if fate == Unflushed::Dropped {
            return image;
        }
        for (file, changes) in &self.unflushed {
            // A file that was deleted and made anew is either the old one or the new one, never a mixture.
            let born = changes.iter().rposition(|change| matches!(change, Change::Delete)).map_or(0, |at| at + 1);
            let is_old = fate == Unflushed::ByChance && chance.below(2) == 0;
            let begin = if is_old { 0 } else { born };
            if begin > 0 {
                image.remove(file);
            }
            for change in changes[begin..].iter().take_while(|change| !matches!(change, Change::Delete)) {
                match if fate == Unflushed::Kept { 0 } else { chance.below(4) } {
                    0 | 1 => apply(&mut image, file, change, |_| true),
                    2 => apply(&mut image, file, change, |_| chance.below(2) == 0),
                    _ => {}
                }
            }
        }
        image
    }
}

/// Does a change, as far as `lasts` lets each sector of it.
fn apply(image: &mut Image, file: &str, change: &Change, mut lasts: impl FnMut(usize) -> bool) {
    match change {
        Change::Delete => drop(image.remove(file)),
        Change::Truncate(size) => {
            if lasts(*size) {
                image.entry(file.to_owned()).or_default().resize(*size, 0);
            }
        }
        Change::Write(at, bytes) => {
            let content = image.entry(file.to_owned()).or_default();
            let (mut from, end) = (*at, at + bytes.len());
            while from < end {
                let to = ((from / SECTOR + 1) * SECTOR).min(end);
                if lasts(from) {
                    if content.len() < to {
                        content.resize(to, 0);
                    }
                    content[from..to].copy_from_slice(&bytes[from - at..to - at]);
                }
                from = to;
            }
        }
    }
}

#[test]
fn what_was_flushed_stays_and_the_rest_may_go_sector_by_sector() {
    let file = || "a".to_owned();
    let write = |at, byte| Event::Write { file: file(), at, bytes: vec![byte; 1024] };
    let mut disk = Disk::default();
    for event in [write(0, 1), Event::Sync { file: file() }, write(0, 2), write(1024, 3)] {
        disk.take(&event);
    }
    let mut chance = Chance::new(1);
    assert_eq!(disk.cut(Unflushed::Dropped, &mut chance)["a"], vec![1; 1024]);
    let kept: Vec<u8> = [[2; 1024], [3; 1024]].concat();
    assert_eq!(disk.cut(Unflushed::Kept, &mut chance)["a"], kept);
    let cuts: Vec<_> = (0..100).map(|_| disk.cut(Unflushed::ByChance, &mut chance).remove("a").unwrap()).collect();
    assert!(cuts.iter().any(|content| content[..512] == [2; 512] && content[512..1024] == [1; 512]), "torn");
    assert!(cuts.iter().all(|content| content.chunks(512).all(|sector| sector.iter().all(|b| *b == sector[0]))));
    disk.take(&Event::Delete { file: file() });
    assert!(!disk.cut(Unflushed::Kept, &mut chance).contains_key("a"));
}
