//! `scripts/bench ledger`: durable postings a second through the whole use case, beside raw SQLite with the same rows and
//! batches and beside PostgreSQL with its defaults, in interleaved turns of one run; and how long a posting takes over
//! HTTP. Prints what it measured and ends with a line for each goal. Exit code 0 when it ran, met or missed.
//!
//! A posting is a payment that is credited: the wallet's balance, a transfer with its five indexes, and an event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs
)]

mod counts;
mod engine;
#[path = "../../../agent/benches/figures/mod.rs"]
mod figures;
mod http;
mod postgres;
mod raw;
#[path = "../../tests/power_cuts/vfs.rs"]
#[allow(dead_code, reason = "only flushes are counted here")]
mod vfs;

use std::time::Duration;

use csp_tests::test_control::TestControl;
use rusqlite::Connection;

use self::{
    figures::{goal, percentile},
    postgres::Postgres,
};

/// How many wait at once for their answers.
const CLIENTS: [usize; 3] = [1, 64, 512];
/// Wallets; each posting goes to another one than the posting before.
pub const WALLETS: usize = 1_000;
/// At least this part of what raw SQLite does.
const GOAL_OF_RAW: f64 = 0.8;
/// Longest time for 99 of 100 postings over HTTP, with 64 clients.
const GOAL_P99: Duration = Duration::from_millis(20);

/// Arguments: how many turns, seconds of each part of a turn.
fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (turns, seconds) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(3));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(turns, Duration::from_secs(seconds)));
}

async fn run(turns: u64, length: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let blank = folder.path().join("blank.db");
    prepare(&blank).await;
    let postgres = Postgres::start(folder.path());
    let mut ratios = Vec::new();
    println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!("postings a second, {turns} turns of {} s each; medians", length.as_secs());
    println!(
        "{:>7}  {:>8}  {:>10}  {:>6}  {:>10}  {:>6}",
        "clients", "csp", "raw SQLite", "ratio", "PostgreSQL", "ratio"
    );
    // Nothing is deleted before the end: a disk that is told of it is busy with that in somebody else's turn.
    let mut used = Vec::new();
    for clients in CLIENTS {
        let mut all = [const { Vec::new() }; 3];
        let mut pairs = [const { Vec::new() }; 2];
        for turn in 0..turns {
            let mut speeds = [f64::NAN; 3];
            // Each begins as often as the others, and finds a disk that has nothing left to write.
            for place in 0..speeds.len() as u64 {
                settle();
                let who = usize::try_from((turn + place) % speeds.len() as u64).unwrap();
                let copied = copy(&blank);
                speeds[who] = match who {
                    0 => engine::postings(&copied, clients, length).await,
                    1 => raw::postings(&copied, clients, length),
                    _ => postgres.as_ref().map_or(f64::NAN, |postgres| postgres.postings(clients, length)),
                };
                used.push(copied);
            }
            let [csp, raw, other] = speeds;
            for (all, one) in all.iter_mut().zip(speeds) {
                all.push(one);
            }
            pairs[0].push(csp / raw);
            pairs[1].push(csp / other);
        }
        let [csp, raw, other] = all.map(|all| percentile(all, 50));
        let [of_raw, of_other] = pairs.map(|pairs| percentile(pairs, 50));
        println!("{clients:>7}  {csp:>8.0}  {raw:>10.0}  {of_raw:>6.2}  {other:>10.0}  {of_other:>6.2}");
        ratios.push((clients, of_raw));
    }
    drop(postgres);
    counts::print(&blank).await;
    settle();
    let p99 = http::measure(length * u32::try_from(turns).unwrap()).await;
    for (clients, ratio) in ratios {
        goal(&format!("postings_of_raw_sqlite_{clients}_clients"), ratio, GOAL_OF_RAW, ratio >= GOAL_OF_RAW);
    }
    let ratio = p99.as_secs_f64() / GOAL_P99.as_secs_f64();
    goal("http_p99_of_20_ms_64_clients", ratio, 1.0, ratio < 1.0);
}

/// Waits until what was written before is on the disk.
fn settle() {
    assert!(std::process::Command::new("sync").status().unwrap().success());
}

/// A ledger with its wallets, and nothing posted yet.
async fn prepare(path: &std::path::Path) {
    let control = TestControl::start().await;
    for number in 0..WALLETS {
        control.customer(&format!("customer {number}"), "0").await;
    }
    let database = Connection::open(control.folder().join("control.db")).unwrap();
    database.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
}

/// The same beginning for everybody, in a folder of its own on the same disk.
fn copy(blank: &std::path::Path) -> Copied {
    let folder = tempfile::tempdir_in(blank.parent().unwrap()).unwrap();
    let path = folder.path().join("control.db");
    std::fs::copy(blank, &path).unwrap();
    Copied { path, _folder: folder }
}

pub struct Copied {
    pub path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}
