//! Many closures in one transaction: how they are gathered, run, and kept or taken back.
//!
//! A closure that is refused leaves no trace. Most refusals wrote nothing, so there is nothing to take back; where one did,
//! the transaction is begun again with each closure in a savepoint of its own, which costs every closure some time. So the
//! usual batch has none.

use std::{
    sync::{Arc, mpsc::Receiver},
    thread,
    time::Duration,
};

use rusqlite::Connection;

use super::{Job, Lasting};
use crate::{
    clock::{Clock as _, SystemClock},
    failpoint::{self, Moment, Watch},
    store::{News, StoreError, Tx, row::run, signal::Signals},
};

/// Closures in one transaction.
const BATCH_MAX: usize = 256;
/// Batches that have savepoints from the beginning after one that needed them: who is refused on purpose, after writing,
/// does not make everybody's work be done twice.
const BATCHES_APART: u32 = 100;
/// A flush is never waited for longer than this, however slow the disk is.
const PATIENCE_MAX: Duration = Duration::from_millis(2);

/// Where batches are written: the one connection that writes, who may end the process over it, and who waits for news.
pub(super) struct Desk {
    pub(super) connection: Connection,
    watch: Option<Arc<dyn Watch>>,
    signals: Signals,
    /// So many batches to come have savepoints.
    batches_apart: u32,
}

/// Whether the process is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    GoesOn,
    Ended,
}

/// Whether the closures of a transaction can be taken back one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Together,
    Apart,
}

impl Desk {
    pub(super) fn new(connection: Connection, watch: Option<Arc<dyn Watch>>, signals: Signals) -> Self {
        Self { connection, watch, signals, batches_apart: 0 }
    }
}

/// Takes what comes until nobody can send any more.
pub(super) fn write_loop(desk: &mut Desk, jobs: &Receiver<Box<dyn Job>>) {
    let (mut expected, mut patience) = (1, Duration::ZERO);
    while let Ok(first) = jobs.recv() {
        let batch = gather(jobs, first, expected, patience);
        expected = batch.len();
        let begun = SystemClock.uptime();
        if run_batch(desk, batch) == Life::Ended {
            return;
        }
        patience = ((SystemClock.uptime().saturating_sub(begun)) / 2).min(PATIENCE_MAX);
    }
}

/// All that wait. Whoever was answered a moment ago is likely to come again at once: as long as fewer are here than last
/// time, it is worth half of what that batch took to have them share the flush.
fn gather(
    jobs: &Receiver<Box<dyn Job>>,
    first: Box<dyn Job>,
    expected: usize,
    patience: Duration,
) -> Vec<Box<dyn Job>> {
    let mut batch = Vec::with_capacity(expected.max(16));
    batch.push(first);
    let until = SystemClock.uptime() + patience;
    while batch.len() < BATCH_MAX {
        match jobs.try_recv() {
            Ok(next) => batch.push(next),
            Err(_) if batch.len() < expected && SystemClock.uptime() < until => thread::yield_now(),
            Err(_) => break,
        }
    }
    batch
}

/// Runs the batch until a transaction lasts, then answers all of it.
pub(super) fn run_batch(desk: &mut Desk, batch: Vec<Box<dyn Job>>) -> Life {
    let mut answered = Vec::with_capacity(batch.len());
    let mut waiting = batch;
    let mut keeping = if desk.batches_apart > 0 { Keeping::Apart } else { Keeping::Together };
    desk.batches_apart = desk.batches_apart.saturating_sub(1);
    while !waiting.is_empty() {
        match run_once(&desk.connection, &mut waiting, keeping, desk.watch.as_deref()) {
            Ok(news) => {
                desk.signals.tell(&news);
                answered.append(&mut waiting);
            }
            Err(Lost::Entangled) => (keeping, desk.batches_apart) = (Keeping::Apart, BATCHES_APART),
            // One closure took the transaction with it: its own answer stands, the others run again.
            Err(Lost::By(index)) => answered.push(waiting.swap_remove(index)),
            Err(Lost::All(why)) => {
                for job in &mut waiting {
                    job.fail(StoreError::NotDurable(why.to_string()));
                }
                answered.append(&mut waiting);
            }
            Err(Lost::Life) => return Life::Ended,
        }
    }
    for job in answered {
        job.answer();
    }
    Life::GoesOn
}

/// Why a transaction did not last.
enum Lost {
    /// A closure wrote something and was refused, and so did others write: their rows cannot be told from its own.
    Entangled,
    /// The closure at this place ended it.
    By(usize),
    /// It could not be begun or committed.
    All(rusqlite::Error),
    /// The process dies here; the transaction may have lasted.
    Life,
}

/// One transaction; answers whom it concerns.
fn run_once(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
    keeping: Keeping,
    watch: Option<&dyn Watch>,
) -> Result<News, Lost> {
    let mut news = News::default();
    run(connection, "BEGIN IMMEDIATE").map_err(Lost::All)?;
    let mut at_first = connection.total_changes();
    for (index, job) in batch.iter_mut().enumerate() {
        // What is only tried writes, and takes it back: that is known before.
        let apart = keeping == Keeping::Apart || job.lasting() == Lasting::TakenBack;
        if apart {
            run(connection, "SAVEPOINT job").map_err(|why| give_up(connection, why))?;
        }
        let before = connection.total_changes();
        let mut tx = Tx::new(connection);
        let keep = job.run(&mut tx);
        if connection.is_autocommit() {
            if keep {
                job.fail(StoreError::NotDurable("the database ended the transaction".to_owned()));
            }
            return Err(Lost::By(index));
        }
        let end = match (apart, keep) {
            (true, true) => run(connection, "RELEASE job"),
            (true, false) => run(connection, "ROLLBACK TO job").and_then(|()| run(connection, "RELEASE job")),
            (false, false) if connection.total_changes() != before => {
                run(connection, "ROLLBACK").map_err(Lost::All)?;
                if before != at_first {
                    return Err(Lost::Entangled);
                }
                // Nobody before it wrote anything, so there is nothing to be done again.
                at_first = connection.total_changes();
                run(connection, "BEGIN IMMEDIATE")
            }
            (false, _) => Ok(()),
        };
        end.map_err(|why| give_up(connection, why))?;
        if keep {
            news.append(tx.news);
        }
    }
    let dies_at = |moment| {
        let dies = |job: &dyn Job, watch: &dyn Watch| {
            job.closure().is_some_and(|closure| watch.dies_at(&failpoint::use_case(closure), moment))
        };
        watch.is_some_and(|watch| batch.iter().any(|job| dies(job.as_ref(), watch)))
    };
    if dies_at(Moment::Before) {
        let _ = run(connection, "ROLLBACK");
        return Err(Lost::Life);
    }
    run(connection, "COMMIT").map_err(|why| give_up(connection, why))?;
    if dies_at(Moment::After) { Err(Lost::Life) } else { Ok(news) }
}

fn give_up(connection: &Connection, why: rusqlite::Error) -> Lost {
    if !connection.is_autocommit() {
        // The transaction may be half dead; what matters is that it is gone, which the next BEGIN would tell.
        let _ = run(connection, "ROLLBACK");
    }
    Lost::All(why)
}

#[cfg(test)]
mod tests;
