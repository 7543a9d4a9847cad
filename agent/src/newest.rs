//! The newest word about each of many things, and about which of them nobody took it yet.
//!
//! A map instead of a queue: a thing that changes ten times while the link is down costs one report, and the reader
//! always gets the newest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Between whoever reports and the link, which is the one reader.
#[derive(Debug)]
pub struct Newest<K, R> {
    state: Mutex<State<K, R>>,
    came: Notify,
}

#[derive(Debug)]
struct State<K, R> {
    latest: BTreeMap<K, R>,
    untaken: BTreeSet<K>,
}

impl<K, R> Default for Newest<K, R> {
    fn default() -> Self {
        let state = State { latest: BTreeMap::new(), untaken: BTreeSet::new() };
        Self { state: Mutex::new(state), came: Notify::new() }
    }
}

/// Of what is known already, and so is no news.
impl<K: Ord, R> FromIterator<(K, R)> for Newest<K, R> {
    fn from_iter<I: IntoIterator<Item = (K, R)>>(known: I) -> Self {
        let state = State { latest: known.into_iter().collect(), untaken: BTreeSet::new() };
        Self { state: Mutex::new(state), came: Notify::new() }
    }
}

impl<K: Ord + Copy, R: Clone> Newest<K, R> {
    /// Keeps `report` for news, unless `is_stale` says so of it beside the latest.
    pub fn put_unless(&self, key: K, report: R, is_stale: impl FnOnce(&R, &R) -> bool) {
        let mut state = self.lock();
        if state.latest.get(&key).is_some_and(|latest| is_stale(latest, &report)) {
            return;
        }
        state.untaken.insert(key);
        state.latest.insert(key, report);
        drop(state);
        self.came.notify_one();
    }

    /// Changes the latest, which is news then, unless there is none or `change` says that it changed nothing.
    pub fn change(&self, key: K, change: impl FnOnce(&mut R) -> bool) {
        let mut state = self.lock();
        if !state.latest.get_mut(&key).is_some_and(change) {
            return;
        }
        state.untaken.insert(key);
        drop(state);
        self.came.notify_one();
    }

    /// The newest word about one.
    pub fn latest(&self, key: K) -> Option<R> {
        self.lock().latest.get(&key).cloned()
    }

    /// The newest word about each.
    pub fn all(&self) -> Vec<R> {
        self.lock().latest.values().cloned().collect()
    }

    /// Waits for news and takes at most `limit` of them (at least one). Cancel safe; for one reader.
    pub async fn take(&self, limit: usize) -> Vec<R> {
        loop {
            let taken = self.take_now(limit);
            if !taken.is_empty() {
                return taken;
            }
            self.came.notified().await;
        }
    }

    /// What [`Newest::take`] takes, without waiting.
    pub fn take_now(&self, limit: usize) -> Vec<R> {
        let mut state = self.lock();
        let keys: Vec<K> = state.untaken.iter().copied().take(limit.max(1)).collect();
        keys.iter()
            .filter_map(|key| {
                state.untaken.remove(key);
                state.latest.get(key).cloned()
            })
            .collect()
    }

    /// A panicking holder leaves the maps whole: each change is one insert or remove.
    fn lock(&self) -> MutexGuard<'_, State<K, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
