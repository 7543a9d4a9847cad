//! `scripts/bench agent`: the agent beside the bare steps in a shell, in interleaved pairs of one run on a libvirt and a
//! network of the bench's own. Prints what it measured and ends with a line for each goal. Exit code 0 when it ran, met or
//! missed.
//!
//! Both make the same guest on the same image: overlay, seed, tap, queues, filters, definition, start; and take it away again. The
//! shell runs qemu-img, xorriso, ip, tc, nft and virsh, and flushes disk and seed as the agent does; it keeps no record, looks
//! at nothing and moves no disk to a trash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../../../agent/benches/figures/mod.rs"]
mod figures;
#[path = "../../../agent/tests/host_support/mod.rs"]
mod host_support;
mod idle;
#[path = "../../../agent/tests/host_support/libvirt_host.rs"]
#[allow(dead_code, reason = "what else tests do to a libvirt")]
mod libvirt_host;
mod overhead;
mod real;
mod shell;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use host_support::in_private_network;
use libvirt_host::LibvirtHost;

pub use self::figures::{goal, percentile};
use self::{real::Agent, shell::Shell};

/// Servers that are started at once.
const CROWD: u32 = 20;
/// Of the bare steps' time, for one server.
const GOAL_ONE: f64 = 1.05;
/// Of the bare steps' throughput, for a crowd.
const GOAL_CROWD: f64 = 1.5;
/// The agent's own work for a server's whole life.
const GOAL_OVERHEAD: Duration = Duration::from_millis(15);
/// Of the bulk call's time.
const GOAL_IDLE: f64 = 1.1;
/// Memory of an agent with many servers.
const GOAL_RESIDENT: u64 = 15 << 20;

/// Arguments: pairs, pairs of crowds, servers of the idle host. What is 0 is left out.
fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (pairs, crowds) = (numbers.next().unwrap_or(30), numbers.next().unwrap_or(5));
    let domains = numbers.next().unwrap_or(200);
    overhead::measure(pairs);
    in_private_network(move |runtime| {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let _host = LibvirtHost::start(home.path());
        for words in ["link set lo up", "link add br-bench type bridge", "link set br-bench up"] {
            assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
        }
        let agent = runtime.block_on(Agent::open(home.path()));
        let shell = Shell::new(home.path(), agent.image());
        runtime.block_on(compare(&agent, &shell, pairs, crowds));
        runtime.block_on(agent.end());
        if domains > 0 {
            idle::measure(home.path(), domains);
        }
    });
}

/// One server, and a crowd of them, in turns.
async fn compare(agent: &Agent, shell: &Shell, pairs: u32, crowds: u32) {
    let (mut starts, mut ends) = (Pairs::default(), Pairs::default());
    for pair in 0..=pairs {
        let id = pair * 2;
        // Who begins takes turns.
        let mut agents = None;
        let mut shells = None;
        for turn in 0..2 {
            if (pair + turn) % 2 == 0 {
                agents = Some((agent.start(&[id]).await, agent.destroy(&[id]).await));
            } else {
                shells = Some((shell.start(id + 1), shell.destroy(id + 1)));
            }
        }
        let (agents, shells) = (agents.unwrap(), shells.unwrap());
        if pair > 0 {
            starts.push(agents.0, shells.0);
            ends.push(agents.1, shells.1);
        }
    }
    starts.print("start of one server");
    ends.print("destruction of one server");
    let (mut in_turn, mut at_once) = (Pairs::default(), Pairs::default());
    let (mut starts_at_once, mut ends_at_once) = (Pairs::default(), Pairs::default());
    for pair in 0..crowds {
        let ids = |first: u32| (first..first + CROWD).collect::<Vec<_>>();
        let crowd = ids(1000 + pair * 100);
        let (started, ended) = (agent.start(&crowd).await, agent.destroy(&crowd).await);
        let crowd = ids(1020 + pair * 100);
        let one_by_one: Duration = crowd.iter().map(|id| shell.start(*id) + shell.destroy(*id)).sum();
        let crowd = ids(1040 + pair * 100);
        let together = shell.all_at_once(&crowd);
        in_turn.push(started + ended, one_by_one);
        starts_at_once.push(started, together.0);
        ends_at_once.push(ended, together.1);
        at_once.push(started + ended, together.0 + together.1);
    }
    starts_at_once.print(&format!("{CROWD} servers started, the shell all at once"));
    ends_at_once.print(&format!("{CROWD} servers destroyed, the shell all at once"));
    in_turn.print(&format!("{CROWD} servers started and destroyed, the shell one by one"));
    at_once.print(&format!("{CROWD} servers started and destroyed, the shell all at once"));
    if pairs > 0 {
        goal("agent_start_of_shell", starts.ratio(), GOAL_ONE, starts.ratio() <= GOAL_ONE);
        goal("agent_destroy_of_shell", ends.ratio(), GOAL_ONE, ends.ratio() <= GOAL_ONE);
    }
    if crowds > 0 {
        for (name, pairs) in [("in_turn", &in_turn), ("at_once", &at_once)] {
            let throughput = 1.0 / pairs.ratio();
            goal(&format!("agent_crowd_throughput_of_shell_{name}"), throughput, GOAL_CROWD, throughput >= GOAL_CROWD);
        }
    }
}

/// What was measured in pairs: ours and theirs, in milliseconds.
#[derive(Default)]
pub struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    pub fn push(&mut self, ours: Duration, theirs: Duration) {
        self.0.push((ours.as_secs_f64() * 1e3, theirs.as_secs_f64() * 1e3));
    }

    /// Median of the pairs' ratios.
    pub fn ratio(&self) -> f64 {
        percentile(self.0.iter().map(|(ours, theirs)| ours / theirs).collect(), 50)
    }

    /// Medians, and the interval in which the middle half of the pairs lies.
    pub fn print(&self, what: &str) {
        if self.0.is_empty() {
            return;
        }
        let ours = percentile(self.0.iter().map(|pair| pair.0).collect(), 50);
        let theirs = percentile(self.0.iter().map(|pair| pair.1).collect(), 50);
        let ratios = || self.0.iter().map(|(ours, theirs)| ours / theirs).collect();
        println!(
            "{what}: agent {ours:.1} ms, shell {theirs:.1} ms, ratio {:.3} [{:.3} to {:.3}], {} pairs",
            percentile(ratios(), 50),
            percentile(ratios(), 25),
            percentile(ratios(), 75),
            self.0.len()
        );
    }
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let done = work();
    (began.elapsed(), done)
}
