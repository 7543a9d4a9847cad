//! The one connection to libvirtd: opened when needed, opened again when it was lost.
//!
//! Guests live on while libvirtd restarts, and so does the agent. What happened in between nobody told, hence the
//! signal that everything is to be looked at.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    thread,
    time::Duration,
};

use virt::{connect::Connect, error::Error};

use super::{
    HypervisorError,
    events::{Listening, Signal, Sink},
};

/// How long a call waits while another opens the connection.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub struct Connection {
    uri: String,
    sink: Sink,
    current: Mutex<Option<Arc<Listening>>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens nothing yet. Signals go to `sink`.
    #[must_use]
    pub fn new(uri: String, sink: Sink) -> Self {
        Self { uri, sink, current: Mutex::default() }
    }

    /// Where libvirt is looked for.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Does something with the connection. Blocks.
    ///
    /// # Errors
    /// When libvirt does not answer, or does not do it.
    pub fn with<T>(&self, doing: &str, work: impl FnOnce(&Connect) -> Result<T, Error>) -> Result<T, HypervisorError> {
        let listening = self.get()?;
        work(listening.connect()).map_err(|source| {
            let error = HypervisorError::sort(&self.uri, doing, source);
            if matches!(error, HypervisorError::Away { .. }) {
                self.forget(&listening);
            }
            error
        })
    }

    fn get(&self) -> Result<Arc<Listening>, HypervisorError> {
        let mut current = self.lock()?;
        let lost = match current.as_ref() {
            Some(listening) if listening.connect().is_alive().unwrap_or(false) => return Ok(Arc::clone(listening)),
            Some(_) => true,
            None => false,
        };
        *current = None;
        let opened = Listening::open(&self.uri, &self.sink);
        let opened = Arc::new(opened.map_err(|source| HypervisorError::Away { uri: self.uri.clone(), source })?);
        *current = Some(Arc::clone(&opened));
        if lost {
            (self.sink)(Signal::Lost);
        }
        Ok(opened)
    }

    /// Closes the connection that failed, unless another was opened meanwhile.
    fn forget(&self, failed: &Arc<Listening>) {
        let Ok(mut current) = self.lock() else { return };
        // A busy monitor also counts as away; the connection itself is then still good.
        let alive = failed.connect().is_alive().unwrap_or(false);
        if !alive && current.as_ref().is_some_and(|there| Arc::ptr_eq(there, failed)) {
            *current = None;
            (self.sink)(Signal::Lost);
        }
    }

    /// Not `Mutex::lock`: libvirtd may hang while somebody opens a connection, and then all others must not.
    fn lock(&self) -> Result<MutexGuard<'_, Option<Arc<Listening>>>, HypervisorError> {
        let end = tokio::time::Instant::now() + OPEN_LIMIT;
        loop {
            match self.current.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(PoisonError::into_inner(poisoned)),
                Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= end => {
                    return Err(HypervisorError::TooSlow("opening a connection to libvirt"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        }
    }
}
