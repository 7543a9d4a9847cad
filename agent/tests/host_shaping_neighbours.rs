//! Two servers of one host, each at its own rate: what one sends the other is held to both, with frames from taps that the
//! test holds as QEMU would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, reason = "what was measured is worth a look")]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, SystemTime},
};

use csp_agent::{
    machine::Mark,
    network::{
        filter,
        filter_rules::ServerFilters,
        gate::Gates,
        links::Links,
        shaping::{Shaping, Sides},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use frame::{IPV4, ethernet, udp};
use host_support::{Frames, GuestCable, contains, in_private_network, run};
use tokio::runtime::Runtime;
use uuid::Uuid;

const COUNTED: &[u8] = b"COUNTED";
const MEASURED: Duration = Duration::from_secs(10);
/// Tables of the bridge and carriers of taps need a moment.
const SETTLES: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
struct Neighbour(u8);

impl Neighbour {
    fn server(self) -> ServerId {
        ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0000 + u128::from(self.0)))
    }

    fn mac(self) -> Mac {
        Mac([0x0a, 0xc5, 0, 0, 0, self.0])
    }

    fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, self.0)
    }

    fn tap(self) -> TapName {
        TapName::of(self.server(), self.mac())
    }

    /// Connects it, at a rate or without.
    async fn connect(self, links: &Links, mbit: Option<u32>) {
        let taps = Taps::new(links.clone(), "br-test".to_owned());
        taps.make(self.server(), &[self.mac()]).await.unwrap();
        let number = nix::net::if_::if_nametoindex(self.tap().as_str()).unwrap();
        let sides = Sides { public: [(self.mac(), number)].into(), ..Sides::default() };
        let gates = match mbit {
            Some(_) => Shaping::new(links.clone()).hold(self.server(), mbit, &sides).await.unwrap(),
            None => Gates::default(),
        };
        filter::load(&ServerFilters {
            server: self.server(),
            own: vec![self.address()],
            macs: vec![self.mac()],
            private: Vec::new(),
            smtp_open: false,
            gates,
            mark: Mark(7),
        })
        .unwrap();
        taps.set_up(self.server(), &[self.mac()]).await.unwrap();
    }
}

fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// What arrives at the second, in megabits a second, while the first offers `offered`.
fn carried(runtime: &Runtime, rates: [Option<u32>; 2], offered: f64) -> f64 {
    run("ip", &["link", "add", "br-test", "type", "bridge", "mcast_snooping", "0"]);
    run("ip", &["link", "set", "br-test", "up"]);
    let [one, other] = [Neighbour(1), Neighbour(2)];
    runtime.block_on(async {
        let links = Links::connect().unwrap();
        one.connect(&links, rates[0]).await;
        other.connect(&links, rates[1]).await;
    });
    let [mut from, mut to] = [one, other].map(|neighbour| GuestCable::open(neighbour.tap().as_str()));
    thread::sleep(SETTLES);
    let packet = udp((one.address(), 1000), (other.address(), 2000), &[COUNTED, &[0; 1465]].concat());
    let frame = ethernet(other.mac().0, one.mac().0, IPV4, &packet);
    let (begun, mut sent, mut taken) = (now(), 0.0, 0);
    while now() < begun + MEASURED {
        let due = (now() - begun).as_secs_f64() * offered * 125_000.0;
        while sent < due {
            from.send(&frame);
            sent += frame.len() as f64;
        }
        let frames = std::iter::from_fn(|| to.next());
        taken += frames.filter(|frame| contains(&frame[..60], COUNTED)).map(|frame| frame.len()).sum::<usize>();
        thread::sleep(Duration::from_millis(1));
    }
    taken as f64 / 125_000.0 / MEASURED.as_secs_f64()
}

fn held_to(rates: [Option<u32>; 2], wanted: f64) {
    in_private_network(move |runtime| {
        let mbit = carried(runtime, rates, 75.0);
        println!("{rates:?}: {mbit:.2} Mbit/s");
        assert!((mbit / wanted - 1.0).abs() < 0.05, "{rates:?}: {mbit:.2} Mbit/s, not {wanted}");
    });
}

#[test]
fn a_faster_neighbour_fills_no_more_than_the_slower_ones_rate() {
    held_to([Some(50), Some(10)], 10.0);
}

#[test]
fn a_neighbour_without_a_rate_fills_no_more_than_the_others() {
    held_to([None, Some(10)], 10.0);
}

#[test]
fn a_slower_neighbour_sends_no_more_than_its_own_rate() {
    held_to([Some(10), Some(50)], 10.0);
}

#[test]
fn what_goes_to_a_neighbour_without_a_rate_is_held_to_the_senders() {
    held_to([Some(10), None], 10.0);
}
