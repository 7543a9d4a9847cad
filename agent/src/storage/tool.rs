//! The one place where the agent runs other programs.
//!
//! Without a shell, so that no text can become a command; with an argument vector that callers build from their own
//! values; with a time and a size that end. A tool that hangs on a dead disk must cost one step, not a worker.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// What a tool may print, in bytes. `qemu-img info` of a deep chain stays below 20 KiB, a listing of filters of a
/// thousand taps below 4 MiB.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What of its complaint goes into an error, in characters.
const COMPLAINT_CHARS_MAX: usize = 300;
/// How often a tool that closed its output is asked whether it has ended.
const REAP_PAUSE: Duration = Duration::from_millis(5);

/// Why a tool gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed, or cannot be executed.
    #[error("cannot run {program}: is it installed and in PATH?")]
    Start {
        /// Which tool.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It ended with another status than zero.
    #[error("{program} failed with {status}: {complaint}")]
    Failed {
        /// Which tool.
        program: String,
        /// Exit status or signal.
        status: String,
        /// The beginning of what it printed on standard error.
        complaint: String,
    },
    /// It ran longer than allowed and was killed.
    #[error("{program} did not end within {} s and was killed", limit.as_secs())]
    TooSlow {
        /// Which tool.
        program: String,
        /// Its time.
        limit: Duration,
    },
    /// Its pipes broke.
    #[error("lost the pipes of {program}")]
    Pipe {
        /// Which tool.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// One run of a program, to be described and then run.
#[derive(Debug)]
pub struct Tool {
    program: &'static str,
    args: Vec<OsString>,
    input: Vec<u8>,
    limit: Duration,
}

impl Tool {
    /// A program by its name in PATH, that ends within `limit`.
    #[must_use]
    pub fn new(program: &'static str, limit: Duration) -> Self {
        Self { program, args: Vec::new(), input: Vec::new(), limit }
    }

    /// Adds one argument. It reaches the program as it is.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// What the program reads on its standard input; nothing otherwise.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = bytes;
        self
    }

    /// Runs it to its end and gives what it printed. Blocks: call it off the async runtime.
    ///
    /// # Errors
    /// When it cannot be started, fails, or takes too long.
    pub fn run(self) -> Result<Vec<u8>, ToolError> {
        let program = self.program.to_owned();
        #[allow(clippy::disallowed_methods, reason = "the one place that runs programs")]
        let mut command = std::process::Command::new(self.program);
        // A fixed language: complaints are shown to operators and compared by nobody, but dates and numbers in
        // another one have surprised many.
        command.args(&self.args).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| ToolError::Start { program: program.clone(), source })?;

        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input;
            // On its own thread: a program that prints before it has read all would otherwise block both sides.
            thread::spawn(move || {
                let _ = stdin.write_all(&input); // a program that stops reading says why by its status
            });
        }
        let ended = wait(&mut child, &program, &stdout, &stderr, self.limit);
        if ended.is_err() {
            let _ = child.kill(); // it may have ended meanwhile
            let _ = child.wait();
        }
        ended
    }
}

/// Reads a pipe on its own thread, up to the bound; then goes on reading, so that the program is not blocked.
fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Receiver<std::io::Result<Vec<u8>>> {
    let (done, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map_or(Ok(0), |mut pipe| {
            let read = pipe.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
            read.and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink()))
        });
        let _ = done.send(read.map(|_| bytes)); // the receiver is gone when the time is over
    });
    receiver
}

type Drained = Receiver<std::io::Result<Vec<u8>>>;

fn wait(
    child: &mut Child,
    program: &str,
    stdout: &Drained,
    stderr: &Drained,
    limit: Duration,
) -> Result<Vec<u8>, ToolError> {
    let end = tokio::time::Instant::now() + limit;
    let too_slow = || ToolError::TooSlow { program: program.to_owned(), limit };
    let pipe = |source| ToolError::Pipe { program: program.to_owned(), source };
    let left = || end.saturating_duration_since(tokio::time::Instant::now());
    let take = |receiver: &Drained| match receiver.recv_timeout(left()) {
        Ok(read) => read.map_err(pipe),
        Err(RecvTimeoutError::Timeout) => Err(too_slow()),
        Err(RecvTimeoutError::Disconnected) => Err(pipe(std::io::ErrorKind::BrokenPipe.into())),
    };
    let printed = take(stdout)?;
    let complaint = take(stderr)?;
    loop {
        match child.try_wait().map_err(pipe)? {
            Some(status) if status.success() => return Ok(printed),
            Some(status) => {
                let complaint = String::from_utf8_lossy(&complaint);
                let complaint = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
                return Err(ToolError::Failed {
                    program: program.to_owned(),
                    status: status.to_string(),
                    complaint: complaint.chars().take(COMPLAINT_CHARS_MAX).collect(),
                });
            }
            None if left().is_zero() => return Err(too_slow()),
            None => thread::sleep(REAP_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn what_a_tool_prints_is_given_back() {
        let printed = Tool::new("cat", SOON).input(b"$(id) `id` ;".to_vec()).run().unwrap();
        assert_eq!(printed, b"$(id) `id` ;");
        let echoed = Tool::new("echo", SOON).args(["$HOME", ";", "id"]).run().unwrap();
        assert_eq!(echoed, b"$HOME ; id\n", "no shell reads the arguments");
    }

    #[test]
    fn more_than_a_pipe_holds_passes_in_both_directions() {
        let much = vec![b'x'; 3_000_000];
        assert_eq!(Tool::new("cat", SOON).input(much.clone()).run().unwrap(), much);
    }

    #[test]
    fn a_failing_tool_says_why() {
        let error = Tool::new("cat", SOON).arg("/does/not/exist").run().unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = Tool::new("csp-no-such-tool", SOON).run().unwrap_err();
        assert!(matches!(error, ToolError::Start { .. }), "{error}");
    }

    #[test]
    fn a_tool_that_hangs_is_killed() {
        let error = Tool::new("sleep", Duration::from_millis(100)).arg("60").run().unwrap_err();
        assert!(matches!(error, ToolError::TooSlow { .. }), "{error}");
    }
}
