//! The connections to libvirtd: opened when needed, opened again when they were lost.
//!
//! One hears events; each call has another one for itself while it lasts. Threads that wait on one connection pass its
//! socket on among them, and when that connection ends meanwhile, as when libvirtd hangs, libvirt before 10.4 reads a stack
//! that is gone (CVE-2024-4418). The agent fell from it, so no two threads ever wait on one connection.
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
    events::{self, Listening, Signal, Sink},
};

/// How long a call waits while another opens the connection.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);
/// Connections that are kept for the next call.
const IDLE_MAX: usize = 4;

fn close(mut connect: Connect) {
    let _ = connect.close(); // nothing can be done about one that will not close
}

/// See the module.
pub struct Connection {
    uri: String,
    sink: Sink,
    current: Mutex<Option<Arc<Listening>>>,
    idle: Mutex<Vec<Connect>>,
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
        Self { uri, sink, current: Mutex::default(), idle: Mutex::default() }
    }

    /// Where libvirt is looked for.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Does something with a connection that nobody else uses meanwhile. Blocks.
    ///
    /// # Errors
    /// When libvirt does not answer, or does not do it.
    pub fn with<T>(&self, doing: &str, work: impl FnOnce(&Connect) -> Result<T, Error>) -> Result<T, HypervisorError> {
        let listening = self.get()?;
        let connect = self.take().map_err(|source| {
            self.forget(&listening);
            HypervisorError::Away { uri: self.uri.clone(), source }
        })?;
        let done = work(&connect);
        self.give_back(connect);
        done.map_err(|source| {
            let error = HypervisorError::sort(&self.uri, doing, source);
            if matches!(error, HypervisorError::Away { .. }) {
                self.forget(&listening);
            }
            error
        })
    }

    /// A connection that is idle, or a new one.
    fn take(&self) -> Result<Connect, Error> {
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(connect) if connect.is_alive().unwrap_or(false) => return Ok(connect),
                Some(lost) => close(lost),
                None => return events::open_quietly(&self.uri),
            }
        }
    }

    fn give_back(&self, connect: Connect) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX && connect.is_alive().unwrap_or(false) {
            idle.push(connect);
        } else {
            drop(idle);
            close(connect);
        }
    }

    /// Held for a push or a pop alone.
    fn idle(&self) -> MutexGuard<'_, Vec<Connect>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Drop for Connection {
    fn drop(&mut self) {
        self.idle().drain(..).for_each(close);
    }
}
