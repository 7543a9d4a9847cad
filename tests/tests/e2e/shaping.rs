//! A guest that sends as fast as it can: at the rate of its package to the internet, and with none in a private network.

use std::{
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use csp_agent::network::gate::{self, Gate};
use serde_json::json;

use super::{
    extra_ips,
    rig::{Lab, Server, text},
};

/// Packages of the lab and their rates in megabits.
const RATES: [(&str, f64); 3] = [("starter", 5.0), ("rated-10", 10.0), ("rated-50", 50.0)];
const MEASURED: Duration = Duration::from_secs(10);
const EXTRA: usize = 5;
/// Where a guest sends zeros to whoever asks.
const PORT: u16 = 7000;

/// A program for each who asks.
fn source(lab: &Lab, server: &Server) {
    let serve = format!("nc -ll -p {PORT} -e cat /dev/zero >/dev/null 2>&1 </dev/null &");
    lab.ssh(server, &serve);
}

/// A command that takes all that comes, for so long, and tells how many bytes it was.
fn sink(address: &str, seconds: u32) -> String {
    format!("timeout {seconds} cat </dev/tcp/{address}/{PORT} | wc -c")
}

/// What the server's queue lets out while all of `addresses` are read from as fast as can be, in megabits a second, and how many
/// bytes each reader got.
fn flooded(lab: &Lab, server: &Server, addresses: &[String]) -> (f64, Vec<u64>) {
    let (host, from) = (lab.host_of(server), gate::name(server.uuid.parse().unwrap(), Gate::FromGuest));
    let passed = || -> f64 {
        let (_, said) = lab.exec(&host, &["cat", &format!("/sys/class/net/{from}/statistics/tx_bytes")]);
        said.trim().parse().unwrap_or_else(|_| panic!("{from} on {host}: {said}"))
    };
    let read = |address: String| {
        let lab = Lab::of_environment_as_it_is();
        let (_, said) = lab.exec("internet", &["bash", "-c", &sink(&address, 20)]);
        said.trim().parse().unwrap_or_else(|_| panic!("{address}: {said}"))
    };
    let readers: Vec<_> = addresses.iter().cloned().map(|address| spawn(move || read(address))).collect();
    sleep(Duration::from_secs(5));
    let (begun, before) = (Instant::now(), passed());
    sleep(MEASURED);
    let measured = (passed() - before) * 8.0 / 1e6 / begun.elapsed().as_secs_f64();
    (measured, readers.into_iter().map(|reader| reader.join().unwrap()).collect())
}

fn is_near(measured: f64, mbit: f64) -> bool {
    (measured / mbit - 1.0).abs() < 0.05
}

#[test]
fn a_guest_sends_at_the_rate_of_its_package() {
    let lab = Lab::of_environment();
    for (package, mbit) in RATES {
        let server = lab.order_package("rate.example.com", package);
        lab.await_status(&server, "Online");
        source(&lab, &server);
        let (measured, _) = flooded(&lab, &server, std::slice::from_ref(&server.address));
        println!("{package}: {measured:.2} Mbit/s");
        assert!(is_near(measured, mbit), "{package}: {measured:.2} Mbit/s");
        lab.destroy(&server);
    }
}

#[test]
fn five_more_addresses_buy_no_bandwidth() {
    let lab = Lab::of_environment();
    let (package, mbit) = RATES[1];
    let server = lab.order_package("rates.example.com", package);
    lab.await_status(&server, "Online");
    lab.ssh(&server, extra_ips::CONFIGURE);
    let mut addresses = vec![server.address.clone()];
    for _ in 0..EXTRA {
        let ip = extra_ips::add(&lab, &server);
        lab.await_true("the address to answer", || extra_ips::answers(&lab, &ip.address));
        addresses.push(ip.address);
    }
    source(&lab, &server);
    let (measured, read) = flooded(&lab, &server, &addresses);
    println!("{} addresses: {measured:.2} Mbit/s, {read:?} bytes", addresses.len());
    assert!(is_near(measured, mbit), "{measured:.2} Mbit/s");
    // Where the queue is full, some wait long until their first packet is through.
    assert!(read.iter().filter(|bytes| **bytes > 0).count() > 1, "several carry something: {read:?}");
    lab.destroy(&server);
}

/// The package's rate is 5 Mbit/s, and of its private adapter nothing is held back: no queue stands before it, and more passes.
#[test]
fn a_private_adapter_has_no_rate() {
    let lab = Lab::of_environment();
    let servers = ["private1.example.com", "private2.example.com"].map(|name| lab.order(name));
    let network = text(&lab.must("POST", "/private-networks", &json!({"name": "Fast"}))["data"]["uuid"]);
    let mut addresses = Vec::new();
    for server in &servers {
        lab.await_status(server, "Online");
        lab.ssh(server, "true");
        let joined =
            lab.must("POST", &format!("/private-networks/{network}/attach"), &json!({"server_uuid": server.uuid}));
        addresses.push(text(&joined["data"]["address"]));
    }
    let carried = |server: &Server| -> f64 {
        let said = lab.ssh(server, "cat /sys/class/net/eth1/statistics/rx_bytes");
        said.trim().parse().unwrap_or_else(|_| panic!("{said}"))
    };
    let [from, to] = &servers;
    lab.await_true("both to reach each other", || {
        lab.try_ssh(to, &format!("ping -c 1 -W 1 {}", addresses[0])).is_some()
    });
    source(&lab, from);
    let before = carried(to);
    lab.ssh(to, &format!("timeout 10 nc {} {PORT} >/dev/null 2>&1; true", addresses[0]));
    let mbit = (carried(to) - before) * 8.0 / 1e6 / 10.0;
    println!("private: {mbit:.2} Mbit/s");
    assert!(mbit > 10.0, "{mbit:.2} Mbit/s");
    servers.iter().for_each(|server| lab.destroy(server));
    assert_eq!(lab.call("DELETE", &format!("/private-networks/{network}"), None).0, 200);
}
