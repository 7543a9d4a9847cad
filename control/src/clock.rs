//! The one place that reads the time. Everything else takes it as an argument, so that tests and simulation decide it.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::domain::time::Time;

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
