//! `scripts/bench console`: a screen's whole way beside websockify's, in interleaved pairs of one run.
//!
//! ```text
//! ours         viewer - csp-control - (TLS, both keys proved) - csp-agent - unix socket - screen
//! websockify   viewer - websockify - unix socket - screen
//! ```
//!
//! Each name is a process of its own, and viewer and screen are the same for both: the real listeners, ticket, relay and
//! link, over a store with a fleet of hosts that have screens and no guests. What a browser sends is plain on both sides,
//! since a reverse proxy does that TLS. Prints what it measured and ends with a line for each goal. Exit code 0 when it
//! ran, met or missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs
)]

mod crowd;
#[path = "../../../agent/benches/figures/mod.rs"]
mod figures;
mod fleet;
mod process;
#[path = "../../tests/console/rig.rs"]
#[allow(dead_code, reason = "what else tests do to a console")]
mod rig;
mod screen;
mod viewer;
mod websockify;

use std::{path::Path, time::Duration};

use self::{
    figures::{goal, percentile},
    fleet::Fleet,
    process::Process,
    viewer::{Speed, Viewer},
    websockify::Websockify,
};

/// Of websockify's time, there and back.
const GOAL_ROUND_TRIP: f64 = 1.0;
/// At least this part of websockify's bytes in a second.
const GOAL_THROUGHPUT: f64 = 0.6;
/// Of websockify's processor time for a byte.
const GOAL_CPU: f64 = 1.0;
/// Memory of both programs for one session, in bytes.
const GOAL_MEMORY: f64 = 256.0 * 1024.0;
/// Keys that are pressed in one turn.
const KEYS: usize = 2_000;

/// Arguments: pairs, seconds of each turn, sessions that are open at once. The other words start a part of it.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["control", folder] => fleet::control(Path::new(folder)),
        ["hosts", folder, control] => fleet::hosts(Path::new(folder), control),
        ["screen", socket] => screen::show(Path::new(socket)),
        numbers => {
            let mut numbers = numbers.iter().filter_map(|number| number.parse::<u32>().ok());
            let (pairs, seconds) = (numbers.next().unwrap_or(9), numbers.next().unwrap_or(2));
            compare(pairs, Duration::from_secs(seconds.into()), numbers.next().unwrap_or(500));
        }
    }
}

fn compare(pairs: u32, length: Duration, sessions: u32) {
    let home = tempfile::tempdir().unwrap();
    let _screen = Process::start_self(&["screen", home.path().join(fleet::SCREEN).to_str().unwrap()]);
    let mut fleet = Fleet::start(home.path());
    let other = Websockify::start(&home.path().join(fleet::SCREEN));
    let server = fleet.order();
    println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let mut rounds = Vec::new();
    // The first pair warms everything up and is not counted.
    for pair in 0..=pairs {
        let (mut ours, mut theirs) = (None, None);
        for turn in 0..2 {
            if (pair + turn) % 2 == 0 {
                ours = Some(measure(|| fleet.view(&server), || fleet.cpu(), length));
            } else {
                theirs = Some(measure(|| other.view(), || other.cpu(), length));
            }
        }
        rounds.push((ours.unwrap(), theirs.unwrap()));
    }
    let (ours, theirs): (Vec<Speed>, Vec<Speed>) = rounds.into_iter().skip(1).unzip();
    let tell = |what: &str, unit: &str, of: fn(&Speed) -> f64| {
        let one = |speeds: &[Speed]| percentile(speeds.iter().map(of).collect(), 50);
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| of(ours) / of(theirs)).collect();
        let [low, ratio, high] = [25, 50, 75].map(|percent| percentile(ratios.clone(), percent));
        println!(
            "{what}: csp {:.1} {unit}, websockify {:.1} {unit}, ratio {ratio:.3} [{low:.3} to {high:.3}], {pairs} pairs",
            one(&ours),
            one(&theirs)
        );
        ratio
    };
    let round_trip = tell("a key and its echo", "us", |speed| speed.round_trip_us);
    let throughput = tell("bytes of a screen", "MB/s", |speed| speed.mb_per_second);
    let cpu = tell("processor time", "ms/MB", |speed| speed.cpu_ms_per_mb);
    let bytes = crowd::bytes_of_a_session(&mut fleet, sessions);
    goal("console_round_trip_of_websockify", round_trip, GOAL_ROUND_TRIP, round_trip <= GOAL_ROUND_TRIP);
    goal("console_throughput_of_websockify", throughput, GOAL_THROUGHPUT, throughput >= GOAL_THROUGHPUT);
    goal("console_cpu_of_websockify", cpu, GOAL_CPU, cpu < GOAL_CPU);
    let memory = bytes / GOAL_MEMORY;
    goal("console_memory_of_256_kib_a_session", memory, 1.0, memory < 1.0);
}

/// One turn: keys first, then all that a screen can send.
fn measure(view: impl Fn() -> Viewer, cpu: impl Fn() -> Duration, length: Duration) -> Speed {
    let round_trip_us = view().round_trip_us(KEYS);
    let viewer = view();
    let before = cpu();
    let (bytes, took) = viewer.flood(length);
    let spent = cpu() - before;
    let megabytes = bytes as f64 / 1e6;
    Speed {
        round_trip_us,
        mb_per_second: megabytes / took.as_secs_f64(),
        cpu_ms_per_mb: spent.as_secs_f64() * 1e3 / megabytes,
    }
}
