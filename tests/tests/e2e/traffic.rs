//! A guest uses up what its package allows a month: counted once through restarts, told, and held to a rate from then on.

use std::time::Instant;

use csp_agent::network::gate::{self, Gate};
use serde_json::Value;

use super::rig::{Lab, Server};

/// What the lab's `metered` package allows is 6 MB.
const PACKAGE: &str = "metered";
/// The rate past it, in megabits.
const HELD_MBIT: f64 = 1.0;

struct Guest<'a> {
    lab: &'a Lab,
    server: Server,
}

impl Guest<'_> {
    fn traffic(&self) -> Value {
        let (status, body) = self.lab.call("GET", &format!("/servers/{}/traffic", self.server.uuid), None);
        assert_eq!(status, 200, "{body}");
        body["data"].clone()
    }

    fn sent(&self) -> u64 {
        self.traffic()["sent_bytes"].as_u64().unwrap()
    }

    /// Has the guest send, and answers how long that took, in seconds.
    fn send(&self, bytes: u64) -> f64 {
        let begun = Instant::now();
        let said = self.lab.ssh(&self.server, &format!("head -c {bytes} /dev/zero"));
        assert_eq!(said.len() as u64, bytes);
        begun.elapsed().as_secs_f64()
    }

    /// Waits until at least so much is counted as sent, and sees that it is not much more: headers, and what SSH says beside.
    fn counted(&self, sent: u64) {
        self.lab.await_true("the traffic to be counted", || self.sent() >= sent);
        assert!(self.sent() < sent + sent / 5 + 300_000, "{} counted of {sent}", self.sent());
    }

    /// The rate that the queue of what it sends is made for.
    fn rate(&self) -> String {
        let host = self.lab.host_of(&self.server);
        let queue = gate::name(self.server.uuid.parse().unwrap(), Gate::FromGuest);
        self.lab.exec(&host, &["cat", &format!("/sys/class/net/{queue}/ifalias")]).1.trim().to_owned()
    }

    fn events(&self) -> Vec<Value> {
        let (_, events) = self.lab.call("GET", "/events", None);
        let is_it = |event: &&Value| event["type"] == "server.traffic" && event["server_uuid"] == *self.server.uuid;
        events["data"].as_array().unwrap().iter().filter(is_it).cloned().collect()
    }
}

#[test]
fn a_guest_that_uses_up_its_month_is_held_to_a_rate_and_nothing_is_counted_twice() {
    let lab = Lab::of_environment();
    let server = lab.order_package("metered.example.com", PACKAGE);
    let guest = Guest { lab: &lab, server };
    lab.await_status(&guest.server, "Online");
    guest.send(2_000_000);
    guest.counted(2_000_000);
    assert!(guest.rate().ends_with("mbit=5"), "{}", guest.rate());

    let host = lab.host_of(&guest.server);
    let before = guest.sent();
    lab.run(&["kill-agent", &host]);
    lab.run(&["start-agent", &host]);
    // Its taps are made anew for another QEMU.
    lab.ask(&guest.server, "restart");
    guest.send(2_000_000);
    guest.counted(4_000_000);
    assert!(guest.sent() >= before + 2_000_000);

    guest.send(2_000_000);
    lab.await_true("the server to be held", || guest.rate().ends_with("mbit=1"));
    assert_eq!(guest.traffic()["held_mbit_per_second"], 1);
    let mut told: Vec<u64> = guest.events().iter().map(|event| event["data"]["percent"].as_u64().unwrap()).collect();
    told.dedup();
    assert!(told.contains(&100), "{told:?}");
    lab.await_status(&guest.server, "Online");
    let seconds = guest.send(1_000_000);
    let mbit = 8.0 / seconds;
    assert!(mbit < HELD_MBIT * 1.15, "{mbit:.2} Mbit/s in {seconds:.1} s");
    lab.destroy(&guest.server);
}
