//! What the agent itself costs: planner, worker and durable records, from order to removal. Below them stands a host in
//! memory, since libvirt's test driver takes no definition of a real guest.

use std::time::{Duration, Instant};

use csp_agent::{
    plan::memory::Course,
    spec_file::{FolderBacking, SpecFile},
    worker::{
        Host,
        converge::{Moment, Next, converge_once},
    },
};
use csp_tests::{
    FakeMachine,
    spec::{present, server_spec, tombstone},
};

use super::{GOAL_OVERHEAD, goal, percentile};

pub fn measure(turns: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut lives: Vec<f64> = (0..turns.max(1)).map(|_| runtime.block_on(life()).as_secs_f64() * 1e3).collect();
    lives.sort_by(f64::total_cmp);
    let (low, median, high) =
        (percentile(lives.clone(), 25), percentile(lives.clone(), 50), percentile(lives.clone(), 75));
    println!("own work for one server, order to removal, on a host in memory: {median:.1} ms [{low:.1} to {high:.1}]");
    let ratio = median / (GOAL_OVERHEAD.as_secs_f64() * 1e3);
    goal("agent_overhead_of_15_ms", ratio, 1.0, ratio <= 1.0);
}

async fn life() -> Duration {
    let home = tempfile::tempdir().unwrap();
    let specs = SpecFile::open(FolderBacking::open(home.path().join("servers")).unwrap()).await.unwrap();
    let host = Host { machine: FakeMachine::default(), specs, stop_timeout_ms: 90_000 };
    let (spec, mut course) = (server_spec(1), Course::default());
    let moment = Moment { now_ms: 0, starts_held: false };
    let began = Instant::now();
    host.specs.accept(present(&spec)).await.unwrap();
    let look = converge_once(&host, spec.server, &mut course, moment).await.unwrap();
    assert!(host.machine.runs(spec.server) && look.observed.reached == Some(spec.version), "{look:?}");
    host.specs.accept(tombstone(&spec)).await.unwrap();
    let look = converge_once(&host, spec.server, &mut course, moment).await.unwrap();
    assert!(matches!(look.next, Next::Gone), "{look:?}");
    began.elapsed()
}
