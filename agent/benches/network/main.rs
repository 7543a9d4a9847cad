//! `scripts/bench network`: a hundred adapters with filters and a rate, made by the agent's own code as its workers do it,
//! beside the same by programs: the best batch of `ip`, `tc` and `nft`, and one program a step. In interleaved turns, each in
//! a network of its own. Prints what it measured, and a line for each goal. Exit code 0 when it ran, met or missed.
//!
//! The programs' texts are written before the clock runs. They look at nothing and keep no proof; the agent does: it looks for
//! what is there before it makes anything, and reads its filters back before it believes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs
)]

#[path = "../figures/mod.rs"]
mod figures;
#[path = "../../tests/host_support/mod.rs"]
mod host_support;
mod programs;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use csp_agent::{
    machine::Mark,
    network::{
        filter_loads::FilterLoads,
        filter_rules::ServerFilters,
        gate::{Gates, Queues},
        links::Links,
        shaping::{Shaping, Sides},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use figures::{goal, percentile};
use futures_util::future::join_all;
use host_support::in_private_network;
use uuid::Uuid;

/// Adapters, each of a server of its own.
const ADAPTERS: u32 = 100;
const BRIDGE: &str = "br-bench";
const MBIT: u32 = 50;
/// Of the best batch's time, at most.
const GOAL_BATCH: f64 = 1.5;
/// How often one program a step may take the agent's time, at least.
const GOAL_STEPS: f64 = 15.0;

/// One adapter and its server.
#[derive(Clone, Copy, Debug)]
pub struct Adapter {
    pub server: ServerId,
    pub mac: Mac,
    number: u32,
}

impl Adapter {
    fn all() -> Vec<Self> {
        let adapter = |number: u32| Self {
            server: ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0000 + u128::from(number))),
            mac: Mac::for_guest(number.to_be_bytes()),
            number,
        };
        (1..=ADAPTERS).map(adapter).collect()
    }

    pub fn tap(&self) -> TapName {
        TapName::of(self.server, self.mac)
    }

    pub fn filters(&self) -> ServerFilters {
        ServerFilters {
            server: self.server,
            own: vec![[203, 0, 113, u8::try_from(self.number).unwrap()].into()],
            macs: vec![self.mac],
            private: Vec::new(),
            smtp_open: false,
            gates: Gates { public: Some(Queues::of(self.server)), private: None },
            mark: Mark(7),
        }
    }
}

/// Arguments: pairs with the batch, and turns of one program a step.
fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (pairs, turns) = (numbers.next().unwrap_or(10), numbers.next().unwrap_or(2));
    println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let (mut of_batch, mut of_steps) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        // Who begins takes turns.
        let (agent, batch) = if pair % 2 == 0 {
            let agent = measured(agent);
            (agent, measured(programs::batch))
        } else {
            let batch = measured(programs::batch);
            (measured(agent), batch)
        };
        println!("pair {}: agent {:.0} ms, batch {:.0} ms", pair + 1, millis(agent), millis(batch));
        of_batch.push(agent.as_secs_f64() / batch.as_secs_f64());
        if pair < turns {
            let steps = measured(programs::steps);
            println!("turn {}: one program a step {:.0} ms", pair + 1, millis(steps));
            of_steps.push(steps.as_secs_f64() / agent.as_secs_f64());
        }
    }
    println!("load after: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let (batch, steps) = (percentile(of_batch, 50), percentile(of_steps, 50));
    goal("network_of_best_batch", batch, GOAL_BATCH, batch <= GOAL_BATCH);
    goal("network_program_a_step_of_agent", steps, GOAL_STEPS, steps >= GOAL_STEPS);
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How long it takes in a network that has a bridge and nothing else.
fn measured(work: fn(&tokio::runtime::Runtime, &[Adapter]) -> Duration) -> Duration {
    let took = Arc::new(Mutex::new(Duration::ZERO));
    let told = Arc::clone(&took);
    in_private_network(move |runtime| {
        programs::run("ip", &["link", "add", BRIDGE, "type", "bridge"]);
        programs::run("ip", &["link", "set", BRIDGE, "up"]);
        let adapters = Adapter::all();
        *told.lock().unwrap() = work(runtime, &adapters);
        programs::see(&adapters);
    });
    Arc::into_inner(took).unwrap().into_inner().unwrap()
}

/// As the agent's workers do it, each for its server, all at once.
fn agent(runtime: &tokio::runtime::Runtime, adapters: &[Adapter]) -> Duration {
    runtime.block_on(async {
        let links = Links::connect().unwrap();
        let (taps, shaping) = (Taps::new(links.clone(), BRIDGE.to_owned()), Shaping::new(links));
        let begun = Instant::now();
        let loads = Arc::new(FilterLoads::default());
        join_all(adapters.iter().map(|adapter| worker(adapter, &taps, &shaping, &loads))).await;
        begun.elapsed()
    })
}

async fn worker(adapter: &Adapter, taps: &Taps, shaping: &Shaping, loads: &Arc<FilterLoads>) {
    taps.make(adapter.server, &[adapter.mac]).await.unwrap();
    let tap = nix::net::if_::if_nametoindex(adapter.tap().as_str()).unwrap();
    let sides = Sides { public: [(adapter.mac, tap)].into(), ..Sides::default() };
    shaping.hold(adapter.server, Some(MBIT), &sides).await.unwrap();
    let (filters, loads) = (adapter.filters(), Arc::clone(loads));
    tokio::task::spawn_blocking(move || loads.load(filters)).await.unwrap().unwrap();
    taps.set_up(adapter.server, &[adapter.mac]).await.unwrap();
}
