//! What the host was told and what it noted, one file a server, on its own disk and not on the pool.
//!
//! It is what makes the host autonomous: without its control plane it runs what is written here. What must hold:
//! * a change is on the disk before anyone acts on it or hears of it;
//! * the version of a server never goes back, and a tombstone is never taken back;
//! * a file that cannot be read stops its own server alone, and is not written over by a spec: the note of the disk's
//!   epoch was in it, and without that note a lost disk would be replaced by an empty one.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use csp_shared::{id::ServerId, spec::Desired};
use tokio::sync::Mutex as AsyncMutex;

use crate::{failpoint, plan::memory::Notes};

pub mod backing;
pub mod record;

pub use backing::{Backing, FolderBacking, MemoryBacking};
pub use record::{Record, Verdict};

const SUFFIX: &str = ".json";

/// All records of a host.
pub struct SpecFile<B> {
    backing: B,
    /// The outer lock is held for a look-up only, the inner one while its record is written.
    records: Mutex<BTreeMap<ServerId, Arc<AsyncMutex<Option<Record>>>>>,
    damaged: Mutex<BTreeMap<ServerId, String>>,
    strangers: Vec<String>,
}

/// A record that could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpecFileError {
    /// The folder cannot be read at all.
    #[error("cannot read the stored specs")]
    Open(#[source] io::Error),
    /// Nothing was changed, as far as is known.
    #[error("cannot store the record of server {server}")]
    Write {
        /// Whose.
        server: ServerId,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing to note at.
    #[error("server {0} has no record")]
    Unknown(ServerId),
}

impl<B: Backing> SpecFile<B> {
    /// Reads every record. Files that are no records are kept apart and told by [`Self::damaged`].
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub async fn open(backing: B) -> Result<Self, SpecFileError> {
        let mut records = BTreeMap::new();
        let mut damaged = BTreeMap::new();
        let mut strangers = Vec::new();
        for (name, content) in backing.read_all().await.map_err(SpecFileError::Open)? {
            let Some(server) = name.strip_suffix(SUFFIX).and_then(|id| id.parse().ok()) else {
                strangers.push(name);
                continue;
            };
            match content.map_err(|error| error.to_string()).and_then(|bytes| Record::read(server, &bytes)) {
                Ok(record) => drop(records.insert(server, Arc::new(AsyncMutex::new(Some(record))))),
                Err(why) => drop(damaged.insert(server, format!("`{name}`: {why}"))),
            }
        }
        Ok(Self { backing, records: Mutex::new(records), damaged: Mutex::new(damaged), strangers })
    }

    /// Files that should hold a record and do not, with the reason; for the log and for `check`. Servers among them
    /// take no spec until an operator repaired or removed the file.
    #[must_use]
    pub fn damaged(&self) -> Vec<String> {
        let strangers = self.strangers.iter().map(|name| format!("`{name}`: not named after a server"));
        lock(&self.damaged).values().cloned().chain(strangers).collect()
    }

    /// Every server whose file holds no record.
    #[must_use]
    pub fn unreadable(&self) -> Vec<ServerId> {
        lock(&self.damaged).keys().copied().collect()
    }

    /// Every server with a spec or tombstone.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerId> {
        // An empty slot is left when the first record of a server could not be written; a locked one has a writer.
        let is_held = |slot: &AsyncMutex<Option<Record>>| slot.try_lock().map_or(true, |record| record.is_some());
        lock(&self.records).iter().filter(|(_, slot)| is_held(slot)).map(|(server, _)| *server).collect()
    }

    /// The record of a server.
    pub async fn get(&self, server: ServerId) -> Option<Record> {
        let slot = lock(&self.records).get(&server).map(Arc::clone)?;
        slot.lock().await.clone()
    }

    /// Takes over what a server should be, durably, unless that would go back.
    ///
    /// # Errors
    /// When it cannot be written; the record is then as it was.
    pub async fn accept(&self, desired: Desired) -> Result<Verdict, SpecFileError> {
        let server = desired.server();
        if matches!(desired, Desired::Present(_)) && lock(&self.damaged).contains_key(&server) {
            return Ok(Verdict::Damaged);
        }
        let slot = Arc::clone(lock(&self.records).entry(server).or_default());
        let mut record = slot.lock().await;
        let verdict = Verdict::of(record.as_ref().map(|record| &record.desired), &desired);
        if verdict == Verdict::Newer {
            let notes = record.as_ref().map(|record| record.notes.clone()).unwrap_or_default();
            self.store(server, &mut record, Record { desired, notes }).await?;
            lock(&self.damaged).remove(&server);
        }
        Ok(verdict)
    }

    /// Changes the notes of a server, durably. Writes nothing when nothing changes.
    ///
    /// # Errors
    /// When they cannot be written; they are then as they were.
    pub async fn note(&self, server: ServerId, change: impl FnOnce(&mut Notes)) -> Result<(), SpecFileError> {
        let slot = lock(&self.records).get(&server).map(Arc::clone).ok_or(SpecFileError::Unknown(server))?;
        let mut record = slot.lock().await;
        let Some(mut changed) = record.clone() else { return Err(SpecFileError::Unknown(server)) };
        change(&mut changed.notes);
        if record.as_ref() == Some(&changed) { Ok(()) } else { self.store(server, &mut record, changed).await }
    }

    /// Disk first, memory second.
    async fn store(&self, server: ServerId, slot: &mut Option<Record>, record: Record) -> Result<(), SpecFileError> {
        failpoint::cross(failpoint::RECORD, failpoint::BEFORE);
        self.backing
            .write(&format!("{server}{SUFFIX}"), record.text())
            .await
            .map_err(|source| SpecFileError::Write { server, source })?;
        failpoint::cross(failpoint::RECORD, failpoint::AFTER);
        *slot = Some(record);
        Ok(())
    }
}

/// A panicking holder leaves the maps whole: each change is one insert or remove.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
