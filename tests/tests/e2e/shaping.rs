//! A guest that sends as fast as it can, at the rate of its package.

use std::{
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use csp_agent::network::queue::{self, Direction};

use super::rig::Lab;

/// Of the lab's `starter` package.
const MBIT: f64 = 5.0;
const MEASURED: Duration = Duration::from_secs(10);

#[test]
fn a_guest_sends_at_the_rate_of_its_package() {
    let lab = Lab::of_environment();
    let server = lab.order("rate.example.com");
    lab.await_status(&server, "Online");
    lab.ssh(&server, "true");
    let (host, from) = (lab.host_of(&server), queue::name(server.uuid.parse().unwrap(), Direction::FromGuest));
    let passed = || -> f64 {
        let (_, said) = lab.exec(&host, &["cat", &format!("/sys/class/net/{from}/statistics/tx_bytes")]);
        said.trim().parse().unwrap_or_else(|_| panic!("{from} on {host}: {said}"))
    };
    let uuid = server.uuid.clone();
    let flood = spawn(move || {
        let (lab, server) = (Lab::of_environment(), super::Server { uuid, address: String::new() });
        lab.ssh(&server, "head -c 12000000 /dev/zero").len()
    });
    sleep(Duration::from_secs(5));
    let (begun, before) = (Instant::now(), passed());
    sleep(MEASURED);
    let mbit = (passed() - before) * 8.0 / 1e6 / begun.elapsed().as_secs_f64();
    assert!((mbit / MBIT - 1.0).abs() < 0.05, "{mbit:.2} Mbit/s");
    assert_eq!(flood.join().unwrap(), 12_000_000, "and all of it arrives");
    lab.destroy(&server);
}
