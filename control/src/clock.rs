//! The one place that reads the time. Everything else takes it as an argument, so that tests and simulation decide it.

use std::{
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::{
    domain::{
        billing::clock::{self, Look, Reading, Steady, Unmeasured},
        time::Time,
    },
    store::SchedulerRow,
};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in seconds of UTC.
    fn now(&self) -> Time;

    /// Time since some beginning; never goes back, whatever is done to the clock.
    fn uptime(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    // The one door to the real clock.
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Time {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }

    #[allow(clippy::disallowed_methods)]
    fn uptime(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        let beginning = *BEGINNING;
        Instant::now().saturating_duration_since(beginning)
    }
}

/// Milliseconds since the machine's clock began its present second.
#[allow(clippy::disallowed_methods)]
pub fn millis_of_second() -> u16 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u16::try_from(since_epoch.subsec_millis()).unwrap_or(0)
}

/// The time by which csp goes: another clock's while that is believed, and what was counted while it is not. Only an operator's
/// word makes it leap or go back.
pub struct SteadyClock {
    inner: Arc<dyn Clock>,
    steady: Mutex<Steady>,
    turn: AsyncMutex<()>,
}

impl SteadyClock {
    /// Goes on from what the store knew of the time when it was opened. `bound` is how long, in seconds, the control plane may
    /// have been down.
    #[must_use]
    pub fn begin(inner: Arc<dyn Clock>, row: &SchedulerRow, bound: i64) -> Self {
        let (here, known) = (reading(&*inner), clock::known(row.seen_at, row.ledger_at));
        let jumped = row.jumped.unwrap_or_default();
        let going_on = clock::going_on(row.seen_at, jumped, here.clock).filter(|_| !row.unmeasured);
        let steady = match (row.stopped_at, going_on, clock::look(row.seen_at, row.ledger_at, here.clock, bound)) {
            (Some(_), Some(now), _) => Steady::going_on(now, jumped, here),
            (Some(_), None, _) => Steady::doubting(known, jumped, here),
            (None, _, clock::Clock::Jumped(by)) => Steady::doubting(known, by, here),
            (None, _, clock::Clock::Goes) => Steady::believing(known, here),
        };
        Self { inner, steady: Mutex::new(steady), turn: AsyncMutex::default() }
    }

    /// What the clock itself shows, believed or not.
    #[must_use]
    pub fn shown(&self) -> Time {
        self.inner.now()
    }

    /// What time it is, and whether the clock is believed.
    #[must_use]
    pub fn look(&self) -> Look {
        // Read under the lock: who is overtaken between the two would take the other for a jump.
        let mut steady = self.steady();
        steady.look(reading(&*self.inner))
    }

    /// Whether things can be priced by it.
    ///
    /// # Errors
    /// When time passed that nobody counted, as in a long downtime, and no operator looked at the clock since.
    pub fn measured(&self) -> Result<(), Unmeasured> {
        self.look().measured
    }

    /// An operator looked at the clock: it is believed, and time goes on from `at` or from what it shows, whichever is later.
    pub fn believe(&self, at: Time) {
        *self.steady() = Steady::believing(Some(at), reading(&*self.inner));
    }

    /// Waits for the turn to act by the doubt about the clock, or to end it; it lasts until the guard is dropped. A look of the
    /// scheduler that began before an operator's word would stop it again after it.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    fn steady(&self) -> std::sync::MutexGuard<'_, Steady> {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Time {
        self.look().now
    }

    fn uptime(&self) -> Duration {
        self.inner.uptime()
    }
}

fn reading(clock: &dyn Clock) -> Reading {
    Reading { clock: clock.now(), uptime: i64::try_from(clock.uptime().as_secs()).unwrap_or(i64::MAX) }
}

/// A clock that stands still until it is set, for tests and simulation.
#[derive(Debug)]
pub struct SetClock {
    now: AtomicI64,
    /// Seconds that it moved forwards in all.
    uptime: AtomicI64,
}

impl SetClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self { now: AtomicI64::new(now.0), uptime: AtomicI64::new(0) }
    }

    /// Sets the clock.
    pub fn set(&self, now: Time) {
        let before = self.now.swap(now.0, Ordering::SeqCst);
        self.uptime.fetch_add(now.0.saturating_sub(before).max(0), Ordering::SeqCst);
    }

    /// Moves the clock by `seconds` that did not pass.
    pub fn jump(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Moves the clock on by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
        self.uptime.fetch_add(seconds.max(0), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Time {
        Time(self.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.uptime.load(Ordering::SeqCst)).unwrap_or_default())
    }
}
