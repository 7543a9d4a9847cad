//! SQLite with one writer: closures are run many to a transaction and answered after the commit. `batch` has how.
//!
//! * Durable at group-commit speed: a hundred orders that arrive together share one flush to disk.
//! * A closure holds SQL and pure decisions only, so it may run twice. When a failing closure took the whole
//!   transaction with it (a full disk does that), the others of its batch are run again without it.
//! * A refusal waits for the commit too: it may rest on rows of the same batch that are not durable yet.
//! * `Inline` is the same without a thread, for deterministic simulation.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use csp_shared::id::{AccountId, HostId};
use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};
use tokio::sync::{Notify, Semaphore, oneshot, watch};

use self::batch::{Desk, Life, run_batch, write_loop};
use super::{Read, SchedulerRow, StoreError, Tx, connection, signal::Signals};
use crate::failpoint::{self, Watch};

mod batch;

/// Closures that wait; more are refused as busy, so that a flood ends at the door and not in memory.
const QUEUE_MAX: usize = 4096;
/// Connections that read beside the writer.
const READERS: usize = 4;

/// The store's handle. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    signals: Signals,
    /// What was known of the time when it was opened.
    scheduler: SchedulerRow,
}

enum Engine {
    Threaded { writer: SyncSender<Box<dyn Job>>, readers: Readers },
    Inline(Mutex<Inline>),
}

/// A store without a thread.
struct Inline {
    desk: Desk,
    died: bool,
}

struct Readers {
    connections: Arc<Mutex<Vec<Connection>>>,
    free: Semaphore,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database of csp, or is newer than this program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writing = connection::open(path)?;
        let reading = (0..READERS).map(|_| connection::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let (writer, jobs) = sync_channel(QUEUE_MAX);
        let (signals, scheduler) = (Signals::default(), known(&writing)?);
        let mut desk = Desk::new(writing, failpoint::of_environment(), signals.clone());
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_loop(&mut desk, &jobs))
            .map_err(StoreError::Thread)?;
        let readers = Readers { connections: Arc::new(Mutex::new(reading)), free: Semaphore::new(READERS) };
        Ok(Self { engine: Arc::new(Engine::Threaded { writer, readers }), signals, scheduler })
    }

    /// Opens the database without a thread: every call runs on the caller's, in order.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_inline(path: &Path) -> Result<Self, StoreError> {
        Self::open_watched(path, None)
    }

    /// As [`Store::open_inline`], with every commit told to `watch`. Where it says so the store dies: nothing that is
    /// under way or comes later is ever answered, as in a process that was killed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_watched(path: &Path, watch: Option<Arc<dyn Watch>>) -> Result<Self, StoreError> {
        Self::inline(connection::open(path)?, watch)
    }

    /// As [`Store::open_inline`], with every statement that begins told to `ear`, without its values: so a test can show
    /// that two questions are answered by the same work.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_traced(path: &Path, mut ear: impl FnMut(&str) + Send + 'static) -> Result<Self, StoreError> {
        let mut connection = connection::open(path)?;
        let tell = move |event: TraceEvent<'_>| {
            // Looking at a plan is no question of anybody's.
            if let TraceEvent::Stmt(_, statement) = event
                && !statement.starts_with("EXPLAIN")
                && !statement.contains("sqlite_schema")
            {
                ear(statement);
            }
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(tell))?;
        Self::inline(connection, None)
    }

    fn inline(connection: Connection, watch: Option<Arc<dyn Watch>>) -> Result<Self, StoreError> {
        let (signals, scheduler) = (Signals::default(), known(&connection)?);
        let desk = Desk::new(connection, watch, signals.clone());
        let engine = Arc::new(Engine::Inline(Mutex::new(Inline { desk, died: false })));
        Ok(Self { engine, signals, scheduler })
    }

    /// What was known of the time when it was opened.
    #[must_use]
    pub fn scheduler_at_open(&self) -> SchedulerRow {
        self.scheduler
    }

    /// Changes after each commit that wrote an event of this account or ended one of its keys. It carries no data: whoever waits for something reads
    /// the store, then waits for this, then reads again; and looks by the clock too.
    #[must_use]
    pub fn follow(&self, account: AccountId) -> watch::Receiver<()> {
        self.signals.follow(account)
    }

    /// Wakes whoever bills, after each commit by which a service must be looked at now. It carries no data either.
    #[must_use]
    pub fn billing_bell(&self) -> Arc<Notify> {
        self.signals.billing_bell()
    }

    /// Has hosts' sessions woken after each commit that changed a private network on theirs. The first one who is named stays.
    pub fn wake_hosts_by(&self, bell: impl Fn(HostId) + Send + Sync + 'static) {
        self.signals.wake_hosts_by(bell);
    }

    /// Runs one use case. Whatever it answers is durable, and a refusal leaves no trace.
    ///
    /// # Errors
    /// What the closure refuses, or that the store could not keep it.
    pub async fn write<T, E>(&self, f: impl Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(f, Lasting::Kept).await
    }

    /// Runs one use case as [`Store::write`] would at this moment, and takes back all that it wrote: its answer is what the
    /// same closure would have answered, and nothing else comes of it.
    ///
    /// # Errors
    /// What the closure refuses, or that the store could not be asked.
    pub async fn rehearse<T, E>(&self, f: impl Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(f, Lasting::TakenBack).await
    }

    async fn run<T, E>(
        &self,
        f: impl Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        lasting: Lasting,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { f, lasting, outcome: None, reply });
        match &*self.engine {
            Engine::Threaded { writer, .. } => writer.try_send(job).map_err(|refused| match refused {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Closed,
            })?,
            Engine::Inline(inline) => {
                if inline.lock().unwrap_or_else(PoisonError::into_inner).run(job) == Life::Ended {
                    return std::future::pending().await;
                }
            }
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs a question on a snapshot, beside the writer.
    ///
    /// # Errors
    /// What the closure answers, or that the store could not be read.
    pub async fn read<T, E>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.engine {
            Engine::Inline(inline) => {
                read_on(&mut inline.lock().unwrap_or_else(PoisonError::into_inner).desk.connection, f)
            }
            Engine::Threaded { readers, .. } => {
                let _permit = readers.free.acquire().await.map_err(|_| StoreError::Closed)?;
                let pool = Arc::clone(&readers.connections);
                tokio::task::spawn_blocking(move || {
                    let taken = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let mut connection = taken.ok_or(StoreError::Closed)?;
                    let answer = catch_unwind(AssertUnwindSafe(|| {
                        connection::bound_read(&mut connection).map_err(StoreError::Sqlite)?;
                        read_on(&mut connection, f)
                    }));
                    pool.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                    answer.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
                })
                .await
                .map_err(|_| StoreError::Closed)?
            }
        }
    }
}

fn known(connection: &Connection) -> Result<SchedulerRow, StoreError> {
    Read::new(connection).scheduler_get()
}

fn read_on<T, E: From<StoreError>>(
    connection: &mut Connection,
    f: impl FnOnce(&Read<'_>) -> Result<T, E>,
) -> Result<T, E> {
    // One transaction, so that several questions see one state.
    let snapshot = connection.transaction().map_err(StoreError::Sqlite)?;
    f(&Read::new(&snapshot))
}

/// A closure on its way through the writer, with its answer's type erased.
trait Job: Send {
    /// Runs it; `true` keeps what it wrote.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Whether what it writes may last at all.
    fn lasting(&self) -> Lasting;
    /// Takes the answer away, because the transaction did not last.
    fn fail(&mut self, why: StoreError);
    /// Gives the answer.
    fn answer(self: Box<Self>);
    /// Whose it is, as the compiler calls it; nothing when it writes nothing that lasts, so that nobody dies over it.
    fn closure(&self) -> Option<&'static str>;
}

impl Inline {
    fn run(&mut self, job: Box<dyn Job>) -> Life {
        self.died = self.died || run_batch(&mut self.desk, vec![job]) == Life::Ended;
        if self.died { Life::Ended } else { Life::GoesOn }
    }
}

/// What becomes of what a closure wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    Kept,
    TakenBack,
}

struct Write<F, T, E> {
    f: F,
    lasting: Lasting,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // A bug in one use case must not end the writer for all of them.
        let outcome =
            catch_unwind(AssertUnwindSafe(|| (self.f)(tx))).unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        self.outcome.insert(outcome).is_ok() && self.lasting == Lasting::Kept
    }

    fn lasting(&self) -> Lasting {
        self.lasting
    }

    fn fail(&mut self, why: StoreError) {
        self.outcome = Some(Err(why.into()));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(StoreError::Closed.into()));
        // Whoever asked may have gone; what was done stays done.
        let _ = self.reply.send(outcome);
    }

    fn closure(&self) -> Option<&'static str> {
        (self.lasting == Lasting::Kept).then(std::any::type_name::<F>)
    }
}
