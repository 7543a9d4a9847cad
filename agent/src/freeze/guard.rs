//! The guard of a freeze: a process of its own that thaws the guest, and does nothing else.
//!
//! It stands before anything is frozen and thaws as soon as the process that freezes asks for it, ends, or is killed, or
//! the time is over: the kernel closes the pipe between the two, whatever becomes of the other one. A guest that stays
//! frozen hangs, so there is one way to thaw, and it is tried again for a while.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Stdio},
    sync::Arc,
    time::Duration,
};

use csp_shared::id::ServerId;
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use super::blocking;
use crate::hypervisor::{guest_agent::FreezeError, libvirt::Libvirt};

/// This program, also when its file was replaced meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The guard's command, which nobody types.
pub const COMMAND: &str = "thaw-guard";
const READY: &str = "ready";
const OFF: &str = "off";
/// How long the guard tries to thaw, and how soon again: a guest whose freeze took too long answers once that is done.
const TRY_FOR: Duration = Duration::from_secs(120);
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The guard waits for this much longer than the other process, which then was stopped.
const GRACE: Duration = Duration::from_secs(2);

/// What came of thawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thawed {
    /// So many file systems were frozen until then.
    FileSystems(u32),
    /// The guest went off meanwhile.
    Off,
}

/// The guard, as the process sees it that freezes. Dropping it has it thaw.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Guard {
    /// Starts one and waits until it stands. Blocks.
    pub fn start(config: &Path, server: ServerId, seconds: u32) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("cannot start the guard that would thaw the guest: {why}");
        #[expect(clippy::disallowed_methods, reason = "this very program")]
        let mut command = std::process::Command::new(OWN_PROGRAM);
        command.arg("--config").arg(config).args([COMMAND, &server.to_string(), "--seconds", &seconds.to_string()]);
        // A group of its own: what a terminal sends to the others does not end it.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let answers = child.stdout.take().ok_or("the guard that would thaw the guest has no output")?;
        let mut guard = Self { child, answers: BufReader::new(answers) };
        match guard.answer()?.as_str() {
            READY => Ok(guard),
            _ => Err("the guard that would thaw the guest did not stand up; nothing was frozen".to_owned()),
        }
    }

    /// Has it thaw, and waits until that is done. Blocks.
    pub fn thaw(mut self) -> Result<Thawed, String> {
        drop(self.child.stdin.take());
        let answer = self.answer()?;
        let _ = self.child.wait(); // it has said all
        match answer.as_str() {
            OFF => Ok(Thawed::Off),
            count => {
                count.parse().map(Thawed::FileSystems).map_err(|_| "the guard could not thaw the guest".to_owned())
            }
        }
    }

    /// Has it leave: nothing is frozen.
    pub fn dismiss(mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|why| format!("lost the guard that thaws the guest: {why}"))?;
        Ok(line.trim_end().to_owned())
    }
}

/// The guard's own side: waits until the other process asks for it, ends, or had its time; then thaws.
///
/// # Errors
/// When the guest could not be thawed.
pub async fn stand(uri: String, server: ServerId, seconds: u32, tell: impl Fn(&str)) -> Result<(), String> {
    let (libvirt, _) = Libvirt::new(uri);
    let libvirt = Arc::new(libvirt);
    let asked = Arc::clone(&libvirt);
    blocking(move || asked.is_up(server).map_err(|why| why.to_string())).await?;
    let mut end = signal(SignalKind::terminate()).map_err(|why| format!("cannot listen for signals: {why}"))?;
    tell(READY);
    let mut input = tokio::io::stdin();
    let mut nothing = [0];
    tokio::select! {
        _ = input.read(&mut nothing) => {}
        () = sleep(Duration::from_secs(seconds.into()) + GRACE) => {}
        _ = end.recv() => {}
    }
    let until = Instant::now() + TRY_FOR;
    loop {
        let asked = Arc::clone(&libvirt);
        match blocking(move || asked.thaw(server)).await {
            Ok(count) => {
                tell(&count.to_string());
                return Ok(());
            }
            Err(FreezeError::NotRunning(_)) => {
                tell(OFF);
                return Ok(());
            }
            Err(why) if Instant::now() >= until => return Err(format!("{why}; {}", super::by_hand(server))),
            Err(_) => sleep(TRY_AGAIN).await,
        }
    }
}
