//! The newest report of each server, and which of them nobody took yet.
//!
//! A map instead of a queue: a server that changes ten times while the link is down costs one report, and the reader
//! always gets the newest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use csp_shared::{id::ServerId, observed::Observed};
use tokio::sync::Notify;

/// Shared by the workers, which write, and the link, which reads.
#[derive(Default)]
pub struct Reports {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    latest: BTreeMap<ServerId, Observed>,
    untaken: BTreeSet<ServerId>,
}

impl Reports {
    /// Keeps `report` if it tells something new.
    pub fn publish(&self, report: Observed) {
        let mut state = self.lock();
        if state.latest.get(&report.server) == Some(&report) {
            return;
        }
        state.untaken.insert(report.server);
        state.latest.insert(report.server, report);
        drop(state);
        self.changed.notify_one();
    }

    /// The newest report of a server.
    #[must_use]
    pub fn latest(&self, server: ServerId) -> Option<Observed> {
        self.lock().latest.get(&server).cloned()
    }

    /// Waits for news and takes at most `limit` of them (at least one). Cancel safe; for one reader.
    pub async fn take(&self, limit: usize) -> Vec<Observed> {
        loop {
            let taken = self.take_now(limit);
            if !taken.is_empty() {
                return taken;
            }
            self.changed.notified().await;
        }
    }

    fn take_now(&self, limit: usize) -> Vec<Observed> {
        let mut state = self.lock();
        let servers: Vec<ServerId> = state.untaken.iter().copied().take(limit.max(1)).collect();
        servers
            .iter()
            .filter_map(|server| {
                state.untaken.remove(server);
                state.latest.get(server).cloned()
            })
            .collect()
    }

    /// A panicking holder leaves the maps whole: each change is one insert or remove.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
