//! Power fails at every write: what was answered is there, nothing is there twice, and the ledger agrees with itself.
//!
//! A history is played once and written down by a VFS. Then the disk is made again as a loss of power would have left it:
//! at each write with every write since the last flush kept, lost or torn by chance, and after each flush with all of
//! them lost; and the real store opens it. Two things that must fail show that the check sees: a disk that forgets flushes,
//! and (`planted`) use cases with a fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../simulation/chance.rs"]
#[allow(dead_code, reason = "histories of the simulation choose among things, too")]
mod chance;
mod disk;
mod history;
mod planted;
mod vfs;

use self::{
    chance::Chance,
    disk::{Disk, Unflushed},
    history::{Beginning, History},
    vfs::Event,
};

/// Feature `long`: ten thousand.
const HISTORIES: u32 = if cfg!(feature = "long") { 10_000 } else { 300 };
/// One in so many disks is also asked for everything again.
const ASKS_AGAIN: usize = 16;

/// What was cut, and the first thing that was wrong.
#[derive(Debug, Default)]
struct Cuts {
    writes: usize,
    disks: usize,
    wrong: Option<String>,
}

/// Cuts power at every write of a history.
async fn cut_everywhere(beginning: &Beginning, history: &History, seed: u64) -> Cuts {
    let (mut disk, mut chance) = (Disk::new(beginning.image()), Chance::new(seed));
    let (mut answered, mut cuts) = (0, Cuts::default());
    for event in &history.events {
        disk.take(event);
        // Between two flushes the disk without what was not flushed stays as it is, so it is looked at once.
        let fate = match event {
            Event::Write { .. } | Event::Truncate { .. } | Event::Delete { .. } => Unflushed::ByChance,
            Event::Sync { .. } => Unflushed::Dropped,
            Event::Answered(round) => {
                answered = *round;
                Unflushed::Dropped
            }
        };
        cuts.writes += usize::from(fate == Unflushed::ByChance);
        cuts.disks += 1;
        let asks_again = cuts.disks.is_multiple_of(ASKS_AGAIN);
        let image = disk.cut(fate, &mut chance);
        if let Err(why) = beginning.judge(history, &image, answered, asks_again).await {
            cuts.wrong = Some(format!("history {seed}, after {} writes, {fate:?}: {why}", cuts.writes));
            return cuts;
        }
    }
    cuts
}

#[tokio::test]
async fn whatever_was_answered_in_a_batch_survives_a_loss_of_power_at_any_write() {
    survives((0..HISTORIES).step_by(2)).await;
}

#[tokio::test]
async fn whatever_was_answered_survives_a_loss_of_power_at_any_write_also_of_a_checkpoint() {
    survives((1..HISTORIES).step_by(2)).await;
}

#[allow(clippy::print_stdout, reason = "how much was tried is part of what the test says")]
async fn survives(seeds: impl ExactSizeIterator<Item = u32>) {
    let (beginning, mut all, histories) = (Beginning::new().await, Cuts::default(), seeds.len());
    for seed in seeds.map(u64::from) {
        let history = beginning.play(seed, false).await;
        let cuts = cut_everywhere(&beginning, &history, seed).await;
        assert_eq!(cuts.wrong, None);
        all.writes += cuts.writes;
        all.disks += cuts.disks;
    }
    println!("{histories} histories, cut at {} writes: {} disks opened", all.writes, all.disks);
    assert!(all.writes > 10 * histories && all.disks > 10 * histories, "{all:?}");
}

#[tokio::test]
async fn a_disk_that_forgets_flushes_is_caught() {
    let beginning = Beginning::new().await;
    for seed in 0..6 {
        let history = beginning.play(seed, true).await;
        let cuts = cut_everywhere(&beginning, &history, seed).await;
        assert!(cuts.wrong.as_ref().is_some_and(|why| why.contains("answered and lost")), "history {seed}: {cuts:?}");
    }
}
