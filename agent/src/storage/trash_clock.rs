//! The clock by which trash ages: for how long the agent of this host has run, in all its lives together.
//!
//! Not the time of day: a clock that jumps ahead by a year would empty the trash of every host at once, and a host that
//! was switched off for a week would come back to disks that nobody had a chance to ask for. This one stands still while
//! the agent does, and a crash sets it back by what was not written down yet: disks then rest a little longer.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
};

use tokio::time::Instant;

use super::durable;

/// A longer life than any host has (about 95 years): a file that says more is damaged.
const SECONDS_MAX: u64 = 3_000_000_000;

/// A moment on the [`TrashClock`], in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrashTime(pub u64);

impl fmt::Display for TrashTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// See the module.
#[derive(Debug)]
pub struct TrashClock {
    path: PathBuf,
    before: u64,
    began: Instant,
}

impl TrashClock {
    /// Goes on from what `path` says; from zero when it says nothing that can be read. Then what is in the trash lies in
    /// the clock's future and is kept for its whole time once more.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let before = read(&path).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the clock of the trash cannot be read and begins anew");
            0
        });
        Self { path, before, began: Instant::now() }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> TrashTime {
        TrashTime(self.before.saturating_add(self.began.elapsed().as_secs()))
    }

    /// Writes the present moment down. Blocks.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub fn save(&self) -> io::Result<()> {
        durable::write(&self.path, self.now().to_string().as_bytes())
    }
}

fn read(path: &std::path::Path) -> io::Result<u64> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        text => text?,
    };
    let seconds = text.trim().parse().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    if seconds > SECONDS_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("{seconds} seconds are more than a host's life")));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_counts_while_the_agent_runs_and_goes_on_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("trash.clock");
        assert!(TrashClock::open(path.clone()).now() < TrashTime(60), "a new host's begins at zero");
        let began = Instant::now().checked_sub(Duration::from_secs(1000)).unwrap();
        let clock = TrashClock { path: path.clone(), before: 5000, began };
        assert!((6000..6060).contains(&clock.now().0));
        clock.save().unwrap();
        assert!((6000..6120).contains(&TrashClock::open(path).now().0), "goes on from there");
    }

    #[test]
    fn a_damaged_clock_begins_anew_and_never_in_the_far_future() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("trash.clock");
        for text in ["", "yesterday", "-1", "18446744073709551615", "9999999999999"] {
            std::fs::write(&path, text).unwrap();
            assert!(TrashClock::open(path.clone()).now() < TrashTime(60), "{text:?}");
        }
    }
}
