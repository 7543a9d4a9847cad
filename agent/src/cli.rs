//! What can be typed: a few commands, each of which finds everything else in the configuration file.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use csp_shared::{id::ServerId, key_pin::KeyPin, secret::Secret};

/// Brings this KVM host to what its control plane's specs say.
#[derive(Debug, Parser)]
#[command(name = "csp-agent", version)]
pub struct Cli {
    /// The configuration file; see the operator's guide. Every field has a default.
    #[arg(long, value_name = "FILE", default_value = "/etc/csp/agent.toml", global = true)]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Looks for what this host lacks, and tells how to cure it. Changes nothing; exits 1 if servers cannot run here.
    Check {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Makes this machine a host: the line that `csp-control host add` prints.
    Enroll(Enroll),
    /// Runs a program while the file systems of a server's guest stand still, and thaws them whatever happens: for
    /// snapshots of the pool's volume. May be used while the host runs; the guest needs qemu-guest-agent. Exits 0 only if
    /// the guest was frozen from the program's begin to its end, and the program exited with 0.
    Freeze(Freeze),
    /// What `freeze` starts beside itself, so that the guest is thawed whatever becomes of it.
    #[command(hide = true, name = crate::freeze::guard::COMMAND)]
    ThawGuard {
        /// Whose guest.
        server: ServerId,
        /// How long to wait to be asked.
        #[arg(long)]
        seconds: u32,
    },
    /// What lies in the trash, and how it comes back. May be used while the host runs.
    #[command(subcommand)]
    Trash(Trash),
    /// Runs the host. Ends at SIGTERM or SIGINT without touching guests.
    Run,
}

/// What is to be done while a guest stands still.
#[derive(Debug, Args)]
pub struct Freeze {
    /// The server's id.
    pub server: ServerId,
    /// How long the guest may stand still, the time in which it freezes included. Then the program is ended.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// The program and its arguments, run as they are, without a shell and with nothing to read.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

/// What to do about the trash.
#[derive(Debug, Subcommand)]
pub enum Trash {
    /// Lists the disks in it: whose they were, their size, when they go, and what can be done with them.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Brings one back: copied to a file, or as its server's disk where the server still wants exactly that one.
    Restore {
        /// The disk's name as `trash list` prints it, or the server's id when only one disk of it is there.
        disk: String,
        /// Copy it to this new file outside the pool, as a qcow2 image that stands on no other. It stays in the trash.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// The parts of the line that `csp-control host add` prints.
#[derive(Debug, Args)]
pub struct Enroll {
    /// Where the control plane listens for hosts, as HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", value_parser = control)]
    pub control: String,
    /// A fingerprint of the control plane's key; given twice, the current and the next one.
    #[arg(long = "pin", value_name = "sha256:…", required = true)]
    pub pins: Vec<KeyPin>,
    /// The join token: works once, and for ten minutes.
    #[arg(long, value_name = "csp_join_…", value_parser = token)]
    pub token: Secret,
}

fn control(text: &str) -> Result<String, String> {
    let is_right = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
    if is_right { Ok(text.to_owned()) } else { Err("must be HOST:PORT, as in control.example:8443".to_owned()) }
}

// Infallible, but clap wants a parser for a type that is deliberately not a plain text.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn token(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_line_of_host_add_is_understood() {
        let line = format!("csp-agent enroll --control c.example:8443 --pin {PIN} --pin {PIN} --token csp_join_x");
        let Command::Enroll(enroll) = parse(&line).unwrap().command else { panic!("another command") };
        assert_eq!((enroll.control.as_str(), enroll.pins.len()), ("c.example:8443", 2));
        assert_eq!(enroll.token.reveal(), "csp_join_x");
        assert!(!format!("{enroll:?}").contains("csp_join_x"));
    }

    #[test]
    fn a_freeze_has_its_program_behind_two_dashes_and_a_time_within_bounds() {
        let server = "0198c0de-0000-7000-8000-00000000000a";
        let line = format!("csp-agent freeze {server} -- lvcreate --size 1G -- x");
        let Command::Freeze(freeze) = parse(&line).unwrap().command else { panic!("another command") };
        assert_eq!((freeze.server.to_string().as_str(), freeze.seconds), (server, 30));
        assert_eq!(freeze.program, ["lvcreate", "--size", "1G", "--", "x"]);
        for wrong in ["-- true", "x -- true", server, &format!("{server} --seconds 0 -- true")] {
            assert!(parse(&format!("csp-agent freeze {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_parts_of_the_line_are_named() {
        for (line, name) in [
            (format!("csp-agent enroll --control c.example --pin {PIN} --token x"), "--control"),
            (format!("csp-agent enroll --control c.example:0 --pin {PIN} --token x"), "--control"),
            ("csp-agent enroll --control c.example:1 --pin sha256:x --token x".to_owned(), "--pin"),
            ("csp-agent enroll --control c.example:1 --token x".to_owned(), "--pin"),
            (format!("csp-agent enroll --control c.example:1 --pin {PIN}"), "--token"),
        ] {
            let error = parse(&line).unwrap_err();
            assert!(error.contains(name), "{line}: {error}");
        }
    }
}
