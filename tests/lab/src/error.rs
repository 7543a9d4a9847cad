//! What can go wrong in a lab, told so that the person at the terminal knows where to look.

use std::{io, path::PathBuf, time::Duration};

/// Why the lab could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program said no.
    #[error("{what} failed ({status}): {complaint}")]
    Tool {
        /// The command line.
        what: String,
        /// Exit status or signal.
        status: String,
        /// The end of what it printed.
        complaint: String,
    },
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, on what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something did not come about in time.
    #[error("waited {} s for {what}, in vain{}", limit.as_secs(), tail_of(log))]
    Waited {
        /// For what.
        what: String,
        /// How long.
        limit: Duration,
        /// The log that says why.
        log: Option<PathBuf>,
    },
    /// The lab is not in the state that the command needs.
    #[error("{0}")]
    State(String),
}

/// Short for all of the lab.
pub type Result<T> = std::result::Result<T, LabError>;

/// Adds what was attempted to an error of the system.
pub trait Attempted<T> {
    /// `what` names the attempt and its object.
    ///
    /// # Errors
    /// The same, with the attempt named.
    fn attempted(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Attempted<T> for std::result::Result<T, E> {
    fn attempted(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| LabError::Io { what: what(), source: error.into() })
    }
}

const TAIL_LINES: usize = 20;

/// The end of a log, for an error that has no better explanation.
fn tail_of(log: &Option<PathBuf>) -> String {
    let Some(path) = log else { return String::new() };
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let tail = lines.get(from..).unwrap_or_default().join("\n  ");
    format!("; the end of {}:\n  {tail}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_in_vain_shows_the_end_of_the_log() {
        let log = std::env::temp_dir().join(format!("csp-lab-tail-{}", std::process::id()));
        let lines: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let error =
            LabError::Waited { what: "a sign".to_owned(), limit: Duration::from_secs(3), log: Some(log.clone()) };
        let text = error.to_string();
        std::fs::remove_file(&log).unwrap();
        assert!(text.starts_with("waited 3 s for a sign"), "{text}");
        assert!(text.contains("line 11\n") && text.ends_with("line 30") && !text.contains("line 10\n"), "{text}");
    }
}
