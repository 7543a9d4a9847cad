//! A server's rate, on the kernel's own queues, with frames from taps that the test holds as QEMU would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, reason = "what was measured is worth a look")]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use csp_agent::{
    machine::Mark,
    network::{
        filter::{self, AllFilters},
        filter_rules::ServerFilters,
        gate::{self, Gate, Gates},
        links::Links,
        shaping::{self, Shaping, Sides},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use frame::{IPV4, ethernet, udp};
use host_support::{Frames, GuestCable, Wire, contains, in_private_network, run};
use tokio::runtime::Runtime;
use uuid::Uuid;

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const MACS: [Mac; 2] = [Mac([0x0a, 0xc5, 0, 0, 0, 1]), Mac([0x0a, 0xc5, 0, 0, 0, 2])];
const OWN: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 10), Ipv4Addr::new(203, 0, 113, 11)];
const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const COUNTED: &[u8] = b"COUNTED";
const LAST: &[u8] = b"LAST-LAST";
const PATIENCE: Duration = Duration::from_secs(10);

/// A host with both taps of the server connected.
struct Host {
    links: Links,
    shaping: Shaping,
}

impl Host {
    fn new(runtime: &Runtime) -> Self {
        for command in [
            "link add br-test address 02:00:00:00:00:02 type bridge mcast_snooping 0",
            "link add uplink address 02:00:00:00:00:03 type veth peer name segment",
            "link set uplink master br-test up",
            "link set segment up",
            "link set br-test up",
        ] {
            run("ip", &command.split(' ').collect::<Vec<_>>());
        }
        runtime.block_on(async {
            let links = Links::connect().unwrap();
            let host = Self { shaping: Shaping::new(links.clone()), links };
            host.make_taps().await;
            host
        })
    }

    async fn make_taps(&self) {
        let taps = Taps::new(self.links.clone(), "br-test".to_owned());
        taps.make(SERVER, &MACS).await.unwrap();
        filter::load(&filters(Gates::default())).unwrap();
        taps.set_up(SERVER, &MACS).await.unwrap();
    }

    /// As the agent does it: the queues first, then the filters that hand frames to one of them.
    fn hold(&self, runtime: &Runtime, mbit: u32) {
        let gates = runtime.block_on(self.shaping.hold(SERVER, Some(mbit), &taps())).unwrap();
        filter::load(&filters(gates)).unwrap();
    }

    fn release(&self, runtime: &Runtime) {
        filter::load(&filters(Gates::default())).unwrap();
        runtime.block_on(self.shaping.release(SERVER, &Gates::default())).unwrap();
    }

    fn is_whole(&self, runtime: &Runtime) -> bool {
        let seen = AllFilters::list().unwrap().see(SERVER).unwrap().unwrap();
        runtime.block_on(async {
            let links = self.links.list().await.unwrap();
            let rates = self.shaping.rates(&links).await.unwrap();
            let ways = self.shaping.ways(&links, SERVER).await.unwrap();
            shaping::is_whole(&links, &rates, &ways, SERVER, &seen) && seen.mark != Mark::BROKEN
        })
    }
}

/// The numbers of the server's taps.
fn taps() -> Sides {
    let number = |mac| nix::net::if_::if_nametoindex(TapName::of(SERVER, mac).as_str()).unwrap();
    Sides { public: MACS.map(|mac| (mac, number(mac))).into(), ..Sides::default() }
}

fn filters(gates: Gates) -> ServerFilters {
    ServerFilters {
        server: SERVER,
        own: OWN.to_vec(),
        macs: MACS.to_vec(),
        private: Vec::new(),
        smtp_open: false,
        gates,
        mark: Mark(7),
    }
}

fn from_guest(tap: usize, body: &[u8]) -> Vec<u8> {
    ethernet(GATEWAY_MAC, MACS[tap].0, IPV4, &udp((OWN[tap], 1000), (GATEWAY, 53), body))
}

fn to_guest(tap: usize, body: &[u8]) -> Vec<u8> {
    ethernet(MACS[tap].0, GATEWAY_MAC, IPV4, &udp((GATEWAY, 53), (OWN[tap], 1000), body))
}

fn cable(tap: usize) -> GuestCable {
    GuestCable::open(TapName::of(SERVER, MACS[tap]).as_str())
}

fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// How long is measured, and how much more than the rate is offered on each tap, each way.
const MEASURED: Duration = Duration::from_secs(10);
const OFFERED: f64 = 1.5;

/// Sends full frames evenly until the end, and counts the bytes of what comes in meanwhile.
fn flood(mbit: u32, end: Duration, mut send: impl FnMut(&[u8]), mut take: impl FnMut() -> Option<usize>) -> usize {
    let body = [COUNTED, &[0; 1465]].concat();
    let bytes_per_second = f64::from(mbit) * 125_000.0 * OFFERED;
    let (begun, mut sent, mut taken) = (now(), 0.0, 0);
    while now() < end {
        let due = (now() - begun).as_secs_f64() * bytes_per_second;
        // What could not be sent in time is made up for, within what a queue holds.
        sent = f64::max(sent, due - bytes_per_second / 20.0);
        while sent < due {
            send(&body);
            sent += 1514.0;
        }
        taken += std::iter::from_fn(&mut take).sum::<usize>();
        thread::sleep(Duration::from_millis(1));
    }
    taken
}

/// Bytes of frames that came from the server's two taps, and that came to them.
fn measure(mbit: u32) -> [usize; 2] {
    let end = now() + MEASURED;
    let guests: Vec<_> = [0, 1]
        .map(|tap| {
            let cable = std::cell::RefCell::new(cable(tap));
            thread::spawn(move || {
                let take = || cable.borrow_mut().next().map(|frame| counted(&frame));
                flood(mbit, end, |body| cable.borrow_mut().send(&from_guest(tap, body)), take)
            })
        })
        .into();
    let segment = std::cell::RefCell::new(Wire::open("segment"));
    let from = flood(
        2 * mbit,
        end,
        {
            let mut turn = 0;
            let segment = &segment;
            move |body| {
                turn = 1 - turn;
                segment.borrow_mut().send(&to_guest(turn, body));
            }
        },
        // What it sends itself shows on the same wire.
        || segment.borrow_mut().next().map(|frame| if frame[6..12] == GATEWAY_MAC { 0 } else { counted(&frame) }),
    );
    [from, guests.into_iter().map(|guest| guest.join().unwrap()).sum()]
}

fn counted(frame: &[u8]) -> usize {
    if contains(&frame[..60], COUNTED) { frame.len() } else { 0 }
}

fn two_taps_share(mbit: u32) {
    in_private_network(move |runtime| {
        let host = Host::new(runtime);
        host.hold(runtime, mbit);
        let sold = f64::from(mbit) * 125_000.0 * MEASURED.as_secs_f64();
        for (way, bytes) in ["from the guest", "to the guest"].into_iter().zip(measure(mbit)) {
            let off = bytes as f64 / sold - 1.0;
            println!("{way}: {bytes} bytes, {:+.2} % of {mbit} Mbit/s", off * 100.0);
            assert!(off.abs() < 0.05, "{way}: {bytes} bytes are {:+.2} % of {sold}", off * 100.0);
        }
    });
}

#[test]
fn two_taps_share_ten_mbit_each_way() {
    two_taps_share(10);
}

#[test]
fn two_taps_share_fifty_mbit_each_way() {
    two_taps_share(50);
}

/// Frames far below any rate, both ways, while the rate is changed, taken away and set again; and every one arrives.
#[test]
fn while_a_rate_comes_changes_and_goes_no_frame_is_lost() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let is_over = Arc::new(AtomicBool::new(false));
        let counts = Arc::new([const { AtomicUsize::new(0) }; 4]);
        let traffic = |mine: usize, send: Send, take: Take| {
            let (is_over, counts) = (Arc::clone(&is_over), Arc::clone(&counts));
            thread::spawn(move || talk(mine, &is_over, &counts, send, take))
        };
        let guest = Arc::new(std::sync::Mutex::new(cable(0)));
        let segment = Arc::new(std::sync::Mutex::new(Wire::open("segment")));
        let (one, other) = (Arc::clone(&guest), Arc::clone(&segment));
        let threads = [
            traffic(
                0,
                Box::new(move |body| one.lock().unwrap().send(&from_guest(0, body))),
                Box::new(move || guest.lock().unwrap().next()),
            ),
            traffic(
                1,
                Box::new(move |body| other.lock().unwrap().send(&to_guest(0, body))),
                Box::new(move || segment.lock().unwrap().next().filter(|frame| frame[6..12] != GATEWAY_MAC)),
            ),
        ];
        for _ in 0..5 {
            host.hold(runtime, 10);
            host.hold(runtime, 50);
            assert!(host.is_whole(runtime));
            // Another agent, after a restart.
            let again = Host { links: host.links.clone(), shaping: Shaping::new(host.links.clone()) };
            again.hold(runtime, 50);
            again.release(runtime);
        }
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let [sent_out, sent_in, came_in, came_out] = [0, 1, 2, 3].map(|n| counts[n].load(Ordering::Relaxed));
        assert!(sent_out > 100 && sent_in > 100);
        assert_eq!((came_out, came_in), (sent_out, sent_in));
    });
}

/// One end of a cable: puts a frame's content in, and takes a frame out.
type Send = Box<dyn FnMut(&[u8]) + std::marker::Send>;
type Take = Box<dyn FnMut() -> Option<Vec<u8>> + std::marker::Send>;

/// Sends a frame a millisecond until it is over, then a last one, and counts what came until the other side's last one.
fn talk(mine: usize, is_over: &AtomicBool, counts: &[AtomicUsize; 4], mut send: Send, mut take: Take) {
    let (mut ended, mut end) = (false, None);
    loop {
        if !is_over.load(Ordering::Relaxed) {
            send(COUNTED);
            counts[mine].fetch_add(1, Ordering::Relaxed);
        } else if end.is_none() {
            send(LAST);
            end = Some(now() + PATIENCE);
        }
        while let Some(frame) = take() {
            counts[2 + mine].fetch_add(usize::from(contains(&frame, COUNTED)), Ordering::Relaxed);
            ended |= contains(&frame, LAST);
        }
        match end {
            Some(_) if ended => return,
            Some(end) => assert!(now() < end, "the last frame did not arrive"),
            None => {}
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_changed_by_hand_is_seen_and_made_anew() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        assert!(host.is_whole(runtime), "without a rate nothing is missing");
        let [from, to] = Gate::QUEUES.map(|queue| gate::name(SERVER, queue));
        let far_end = gate::far_end(SERVER, Gate::FromGuest);
        let tap = TapName::of(SERVER, MACS[1]);
        let harms: [(&str, String); 15] = [
            ("ip", format!("link delete {from}")),
            ("ip", format!("link set {from} alias ")),
            ("ip", format!("link set {far_end} alias ")),
            ("ip", format!("link set {from} mtu 1500")),
            ("ip", format!("link set {far_end} down name moved")),
            ("ip", format!("link delete {far_end}")),
            ("ip", format!("link set {far_end} down")),
            ("tc", format!("qdisc delete dev {far_end} ingress")),
            ("tc", format!("filter delete dev {far_end} ingress")),
            (
                "tc",
                format!("filter add dev {far_end} ingress u32 match u32 0 0 action mirred ingress redirect dev {tap}"),
            ),
            ("ip", format!("link delete {to}")),
            ("ip", format!("link set {from} down")),
            ("ip", format!("link set {to} alias mbit")),
            ("tc", format!("qdisc change dev {from} root handle 1: tbf rate 1gbit burst 100k limit 1m")),
            ("tc", format!("qdisc replace dev {to} root handle 9: pfifo")),
        ];
        for (program, harm) in harms {
            host.hold(runtime, 10);
            assert!(host.is_whole(runtime));
            run(program, &harm.split(' ').collect::<Vec<_>>());
            if harm.ends_with("alias mbit") {
                let refused = runtime.block_on(host.shaping.hold(SERVER, Some(10), &taps()));
                assert!(refused.unwrap_err().to_string().contains(&to), "what says that it is another's is left alone");
                run("ip", &["link", "set", &to, "alias", ""]);
            }
            assert!(!host.is_whole(runtime), "{harm}");
        }
        host.hold(runtime, 10);
        host.release(runtime);
        assert!(host.is_whole(runtime), "and again nothing is missing");
        let links = runtime.block_on(host.links.list()).unwrap();
        assert!(
            !shaping::remains(&links, SERVER)
                && !links.iter().any(|link| link.is_ifb || link.name.starts_with(gate::PREFIX)),
            "{links:?}"
        );
    });
}

/// All go at once, by a group that the kernel deletes; whoever has a group of his own keeps what is in it.
#[test]
fn a_servers_queues_go_with_its_taps_and_nothing_else_does() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let taps = Taps::new(host.links.clone(), "br-test".to_owned());
        let other = ServerId(Uuid::from_u128(7));
        let mac = Mac([0x0a, 0xc5, 0, 0, 0, 9]);
        runtime.block_on(taps.make(other, &[mac])).unwrap();
        let number = nix::net::if_::if_nametoindex(TapName::of(other, mac).as_str()).unwrap();
        let side = Sides { public: [(mac, number)].into(), ..Sides::default() };
        runtime.block_on(host.shaping.hold(other, Some(10), &side)).unwrap();
        for command in ["link add mine type ifb", "link set mine group 1073741825"] {
            run("ip", &command.split(' ').collect::<Vec<_>>());
        }
        let names = || -> BTreeSet<String> {
            runtime.block_on(host.links.list()).unwrap().iter().map(|link| link.name.clone()).collect()
        };
        runtime.block_on(taps.remove(SERVER)).unwrap();
        let others = names();
        assert!(others.contains("mine"));
        runtime.block_on(host.make_taps());
        host.hold(runtime, 10);
        assert!(names().len() >= others.len() + 5, "two taps, a cable's ends and a queue");
        for _ in 0..2 {
            runtime.block_on(taps.remove(SERVER)).unwrap();
            assert_eq!(names(), others);
        }
    });
}

/// By hand, as whoever looks for a fault does it.
#[test]
fn gates_that_somebody_renamed_are_made_anew_and_go_with_their_server() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let taps = Taps::new(host.links.clone(), "br-test".to_owned());
        let rename = |from: &str, to: &str| {
            run("ip", &["link", "set", from, "down"]);
            run("ip", &["link", "set", from, "name", to]);
        };
        let [near, queue] = Gate::QUEUES.map(|queue| gate::name(SERVER, queue));
        let ours = || {
            let links = runtime.block_on(host.links.list()).unwrap();
            links.iter().filter(|link| link.name.starts_with(gate::PREFIX)).count()
        };
        host.hold(runtime, 10);
        let all = ours();
        rename(&near, "cspqhand");
        assert!(!host.is_whole(runtime));
        host.hold(runtime, 10);
        assert!(host.is_whole(runtime));
        assert_eq!(ours(), all, "what was renamed is gone");
        rename(&queue, "cspqother");
        rename(&near, "cspqhand");
        runtime.block_on(taps.remove(SERVER)).unwrap();
        assert_eq!(ours(), 0);
    });
}

/// Whoever took the taps away left what held them.
#[test]
fn queues_go_without_their_taps() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.hold(runtime, 10);
        for mac in MACS {
            run("ip", &["link", "delete", TapName::of(SERVER, mac).as_str()]);
        }
        let taps = Taps::new(host.links.clone(), "br-test".to_owned());
        for _ in 0..2 {
            runtime.block_on(taps.remove(SERVER)).unwrap();
            assert!(!shaping::remains(&runtime.block_on(host.links.list()).unwrap(), SERVER));
        }
    });
}
