//! Becomes csp-control in the internet namespace, with a listener on the machine's 127.0.0.1 in its hands.
//!
//! The port belongs to the machine and the rest of the program's network to the lab. So the socket is made first, then
//! the namespace entered, then the program started as a service manager would: descriptor 3, announced by variables.
#![allow(unsafe_code, reason = "a descriptor of a fixed number can be made in no other way")]

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    os::{fd::IntoRawFd, unix::process::CommandExt},
    path::Path,
    process::Command,
};

use nix::sched::{CloneFlags, setns};

use crate::{
    error::{Attempted, LabError, Result},
    layout::Layout,
};

/// `sd_listen_fds(3)`: passed descriptors begin here.
const FIRST_PASSED: i32 = 3;
/// Its name in the configuration.
pub const PASSED_NAME: &str = "api";

/// Does not return unless something failed.
///
/// # Errors
/// When the port is taken or the program cannot be started.
pub fn run(layout: &Layout, port: u16, program: &Path, config: &Path) -> Result<()> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).attempted(|| format!("listening on 127.0.0.1:{port}"))?;
    let netns = format!("/run/netns/{}", layout.internet());
    let file = File::open(&netns).attempted(|| format!("opening {netns}"))?;
    setns(file, CloneFlags::CLONE_NEWNET).attempted(|| format!("entering {netns}"))?;
    // SAFETY: descriptor 3 is either free or something inherited that nothing in this process has a handle of: this
    // process is single-threaded, `file` is closed, and `listener` is the only other descriptor that it opened. When
    // `listener` itself is 3, `dup2` onto itself changes nothing and `make_inheritable` does the rest.
    let passed =
        unsafe { nix::unistd::dup2_raw(&listener, FIRST_PASSED) }.attempted(|| "passing the listener on".to_owned())?;
    make_inheritable(&passed)?;
    let _kept_open = passed.into_raw_fd();
    let error = Command::new(program)
        .arg("--config")
        .arg(config)
        .arg("serve")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", PASSED_NAME)
        .env("LISTEN_PID", std::process::id().to_string())
        .exec();
    Err(LabError::Io { what: format!("starting {}", program.display()), source: error })
}

fn make_inheritable(fd: &std::os::fd::OwnedFd) -> Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).attempted(|| "passing the listener on".to_owned()).map(drop)
}
