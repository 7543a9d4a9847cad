//! BILLING.md written a second time, slow and plain, with money and a calendar of its own and no function of the product,
//! beside the product itself: after each of ten thousand steps of a random history wallets, paid time, status, locks and
//! the next price are the same to the cent and the second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod calendar;
#[path = "../simulation/chance.rs"]
mod chance;
mod change;
mod extra_ips;
mod model;
mod money;
mod moves;
mod payments;
mod servers;
mod service;
mod world;

use std::collections::BTreeMap;

use self::{
    service::Policy,
    world::{CROSSED, World},
};

/// Feature `long`: each history ten times.
const HISTORIES: u64 = if cfg!(feature = "long") { 10 } else { 1 };
const STEPS: usize = 10_000;

/// The provider gives back nothing of a destroyed server, periods that have not begun, or all unused time: a history's
/// number decides, so each of the three has tests of its own and they run side by side.
async fn histories(policy: u64) {
    let mut crossed: BTreeMap<&str, usize> = BTreeMap::new();
    for history in 0..HISTORIES {
        for (what, times) in play(history * 3 + policy).await {
            *crossed.entry(what).or_default() += times;
        }
    }
    for (what, least) in CROSSED {
        let times = crossed.get(what).copied().unwrap_or(0);
        assert!(times >= least, "{what}: only {times} of {least}; {crossed:?}");
    }
}

#[tokio::test]
async fn model_and_product_agree_where_a_destroyed_server_gives_nothing_back() {
    histories(0).await;
}

#[tokio::test]
async fn model_and_product_agree_where_periods_that_have_not_begun_come_back() {
    histories(1).await;
}

#[tokio::test]
async fn model_and_product_agree_where_all_unused_time_comes_back() {
    histories(2).await;
}

/// What the comparison is worth: a rule that one side has otherwise is seen.
#[tokio::test]
async fn a_product_that_gave_back_otherwise_would_differ_from_the_model() {
    for (seed, other) in [(0, Policy::Unstarted), (1, Policy::Prorata), (2, Policy::None)] {
        let history = tokio::spawn(async move {
            let mut world = World::new(seed).await;
            world.model.policy = other;
            for _ in 0..STEPS {
                world.step().await;
            }
        });
        assert!(history.await.is_err_and(|error| error.is_panic()), "history {seed} with {other:?}");
    }
}

#[allow(clippy::print_stdout, reason = "what was tried is part of what the test says")]
async fn play(seed: u64) -> BTreeMap<&'static str, usize> {
    let mut world = World::new(seed).await;
    for _ in 0..STEPS {
        world.step().await;
    }
    println!("history {seed}, {STEPS} steps, {}", world.end().await);
    world.model.crossed
}
