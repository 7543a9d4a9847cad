//! Taps, bridge and filters against hostile frames, on the kernel's real ones, in a network of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a tap is made by hand, as an operator would")]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use csp_agent::{
    machine::{Mark, SeenTap},
    network::{
        NetworkError,
        filter::{self, Before},
        filter_rules::{self, ServerFilters},
        gate::Gates,
        links::Links,
        nft, nft_netlink,
        tap::{Places, Taps},
        tap_device::NewTap,
        tap_name::{TapMark, TapName},
    },
    storage::tool::Tool,
};
use csp_shared::{id::ServerId, mac::Mac};
use frame::{ARP, Arp, BROADCAST, IPV4, IPV6, arp, ethernet, router_advertisement, tagged, tcp, udp};
use host_support::{Frames, GuestCable, Wire, in_private_network};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth, packet_route::link::LinkAttribute};
use serde_json::json;
use tokio::runtime::Runtime;
use uuid::Uuid;

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const MAC: Mac = Mac([0x0a, 0xc5, 0, 0, 0, 1]);
const OWN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// A second address of the same server, on another adapter.
const OWN_TOO: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 11);
const OTHER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
const OTHER_MAC: [u8; 6] = [0x0a, 0xc5, 0, 0, 0, 9];
const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const BRIDGE: &str = "br-test";
const MARK: Mark = Mark(0xab);
/// Stands in the frame that is judged.
const TRIED: &[u8] = b"TRIED-TRIED";
/// Stands in the frame that ends the wait.
const LAST: &[u8] = b"LAST-LAST";

/// A bridge with an address of the host, and a cable from it to the rest of the segment.
struct Host {
    links: Links,
    taps: Taps,
    bridge_mac: [u8; 6],
}

impl Host {
    fn new(runtime: &Runtime) -> Self {
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            let bridge_mac = [0x02, 0, 0, 0, 0, 2];
            let bridge = LinkBridge::new(BRIDGE).address(bridge_mac.to_vec()).up().build();
            handle.link().add(bridge).execute().await.unwrap();
            handle.link().add(LinkVeth::new("uplink", "segment").build()).execute().await.unwrap();
            let links = Links::connect().unwrap();
            let bridge = links.named(BRIDGE).await.unwrap().unwrap();
            let uplink = LinkUnspec::new_with_name("uplink").controller(bridge.index).up();
            links.change("plug the uplink in", uplink).await.unwrap();
            links.change("set the segment up", LinkUnspec::new_with_name("segment").up()).await.unwrap();
            handle.address().add(bridge.index, HOST.into(), 24).execute().await.unwrap();
            Self { taps: Taps::new(links.clone(), BRIDGE.to_owned()), links, bridge_mac }
        })
    }

    /// A server with its tap made, its filters loaded and its link up, in this order.
    fn plug_in(&self, runtime: &Runtime) -> GuestCable {
        runtime.block_on(self.taps.make(SERVER, &[MAC])).unwrap();
        filter::load(&filters(MARK)).unwrap();
        runtime.block_on(self.taps.set_up(SERVER, &[MAC])).unwrap();
        let (mut guest, mut segment) = (GuestCable::open(tap().as_str()), Wire::open("segment"));
        // On a busy machine the bridge hears late that somebody holds the tap, and drops what comes before.
        let is_through = (0..5000).any(|_| {
            guest.send(&good(b"FIRST"));
            std::thread::sleep(Duration::from_millis(1));
            segment.next().is_some_and(|frame| host_support::contains(&frame, b"FIRST"))
        });
        assert!(is_through, "nothing passes");
        guest
    }

    fn seen(&self, runtime: &Runtime) -> Option<SeenTap> {
        self.taps.seen_in(&runtime.block_on(self.links.list()).unwrap(), SERVER, &Places::default()).get(&MAC).copied()
    }
}

fn tap() -> TapName {
    TapName::of(SERVER, MAC)
}

fn see_filters(server: ServerId) -> Result<Option<Mark>, NetworkError> {
    Ok(filter::AllFilters::list()?.see(server)?.map(|seen| seen.mark))
}

fn filters(mark: Mark) -> ServerFilters {
    ServerFilters {
        server: SERVER,
        own: vec![OWN, OWN_TOO],
        macs: vec![MAC],
        smtp_open: false,
        private: Vec::new(),
        gates: Gates::default(),
        mark,
    }
}

fn good(marker: &[u8]) -> Vec<u8> {
    ethernet(GATEWAY_MAC, MAC.0, IPV4, &udp((OWN, 1000), (GATEWAY, 53), marker))
}

fn good_to_guest(marker: &[u8]) -> Vec<u8> {
    ethernet(MAC.0, GATEWAY_MAC, IPV4, &udp((GATEWAY, 53), (OWN, 1000), marker))
}

fn arp_of(operation: u16, sender_mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    arp(&Arp { operation, sender_mac, sender, target }, TRIED)
}

#[test]
fn a_guest_sends_only_as_itself() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let ip = |from, to| ethernet(GATEWAY_MAC, MAC.0, IPV4, &udp(from, to, TRIED));
        let frame = |from_mac, kind, body: &[u8]| ethernet(BROADCAST, from_mac, kind, body);
        let plain = good(TRIED);
        let mut bad_arp = arp_of(1, MAC.0, OWN, GATEWAY);
        bad_arp[4] = 8; // a longer hardware address moves the fields that follow
        let mail = |fragment: &[u8]| ethernet(GATEWAY_MAC, MAC.0, IPV4, fragment);
        let mut wrong_length = ip((OWN, 1), (GATEWAY, 2));
        wrong_length[16] = 0x20; // longer than the frame: no kernel knows where its ports are
        let table: [(&str, bool, Vec<u8>); 27] = [
            ("its own address", true, plain.clone()),
            ("another address of its server", true, ip((OWN_TOO, 1), (GATEWAY, 2))),
            ("asks for the gateway", true, frame(MAC.0, ARP, &arp_of(1, MAC.0, OWN, GATEWAY))),
            ("answers for itself", true, ethernet(GATEWAY_MAC, MAC.0, ARP, &arp_of(2, MAC.0, OWN, GATEWAY))),
            ("announces itself", true, frame(MAC.0, ARP, &arp_of(1, MAC.0, OWN_TOO, OWN_TOO))),
            ("probes its address", true, frame(MAC.0, ARP, &arp_of(1, MAC.0, Ipv4Addr::UNSPECIFIED, OWN))),
            ("probes another's address", false, frame(MAC.0, ARP, &arp_of(1, MAC.0, Ipv4Addr::UNSPECIFIED, OTHER))),
            ("hands mail to a server", false, mail(&tcp((OWN, 4000), (OTHER, 25), TRIED))),
            ("hands mail to its provider", true, mail(&tcp((OWN, 4000), (OTHER, 587), TRIED))),
            ("a page", true, mail(&tcp((OWN, 25), (OTHER, 443), TRIED))),
            ("a length that is a lie", false, wrong_length),
            ("two tags", false, tagged(&tagged(&plain, 0x8100, 100), 0x88a8, 200)),
            ("another's MAC", false, ethernet(GATEWAY_MAC, OTHER_MAC, IPV4, &udp((OWN, 1), (GATEWAY, 2), TRIED))),
            ("another's address", false, ip((OTHER, 1), (GATEWAY, 2))),
            ("no address", false, ip((Ipv4Addr::UNSPECIFIED, 1), (GATEWAY, 2))),
            ("claims another's address", false, frame(MAC.0, ARP, &arp_of(2, MAC.0, OTHER, OTHER))),
            ("claims the gateway's", false, frame(MAC.0, ARP, &arp_of(1, MAC.0, GATEWAY, GATEWAY))),
            ("another's MAC inside ARP", false, frame(MAC.0, ARP, &arp_of(2, OTHER_MAC, OWN, GATEWAY))),
            ("ARP of odd lengths", false, frame(MAC.0, ARP, &bad_arp)),
            ("reverse ARP", false, frame(MAC.0, ARP, &arp_of(3, MAC.0, OWN, GATEWAY))),
            ("a tag", false, tagged(&plain, 0x8100, 100)),
            ("a service tag", false, tagged(&plain, 0x88a8, 100)),
            ("a tag of priority only", false, tagged(&plain, 0x8100, 0)),
            ("IPv6", false, frame(MAC.0, IPV6, &router_advertisement(TRIED))),
            ("plays DHCP server", false, ip((OWN, 67), (OTHER, 68))),
            ("asks the segment for DHCP", false, ip((OWN, 68), (GATEWAY, 67))),
            ("IP to everybody", false, frame(MAC.0, IPV4, &udp((OWN, 1), (Ipv4Addr::BROADCAST, 2), TRIED))),
        ];
        for (name, passes, frame) in table {
            guest.send(&frame);
            guest.send(&good(LAST));
            assert_eq!(segment.saw_before(TRIED, LAST), passes, "{name}");
        }
    });
}

#[test]
fn mail_passes_once_the_operator_opened_it() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let mail = ethernet(GATEWAY_MAC, MAC.0, IPV4, &tcp((OWN, 4000), (OTHER, 25), TRIED));
        for smtp_open in [true, false, true] {
            filter::load(&ServerFilters { smtp_open, ..filters(MARK) }).unwrap();
            guest.send(&mail);
            guest.send(&good(LAST));
            assert_eq!(segment.saw_before(TRIED, LAST), smtp_open);
        }
    });
}

/// Answers every question for `OTHER` on the segment, until it is told to end.
fn somebody_uses_other(is_over: &Arc<AtomicBool>, operation: u16) -> std::thread::JoinHandle<u32> {
    let mut segment = Wire::open("segment");
    let is_over = Arc::clone(is_over);
    std::thread::spawn(move || {
        let mut asked = 0;
        while !is_over.load(Ordering::Relaxed) {
            match segment.next() {
                Some(frame) if frame[12..14] == ARP.to_be_bytes() && frame[38..42] == OTHER.octets() => {
                    assert_eq!(frame[28..32], [0; 4], "a probe names no sender's address");
                    let answer = arp_of(operation, OTHER_MAC, OTHER, Ipv4Addr::UNSPECIFIED);
                    segment.send(&ethernet(frame[6..12].try_into().unwrap(), OTHER_MAC, ARP, &answer));
                    asked += 1;
                }
                Some(_) => {}
                None => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
        asked
    })
}

#[test]
fn an_address_that_somebody_answers_for_is_not_given_to_a_server() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        for operation in [1, 2] {
            let is_over = Arc::new(AtomicBool::new(false));
            let somebody = somebody_uses_other(&is_over, operation);
            let probe = |addresses: &[Ipv4Addr]| {
                runtime.block_on(host.taps.ensure_unused(&addresses.iter().copied().collect()))
            };
            let refused = probe(&[OWN, OTHER]);
            assert!(matches!(&refused, Err(NetworkError::AddressInUse { address: OTHER, by }) if by.contains("0a:c5")));
            probe(&[OWN, OWN_TOO]).unwrap();
            is_over.store(true, Ordering::Relaxed);
            assert!(somebody.join().unwrap() > 0);
        }
        let nobody_knows = Taps::new(host.links.clone(), "br-other".to_owned());
        assert!(runtime.block_on(nobody_knows.ensure_unused(&[OWN].into())).is_err());
    });
}

#[test]
fn an_address_is_not_given_to_two_servers_of_one_host_and_no_guest_can_claim_another() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let other = ServerId(Uuid::from_u128(7));
        let held = filter::ensure_unused(other, &[OTHER, OWN_TOO].into());
        assert!(matches!(held, Err(NetworkError::AddressInUse { address: OWN_TOO, .. })), "{held:?}");
        filter::ensure_unused(SERVER, &[OWN, OWN_TOO].into()).unwrap();
        filter::ensure_unused(other, &[OTHER].into()).unwrap();
        // However many servers there are.
        let more = (8..12).map(|number| ServerId(Uuid::from_u128(number)));
        more.for_each(|server| {
            filter::load(&ServerFilters { server, macs: Vec::new(), ..filters(MARK) }).map(drop).unwrap()
        });
        filter::ensure_unused(other, &[OTHER].into()).unwrap();
        assert!(filter::ensure_unused(other, &[OTHER, OWN_TOO].into()).is_err());

        let is_over = Arc::new(AtomicBool::new(false));
        let liar = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    guest.send(&ethernet([2, 0, 0, 0, 0, 2], MAC.0, ARP, &arp_of(2, MAC.0, OTHER, OTHER)));
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
        });
        runtime.block_on(host.taps.ensure_unused(&[OTHER].into())).unwrap();
        is_over.store(true, Ordering::Relaxed);
        liar.join().unwrap();
    });
}

#[test]
fn a_guest_receives_only_what_is_meant_for_it() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let ip = |mac, from, to| ethernet(mac, GATEWAY_MAC, IPV4, &udp(from, to, TRIED));
        let everybody = |kind, body: &[u8]| ethernet(BROADCAST, OTHER_MAC, kind, body);
        let table: [(&str, bool, Vec<u8>); 13] = [
            ("its own address", true, good_to_guest(TRIED)),
            ("the server's other address", true, ip(MAC.0, (GATEWAY, 1), (OWN_TOO, 2))),
            ("is asked for", true, everybody(ARP, &arp_of(1, OTHER_MAC, OTHER, OWN))),
            ("is answered", true, ethernet(MAC.0, GATEWAY_MAC, ARP, &arp_of(2, GATEWAY_MAC, GATEWAY, OWN))),
            ("an address moved", true, everybody(ARP, &arp_of(1, OTHER_MAC, OTHER, OTHER))),
            ("an address moved, as an answer", true, everybody(ARP, &arp_of(2, OTHER_MAC, OTHER, OTHER))),
            ("another's address", false, ip(MAC.0, (GATEWAY, 1), (OTHER, 2))),
            ("another's frame", false, ip([0x0a, 0xc5, 0, 0, 9, 9], (GATEWAY, 1), (OWN, 2))),
            ("IP for everybody", false, everybody(IPV4, &udp((OTHER, 1), (Ipv4Addr::BROADCAST, 2), TRIED))),
            ("a DHCP answer of others", false, ip(MAC.0, (GATEWAY, 67), (OWN, 68))),
            ("a router advertisement", false, everybody(IPV6, &router_advertisement(TRIED))),
            ("a tag", false, tagged(&good_to_guest(TRIED), 0x8100, 100)),
            ("another's answer", false, ethernet(MAC.0, GATEWAY_MAC, ARP, &arp_of(2, GATEWAY_MAC, GATEWAY, OTHER))),
        ];
        for (name, passes, frame) in table {
            segment.send(&frame);
            segment.send(&good_to_guest(LAST));
            assert_eq!(guest.saw_before(TRIED, LAST), passes, "{name}");
        }
    });
}

#[test]
fn a_guest_reaches_no_address_of_the_host() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let mut inside = Wire::open(BRIDGE);
        let uplink = runtime.block_on(host.links.named("uplink")).unwrap().unwrap();
        let to_host = |mac: [u8; 6]| ethernet(mac, MAC.0, IPV4, &udp((OWN, 1), (HOST, 22), TRIED));
        let table: [(&str, Vec<u8>); 4] = [
            ("by the bridge's MAC", to_host(host.bridge_mac)),
            ("by the uplink's MAC", to_host(uplink.mac.unwrap().0)),
            ("by the tap's own MAC", to_host(MAC.of_tap().0)),
            ("asks for it", ethernet(BROADCAST, MAC.0, ARP, &arp_of(1, MAC.0, OWN, HOST))),
        ];
        for (name, frame) in table {
            guest.send(&frame);
            // The segment itself does reach the host: that is what shows that the wire is looked at.
            segment.send(&ethernet(host.bridge_mac, GATEWAY_MAC, IPV4, &udp((GATEWAY, 1), (HOST, 9), LAST)));
            assert!(!inside.saw_before(TRIED, LAST), "{name}");
        }
    });
}

#[test]
fn while_filters_are_replaced_nothing_leaks_and_nothing_good_is_lost() {
    in_private_network(|runtime| {
        const REPLACED: u64 = 40;
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let is_over = Arc::new(AtomicBool::new(false));
        let traffic = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                let mut sent = 0u32;
                while !is_over.load(Ordering::Relaxed) {
                    guest.send(&ethernet(GATEWAY_MAC, OTHER_MAC, IPV4, &udp((OTHER, 1), (GATEWAY, 2), TRIED)));
                    guest.send(&good(b"GOOD"));
                    sent += 1;
                    std::thread::sleep(std::time::Duration::from_micros(50));
                }
                guest.send(&good(LAST));
                (guest, sent)
            }
        });
        let mut arrived = 0;
        let mut look = |segment: &mut Wire| {
            let mut is_last = false;
            while let Some(frame) = segment.next() {
                assert!(!host_support::contains(&frame, TRIED), "a forged frame leaked");
                arrived += u32::from(host_support::contains(&frame, b"GOOD"));
                is_last |= host_support::contains(&frame, LAST);
            }
            is_last
        };
        for number in 1..=REPLACED {
            filter::load(&filters(Mark(number))).unwrap();
            look(&mut segment);
        }
        is_over.store(true, Ordering::Relaxed);
        let (_guest, sent) = traffic.join().unwrap();
        while !look(&mut segment) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(arrived, sent, "every good frame arrived");
        assert!(sent > 100, "there was traffic meanwhile");
    });
}

#[test]
fn an_address_that_was_taken_away_no_longer_passes() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        filter::load(&ServerFilters { own: vec![OWN], ..filters(Mark(2)) }).unwrap();
        guest.send(&ethernet(GATEWAY_MAC, MAC.0, IPV4, &udp((OWN_TOO, 1), (GATEWAY, 2), TRIED)));
        guest.send(&good(LAST));
        assert!(!segment.saw_before(TRIED, LAST));
        assert_eq!(see_filters(SERVER).unwrap(), Some(Mark(2)));
    });
}

#[test]
fn a_new_tap_is_down_and_plugged_and_can_be_proved_gone() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        assert_eq!(host.seen(runtime), None);
        assert_eq!(see_filters(SERVER).unwrap(), None, "no table yet");
        for _ in 0..2 {
            runtime.block_on(host.taps.make(SERVER, &[MAC])).unwrap();
            assert_eq!(host.seen(runtime), Some(SeenTap { plugged: true, up: false }));
        }
        assert_eq!(see_filters(SERVER).unwrap(), None);
        filter::load(&filters(MARK)).unwrap();
        assert_eq!(see_filters(SERVER).unwrap(), Some(MARK));
        runtime.block_on(host.taps.set_up(SERVER, &[MAC])).unwrap();
        runtime.block_on(host.taps.make(SERVER, &[MAC])).unwrap();
        assert_eq!(host.seen(runtime), Some(SeenTap { plugged: true, up: true }), "making again leaves the link");

        let _held_by_qemu = GuestCable::open(tap().as_str());
        for _ in 0..2 {
            runtime.block_on(host.taps.remove(SERVER)).unwrap();
            filter::remove(SERVER).unwrap();
            assert_eq!(host.seen(runtime), None);
            assert_eq!(see_filters(SERVER).unwrap(), None);
        }
    });
}

#[test]
fn a_tap_for_another_address_replaces_the_old_one_and_its_filters() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let _guest = host.plug_in(runtime);
        let new = Mac([0x0a, 0xc5, 0, 0, 0, 2]);
        runtime.block_on(host.taps.make(SERVER, &[new])).unwrap();
        let seen = host.taps.seen_in(&runtime.block_on(host.links.list()).unwrap(), SERVER, &Places::default());
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [new]);
        filter::load(&ServerFilters { macs: vec![new], ..filters(MARK) }).unwrap();
        assert_eq!(see_filters(SERVER).unwrap(), Some(MARK));
    });
}

#[test]
fn a_guard_that_somebody_removed_is_missed_and_put_back() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let _guest = host.plug_in(runtime);
        let other = ServerId(Uuid::from_u128(7));
        assert_eq!(see_filters(SERVER).unwrap(), Some(MARK));
        let chain = json!({"family": "bridge", "table": "csp_guard", "name": "to_host"});
        let rule = json!({"family": "bridge", "table": "csp_guard", "chain": "to_host", "expr": [{"accept": null}]});
        for harm in [
            json!({"delete": {"table": {"family": "bridge", "name": "csp_guard"}}}),
            json!({"flush": {"chain": chain}}),
            json!({"insert": {"rule": rule}}),
        ] {
            nft::apply("do harm", [&harm]).unwrap();
            let seen = see_filters(SERVER).unwrap();
            assert!(seen.is_some_and(|mark| mark != MARK), "{harm}: they count as broken, not as gone: {seen:?}");
            assert_eq!(see_filters(other).unwrap(), None, "{harm}: what is not there is still proved gone");
            filter::load(&filters(MARK)).unwrap();
            assert_eq!(see_filters(SERVER).unwrap(), Some(MARK), "{harm}");
        }
    });
}

/// The kernel reads a list for one at a time, and refuses whoever asks meanwhile over the same connection.
#[test]
fn many_list_the_interfaces_at_the_same_time() {
    in_private_network(|runtime| {
        let bridges: String = (0..200).map(|number| format!("link add many{number} type bridge\n")).collect();
        let batch = Tool::new("ip", Duration::from_secs(60)).args(["-batch", "-"]).input(bridges.into_bytes());
        batch.run().unwrap();
        runtime.block_on(async {
            let links = Links::connect().unwrap();
            let lists = futures_util::future::join_all((0..50).map(|_| links.list())).await;
            assert!(lists.iter().all(|list| list.as_ref().unwrap().len() > 200));
        });
    });
}

#[test]
fn an_interface_that_csp_did_not_make_is_never_touched() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        NewTap::create(&tap()).unwrap().keep().unwrap();
        let refused = runtime.block_on(host.taps.make(SERVER, &[MAC]));
        assert!(matches!(refused, Err(NetworkError::ForeignLink(_))), "{refused:?}");
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        let links = runtime.block_on(host.links.list()).unwrap();
        assert!(links.iter().any(|link| link.name == tap().as_str()), "it is still there");
    });
}

#[test]
fn a_tap_that_lost_its_alias_is_known_by_name_and_address_and_marked_again() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let guest = host.plug_in(runtime);
        let alias = |text: &str| {
            let named = LinkUnspec::new_with_name(tap().as_str())
                .append_extra_attribute(LinkAttribute::IfAlias(text.to_owned()));
            runtime.block_on(host.links.change("name it", named)).unwrap();
        };
        let link = || runtime.block_on(host.links.named(tap().as_str())).unwrap();
        let mark = TapMark { server: SERVER, mac: MAC, network: None }.to_string();
        alias("");
        assert_eq!(link().unwrap().alias, "");
        let seen = host.seen(runtime).expect("it is the server's");
        assert!(!seen.plugged && seen.up, "and something is to be done about it: {seen:?}");
        runtime.block_on(host.taps.plug_in(SERVER, &[MAC], &[MAC].into())).unwrap();
        assert_eq!(
            (link().unwrap().alias, host.seen(runtime)),
            (mark.clone(), Some(SeenTap::CONNECTED)),
            "under a guest"
        );

        alias("");
        runtime.block_on(host.taps.make(SERVER, &[MAC])).unwrap();
        assert_eq!((link().unwrap().alias, host.seen(runtime)), (mark, Some(SeenTap::CONNECTED)), "before a start");
        alias("of another program");
        let refused = runtime.block_on(host.taps.make(SERVER, &[MAC]));
        assert!(matches!(refused, Err(NetworkError::ForeignLink(_))), "{refused:?}");
        assert_eq!(host.seen(runtime), None);
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        assert!(link().is_some(), "another alias: somebody else's");
        alias("");
        drop(guest);
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        assert!(link().is_none());
    });
}

#[test]
fn without_its_bridge_no_tap_is_made() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let taps = Taps::new(host.links.clone(), "br-other".to_owned());
        assert!(matches!(runtime.block_on(taps.make(SERVER, &[MAC])), Err(NetworkError::NoBridge(_))));
        let taps = Taps::new(host.links.clone(), "uplink".to_owned());
        assert!(matches!(runtime.block_on(taps.make(SERVER, &[MAC])), Err(NetworkError::NotBridge(_))));
        assert_eq!(host.seen(runtime), None);
    });
}

#[test]
fn other_peoples_tables_stay() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let _guest = host.plug_in(runtime);
        let other = ServerId(Uuid::from_u128(7));
        runtime.block_on(host.taps.make(other, &[MAC])).unwrap();
        filter::load(&ServerFilters { server: other, ..filters(MARK) }).unwrap();
        filter::remove(SERVER).unwrap();
        assert_eq!(see_filters(other).unwrap(), Some(MARK));
    });
}

/// The kernel counts the changes of its filters: what is remembered is remembered for one count.
#[test]
fn a_look_that_remembers_sees_every_change_of_filters() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let looks = filter::FilterLooks::default();
        let see = || looks.see(&looks.list().unwrap(), SERVER).unwrap().map(|seen| seen.mark);
        assert_eq!((see(), see()), (None, None));
        let _guest = host.plug_in(runtime);
        assert_eq!((see(), see()), (Some(MARK), Some(MARK)));
        let before = nft_netlink::generation();
        assert!(
            before.is_some() && before == nft_netlink::generation(),
            "this kernel tells, and nobody changed anything"
        );
        nft::apply(
            "flush",
            &[json!({"flush": {"table": {"family": "netdev", "name": filter_rules::table_of(SERVER)}}})],
        )
        .unwrap();
        assert!(see().is_some_and(|mark| mark != MARK), "as an operator may have done");
        filter::load(&filters(Mark(2))).unwrap();
        assert_eq!(see(), Some(Mark(2)));
        // Somebody looked while the guard was gone, and is slow to ask for a server.
        let guard = json!({"delete": {"table": {"family": "bridge", "name": "csp_guard"}}});
        nft::apply("remove the guard", &[guard]).unwrap();
        let older = looks.list().unwrap();
        filter::load(&filters(MARK)).unwrap();
        let newer = looks.list().unwrap();
        assert_ne!(looks.see(&older, SERVER).unwrap().unwrap().mark, MARK);
        assert_eq!(looks.see(&newer, SERVER).unwrap().unwrap().mark, MARK, "what an older list says is not kept");
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        filter::remove(SERVER).unwrap();
        assert_eq!((see(), see()), (None, None));
    });
}

/// What the trial of an operator did: nothing of it is seen in the names of chains.
#[test]
fn filters_that_somebody_opened_or_emptied_are_missed_and_put_back() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let (table, chain) = (filter_rules::table_of(SERVER), filter_rules::from_guest(&tap()));
        let of = |more: serde_json::Value| {
            let mut thing = json!({"family": "netdev", "table": table, "name": chain});
            thing.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            thing
        };
        let rule = json!({"family": "netdev", "table": table, "chain": chain, "expr": [{"accept": null}]});
        let policy =
            of(json!({"type": "filter", "hook": "ingress", "dev": tap().as_str(), "prio": 0, "policy": "accept"}));
        let element = json!({"family": "netdev", "table": table, "name": "own4", "elem": [OTHER.to_string()]});
        for harm in [
            json!({"insert": {"rule": rule}}),
            json!({"flush": {"chain": of(json!({}))}}),
            json!({"add": {"chain": policy}}),
            json!({"add": {"element": element}}),
        ] {
            assert_eq!(see_filters(SERVER).unwrap(), Some(MARK), "before {harm}");
            nft::apply("do harm", [&harm]).unwrap();
            let seen = see_filters(SERVER).unwrap();
            assert!(seen.is_some_and(|mark| mark != MARK), "{harm}: {seen:?}");
            assert_eq!(filter::load(&filters(MARK)).unwrap(), Before::Altered, "{harm}");
            guest.send(&ethernet(GATEWAY_MAC, MAC.0, IPV4, &udp((OTHER, 1), (GATEWAY, 2), TRIED)));
            guest.send(&good(LAST));
            assert!(!segment.saw_before(TRIED, LAST), "{harm}");
        }
        assert_eq!(filter::load(&filters(MARK)).unwrap(), Before::AsLeft);
    });
}

/// A dormant table has all its chains and rules, and the kernel asks none of them.
#[test]
fn filters_that_somebody_put_to_sleep_are_missed_and_woken() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let mut guest = host.plug_in(runtime);
        let mut segment = Wire::open("segment");
        let forged = ethernet(GATEWAY_MAC, MAC.0, IPV4, &udp((OTHER, 1), (GATEWAY, 2), TRIED));
        let mut passes = || {
            guest.send(&forged);
            guest.send(&good(LAST));
            segment.saw_before(TRIED, LAST)
        };
        let table = filter_rules::table_of(SERVER);
        for (table, before) in
            [(format!("netdev {table}"), Before::Altered), ("bridge csp_guard".to_owned(), Before::AsLeft)]
        {
            let sleep = format!("add table {table} {{ flags dormant; }}").into_bytes();
            Tool::new("nft", Duration::from_secs(20)).args(["-f", "-"]).input(sleep).run().unwrap();
            assert_eq!(passes(), before == Before::Altered, "{table} sleeps");
            assert!(see_filters(SERVER).unwrap().is_some_and(|mark| mark != MARK), "{table}: they count as broken");
            assert_eq!(filter::load(&filters(MARK)).unwrap(), before, "{table}");
            assert!(!passes(), "{table} is awake");
            assert_eq!(see_filters(SERVER).unwrap(), Some(MARK), "{table}");
        }
    });
}

#[test]
fn a_tap_that_only_carries_the_mark_is_disconnected_and_removed_unless_somebody_holds_it() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        let _guest = host.plug_in(runtime);
        let mark = |mac: Mac| TapMark { server: SERVER, mac, network: None }.to_string();
        let by_hand = |name: &str, mac: Mac| {
            let made = std::process::Command::new("ip").args(["tuntap", "add", name, "mode", "tap"]).status().unwrap();
            assert!(made.success());
            let marked = LinkUnspec::new_with_name(name).append_extra_attribute(LinkAttribute::IfAlias(mark(mac))).up();
            runtime.block_on(host.links.change("mark it", marked)).unwrap();
        };
        let gone = Mac([0x0a, 0xc5, 0, 0, 0, 7]);
        let own_of_gone = TapName::of(SERVER, gone);
        for (name, mac) in [("csptloop", gone), ("cspttwin", MAC), ("mine", MAC), (own_of_gone.as_str(), gone)] {
            by_hand(name, mac);
        }
        by_hand("cspthold", MAC);
        let _held = GuestCable::open("cspthold");
        let list = || runtime.block_on(host.links.list()).unwrap();
        let removable = |name: &str| Taps::strays_in(&list(), SERVER).get(name).map(|stray| stray.removable);
        let states = ["csptloop", "cspttwin", "mine", "cspthold", tap().as_str()].map(removable);
        assert_eq!(states, [Some(true), Some(true), Some(false), Some(false), None]);
        assert_eq!(Taps::idle_in(&list(), SERVER), [gone].into(), "its guest holds the server's own");
        assert_eq!(host.seen(runtime), Some(SeenTap::CONNECTED), "the server's own is told from its twin");

        runtime.block_on(host.taps.cut_off(SERVER, &[MAC])).unwrap();
        let names: Vec<String> = list().iter().map(|link| link.name.clone()).filter(|name| name != "lo").collect();
        for (name, stays) in [("csptloop", false), ("cspttwin", false), (own_of_gone.as_str(), false), ("mine", true)] {
            assert_eq!(names.iter().any(|there| there == name), stays, "{name}");
        }
        let left = Taps::strays_in(&list(), SERVER);
        assert_eq!(left.keys().collect::<Vec<_>>(), ["cspthold", "mine"]);
        assert!(left.values().all(|stray| !stray.connected && !stray.removable), "{left:?}");
        assert_eq!(host.seen(runtime), Some(SeenTap::CONNECTED));
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        assert!(Taps::strays_in(&list(), SERVER).is_empty(), "a tombstone ends all that carries the mark");
    });
}
