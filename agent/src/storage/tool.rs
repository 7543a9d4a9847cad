//! The one place where the agent runs other programs.
//!
//! Without a shell, so that no text can become a command; with an argument vector that callers build from their own
//! values; with a time and a size that end. A tool that hangs on a dead disk must cost one step, not a worker.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use csp_shared::observed::shortened;
use tokio::time::Instant;

/// What a tool may print, in bytes. `qemu-img info` of a deep chain stays below 20 KiB, a listing of filters of a
/// thousand taps below 4 MiB.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What of its complaint goes into an error, in characters.
const COMPLAINT_CHARS_MAX: usize = 300;
/// How often it is asked whether somebody still waits for a tool.
const CANCEL_PAUSE: Duration = Duration::from_millis(200);
/// How often a tool that closed its output is asked whether it has ended: most are about to, a few take their time.
const REAP_PAUSE_MIN: Duration = Duration::from_micros(100);
const REAP_PAUSE_MAX: Duration = Duration::from_millis(5);

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
    /// Nobody waits for it any more.
    #[error("{program} was ended, for nobody waits for it any more")]
    Cancelled {
        /// Which tool.
        program: String,
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
    memory_max: Option<u64>,
    cancelled: Option<Arc<AtomicBool>>,
}

/// How a program ended, well or not.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub printed: Vec<u8>,
    program: &'static str,
    status: ExitStatus,
    complained: Vec<u8>,
}

impl Ended {
    /// What it printed on standard error, in one line, without its middle where that is too long.
    #[must_use]
    pub fn complaint(&self) -> String {
        let complaint = String::from_utf8_lossy(&self.complained);
        let complaint = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
        shortened(&complaint, COMPLAINT_CHARS_MAX)
    }

    /// The failure that it was.
    #[must_use]
    pub fn into_error(self) -> ToolError {
        let complaint = self.complaint();
        ToolError::Failed { program: self.program.to_owned(), status: self.status.to_string(), complaint }
    }
}

impl Tool {
    /// A program by its name in PATH, that ends within `limit`.
    #[must_use]
    pub fn new(program: &'static str, limit: Duration) -> Self {
        Self { program, args: Vec::new(), input: Vec::new(), limit, memory_max: None, cancelled: None }
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

    /// Bounds its address space, in bytes: for a program that reads what a stranger wrote.
    #[must_use]
    pub fn memory_max(mut self, bytes: u64) -> Self {
        self.memory_max = Some(bytes);
        self
    }

    /// Ends it soon after `cancelled` is set.
    #[must_use]
    pub fn until(mut self, cancelled: &Arc<AtomicBool>) -> Self {
        self.cancelled = Some(Arc::clone(cancelled));
        self
    }

    /// Runs it to its end and gives what it printed. Blocks: call it off the async runtime.
    ///
    /// # Errors
    /// When it cannot be started, fails, or takes too long.
    pub fn run(self) -> Result<Vec<u8>, ToolError> {
        let ended = self.end()?;
        if ended.status.success() { Ok(ended.printed) } else { Err(ended.into_error()) }
    }

    /// Runs it to its end, however that is: for programs that answer by their status. Blocks.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or is not waited for.
    pub fn end(self) -> Result<Ended, ToolError> {
        let program = self.program;
        #[allow(clippy::disallowed_methods, reason = "the one place that runs programs")]
        let mut command = match self.memory_max {
            None => std::process::Command::new(program),
            Some(bytes) => {
                let mut command = std::process::Command::new("prlimit"); // of util-linux, which every Debian has
                command.arg(format!("--as={bytes}")).arg("--core=0").arg("--").arg(program);
                command
            }
        };
        // A fixed language: complaints are shown to operators and compared by nobody, but dates and numbers in
        // another one have surprised many.
        command.args(&self.args).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |source| ToolError::Start { program: program.to_owned(), source };
        let mut child = command.spawn().map_err(start)?;

        let pipes = Pipes { stdout: drain(child.stdout.take()), stderr: drain(child.stderr.take()) };
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input;
            // On its own thread: a program that prints before it has read all would otherwise block both sides.
            thread::spawn(move || {
                let _ = stdin.write_all(&input); // a program that stops reading says why by its status
            });
        }
        let patience =
            Patience { program, limit: self.limit, end: Instant::now() + self.limit, cancelled: self.cancelled };
        let ended = patience.wait(&mut child, &pipes);
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

struct Pipes {
    stdout: Drained,
    stderr: Drained,
}

/// How long a program is waited for.
struct Patience {
    program: &'static str,
    limit: Duration,
    end: Instant,
    cancelled: Option<Arc<AtomicBool>>,
}

impl Patience {
    fn wait(&self, child: &mut Child, pipes: &Pipes) -> Result<Ended, ToolError> {
        let printed = self.take(&pipes.stdout)?;
        let complained = self.take(&pipes.stderr)?;
        let mut pause = REAP_PAUSE_MIN;
        loop {
            if let Some(status) = child.try_wait().map_err(|source| self.lost(source))? {
                return Ok(Ended { code: status.code(), printed, program: self.program, status, complained });
            }
            self.left()?;
            thread::sleep(pause);
            pause = (pause * 2).min(REAP_PAUSE_MAX);
        }
    }

    fn take(&self, pipe: &Drained) -> Result<Vec<u8>, ToolError> {
        loop {
            match pipe.recv_timeout(self.left()?.min(CANCEL_PAUSE)) {
                Ok(read) => return read.map_err(|source| self.lost(source)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.lost(std::io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    /// The time that is left, if there is any and somebody waits.
    fn left(&self) -> Result<Duration, ToolError> {
        let program = || self.program.to_owned();
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return Err(ToolError::Cancelled { program: program() });
        }
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ToolError::TooSlow { program: program(), limit: self.limit }),
            left => Ok(left),
        }
    }

    fn lost(&self, source: std::io::Error) -> ToolError {
        ToolError::Pipe { program: self.program.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const LIMIT_LONG: Duration = Duration::from_secs(60);

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

    #[test]
    fn a_tool_that_nobody_waits_for_is_ended() {
        let cancelled = Arc::new(AtomicBool::new(true));
        let error = Tool::new("sleep", LIMIT_LONG).arg("60").until(&cancelled).run().unwrap_err();
        assert!(matches!(error, ToolError::Cancelled { .. }), "{error}");
    }

    #[test]
    fn a_tool_has_no_more_memory_than_it_is_given() {
        let greedy =
            |bytes| Tool::new("dd", SOON).memory_max(bytes).args(["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
        greedy(1 << 30).run().unwrap();
        let ended = greedy(32 << 20).end().unwrap();
        assert_eq!(ended.code, Some(1), "{}", ended.complaint());
    }
}
