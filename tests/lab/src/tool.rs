//! Runs the programs that a lab is built with, each with a time that ends.

use std::{
    ffi::OsStr,
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    error::{Attempted, LabError, Result},
    layout::{Layout, MEMBER_VARIABLE},
    wait::slowness,
};

/// How much of a complaint is shown, in bytes; the reason stands at the end.
const COMPLAINT_BYTES_MAX: usize = 2_000;

/// A command that is killed after `seconds`.
pub fn bounded<A: AsRef<OsStr>>(seconds: u32, words: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["-k", "3", &seconds.saturating_mul(slowness()).to_string()])
        .args(words)
        .stdin(Stdio::null())
        .env("LC_ALL", "C");
    command
}

/// Runs a command to its end and gives what it printed.
///
/// # Errors
/// When it cannot be run or fails; with the end of its complaint.
pub fn output(command: &mut Command) -> Result<String> {
    let what = shown(command);
    let output = command.output().attempted(|| format!("running {what}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = if stderr.trim().is_empty() { stdout.trim() } else { stderr.trim() };
    let from = said.len().saturating_sub(COMPLAINT_BYTES_MAX);
    let from = (from..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
    let status = match output.status.code() {
        Some(124) => "it took too long".to_owned(),
        _ => output.status.to_string(),
    };
    Err(LabError::Tool { what, status, complaint: said.get(from..).unwrap_or_default().to_owned() })
}

/// Starts a program that stays: apart from the terminal's signals, marked as the lab's, with a log that is appended to.
///
/// # Errors
/// When it cannot be started or its log not be opened.
pub fn detached(command: &mut Command, layout: &Layout, log: &str) -> Result<Child> {
    let what = shown(command);
    let (out, errors) = log_pair(&layout.log(log))?;
    command.env(MEMBER_VARIABLE, layout.dir()).stdin(Stdio::null()).stdout(out).stderr(errors).process_group(0);
    command.spawn().attempted(|| format!("starting {what}"))
}

/// The same log for standard output and error.
fn log_pair(path: &Path) -> Result<(Stdio, Stdio)> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    let opened = open().and_then(|out| Ok((out.into(), open()?.into())));
    opened.attempted(|| format!("opening the log {}", path.display()))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    // The time limit's own words are of no interest.
    let from = if words.first().is_some_and(|first| first == "timeout") { 4 } else { 0 };
    words.get(from..).unwrap_or_default().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_ends_and_is_named() {
        let error = output(&mut bounded(1, ["sleep", "30"])).unwrap_err().to_string();
        assert_eq!(error, "sleep 30 failed (it took too long): ");
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let error = output(&mut bounded(5, ["cat", "/does/not/exist"])).unwrap_err().to_string();
        assert!(error.contains("cat /does/not/exist") && error.contains("No such file"), "{error}");
    }
}
