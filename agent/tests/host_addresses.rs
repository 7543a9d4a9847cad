//! Which of a host's addresses can be reached by its public bridge, with frames put in at the other end of its uplink.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::Duration,
};

use csp_agent::network::{host_addresses::HostAddressKeeper, links::Links};
use frame::{ARP, Arp, BROADCAST, IPV4, arp, ethernet, udp};
use host_support::{Frames, Wire, contains, in_private_network, run};

const GUEST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const GUEST_MAC: [u8; 6] = [0x0a, 0xc5, 0, 0, 0, 7];
const BRIDGE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
const OF_BRIDGE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const OF_UPLINK: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 3);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 12);
const LATER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 13);
const ITS_BROADCAST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 255);
const PORT: u16 = 2000;
/// The kernel answers and hands over at once.
const PATIENCE: Duration = Duration::from_millis(100);

struct Segment {
    wire: Wire,
    host: UdpSocket,
    sent: u32,
}

impl Segment {
    fn new() -> Self {
        for command in [
            "link set lo up",
            "link add br-test address 02:00:00:00:00:02 type bridge mcast_snooping 0",
            "link add uplink address 02:00:00:00:00:03 type veth peer name segment",
            "link set uplink master br-test up",
            "link set segment up",
            "link set br-test up",
            "addr add 203.0.113.2/24 dev br-test",
            "addr add 203.0.113.3/32 dev uplink",
            "link add management type veth peer name away",
            "link set management up",
            "link set away up",
            "addr add 198.51.100.12/24 brd 198.51.100.255 dev management",
        ] {
            run("ip", &command.split(' ').collect::<Vec<_>>());
        }
        let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        let host = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap();
        host.set_broadcast(true).unwrap();
        host.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut segment = Self { wire: Wire::open("segment"), host, sent: 0 };
        // Carriers and ports need a moment.
        for _ in 0..100 {
            if segment.reaches(OF_BRIDGE) {
                return segment;
            }
        }
        panic!("the host is not reached at all");
    }

    /// Whether the host takes a packet in.
    fn reaches(&mut self, address: Ipv4Addr) -> bool {
        self.sent += 1;
        let marker = format!("packet {}.", self.sent);
        let packet = udp((GUEST, 1000), (address, PORT), marker.as_bytes());
        self.wire.send(&ethernet(BRIDGE_MAC, GUEST_MAC, IPV4, &packet));
        let mut buffer = [0; 100];
        std::iter::from_fn(|| {
            self.host.recv(&mut buffer).ok().map(|length| contains(&buffer[..length], marker.as_bytes()))
        })
        .any(|is_it| is_it)
    }

    /// Whether it says at which MAC it is.
    fn answers_for(&mut self, address: Ipv4Addr) -> bool {
        while self.wire.next().is_some() {}
        let question = Arp { operation: 1, sender_mac: GUEST_MAC, sender: GUEST, target: address };
        self.wire.send(&ethernet(BROADCAST, GUEST_MAC, ARP, &arp(&question, b"")));
        thread::sleep(PATIENCE);
        let is_answer = |frame: &[u8]| frame[..6] == GUEST_MAC && frame[12..14] == ARP.to_be_bytes() && frame[21] == 2;
        std::iter::from_fn(|| self.wire.next()).any(|frame| is_answer(&frame))
    }

    fn knows(&mut self, address: Ipv4Addr) -> [bool; 2] {
        [self.reaches(address), self.answers_for(address)]
    }
}

#[test]
fn addresses_of_other_interfaces_are_out_of_reach_and_those_of_the_bridge_are_not() {
    in_private_network(|runtime| {
        let mut segment = Segment::new();
        for address in [OF_BRIDGE, OF_UPLINK, ELSEWHERE] {
            assert_eq!(segment.knows(address), [true; 2], "by itself a host is reached at {address}");
        }
        assert!(segment.reaches(ITS_BROADCAST));
        let keeper =
            runtime.block_on(async { HostAddressKeeper::new(Links::connect().unwrap(), "br-test".to_owned()) });
        // Twice: what stands is left.
        for _ in 0..2 {
            runtime.block_on(keeper.settle()).unwrap();
            for address in [OF_BRIDGE, OF_UPLINK] {
                assert_eq!(segment.knows(address), [true; 2], "{address}");
            }
            assert_eq!(segment.knows(ELSEWHERE), [false; 2]);
            assert!(!segment.reaches(ITS_BROADCAST) && segment.reaches(Ipv4Addr::BROADCAST));
        }
        run("nft", &["flush", "chain", "arp", "csp_host", "by_public_bridge"]);
        assert!(segment.answers_for(ELSEWHERE));
        runtime.block_on(keeper.settle()).unwrap();
        assert_eq!(segment.knows(ELSEWHERE), [false; 2], "what was changed by hand is loaded anew");
    });
}

#[test]
fn an_address_that_comes_later_is_heard_of() {
    in_private_network(|runtime| {
        let mut segment = Segment::new();
        runtime.block_on(async {
            let keeper = HostAddressKeeper::new(Links::connect().unwrap(), "br-test".to_owned());
            let kept = tokio::time::timeout(Duration::from_secs(2), async {
                tokio::join!(keeper.keep(), async {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    run("ip", &["addr", "add", "198.51.100.13/24", "dev", "management"]);
                })
            });
            assert!(kept.await.is_err(), "it keeps for ever");
        });
        assert_eq!(segment.knows(LATER), [false; 2]);
        run("ip", &["addr", "add", "203.0.113.5/32", "dev", "br-test"]);
        assert_eq!(segment.knows(Ipv4Addr::new(203, 0, 113, 5)), [true; 2]);
    });
}
