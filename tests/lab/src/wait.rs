//! Waits that end.

use std::{
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::error::{LabError, Result};

const PAUSE: Duration = Duration::from_millis(50);

/// Set to a number, all waits are so many times longer: for a lab on a machine that is itself emulated.
const SLOWNESS: &str = "CSP_LAB_SLOWNESS";

/// How many times longer everything may take; 1 unless somebody said otherwise.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "every program of the lab must know it, those started by others too")]
pub fn slowness() -> u32 {
    std::env::var(SLOWNESS).ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Asks until there is an answer, or the time is over; then the end of `log` says why there is none.
///
/// # Errors
/// When the time is over, or asking fails for good.
pub fn until<T>(
    what: &str,
    limit: Duration,
    log: Option<PathBuf>,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let limit = limit * slowness();
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(LabError::Waited { what: what.to_owned(), limit, log });
        }
        sleep(PAUSE);
    }
}

/// Tells how long each step took.
#[derive(Debug)]
pub struct Steps {
    begun: Instant,
    last: Instant,
}

impl Steps {
    /// Starts the clock.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that reads the clock surprises")]
    pub fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now }
    }

    /// Prints what was just done, with its seconds.
    pub fn done(&mut self, what: &str) {
        let now = Instant::now();
        println!("lab: {what} ({:.1} s)", now.duration_since(self.last).as_secs_f32());
        self.last = now;
    }

    /// Since the start.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.begun.elapsed()
    }
}
