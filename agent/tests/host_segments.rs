//! Private networks over VXLAN between two hosts: the agent's code on the kernel's own bridges and devices, with taps that
//! the test holds as QEMU would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;
#[path = "host_support/private_guest.rs"]
mod private_guest;
#[path = "host_support/two_hosts.rs"]
mod two_hosts;

use std::net::{Ipv4Addr, UdpSocket};

use csp_agent::{
    config::Network,
    machine::Mark,
    network::{
        checksums,
        filter::{self, AllFilters},
        filter_rules::{PrivateTap, ServerFilters},
        gate::{Cable, Gate, Gates},
        links::Links,
        nft,
        segment::{Segments, Settled, name},
        shaping::{self, Shaping},
        tap::{Plug, Taps},
    },
};
use csp_shared::{
    id::NetworkId,
    network::{DesiredNetwork, MemberPlace, NetworkMember, NetworkRemains, NetworkSpec, Segment},
    observed::FaultCode,
};
use frame::{ARP, Arp, BROADCAST, IPV4, arp, ethernet, udp};
use host_support::{Frames, GuestCable, Wire};
use private_guest::{A, B, Guest, LAST, ONE, OTHER, TRIED, TWIN, absent, gates, version};
use serde_json::json;
use two_hosts::{HostThread, cable};

const UNDERLAY: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 11), Ipv4Addr::new(192, 0, 2, 12)];
const MTU: u16 = 1500;

const C: Guest = Guest { number: 3, network: ONE, host: 0 };

impl Guest {
    fn asks_for(self, address: Ipv4Addr) -> Vec<u8> {
        let question = Arp { operation: 1, sender_mac: self.mac().0, sender: self.address(), target: address };
        ethernet(BROADCAST, self.mac().0, ARP, &arp(&question, TRIED))
    }
}

/// What a host is told of a network with these members.
fn present(host: usize, network: NetworkId, members: &[Guest], mtu: u16) -> DesiredNetwork {
    let peers = if members.iter().any(|guest| guest.host != host) { vec![UNDERLAY[1 - host].into()] } else { vec![] };
    let member = |guest: &Guest| NetworkMember {
        mac: guest.mac(),
        addresses: vec![guest.address().into()],
        at: if guest.host == host { MemberPlace::Here } else { MemberPlace::Behind(UNDERLAY[guest.host].into()) },
    };
    let vni = if network == ONE { 5001 } else { 5002 };
    DesiredNetwork::Present(Box::new(NetworkSpec {
        network,
        version: version(1),
        segment: Segment::Vxlan { vni: vni.try_into().unwrap(), peers },
        mtu,
        members: members.iter().map(member).collect(),
    }))
}

struct Hosts([HostThread; 2]);

impl Hosts {
    fn new() -> Self {
        let hosts = [HostThread::start(), HostThread::start()];
        cable(&hosts[0], &hosts[1], "under", 1550);
        cable(&hosts[0], &hosts[1], "side", 1550);
        for (host, last) in hosts.iter().zip([11, 12]) {
            host.ip(&format!("addr add 192.0.2.{last}/24 dev under"));
            host.ip(&format!("addr add 198.51.100.{last}/24 dev side"));
            // Where the module is loaded, it would look at headers' checksums, and that is no work of the filters.
            host.does(|_| drop(std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0")));
        }
        Self(hosts)
    }

    /// Brings networks about on one host, by an agent that has just started.
    fn settle(&self, host: usize, all: Vec<DesiredNetwork>) -> Settled {
        self.0[host].does(move |runtime| runtime.block_on(async { segments(host).settle(&all).await }))
    }

    /// As the agent does it: network, tap, filters, link.
    fn plug_in(&self, guest: Guest, all: Vec<DesiredNetwork>) -> GuestCable {
        self.0[guest.host].does(move |runtime| {
            runtime.block_on(async {
                let segments = segments(guest.host);
                assert!(segments.settle(&all).await.is_news);
                let place = segments.ready()[&guest.network].clone();
                let taps = Taps::new(Links::connect().unwrap(), "br-none".to_owned());
                let plug = Plug { mac: guest.mac(), private: Some((guest.network, place)) };
                taps.make(guest.server(), &[plug]).await.unwrap();
                filter::load(&filters(guest, gates(guest).await)).unwrap();
                taps.set_up(guest.server(), &[guest.mac()]).await.unwrap();
            });
            GuestCable::open(guest.tap().as_str())
        })
    }

    fn unplug(&self, guest: Guest) {
        self.0[guest.host].does(move |runtime| {
            runtime.block_on(async {
                let taps = Taps::new(Links::connect().unwrap(), "br-none".to_owned());
                taps.remove(guest.server()).await.unwrap();
            });
            filter::remove(guest.server()).unwrap();
        });
    }

    fn wire(&self, host: usize, interface: &'static str) -> Wire {
        self.0[host].does(move |_| Wire::open(interface))
    }
}

fn segments(host: usize) -> Segments {
    let config = Network {
        underlay_interface: Some("under".to_owned()),
        underlay_address: Some(UNDERLAY[host]),
        ..Network::default()
    };
    Segments::new(Links::connect().unwrap(), &config)
}

fn filters(guest: Guest, gates: Gates) -> ServerFilters {
    let private = vec![PrivateTap { mac: guest.mac(), own: vec![guest.address()] }];
    ServerFilters { server: guest.server(), own: vec![], macs: vec![], private, smtp_open: false, gates, mark: Mark(1) }
}

/// Both hosts with what they are told, and the guests' cables in the order of the guests.
fn stage(hosts: &Hosts, guests: &[Guest]) -> Vec<GuestCable> {
    let told = |host: usize| {
        let of = |network| guests.iter().copied().filter(move |guest| guest.network == network).collect::<Vec<_>>();
        let networks = [ONE, OTHER].map(|network| present(host, network, &of(network), MTU));
        networks.to_vec()
    };
    guests.iter().map(|guest| hosts.plug_in(*guest, told(guest.host))).collect()
}

/// Whether a frame arrives; `last` is one that does.
fn arrives(from: &mut GuestCable, frame: &[u8], last: &[u8], at: &mut impl Frames) -> bool {
    from.send(frame);
    from.send(last);
    at.saw_before(TRIED, LAST)
}

/// For a moment after a cable was plugged in, what is sent to a guest is lost.
fn until_heard(from: &mut GuestCable, frame: &[u8], at: &mut GuestCable) {
    for _ in 0..1000 {
        from.send(frame);
        std::thread::sleep(std::time::Duration::from_millis(5));
        if std::iter::from_fn(|| at.next()).any(|frame| host_support::contains(&frame, b"HEARD")) {
            return;
        }
    }
    panic!("nothing is heard");
}

#[test]
fn members_on_two_hosts_are_one_network_for_the_largest_frames_too() {
    let hosts = Hosts::new();
    let [mut a, mut b] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, B])).ok().unwrap();
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    until_heard(&mut b, &B.sends(A, b"HEARD"), &mut a);
    let full = [TRIED, &vec![0; usize::from(MTU) - 28 - TRIED.len()]].concat();
    assert_eq!(A.sends(B, &full).len(), 1514);
    assert!(arrives(&mut a, &A.sends(B, &full), &A.sends(B, LAST), &mut b));
    assert!(arrives(&mut b, &B.sends(A, &full), &B.sends(A, LAST), &mut a));
}

#[test]
fn frames_go_where_they_are_known_to_belong_and_nobody_is_searched_for() {
    let hosts = Hosts::new();
    let [mut a, mut b] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, B])).ok().unwrap();
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    let mut under = hosts.wire(1, "under");
    let unknown = Guest { number: 99, ..B };
    assert!(!arrives(&mut a, &A.sends(unknown, TRIED), &A.sends(B, LAST), &mut under), "an unknown adapter");
    assert!(!arrives(&mut a, &A.asks_for(B.address()), &A.sends(B, LAST), &mut under), "who has an address is known");
    let answer = std::iter::from_fn(|| a.next()).find(|frame| frame[12..14] == ARP.to_be_bytes()).unwrap();
    assert_eq!((&answer[22..28], &answer[28..32]), (&B.mac().0[..], &B.address().octets()[..]));
}

#[test]
fn two_networks_with_one_subnet_never_meet_on_one_host() {
    let hosts = Hosts::new();
    let cables = stage(&hosts, &[A, C, TWIN]);
    let [mut a, mut c, mut twin] = <[GuestCable; 3]>::try_from(cables).ok().unwrap();
    until_heard(&mut a, &A.sends(C, b"HEARD"), &mut c);
    let to_twin = ethernet(TWIN.mac().0, A.mac().0, IPV4, &udp((A.address(), 1), (TWIN.address(), 2), TRIED));
    for frame in [to_twin, A.asks_for(TWIN.address()), A.sends(TWIN, TRIED)] {
        // To others of its own network it may well go.
        arrives(&mut a, &frame, &A.sends(C, LAST), &mut c);
        assert!(std::iter::from_fn(|| twin.next()).all(|frame| !host_support::contains(&frame, TRIED)));
    }
}

#[test]
fn a_guest_speaks_as_itself_alone_and_reaches_no_address_of_the_host() {
    let hosts = Hosts::new();
    let [mut a, mut c] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, C])).ok().unwrap();
    until_heard(&mut a, &A.sends(C, b"HEARD"), &mut c);
    let packet = |from: Ipv4Addr, ports: (u16, u16)| udp((from, ports.0), (C.address(), ports.1), TRIED);
    let frame = |kind, body: &[u8]| ethernet(C.mac().0, A.mac().0, kind, body);
    let good = frame(IPV4, &packet(A.address(), (1, 2)));
    let claim = Arp { operation: 2, sender_mac: A.mac().0, sender: B.address(), target: C.address() };
    for (name, passes, frame) in [
        ("as it should be", true, good.clone()),
        ("another's address", false, frame(IPV4, &packet(B.address(), (1, 2)))),
        ("another's MAC", false, ethernet(C.mac().0, B.mac().0, IPV4, &packet(A.address(), (1, 2)))),
        ("claims another's address", false, frame(ARP, &arp(&claim, TRIED))),
        ("plays DHCP server", false, frame(IPV4, &packet(A.address(), (67, 68)))),
        ("a tag", false, frame::tagged(&good, 0x8100, 7)),
        ("IPv6", false, frame(frame::IPV6, &frame::router_advertisement(TRIED))),
        ("asks who has an address", true, A.asks_for(Ipv4Addr::new(10, 64, 0, 77))),
    ] {
        assert_eq!(arrives(&mut a, &frame, &A.sends(C, LAST), &mut c), passes, "{name}");
    }
    let bridge: &'static str = Box::leak(name::bridge(ONE).into_boxed_str());
    let mut inside = hosts.wire(0, bridge);
    let to_bridge = ethernet(name::bridge_mac(ONE).0, A.mac().0, IPV4, &packet(A.address(), (1, 2)));
    a.send(&to_bridge);
    a.send(&A.asks_for(UNDERLAY[0]));
    until_heard(&mut a, &A.sends(C, b"HEARD"), &mut c);
    assert!(std::iter::from_fn(|| inside.next()).all(|frame| !host_support::contains(&frame, TRIED)));
}

/// A guest may leave a checksum to its host, and says where it belongs. What is written there comes before the filters' last look.
#[test]
fn what_a_checksum_makes_of_a_frame_is_filtered() {
    let hosts = Hosts::new();
    let [mut a, mut b, mut c] = <[GuestCable; 3]>::try_from(stage(&hosts, &[A, B, C])).ok().unwrap();
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    // The underlay carries frames as a cable does: with their checksums written.
    hosts.0[0].does(|_| checksums::finish("under").unwrap());
    let low = |guest: Guest| u16::from_be_bytes([guest.address().octets()[2], guest.address().octets()[3]]);
    let claims = Arp { operation: 2, sender_mac: A.mac().0, sender: A.address(), target: B.address() };
    let claims = ethernet(B.mac().0, A.mac().0, ARP, &arp(&claims, TRIED));
    let shapes = [("another's address", A.sends(B, TRIED), (20, 8)), ("claims another's address", claims, (20, 10))];
    let mut arrived = |a: &mut GuestCable| {
        let mut names = Vec::new();
        for (name, frame, place) in &shapes {
            a.send_unfinished(&frame::with_checksum(frame.clone(), place.0, low(C)), *place);
            a.send(&A.sends(B, LAST));
            if b.saw_before(TRIED, LAST) {
                names.push(*name);
            }
        }
        names
    };
    assert_eq!(arrived(&mut a), Vec::<&str>::new());
    // The control: so they arrive where nothing makes frames final.
    hosts.0[0].does(|_| filter::load(&filters(A, Gates::default())).unwrap());
    assert_eq!(arrived(&mut a), shapes.iter().map(|shape| shape.0).collect::<Vec<_>>());
    // And what is left to the host as it should be arrives whole: the checksum of UDP.
    hosts.0[0].does(|runtime| runtime.block_on(async { filter::load(&filters(A, gates(A).await)).unwrap() }));
    a.send_unfinished(&A.sends(C, TRIED), (34, 6));
    a.send(&A.sends(C, LAST));
    assert!(c.saw_before(TRIED, LAST));
}

#[test]
fn a_cable_to_private_networks_that_somebody_changed_is_missed_and_laid_anew() {
    let hosts = Hosts::new();
    let [mut a, mut c] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, C])).ok().unwrap();
    let is_whole = || {
        hosts.0[0].does(|runtime| {
            let seen = AllFilters::list().unwrap().see(A.server()).unwrap().unwrap();
            runtime.block_on(async {
                let links = Links::connect().unwrap();
                let (shaping, listed) = (Shaping::new(links.clone()), links.list().await.unwrap());
                let ways = shaping.ways(&listed, A.server()).await.unwrap();
                shaping::is_whole(&listed, &shaping.rates(&listed).await.unwrap(), &ways, A.server(), &seen)
            })
        })
    };
    let Cable { near, far } = Cable::of(A.server(), Gate::Private);
    for harm in [
        format!("ip link delete {near}"),
        format!("ip link set {near} down"),
        format!("ip link set {near} mtu 1400"),
        format!("ip link set {near} alias "),
        format!("ip link set {far} alias "),
        format!("ip link set {far} down"),
        format!("ip link set {far} down name moved"),
        format!("tc filter delete dev {far} ingress"),
        format!("tc qdisc delete dev {far} ingress"),
        format!("tc qdisc add dev {near} root tbf rate 1mbit burst 10k latency 50ms"),
        format!("tc qdisc add dev {near} root pfifo limit 10"),
    ] {
        assert!(is_whole(), "before: {harm}");
        hosts.0[0].does(move |_| {
            let (program, words) = harm.split_once(' ').unwrap();
            host_support::run(program, &words.split(' ').collect::<Vec<_>>());
        });
        assert!(!is_whole());
        hosts.0[0].does(|runtime| runtime.block_on(async { filter::load(&filters(A, gates(A).await)).unwrap() }));
        until_heard(&mut a, &A.sends(C, b"HEARD"), &mut c);
    }
    hosts.0[0].does(|runtime| {
        filter::load(&filters(A, Gates::default())).unwrap();
        runtime.block_on(async {
            let links = Links::connect().unwrap();
            Shaping::new(links.clone()).release(A.server(), &Gates::default()).await.unwrap();
            assert!(!shaping::remains(&links.list().await.unwrap(), A.server()));
        });
    });
    assert!(is_whole(), "and again nothing is missing");
}

/// A packet as VXLAN sends it, around a frame for guest A.
fn vxlan_packet(body: &[u8]) -> Vec<u8> {
    let mut packet = vec![8, 0, 0, 0];
    packet.extend(&5001u32.to_be_bytes()[1..]);
    packet.push(0);
    packet.extend(B.sends(A, body));
    packet
}

#[test]
fn packets_are_taken_from_peers_alone_and_on_the_underlay_alone() {
    let hosts = Hosts::new();
    let [mut a, mut b] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, B])).ok().unwrap();
    until_heard(&mut b, &B.sends(A, b"HEARD"), &mut a);
    hosts.0[1].ip("addr add 192.0.2.99/24 dev under");
    let send = |from: [u8; 4], to: [u8; 4]| {
        hosts.0[1].does(move |_| {
            let socket = UdpSocket::bind((Ipv4Addr::from(from), 0)).unwrap();
            socket.send_to(&vxlan_packet(TRIED), (Ipv4Addr::from(to), 4789)).unwrap();
        });
    };
    let (peer, stranger, aside) = ([192, 0, 2, 12], [192, 0, 2, 99], [198, 51, 100, 11]);
    let mut tries = |from, to| {
        send(from, to);
        b.send(&B.sends(A, LAST));
        a.saw_before(TRIED, LAST)
    };
    assert!(tries(peer, [192, 0, 2, 11]), "a peer, by hand");
    assert!(!tries(stranger, [192, 0, 2, 11]), "who is no peer");
    assert!(!tries([198, 51, 100, 12], aside), "who is no peer, aside");
    assert!(!tries(peer, aside), "a peer's address on another interface");
    hosts.0[0].does(|_| {
        let table = json!({"delete": {"table": {"family": "inet", "name": "csp_underlay"}}});
        nft::apply("let everybody in", &[table]).unwrap();
    });
    assert!(tries(stranger, [192, 0, 2, 11]) && tries(peer, aside), "without the rules each would have arrived");
    let told = present(0, ONE, &[A, B], MTU);
    hosts.settle(0, vec![told]);
    assert!(!tries(stranger, [192, 0, 2, 11]), "they are there again");
}

#[test]
fn a_network_goes_when_its_last_tap_went_and_that_is_proved() {
    let hosts = Hosts::new();
    let cables = stage(&hosts, &[A, B]);
    let all = || vec![absent(ONE), present(0, OTHER, &[], MTU)];
    let told = hosts.settle(0, all()).told.remove(0);
    assert_eq!((told.reached, told.remains), (None, NetworkRemains { bridge: true, device: true, taps: true }));
    drop(cables);
    hosts.unplug(A);
    for _ in 0..2 {
        let told = hosts.settle(0, all()).told;
        assert_eq!((told[0].reached, told[0].remains), (Some(version(2)), NetworkRemains::NOTHING));
        assert!(!told[1].remains.is_nothing() && told[1].reached.is_some(), "the other one stays");
    }
}

#[test]
fn members_come_and_go_and_no_frame_of_the_others_is_lost() {
    let hosts = Hosts::new();
    let [mut a, mut b] = <[GuestCable; 2]>::try_from(stage(&hosts, &[A, B])).ok().unwrap();
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    let far = |number| Guest { number, network: ONE, host: 1 };
    for round in 0..20u8 {
        let members = if round % 2 == 0 { vec![A, B, far(7), far(8)] } else { vec![A, B] };
        a.send(&A.sends(B, TRIED));
        hosts.settle(0, vec![present(0, ONE, &members, MTU)]);
        a.send(&A.sends(B, TRIED));
    }
    a.send(&A.sends(B, LAST));
    assert_eq!(b.count_before(TRIED, LAST), 40);
}

#[test]
fn what_a_host_lacks_is_told_and_nothing_is_made() {
    let hosts = Hosts::new();
    let fault = |told: Settled| told.told[0].fault.clone().unwrap();
    let large = fault(hosts.settle(0, vec![present(0, ONE, &[A], 1501)]));
    assert!(large.code == FaultCode::SegmentUnavailable && large.detail.contains("mtu 1551"), "{large:?}");
    let tag = DesiredNetwork::Present(Box::new(NetworkSpec {
        network: OTHER,
        version: version(1),
        segment: Segment::Vlan { tag: 100.try_into().unwrap() },
        mtu: MTU,
        members: vec![],
    }));
    let no_trunk = fault(hosts.settle(0, vec![tag]));
    assert!(no_trunk.code == FaultCode::SegmentUnavailable && no_trunk.detail.contains("trunk_interface"));
    hosts.0[0].ip("link set under down");
    hosts.0[0].ip("link set under name elsewhere");
    let gone = fault(hosts.settle(0, vec![present(0, ONE, &[A], MTU)]));
    assert!(gone.detail.contains("no interface under"), "{gone:?}");
    let links = hosts.0[0].does(|runtime| runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() }));
    assert!(links.iter().all(|link| !link.name.starts_with("csp")), "{links:?}");
}
