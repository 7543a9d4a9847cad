//! End to end, on a lab of two hosts: real control plane, real agents, libvirt and guests, from outside as a customer.
//!
//! Run by `scripts/test`, which brings the lab up and hands its environment over. Without it each test fails and says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
// The environment says where the lab is, time bounds waits, and the lab's program is run as a person would run it.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod adapters;
mod audit;
mod console;
mod crash;
mod customer;
mod debian;
mod drift;
mod extra_ips;
mod failed_orders;
mod freeze;
mod generated_client;
#[cfg(feature = "long")]
mod hangs;
mod metrics;
mod network;
mod private_networks;
mod reboot;
mod reshape;
mod rig;
mod screen;
#[cfg(feature = "long")]
mod shaping;
#[cfg(feature = "long")]
mod traffic;
mod upgrade;

use rig::{Lab, Server};

#[test]
fn an_order_becomes_a_guest_with_its_host_name_key_and_address() {
    let lab = Lab::of_environment();
    let before = lab.balance_cents();
    let server = lab.order("web1.example.com");
    assert_eq!(before - lab.balance_cents(), 695, "the first month is debited at once");
    lab.await_status(&server, "Online");
    let said = lab.ssh(&server, "hostname; ip -4 -o address show; ip route");
    assert!(said.contains("web1"), "{said}");
    assert!(said.contains(&format!("{}/24", server.address)), "{said}");
    assert!(said.contains("default via 203.0.113.1"), "{said}");
    metrics::numbers_follow_the_guest(&lab, &server);
    lab.destroy(&server);
}

#[test]
fn power_follows_its_owner_and_a_guest_that_went_off_by_itself_stays_off() {
    let lab = Lab::of_environment();
    let server = lab.order("power.example.com");
    lab.await_status(&server, "Online");
    lab.ssh(&server, "true");
    lab.ask(&server, "stop");
    lab.await_status(&server, "Offline");
    assert_eq!(lab.refusal(&server, "restart"), (409, "conflict".to_owned()));
    lab.ask(&server, "start");
    lab.await_status(&server, "Online");
    let booted = lab.boot_id(&server);
    lab.ask(&server, "restart");
    lab.await_true("another boot", || lab.try_boot_id(&server).is_some_and(|boot| boot != booted));
    lab.ssh(&server, "(sleep 1; poweroff -f) >/dev/null 2>&1 &");
    lab.await_status(&server, "Offline");
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(lab.status(&server), "Offline", "nobody asked for a start");
    lab.ask(&server, "start");
    lab.await_status(&server, "Online");
    lab.destroy(&server);
}

#[test]
fn orders_on_two_hosts_converge_though_agents_and_control_plane_are_killed_in_the_middle() {
    let lab = Lab::of_environment();
    let before = lab.balance_cents();
    let mut servers: Vec<Server> = Vec::new();
    servers.push(lab.order("kill-a.example.com"));
    servers.push(lab.order("kill-b.example.com"));
    lab.run(&["kill-agent", "h1"]);
    lab.run(&["kill-control"]);
    lab.run(&["start-control"]);
    servers.push(lab.order_again("kill-c.example.com", "the same order"));
    assert_eq!(lab.order_again("kill-c.example.com", "the same order").uuid, servers[2].uuid, "a retry buys nothing");
    lab.run(&["kill-agent", "h2"]);
    lab.run(&["start-agent", "h1"]);
    lab.run(&["start-agent", "h2"]);
    lab.run(&["kill-control"]);
    lab.run(&["start-control"]);
    let hosts: std::collections::BTreeSet<String> = servers.iter().map(|server| lab.host_of(server)).collect();
    assert_eq!(hosts.len(), 2, "orders spread over both hosts");
    let addresses: std::collections::BTreeSet<_> = servers.iter().map(|server| &server.address).collect();
    assert_eq!(addresses.len(), 3, "no address is leased twice");
    for server in &servers {
        lab.await_status(server, "Online");
        assert!(lab.ssh(server, "hostname").contains("kill-"));
    }
    assert_eq!(before - lab.balance_cents(), 3 * 695, "each was paid once");
    for server in &servers {
        lab.destroy(server);
    }
}

#[test]
fn a_guest_runs_on_while_its_agent_is_killed_and_comes_back_after_a_power_cut() {
    let lab = Lab::of_environment();
    let server = lab.order("steady.example.com");
    lab.await_status(&server, "Online");
    let (host, boot) = (lab.host_of(&server), lab.boot_id(&server));
    lab.run(&["kill-agent", &host]);
    assert_eq!(lab.boot_id(&server), boot, "a dead agent is no reason to stop");
    lab.run(&["start-agent", &host]);
    assert_eq!(lab.boot_id(&server), boot, "a new agent adopts what runs");
    lab.run(&["cut-power", &host]);
    lab.run(&["power-on", &host]);
    lab.await_true("another boot", || lab.try_boot_id(&server).is_some_and(|again| again != boot));
    lab.destroy(&server);
}

#[test]
fn another_customer_sees_and_moves_nothing() {
    let lab = Lab::of_environment();
    let server = lab.order("mine.example.com");
    let other = lab.as_other();
    for (method, path) in
        [("GET", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/restart"), ("POST", "/destroy")]
    {
        let (status, body) = other.call(method, &format!("/servers/{}{path}", server.uuid), None);
        assert_eq!((status, body["error"]["code"].as_str()), (404, Some("not_found")), "{method} {path}");
    }
    assert!(!other.call("GET", "/servers", None).1.to_string().contains(&server.uuid));
    lab.await_status(&server, "Online");
    lab.destroy(&server);
}

#[test]
fn without_a_key_the_password_of_the_answer_opens_the_guest_and_is_shown_once() {
    let lab = Lab::of_environment();
    let (server, password) = lab.order_with_password("word.example.com");
    lab.await_status(&server, "Online");
    let shown = lab.call("GET", &format!("/servers/{}", server.uuid), None).1.to_string();
    assert!(!shown.contains(&password), "shown once, in the answer to the order");
    assert_eq!(lab.ssh_by_password(&server, &password), "word\n");
    lab.destroy(&server);
}
