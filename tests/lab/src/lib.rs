//! csp-lab: real hosts with real guests on one machine, for tests, the demo and benches.
//!
//! ```text
//!  machine            namespace "internet"                         namespace of a host (network, mounts, pids, name)
//!  127.0.0.1:PORT ==> csp-control (listener passed as descriptor)
//!                     br-mgmt 198.51.100.1/24 --------- veth ----- mgmt 198.51.100.11/24   csp-agent
//!                       :7443 fleet, :8000 images                                          libvirtd, virtlogd
//!                     br-inet 203.0.113.1/24 ---------- veth ----- uplink, in br-public    QEMU guests on taps
//! ```
//!
//! What must hold: nothing of the machine's own network or libvirt is touched; everything that runs is a member of a
//! namespace whose name derives from the lab's folder, so two labs stand side by side, and `down` finds all of it
//! again even when the lab's own notes are gone and everything in it was killed.
//!
//! Where things are: `layout` names everything (pure); `up` and `down` are the two conductors; `internet` and `host`
//! build namespaces, `host_init` is process 1 of a host; `control` and `agent` run the two programs under test.

#![allow(
    clippy::disallowed_methods,
    reason = "a development tool: it runs programs, reads the clock to bound its waits, and is no part of the product"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is for the person at the terminal")]

pub mod agent;
pub mod catalog;
pub mod cli;
pub mod control;
pub mod control_boot;
pub mod down;
pub mod error;
pub mod file_server;
pub mod guest;
pub mod host;
pub mod host_init;
pub mod internet;
pub mod layout;
pub mod lock;
pub mod mail_server;
pub mod process;
pub mod state;
pub mod tool;
pub mod traces;
pub mod up;
pub mod wait;
