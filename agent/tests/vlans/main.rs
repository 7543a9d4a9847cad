//! Private networks as VLANs on two hosts with a trunk between them. Needs a kernel whose bridges keep tags apart:
//! scripts/checks/kernel-lab runs this in one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../host_support/frame.rs"]
mod frame;
#[path = "../host_support/mod.rs"]
mod host_support;
#[path = "../host_support/private_guest.rs"]
mod private_guest;
#[path = "../host_support/two_hosts.rs"]
mod two_hosts;

use std::net::Ipv4Addr;

use csp_agent::{
    check::{Verdict, networks},
    config::Network,
    machine::Mark,
    network::{
        filter,
        filter_rules::{PrivateTap, ServerFilters},
        gate::Gates,
        links::Links,
        segment::{Segments, Settled, name::VLAN_BRIDGE, vlan::PortTags},
        tap::{Places, Plug, Taps},
    },
};
use csp_shared::{
    id::NetworkId,
    mac::Mac,
    network::{DesiredNetwork, MemberPlace, NetworkMember, NetworkRemains, NetworkSpec, Segment},
    observed::FaultCode,
};
use frame::{ARP, Arp, BROADCAST, IPV4, IPV6, arp, ethernet, router_advertisement, tagged, udp};
use host_support::{Frames, GuestCable, Wire, contains};
use private_guest::{A, B, Guest, LAST, ONE, OTHER, TRIED, TWIN, absent, gates, version};
use two_hosts::{HostThread, cable};

const TAGS: [(NetworkId, u16); 2] = [(ONE, 100), (OTHER, 200)];
/// How often each shape is sent.
const TIMES: usize = if cfg!(feature = "long") { 1000 } else { 50 };

const FAR_TWIN: Guest = Guest { number: 5, network: OTHER, host: 1 };

fn present(network: NetworkId, tag: u16) -> DesiredNetwork {
    DesiredNetwork::Present(Box::new(NetworkSpec {
        network,
        version: version(1),
        segment: Segment::Vlan { tag: tag.try_into().unwrap() },
        mtu: 1500,
        members: vec![NetworkMember { mac: A.mac(), addresses: vec![], at: MemberPlace::Elsewhere }],
    }))
}

fn both() -> Vec<DesiredNetwork> {
    TAGS.map(|(network, tag)| present(network, tag)).to_vec()
}

fn config() -> Network {
    Network { trunk_interface: Some("trunk".to_owned()), ..Network::default() }
}

fn segments() -> Segments {
    Segments::new(Links::connect().unwrap(), &config())
}

struct Hosts([HostThread; 2]);

impl Hosts {
    fn new() -> Self {
        let hosts = [HostThread::start(), HostThread::start()];
        cable(&hosts[0], &hosts[1], "trunk", 1504);
        Self(hosts)
    }

    fn settle(&self, host: usize, all: Vec<DesiredNetwork>) -> Settled {
        self.0[host].does(move |runtime| runtime.block_on(async { segments().settle(&all).await }))
    }

    /// As the agent does it: network, tap, filters, link.
    fn plug_in(&self, guest: Guest) -> GuestCable {
        self.0[guest.host].does(move |runtime| {
            runtime.block_on(async {
                let segments = segments();
                segments.settle(&both()).await;
                let place = segments.ready()[&guest.network].clone();
                let links = Links::connect().unwrap();
                let taps = Taps::new(links.clone(), "br-none".to_owned());
                let plug = Plug { mac: guest.mac(), private: Some((guest.network, place)) };
                taps.make(guest.server(), &[plug]).await.unwrap();
                let places = Places { ready: segments.ready(), tags: PortTags::list().await.unwrap() };
                let seen = taps.seen_in(&links.list().await.unwrap(), guest.server(), &places);
                assert!(seen[&guest.mac()].plugged, "an access port of its network's tag");
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
}

fn filters(guest: Guest, gates: Gates) -> ServerFilters {
    let private = vec![PrivateTap { mac: guest.mac(), own: vec![guest.address()] }];
    ServerFilters { server: guest.server(), own: vec![], macs: vec![], private, smtp_open: false, gates, mark: Mark(1) }
}

fn until_heard(from: &mut GuestCable, frame: &[u8], at: &mut GuestCable) {
    for _ in 0..2000 {
        from.send(frame);
        std::thread::sleep(std::time::Duration::from_millis(5));
        if std::iter::from_fn(|| at.next()).any(|frame| contains(&frame, b"HEARD")) {
            return;
        }
    }
    panic!("nothing is heard");
}

/// Every shape that a guest may not send on a private network.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let packet = |from: Ipv4Addr, ports: (u16, u16)| udp((from, ports.0), (B.address(), ports.1), TRIED);
    let frame = |kind, body: &[u8]| ethernet(B.mac().0, A.mac().0, kind, body);
    let good = frame(IPV4, &packet(A.address(), (1, 2)));
    let claims = |operation, sender_mac: Mac, sender, target| {
        ethernet(BROADCAST, A.mac().0, ARP, &arp(&Arp { operation, sender_mac: sender_mac.0, sender, target }, TRIED))
    };
    let priority = [0x00, 0x00];
    let mut broken_length = good.clone();
    broken_length[16] = 0x20;
    vec![
        ("another's address", frame(IPV4, &packet(B.address(), (1, 2)))),
        ("no address", frame(IPV4, &packet(Ipv4Addr::UNSPECIFIED, (1, 2)))),
        ("another's MAC", ethernet(B.mac().0, TWIN.mac().0, IPV4, &packet(A.address(), (1, 2)))),
        ("claims another's address", claims(2, A.mac(), B.address(), B.address())),
        ("asks as another", claims(1, A.mac(), B.address(), A.address())),
        ("another's MAC inside ARP", claims(1, B.mac(), A.address(), B.address())),
        ("probes another's address", claims(1, A.mac(), Ipv4Addr::UNSPECIFIED, B.address())),
        ("reverse ARP", claims(3, A.mac(), A.address(), B.address())),
        ("its own tag", tagged(&good, 0x8100, 100)),
        ("the other network's tag", tagged(&good, 0x8100, 200)),
        ("a tag of nobody", tagged(&good, 0x8100, 300)),
        ("a tag of priority only", tagged(&good, 0x8100, u16::from_be_bytes(priority))),
        ("a service tag", tagged(&good, 0x88a8, 100)),
        ("two tags", tagged(&tagged(&good, 0x8100, 200), 0x8100, 100)),
        ("a tag in a service tag", tagged(&tagged(&good, 0x8100, 200), 0x88a8, 100)),
        ("plays DHCP server", frame(IPV4, &packet(A.address(), (67, 68)))),
        ("asks the segment for DHCP", frame(IPV4, &packet(A.address(), (68, 67)))),
        (
            "IP to everybody",
            ethernet(BROADCAST, A.mac().0, IPV4, &udp((A.address(), 1), (Ipv4Addr::BROADCAST, 2), TRIED)),
        ),
        ("a router advertisement", frame(IPV6, &router_advertisement(TRIED))),
        ("a spanning tree", ethernet([1, 0x80, 0xc2, 0, 0, 0], A.mac().0, 39, TRIED)),
        ("a link layer's discovery", ethernet([1, 0x80, 0xc2, 0, 0, 0xe], A.mac().0, 0x88cc, TRIED)),
        ("an odd kind", frame(0x1234, TRIED)),
        ("a length that is a lie", broken_length),
    ]
}

#[test]
fn no_hostile_frame_leaves_its_port_and_networks_never_meet() {
    let hosts = Hosts::new();
    let [mut a, mut b, mut twin, mut far] = [A, B, TWIN, FAR_TWIN].map(|guest| hosts.plug_in(guest));
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    until_heard(&mut b, &B.sends(A, b"HEARD"), &mut a);
    until_heard(&mut twin, &TWIN.sends(FAR_TWIN, b"HEARD"), &mut far);
    let mut trunk = hosts.0[1].does(|_| Wire::open("trunk"));
    for (name, frame) in hostile() {
        for _ in 0..TIMES / 50 {
            (0..50).for_each(|_| a.send(&frame));
            a.send(&A.sends(B, LAST));
            assert_eq!(b.count_before(TRIED, LAST), 0, "{name}: reached its own network");
            assert_eq!(trunk.count_before(TRIED, LAST), 0, "{name}: reached the trunk");
            twin.send(&TWIN.sends(FAR_TWIN, LAST));
            assert_eq!(far.count_before(TRIED, LAST), 0, "{name}: reached the other network");
            assert!(std::iter::from_fn(|| twin.next()).all(|frame| !contains(&frame, TRIED)), "{name}");
        }
    }
    // What is good for one network: the other has the same addresses, and hears nothing of it.
    let question = Arp { operation: 1, sender_mac: A.mac().0, sender: A.address(), target: FAR_TWIN.address() };
    for frame in [
        A.sends(B, TRIED),
        ethernet(FAR_TWIN.mac().0, A.mac().0, IPV4, &udp((A.address(), 1), (FAR_TWIN.address(), 2), TRIED)),
        ethernet(BROADCAST, A.mac().0, ARP, &arp(&question, TRIED)),
    ] {
        a.send(&frame);
        a.send(&A.sends(B, LAST));
        b.count_before(TRIED, LAST);
        twin.send(&TWIN.sends(FAR_TWIN, LAST));
        assert_eq!(far.count_before(TRIED, LAST), 0);
        assert!(std::iter::from_fn(|| twin.next()).all(|frame| !contains(&frame, TRIED)));
    }
}

/// The control: it is filters and tags that keep frames in, and nothing else of the stage.
#[test]
fn without_filters_a_tag_of_the_guests_own_would_have_left() {
    let hosts = Hosts::new();
    let [mut a, mut b] = [A, B].map(|guest| hosts.plug_in(guest));
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    for host in [A, B] {
        hosts.0[host.host].does(move |_| filter::remove(host.server()).unwrap());
    }
    for (name, frame) in hostile().into_iter().filter(|(name, _)| ["another's address", "its own tag"].contains(name)) {
        a.send(&frame);
        a.send(&A.sends(B, LAST));
        assert_eq!(b.count_before(TRIED, LAST), 1, "{name}");
    }
}

#[test]
fn full_frames_cross_the_trunk_with_their_tag() {
    let hosts = Hosts::new();
    let [mut a, mut b] = [A, B].map(|guest| hosts.plug_in(guest));
    until_heard(&mut a, &A.sends(B, b"HEARD"), &mut b);
    let full = [TRIED, &[0; 1472 - TRIED.len()]].concat();
    assert_eq!(A.sends(B, &full).len(), 1514);
    a.send(&A.sends(B, &full));
    a.send(&A.sends(B, LAST));
    assert_eq!(b.count_before(TRIED, LAST), 1);
}

#[test]
fn a_tag_goes_when_its_last_tap_went_and_the_trunk_is_free_again() {
    let hosts = Hosts::new();
    let cable = hosts.plug_in(A);
    let gone = || vec![absent(ONE), present(OTHER, 200)];
    let told = hosts.settle(0, gone()).told.remove(0);
    assert_eq!((told.reached, told.remains), (None, NetworkRemains { bridge: false, device: true, taps: true }));
    drop(cable);
    hosts.unplug(A);
    let told = hosts.settle(0, gone()).told;
    assert_eq!((told[0].reached, told[0].remains), (Some(version(2)), NetworkRemains::NOTHING));
    assert_eq!(told[1].reached, Some(version(1)), "the other one stays");
    let told = hosts.settle(0, vec![absent(ONE), absent(OTHER)]).told;
    assert!(told.iter().all(|told| told.remains.is_nothing() && told.reached.is_some()), "{told:?}");
    let links = hosts.0[0].does(|runtime| runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() }));
    assert!(links.iter().all(|link| link.name != VLAN_BRIDGE && link.controller.is_none()), "{links:?}");
}

#[test]
fn what_the_host_uses_itself_is_left_alone_and_told() {
    let hosts = Hosts::new();
    hosts.0[0].ip("link add link trunk name trunk.100 type vlan id 100");
    let can = hosts.0[0].does(|runtime| runtime.block_on(async { segments().abilities().await.unwrap().can }));
    assert!(can.vlan && can.underlay.is_none());
    let links = hosts.0[0].does(|runtime| runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() }));
    assert!(links.iter().all(|link| !link.name.starts_with("csp")), "what was tried is gone: {links:?}");
    assert_eq!(can.own_tags, [100.try_into().unwrap()]);
    let told = hosts.settle(0, both()).told;
    let fault = told[0].fault.as_ref().unwrap();
    assert!(fault.code == FaultCode::SegmentUnavailable && fault.detail.contains("tag 100"), "{fault:?}");
    assert_eq!(told[1].reached, Some(version(1)), "another tag is free");
    hosts.0[1].ip("addr add 192.0.2.1/24 dev trunk");
    let fault = hosts.settle(1, both()).told.remove(0).fault.unwrap();
    assert!(fault.detail.contains("in use"), "a host that speaks there is not cut off: {fault:?}");
    let abilities = hosts.0[1].does(|runtime| runtime.block_on(async { segments().abilities().await.unwrap() }));
    assert!(!abilities.can.vlan && abilities.lacks[0].contains("in use"), "{abilities:?}");
    let links = hosts.0[1].does(|runtime| runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() }));
    assert!(links.iter().all(|link| link.name != VLAN_BRIDGE), "nothing is half made: {links:?}");
}

#[test]
fn the_check_says_that_this_kernel_will_do() {
    let hosts = Hosts::new();
    let finding = hosts.0[0].does(|runtime| {
        let found = runtime.block_on(networks::probe(&config()));
        networks::judge(&config(), &found)
    });
    assert_eq!(finding.verdict, Verdict::Ok, "{finding}");
}
