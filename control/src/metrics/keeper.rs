//! The handle to all samples: the newest of each server in memory, and one thread that owns the file.
//!
//! Whoever records never waits: samples that come faster than the thread writes are dropped. And whatever happens to the
//! file, the newest values are there.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use csp_shared::{id::ServerId, limits::SILENCE_SECONDS_MAX, sample::Sample};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{
    file,
    point::{Measured, Point},
    range::{Curve, Range},
    table,
};
use crate::domain::time::{MINUTE, Time};

/// Jobs that wait; a frame of samples each, mostly.
const QUEUE_MAX: usize = 256;

/// There are no curves now: the file cannot be opened, or too much waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the samples' file cannot be read now")]
pub struct NoHistory;

/// What a server used lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    /// When it was heard.
    pub at: Time,
    /// What it was.
    pub measured: Measured,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    latest: Mutex<HashMap<ServerId, (Time, Point)>>,
    thread: Option<SyncSender<Job>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

enum Job {
    Add { now: Time, samples: Vec<(ServerId, u32, Point)> },
    Curve { server: ServerId, range: Range, now: Time, reply: oneshot::Sender<Option<Curve>> },
    KeepOnly { servers: HashSet<ServerId>, now: Time },
}

impl Metrics {
    /// Starts the thread that keeps the file; it opens the file when it is first asked. Never fails: without the file
    /// there are newest values and no curves.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let (ask, jobs) = sync_channel(QUEUE_MAX);
        let path = path.to_owned();
        let started = thread::Builder::new().name("metrics".to_owned()).spawn(move || Keeper::new(path).run(&jobs));
        if let Err(error) = &started {
            error!(%error, "cannot start the thread of the samples; there will be no curves");
        }
        Self(Arc::new(Inner { latest: Mutex::default(), thread: started.is_ok().then_some(ask) }))
    }

    /// Newest values alone: no file and no thread.
    #[must_use]
    pub fn without_history() -> Self {
        Self(Arc::new(Inner { latest: Mutex::default(), thread: None }))
    }

    /// Takes in what was heard at `now`. Never waits; what is no sample is passed over.
    pub fn record(&self, now: Time, samples: &[Sample]) {
        let points = samples.iter().filter_map(|sample| Some((sample.server, sample.over_ms, Point::of(sample)?)));
        let points: Vec<_> = points.collect();
        self.latest().extend(points.iter().map(|(server, _, point)| (*server, (now, *point))));
        if let Some(thread) = &self.0.thread {
            let _ = thread.try_send(Job::Add { now, samples: points }); // a hole in a curve
        }
    }

    /// What a server used lately; None when that was too long ago.
    #[must_use]
    pub fn latest_of(&self, server: ServerId, now: Time) -> Option<Latest> {
        let (at, point) = self.latest().get(&server).copied()?;
        (at.plus(SILENCE_SECONDS_MAX) >= now).then(|| Latest { at, measured: Measured::from(&point) })
    }

    /// What a server used over a range that ends at `now`.
    ///
    /// # Errors
    /// When there is no file, or it is too busy.
    pub async fn curve(&self, server: ServerId, range: Range, now: Time) -> Result<Curve, NoHistory> {
        let thread = self.0.thread.as_ref().ok_or(NoHistory)?;
        let (reply, answer) = oneshot::channel();
        thread.try_send(Job::Curve { server, range, now, reply }).map_err(|_| NoHistory)?;
        answer.await.ok().flatten().ok_or(NoHistory)
    }

    /// Forgets all servers but these.
    pub fn keep_only(&self, servers: HashSet<ServerId>, now: Time) {
        self.latest().retain(|server, _| servers.contains(server));
        if let Some(thread) = &self.0.thread {
            let _ = thread.try_send(Job::KeepOnly { servers, now }); // it comes again
        }
    }

    /// A panicking holder leaves the map whole: each change is one insert or remove.
    fn latest(&self) -> MutexGuard<'_, HashMap<ServerId, (Time, Point)>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
struct Keeper {
    path: PathBuf,
    connection: Option<Connection>,
    /// Those that have points.
    servers: HashSet<ServerId>,
    pruned_at: Time,
    /// When opening the file was last tried.
    tried_at: Option<Time>,
    is_failing: bool,
}

impl Keeper {
    fn new(path: PathBuf) -> Self {
        let (servers, pruned_at) = (HashSet::new(), Time::default());
        Self { path, connection: None, servers, pruned_at, tried_at: None, is_failing: false }
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Add { now, samples } => {
                    self.servers.extend(samples.iter().map(|(server, ..)| *server));
                    self.with(now, |connection| table::add(connection, now, &samples));
                    if (now.0 - self.pruned_at.0).abs() >= MINUTE {
                        self.pruned_at = now;
                        self.with(now, |connection| table::prune(connection, now));
                    }
                }
                Job::Curve { server, range, now, reply } => {
                    // Whoever asked may have gone.
                    let _ = reply.send(self.with(now, |connection| table::curve(connection, server, range, now)));
                }
                Job::KeepOnly { servers, now } => {
                    // First of all, or those of before this process would not be known.
                    self.with(now, |_| Ok(()));
                    let gone: Vec<ServerId> = self.servers.difference(&servers).copied().collect();
                    for server in gone {
                        if self.with(now, |connection| table::forget(connection, server, now)).is_some() {
                            self.servers.remove(&server);
                        }
                    }
                }
            }
        }
    }

    /// Does something with the file, opening it first if that is due. None when it could not be done, which was told.
    fn with<T>(&mut self, now: Time, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        if self.connection.is_none() && self.tried_at.is_none_or(|at| (now.0 - at.0).abs() >= MINUTE) {
            self.tried_at = Some(now);
            self.open();
        }
        let done = work(self.connection.as_mut()?);
        match done {
            Ok(done) => {
                if std::mem::take(&mut self.is_failing) {
                    info!("samples are kept again");
                }
                Some(done)
            }
            Err(why) => {
                self.failed(&why);
                None
            }
        }
    }

    fn open(&mut self) {
        let opened = file::open(&self.path).and_then(|connection| Ok((table::servers(&connection)?, connection)));
        match opened {
            Ok((servers, connection)) => {
                self.servers.extend(servers);
                self.connection = Some(connection);
            }
            Err(why) => self.failed(&why),
        }
    }

    fn failed(&mut self, why: &rusqlite::Error) {
        if file::is_damage(why) {
            self.connection = None;
            file::put_aside(&self.path, why);
            self.tried_at = None;
        } else if !std::mem::replace(&mut self.is_failing, true) {
            warn!(%why, file = %self.path.display(), "samples cannot be kept; curves have a hole until they can");
        }
    }
}
