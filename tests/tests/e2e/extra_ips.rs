//! Extra addresses under running guests: one comes up beside the primary and goes again, and one moves to a guest on the
//! other host.

use std::{thread, time::Duration};

use serde_json::json;

use crate::rig::{Lab, Server, text};

/// What a usual distribution does by itself: each adapter that appears is asked for its address by DHCP.
pub const CONFIGURE: &str = r#"
mkdir -p /tmp
printf '#!/bin/sh\n[ "$1" != bound ] || ip addr add $ip/$mask dev $interface\n' > /tmp/up
chmod 755 /tmp/up
(while sleep 0.2; do
  for dev in $(ls /sys/class/net | grep '^e'); do
    ip -4 -o addr show dev $dev | grep -q inet && continue
    ip link set $dev up
    udhcpc -i $dev -n -q -t 2 -T 1 -s /tmp/up
  done
done) >/dev/null 2>&1 </dev/null &
"#;

pub struct Ip {
    pub uuid: String,
    pub address: String,
}

pub fn add(lab: &Lab, server: &Server) -> Ip {
    let answer = lab.must("POST", &format!("/servers/{}/extra-ips", server.uuid), &json!({}));
    Ip { uuid: text(&answer["data"]["uuid"]), address: text(&answer["data"]["address"]) }
}

pub fn answers(lab: &Lab, address: &str) -> bool {
    lab.exec("internet", &["ping", "-c", "1", "-W", "1", address]).0
}

/// A guest that configures what it is given.
fn guest(lab: &Lab, name: &str) -> Server {
    let server = lab.order(name);
    lab.await_status(&server, "Online");
    lab.ssh(&server, CONFIGURE);
    server
}

/// The longest time without an answer, in seconds, while `work` is done. Addresses are asked ten times a second.
fn longest_gap(address: &str, seconds: u32, work: impl FnOnce()) -> f64 {
    let asked = thread::scope(|scope| {
        let (limit, address) = (seconds.to_string(), address.to_owned());
        let asking = scope.spawn(move || {
            let lab = Lab::of_environment_as_it_is();
            lab.exec("internet", &["ping", "-D", "-i", "0.1", "-w", &limit, &address]).1
        });
        thread::sleep(Duration::from_secs(1));
        work();
        asking.join().unwrap()
    });
    let answered: Vec<f64> = asked
        .lines()
        .filter(|line| line.contains("bytes from"))
        .map(|line| line.split(['[', ']']).nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(answered.len() > 50, "{asked}");
    answered.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn an_address_comes_up_beside_the_primary_and_goes_while_the_primary_stays_reachable() {
    let lab = Lab::of_environment();
    let server = guest(&lab, "extra.example.com");
    let booted = lab.boot_id(&server);
    let gap = longest_gap(&server.address, 20, || {
        let ip = add(&lab, &server);
        lab.await_true("the address to answer", || answers(&lab, &ip.address));
    });
    println!("an address was added: the primary was silent for {gap:.2} s at most");
    assert!(gap < 2.0, "the primary stays reachable");
    let listed = lab.call("GET", &format!("/servers/{}/extra-ips", server.uuid), None).1;
    let ip = &listed["data"][0];
    assert_eq!((&ip["adapter"], &ip["status"]), (&json!("net1"), &json!("active")), "{listed}");
    let address = text(&ip["address"]);

    let path = format!("/servers/{}/extra-ips/{}", server.uuid, text(&ip["uuid"]));
    let removed = lab.must("DELETE", &path, &json!({}));
    assert_eq!(lab.ended(&removed), "done");
    assert!(!answers(&lab, &address), "it is on no cable any more");
    assert!(answers(&lab, &server.address));
    assert_eq!(lab.boot_id(&server), booted);
    lab.destroy(&server);
}

#[test]
fn an_address_moves_to_a_guest_on_the_other_host_in_one_action() {
    let lab = Lab::of_environment();
    let (source, target) = (guest(&lab, "from.example.com"), guest(&lab, "to.example.com"));
    assert_ne!(lab.host_of(&source), lab.host_of(&target), "a customer's servers stand apart");
    let ip = add(&lab, &source);
    lab.await_true("the address to answer", || answers(&lab, &ip.address));
    let path = format!("/servers/{}/extra-ips/{}/move", source.uuid, ip.uuid);
    let gap = longest_gap(&ip.address, 30, || {
        let moved = lab.must("POST", &path, &json!({"target_server_uuid": target.uuid}));
        assert_eq!(lab.ended(&moved), "done");
        lab.await_true("the address to answer", || answers(&lab, &ip.address));
    });
    println!("an address moved to the other host: it was silent for {gap:.2} s at most");
    assert!(gap < 15.0, "silent for {gap} s");
    let has = |server: &Server| lab.ssh(server, "ip -4 -o addr show").contains(&format!("{}/", ip.address));
    assert!(has(&target));
    let listed = lab.call("GET", &format!("/servers/{}/extra-ips", target.uuid), None).1;
    assert_eq!(listed["data"][0]["uuid"], json!(ip.uuid), "{listed}");
    lab.destroy(&source);
    assert!(answers(&lab, &ip.address), "it is the other's");
    lab.destroy(&target);
}
