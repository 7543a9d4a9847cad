//! Loads of many servers' filters that come at once, as when a host boots: who comes while others are loaded waits, and all who
//! wait are loaded together. One who comes alone waits for nobody.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
};

use super::{
    NetworkError,
    filter::{self, Before},
    filter_rules::ServerFilters,
};

/// Servers in one transaction: what it costs that one of them is refused stays bounded.
const TOGETHER_MAX: usize = 128;

/// See the module.
#[derive(Debug, Default)]
pub struct FilterLoads {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever loads for all.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    filters: ServerFilters,
    answer: SyncSender<Result<Before, NetworkError>>,
}

/// Filters that have their place in the row: what is put there later is loaded later.
#[derive(Debug)]
pub struct Queued {
    filters: ServerFilters,
    answered: Receiver<Result<Before, NetworkError>>,
}

impl FilterLoads {
    /// What [`filter::load`] does, maybe with others. Blocks.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, filters: ServerFilters) -> Result<Before, NetworkError> {
        self.finish(self.queue(filters))
    }

    /// Gives filters their place. They are loaded by [`FilterLoads::finish`], theirs or another's.
    pub fn queue(&self, filters: ServerFilters) -> Queued {
        let (answer, answered) = sync_channel(1);
        lock(&self.waiting).push(Waiting { filters: filters.clone(), answer });
        Queued { filters, answered }
    }

    /// Sees them loaded. Blocks.
    ///
    /// # Errors
    /// As [`filter::load`].
    pub fn finish(&self, queued: Queued) -> Result<Before, NetworkError> {
        loop {
            let turn = lock(&self.turn);
            match queued.answered.try_recv() {
                Ok(done) => return done,
                Err(TryRecvError::Empty) => self.load_waiting(),
                // Whoever loaded for all fell in the middle.
                Err(TryRecvError::Disconnected) => return filter::load(&queued.filters),
            }
            drop(turn);
        }
    }

    fn load_waiting(&self) {
        let together: Vec<Waiting> = {
            let mut waiting = lock(&self.waiting);
            let count = waiting.len().min(TOGETHER_MAX);
            waiting.drain(..count).collect()
        };
        let (filters, answers): (Vec<_>, Vec<_>) =
            together.into_iter().map(|waiting| (waiting.filters, waiting.answer)).unzip();
        for (answer, done) in answers.into_iter().zip(filter::load_all(&filters)) {
            // It has room for one, and who waits holds the other end.
            let _ = answer.send(done);
        }
    }
}

/// Whoever fell while he held it left whole what he put there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
