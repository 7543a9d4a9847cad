//! One seed replays one history: a control plane with its real use cases on real SQLite, hosts with the real planner and
//! step loop above a fake machine, a network that loses, repeats and cuts, and crashes of everything. After each event
//! what must always hold is looked at; then the faults end, the dust settles, and every order must be running or
//! refunded, with nothing left over.
//!
//! `CSP_SIM_SEEDS` is how many seeds are tried (60 when unset), `CSP_SIM_SEED` tries one alone and tells each event.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
// A test may be told what to try.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod agent;
mod away;
mod cables;
mod chance;
mod check;
mod control;
mod crash;
mod fuse;
mod history;
mod mortal;
mod wire;

use history::History;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Events of one history: enough for servers to be ordered, changed and destroyed on hosts that come and go.
const EVENTS: u32 = 3000;

fn run(seed: u64, tell: bool) -> history::Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut history = History::begin(seed, tell).await;
        for _ in 0..EVENTS {
            history.event().await;
            history.check_always().await;
        }
        history.settle().await;
        history.check_settled().await;
        history.tally().await
    })
}

#[test]
fn every_order_ends_running_or_refunded_whatever_fails_meanwhile() {
    if let Some(seed) = number("CSP_SIM_SEED") {
        println!("{:?}", run(seed, true));
        return;
    }
    let mut sum = history::Tally::default();
    for seed in 0..number("CSP_SIM_SEEDS").unwrap_or(60) {
        let tally = std::panic::catch_unwind(|| run(seed, false));
        sum.add(&tally.unwrap_or_else(|_| panic!("seed {seed} failed; CSP_SIM_SEED={seed} replays it")));
    }
    println!("{sum:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(sum.orders > 100 && sum.active > 20 && sum.refunded > 20 && sum.destroyed > 20, "{sum:?}");
    assert!(sum.crashes_of_control > 100 && sum.crashes_of_agents > 100 && sum.reboots > 50, "{sum:?}");
    assert!(sum.ips_added > 20 && sum.ips_moved > 3, "{sum:?}");
    assert!(sum.frames_lost > 100 && sum.frames_repeated > 100 && sum.cuts > 100, "{sum:?}");
}

#[test]
fn the_same_seed_replays_the_same_history() {
    assert_eq!(run(7, false), run(7, false));
}
