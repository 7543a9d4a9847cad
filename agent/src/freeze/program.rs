//! The program that an operator has run while a guest is frozen: started as it was typed, without a shell, waited for up
//! to a time, and ended with all that it started.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

/// How often it is asked whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long it has to end after it was asked to.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A program that was started. Not ended by being dropped.
#[derive(Debug)]
pub(super) struct Program {
    name: String,
    child: Child,
}

impl Program {
    /// Starts it: its first word is looked for in PATH, each other one reaches it as it is. It prints where this program
    /// prints, and reads nothing: nobody is to be asked something while a guest waits.
    pub fn start(words: &[OsString]) -> Result<Self, String> {
        let (first, arguments) = words.split_first().ok_or("no program was named")?;
        let name = first.display().to_string();
        #[expect(clippy::disallowed_methods, reason = "the one program that an operator names")]
        let mut command = std::process::Command::new(first);
        // A group of its own, so that it ends with everything that it started, and not before the guest is thawed.
        command.args(arguments).stdin(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|why| format!("cannot run {name}: {why}"))?;
        Ok(Self { name, child })
    }

    /// Waits for its end until then; nothing when it runs on.
    pub async fn wait_until(&mut self, until: Instant) -> Result<Option<ExitStatus>, String> {
        loop {
            let ended = self.child.try_wait().map_err(|why| format!("lost sight of {}: {why}", self.name))?;
            if ended.is_some() || Instant::now() >= until {
                return Ok(ended);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Asks it and all that it started to end, and kills what has not in a while.
    pub async fn end(mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().map(Pid::from_raw) else { return };
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let _ = killpg(group, signal); // nobody of it may be left
            let _ = self.wait_until(Instant::now() + END_WITHIN).await; // it has had its time
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    async fn ended(line: &[&str], within: Duration) -> Option<ExitStatus> {
        let mut program = Program::start(&words(line)).unwrap();
        program.wait_until(Instant::now() + within).await.unwrap()
    }

    #[tokio::test]
    async fn its_end_is_told_and_its_words_reach_it_as_they_are() {
        const LONG: Duration = Duration::from_secs(60);
        assert!(ended(&["test", "$HOME;", "=", "$HOME;"], LONG).await.unwrap().success());
        assert_eq!(ended(&["sh", "-c", "exit 3"], LONG).await.unwrap().code(), Some(3));
        assert!(ended(&["sh", "-c", "! read -r line"], LONG).await.unwrap().success(), "there is nothing to be read");
        let error = Program::start(&words(&["csp-no-such-program"])).unwrap_err();
        assert!(error.contains("csp-no-such-program"), "{error}");
    }

    #[tokio::test]
    async fn one_that_runs_on_ends_with_all_that_it_started() {
        let mut program = Program::start(&words(&["sh", "-c", "sleep 600 & sleep 600"])).unwrap();
        assert_eq!(program.wait_until(Instant::now()).await.unwrap(), None);
        let group = Pid::from_raw(program.child.id() as i32);
        program.end().await;
        // What the shell started is reaped by whoever takes it over, a moment later.
        for _ in 0..500 {
            if killpg(group, None).is_err() {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
        panic!("something of it runs on");
    }
}
