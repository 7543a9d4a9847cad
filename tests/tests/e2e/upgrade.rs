//! A host's agent is replaced by a newer one while guests run: pings, QEMU and screens of other servers do not notice, and
//! the operator sees which one it is.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    rig::{Lab, Server},
    screen::Screen,
};

const NEWER: &str = "99.0.0";
/// A screen that answers this late has not been held up by anybody: the machine is busy.
const BUSY: Duration = Duration::from_secs(10);

/// Somebody on the internet who pings a server ten times a second.
struct Pings {
    program: Child,
    /// A file, since a pipe that nobody reads would stop it when it is full.
    heard: PathBuf,
}

impl Pings {
    fn start(lab: &Lab, server: &Server) -> Self {
        let heard = lab.dir().join("log/pings.log");
        let mut command = Command::new(lab.program_file());
        command.args(["exec", "--dir"]).arg(lab.dir()).args(["internet", "--", "busybox", "ping", "-i", "0.1"]);
        command.arg(&server.address).stdout(fs::File::create(&heard).unwrap());
        Self { program: command.spawn().unwrap(), heard }
    }

    /// Ends it; the numbers of those that were answered.
    fn end(mut self) -> BTreeSet<usize> {
        // The program replaced itself by ping, which prints the rest then.
        kill(Pid::from_raw(self.program.id() as i32), Signal::SIGINT).unwrap();
        self.program.wait().unwrap();
        self.answered()
    }

    /// The numbers of those that were answered so far; ping writes dozens of them at once.
    fn answered(&self) -> BTreeSet<usize> {
        let heard = fs::read_to_string(&self.heard).unwrap();
        let number = |line: &str| line.split("seq=").nth(1)?.split(' ').next()?.parse().ok();
        heard.lines().filter(|line| line.contains("bytes from")).filter_map(number).collect()
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// As an installation does: the new file beside the old one, then in its place.
fn replace_program(lab: &Lab) {
    let program = lab.program_file().with_file_name("csp-agent");
    let new = program.with_extension("new");
    fs::copy(&program, &new).unwrap();
    fs::rename(new, program).unwrap();
}

fn version(lab: &Lab, host: &str) -> String {
    lab.operate(&["host", "show", host]).1["database"]["agent_version"].as_str().unwrap_or_default().to_owned()
}

fn restart(lab: &Lab, host: &str, words: &[&str], tells: &str) {
    lab.run(&["stop-agent", host]);
    lab.run(&[&["start-agent", host], words].concat());
    lab.await_true("the host to tell its new version", || version(lab, host) == tells);
}

#[test]
fn an_agent_is_replaced_by_a_newer_one_and_guests_and_other_servers_screens_do_not_notice() {
    let lab = Lab::of_environment();
    let (here, there) = (lab.order("upgrade.example.com"), lab.order("beside.example.com"));
    lab.await_status(&here, "Online");
    lab.await_status(&there, "Online");
    let host = lab.host_of(&here);
    assert_ne!(host, lab.host_of(&there), "a customer's servers stand apart");
    let boot = lab.boot_id(&here);
    let pid = || lab.exec(&host, &["pgrep", "-f", &format!("qemu.*guest={}", here.uuid)]).1;
    let (before, old) = (pid(), version(&lab, &host));
    assert!(!before.is_empty() && old != NEWER, "{before} {old}");

    let (pings, screen) = (Pings::start(&lab, &here), Screen::watch(&lab, &there));
    replace_program(&lab);
    restart(&lab, &host, &["--tells", NEWER], NEWER);
    // The newer one is at work, and touches nothing.
    lab.await_true("no difference to be found", || lab.operate(&["audit"]).0);
    // All of that may be over within half a second.
    lab.await_true("pings before, meanwhile and after", || pings.answered().len() > 50);
    let (seen, answered) = (screen.end(), pings.end());
    let all: BTreeSet<usize> = (0..=answered.last().copied().unwrap_or_default()).collect();
    let lost: Vec<_> = all.difference(&answered).collect();
    assert!(lost.is_empty(), "of {} pings {lost:?} were lost", all.len());
    assert!(seen.pictures > 5 && seen.longest_wait < BUSY, "{seen:?}");
    assert_eq!((pid(), lab.boot_id(&here)), (before, boot), "another QEMU, or another boot");
    println!("{} pings answered, {} pictures, the longest after {:?}", all.len(), seen.pictures, seen.longest_wait);

    // It does what it is told, and the older one takes over what it made.
    lab.ask(&here, "stop");
    lab.await_status(&here, "Offline");
    restart(&lab, &host, &[], &old);
    lab.ask(&here, "start");
    lab.await_status(&here, "Online");
    lab.destroy(&here);
    lab.destroy(&there);
}
