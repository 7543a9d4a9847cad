//! The one table of frames: hostile ones with what they must not reach, and good ones with what they must.

use std::net::Ipv4Addr;

use super::{
    frame::{
        ARP, Arp, BROADCAST, IPV4, IPV6, arp, checksum, ethernet, ipv4, router_advertisement, tagged, tcp, udp,
        with_checksum,
    },
    stage::Sink::{self, Gateway, Guest, Host, Neighbour},
};

pub const OWN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// A second address of the same server.
pub const OWN_TOO: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 11);
pub const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
/// Nobody's.
const FREE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const NOWHERE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const EVERYBODY: Ipv4Addr = Ipv4Addr::BROADCAST;

pub const OWN_MAC: [u8; 6] = [0x0a, 0xc5, 0, 0, 0, 1];
pub const NEIGHBOUR_MAC: [u8; 6] = [0x0a, 0xc5, 0, 0, 0, 2];
pub const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
pub const HOST_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
pub const UPLINK_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 3];
const OTHER_MAC: [u8; 6] = [0x0a, 0xc5, 0, 0, 0, 9];
/// Where bridges listen; one that does not speak STP passes it on.
const BRIDGES: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];

/// Stands in every frame of the table.
pub const TRIED: &[u8] = b"TRIED-TRIED";

/// One shape of frame.
pub struct Shape {
    pub name: &'static str,
    /// Where it is put in: the guest's cable, or the gateway's.
    pub from: Sink,
    pub frame: Vec<u8>,
    /// Where its checksum is to begin, and how far behind that it is written, when the guest leaves it to the host.
    pub unfinished: Option<(u16, u16)>,
    /// Of a hostile one: what it must not reach. Of a good one: what it must.
    pub sinks: &'static [Sink],
}

const ALL: &[Sink] = &[Gateway, Neighbour, Host];

fn sent(name: &'static str, frame: Vec<u8>) -> Shape {
    Shape { name, from: Guest, frame, unfinished: None, sinks: ALL }
}

fn received(name: &'static str, frame: Vec<u8>) -> Shape {
    Shape { name, from: Gateway, frame, unfinished: None, sinks: &[Guest, Neighbour] }
}

fn own(to: [u8; 6], kind: u16, body: &[u8]) -> Vec<u8> {
    ethernet(to, OWN_MAC, kind, body)
}

fn plain(from: Ipv4Addr) -> Vec<u8> {
    udp((from, 1000), (GATEWAY, 2000), TRIED)
}

/// To the gateway's MAC, with the guest's own.
fn ip(packet: &[u8]) -> Vec<u8> {
    own(GATEWAY_MAC, IPV4, packet)
}

fn says(operation: u16, sender_mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    arp(&Arp { operation, sender_mac, sender, target }, TRIED)
}

/// An ARP packet of the guest with one byte that is not as it should be.
fn odd_arp(at: usize, byte: u8) -> Vec<u8> {
    let mut odd = says(1, OWN_MAC, OWN, GATEWAY);
    odd[at] = byte;
    own(BROADCAST, ARP, &odd)
}

fn ipv6_udp(ports: (u16, u16)) -> Vec<u8> {
    let mut body = vec![0x60, 0, 0, 0, 0, 8 + TRIED.len() as u8, 17, 64];
    body.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]);
    for field in [ports.0, ports.1, 8 + TRIED.len() as u16, 0] {
        body.extend(field.to_be_bytes());
    }
    body.extend(TRIED);
    body
}

/// A packet whose bytes 6 and 7 say which part of a whole it is.
fn part(mut packet: Vec<u8>, flags_and_offset: u16) -> Vec<u8> {
    packet[6..8].copy_from_slice(&flags_and_offset.to_be_bytes());
    summed(packet)
}

/// The packet with the checksum of its header.
fn summed(mut packet: Vec<u8>) -> Vec<u8> {
    let header = usize::from(packet[0] & 0x0f) * 4;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// A packet with four bytes of options in its header.
fn with_options(packet: &[u8]) -> Vec<u8> {
    let mut longer = [&packet[..20], &[1, 1, 1, 0], &packet[20..]].concat();
    longer[0] = 0x46;
    let length = longer.len() as u16;
    longer[2..4].copy_from_slice(&length.to_be_bytes());
    summed(longer)
}

fn changed(mut packet: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    packet[at] = byte;
    packet
}

/// The old form of Ethernet: a length, and what it is behind it.
fn with_length(to: [u8; 6], behind: &[u8], body: &[u8]) -> Vec<u8> {
    let content = [behind, body].concat();
    own(to, content.len() as u16, &content)
}

pub fn hostile() -> Vec<Shape> {
    let mut shapes = addresses();
    shapes.extend(arps());
    shapes.extend(services());
    shapes.extend(disguises());
    shapes.extend(fragments());
    shapes.extend(announcements());
    shapes.extend(to_the_host());
    shapes.extend(to_guests());
    shapes.extend(to_the_neighbour());
    shapes
}

fn addresses() -> Vec<Shape> {
    let from_mac = |mac| ethernet(GATEWAY_MAC, mac, IPV4, &plain(OWN));
    let from = |address| ip(&plain(address));
    vec![
        sent("nobody's MAC", from_mac(OTHER_MAC)),
        sent("the neighbour's MAC", from_mac(NEIGHBOUR_MAC)),
        sent("the gateway's MAC", ethernet(BROADCAST, GATEWAY_MAC, IPV4, &plain(OWN))),
        sent("the host's MAC", ethernet(NEIGHBOUR_MAC, HOST_MAC, IPV4, &plain(OWN))),
        sent("the tap's MAC", from_mac([0xfe, 0xc5, 0, 0, 0, 1])),
        sent("nobody's address", from(FREE)),
        sent("the neighbour's address", from(NEIGHBOUR)),
        sent("the gateway's address", own(NEIGHBOUR_MAC, IPV4, &udp((GATEWAY, 53), (NEIGHBOUR, 1000), TRIED))),
        sent("the host's address", from(HOST)),
        sent("an address elsewhere", from(Ipv4Addr::new(198, 51, 100, 1))),
        sent("no address", from(NOWHERE)),
        sent("everybody's address", from(EVERYBODY)),
        sent("a loopback address", from(Ipv4Addr::LOCALHOST)),
        sent("a foreign address behind options", ip(&with_options(&plain(FREE)))),
        sent("a foreign address in a connection", ip(&tcp((FREE, 1000), (GATEWAY, 443), TRIED))),
        sent("a foreign address in a tunnel", ip(&ipv4(4, FREE, GATEWAY, &plain(OWN)))),
        sent("a foreign address in GRE", ip(&ipv4(47, FREE, GATEWAY, TRIED))),
    ]
}

fn arps() -> Vec<Shape> {
    let all = |packet: &[u8]| own(BROADCAST, ARP, packet);
    vec![
        sent("ARP: I am the gateway", all(&says(2, OWN_MAC, GATEWAY, GATEWAY))),
        sent("ARP: I am the gateway, to one", own(NEIGHBOUR_MAC, ARP, &says(2, OWN_MAC, GATEWAY, NEIGHBOUR))),
        sent("ARP: the gateway asks", all(&says(1, OWN_MAC, GATEWAY, NEIGHBOUR))),
        sent("ARP: I am the neighbour", own(GATEWAY_MAC, ARP, &says(2, OWN_MAC, NEIGHBOUR, GATEWAY))),
        sent("ARP: the neighbour's address moved", all(&says(1, OWN_MAC, NEIGHBOUR, NEIGHBOUR))),
        sent("ARP: the neighbour's address moved, as an answer", all(&says(2, OWN_MAC, NEIGHBOUR, NEIGHBOUR))),
        sent("ARP: I am the host", own(GATEWAY_MAC, ARP, &says(2, OWN_MAC, HOST, GATEWAY))),
        sent("ARP: nobody's address", all(&says(1, OWN_MAC, FREE, FREE))),
        sent("ARP: another's MAC inside", all(&says(2, OTHER_MAC, OWN, GATEWAY))),
        sent("ARP: another's MAC outside", ethernet(BROADCAST, OTHER_MAC, ARP, &says(1, OWN_MAC, OWN, GATEWAY))),
        sent("ARP: is the neighbour's address free", all(&says(1, OWN_MAC, NOWHERE, NEIGHBOUR))),
        sent("ARP: an answer from nowhere", all(&says(2, OWN_MAC, NOWHERE, NEIGHBOUR))),
        sent("ARP: which address has a MAC", all(&says(3, OWN_MAC, OWN, GATEWAY))),
        sent("ARP: which address has a line", all(&says(8, OWN_MAC, OWN, GATEWAY))),
        sent("ARP for another hardware", odd_arp(1, 6)),
        sent("ARP for another protocol", odd_arp(2, 0x86)),
        sent("ARP with long MACs", odd_arp(4, 8)),
        sent("ARP with long addresses", odd_arp(5, 16)),
        sent("ARP to a group", own([0x01, 0, 0x5e, 0, 0, 1], ARP, &says(1, OWN_MAC, OWN, GATEWAY))),
        sent("ARP to bridges", own(BRIDGES, ARP, &says(2, OWN_MAC, OWN, OWN))),
        sent("RARP", own(BROADCAST, 0x8035, &says(3, OWN_MAC, OWN, OWN))),
    ]
}

fn services() -> Vec<Shape> {
    let answer = |to| udp((OWN, 67), (to, 68), TRIED);
    vec![
        sent("DHCP answer to the neighbour", own(NEIGHBOUR_MAC, IPV4, &answer(NEIGHBOUR))),
        sent("DHCP answer to everybody", own(BROADCAST, IPV4, &answer(EVERYBODY))),
        sent("DHCP answer as the gateway", own(NEIGHBOUR_MAC, IPV4, &udp((GATEWAY, 67), (NEIGHBOUR, 68), TRIED))),
        sent("DHCP question to everybody", own(BROADCAST, IPV4, &udp((NOWHERE, 68), (EVERYBODY, 67), TRIED))),
        sent("DHCP question to the gateway", ip(&udp((OWN, 68), (GATEWAY, 67), TRIED))),
        sent("DHCP between servers", ip(&udp((OWN, 67), (GATEWAY, 67), TRIED))),
        sent("router advertisement", own(BROADCAST, IPV6, &router_advertisement(TRIED))),
        sent("IPv6 to everybody", own([0x33, 0x33, 0, 0, 0, 1], IPV6, &ipv6_udp((1000, 5353)))),
        sent("IPv6 to the gateway", own(GATEWAY_MAC, IPV6, &ipv6_udp((1000, 2000)))),
        sent("DHCPv6 answer", own(BROADCAST, IPV6, &ipv6_udp((547, 546)))),
        sent("mail to a server", ip(&tcp((OWN, 4000), (GATEWAY, 25), TRIED))),
    ]
}

fn disguises() -> Vec<Shape> {
    let packet = plain(OWN);
    let good = ip(&packet);
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let pppoe = [&[0x11, 0, 0, 1, 0, packet.len() as u8 + 2, 0, 0x21][..], &packet].concat();
    vec![
        sent("a tag", tagged(&good, 0x8100, 100)),
        sent("a tag of priority only", tagged(&good, 0x8100, 0xe000)),
        sent("a service tag", tagged(&good, 0x88a8, 100)),
        sent("two tags", tagged(&tagged(&good, 0x8100, 100), 0x88a8, 200)),
        sent("two plain tags", tagged(&tagged(&good, 0x8100, 100), 0x8100, 200)),
        sent("three tags", tagged(&tagged(&tagged(&good, 0x8100, 1), 0x8100, 2), 0x88a8, 3)),
        sent("an old double tag", tagged(&good, 0x9100, 100)),
        sent("a tag around ARP", tagged(&own(BROADCAST, ARP, &says(1, OWN_MAC, OWN, GATEWAY)), 0x8100, 1)),
        sent("IPv4 as an experiment", own(GATEWAY_MAC, 0x88b5, &packet)),
        sent("IPv4 as its neighbour in the list", own(GATEWAY_MAC, 0x0801, &packet)),
        sent("IPv4 as IPv6", own(GATEWAY_MAC, IPV6, &packet)),
        sent("IPv4 behind a length", with_length(GATEWAY_MAC, &snap, &packet)),
        sent("IPv4 in PPPoE", own(GATEWAY_MAC, 0x8864, &pppoe)),
        sent("IPv4 in MPLS", own(GATEWAY_MAC, 0x8847, &[&[0, 1, 1, 64][..], &packet].concat())),
        sent("another version in the header", ip(&changed(packet.clone(), 0, 0x65))),
        sent("a header that is too short", ip(&changed(packet.clone(), 0, 0x44))),
        sent("a length beyond the frame", ip(&changed(packet, 2, 0x20))),
        sent("EAPOL", own(GATEWAY_MAC, 0x888e, TRIED)),
        sent("a loop test", own(GATEWAY_MAC, 0x9000, TRIED)),
        sent("wake on LAN", own(BROADCAST, 0x0842, TRIED)),
    ]
}

fn fragments() -> Vec<Shape> {
    const MORE: u16 = 0x2000;
    vec![
        sent("a foreign first fragment", ip(&part(plain(FREE), MORE))),
        sent("a foreign middle fragment", ip(&part(plain(FREE), MORE | 1))),
        sent("a foreign last fragment", ip(&part(plain(FREE), 185))),
        sent("a first fragment with DHCP's ports", ip(&part(udp((OWN, 67), (GATEWAY, 68), TRIED), MORE))),
        sent("a first fragment of mail", ip(&part(tcp((OWN, 4000), (GATEWAY, 25), TRIED), MORE))),
    ]
}

fn announcements() -> Vec<Shape> {
    let storm = |to| udp((OWN, 1000), (to, 2000), TRIED);
    let group = |last| Ipv4Addr::new(224, 0, 0, last);
    let to_group = |last| [0x01, 0, 0x5e, 0, 0, last];
    vec![
        sent("a broadcast storm", own(BROADCAST, IPV4, &storm(EVERYBODY))),
        sent("a storm to the network's broadcast", own(BROADCAST, IPV4, &storm(Ipv4Addr::new(203, 0, 113, 255)))),
        sent("a storm to one, as everybody", own(BROADCAST, IPV4, &storm(GATEWAY))),
        sent("mDNS", own(to_group(251), IPV4, &udp((OWN, 5353), (group(251), 5353), TRIED))),
        sent("VRRP", own(to_group(18), IPV4, &ipv4(112, OWN, group(18), TRIED))),
        sent("IGMP", own(to_group(1), IPV4, &ipv4(2, OWN, group(1), TRIED))),
        sent("LLDP", own(BRIDGES, 0x88cc, TRIED)),
        sent("STP", with_length(BRIDGES, &[0x42, 0x42, 3, 0, 0, 0, 0], TRIED)),
        sent("PVST", with_length([0x01, 0, 0x0c, 0xcc, 0xcc, 0xcd], &[0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b], TRIED)),
        sent("CDP", with_length([0x01, 0, 0x0c, 0xcc, 0xcc, 0xcc], &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0], TRIED)),
    ]
}

/// Also what may go by on the segment and must not be taken in.
fn to_the_host() -> Vec<Shape> {
    let to_host = |name, mac, packet: &[u8]| Shape { sinks: &[Host], ..sent(name, own(mac, IPV4, packet)) };
    let ssh = tcp((OWN, 4000), (HOST, 22), TRIED);
    let vxlan = |from| udp((from, 4000), (HOST, 4789), &[&[8, 0, 0, 0, 0, 0, 100, 0], TRIED].concat());
    let asked = own(BROADCAST, ARP, &says(1, OWN_MAC, OWN, HOST));
    vec![
        to_host("VXLAN to the host", HOST_MAC, &vxlan(OWN)),
        to_host("VXLAN to the host as a peer", HOST_MAC, &vxlan(Ipv4Addr::new(192, 0, 2, 7))),
        to_host("SSH to the host", HOST_MAC, &ssh),
        to_host("to the host by its uplink", UPLINK_MAC, &ssh),
        to_host("to the host by the guest's tap", [0xfe, 0xc5, 0, 0, 0, 1], &ssh),
        to_host("ping to the host", HOST_MAC, &ipv4(1, OWN, HOST, &[&[8, 0, 0, 0][..], TRIED].concat())),
        Shape { sinks: &[Host], ..sent("asks for the host", asked) },
    ]
}

fn to_guests() -> Vec<Shape> {
    let to = |mac, kind, body: &[u8]| ethernet(mac, GATEWAY_MAC, kind, body);
    let good = to(OWN_MAC, IPV4, &udp((GATEWAY, 1), (OWN, 2), TRIED));
    let other = udp((GATEWAY, 1), (FREE, 2), TRIED);
    vec![
        received("in: another's address", to(OWN_MAC, IPV4, &other)),
        received("in: another's frame", to(OTHER_MAC, IPV4, &other)),
        received("in: IP for everybody", to(BROADCAST, IPV4, &udp((GATEWAY, 1), (EVERYBODY, 2), TRIED))),
        received("in: a DHCP answer", to(OWN_MAC, IPV4, &udp((GATEWAY, 67), (OWN, 68), TRIED))),
        received("in: a DHCP answer for everybody", to(BROADCAST, IPV4, &udp((GATEWAY, 67), (EVERYBODY, 68), TRIED))),
        received("in: a router advertisement", to(BROADCAST, IPV6, &router_advertisement(TRIED))),
        received("in: IPv6", to(OWN_MAC, IPV6, &ipv6_udp((1, 2)))),
        received("in: another's ARP answer", to(OWN_MAC, ARP, &says(2, GATEWAY_MAC, GATEWAY, FREE))),
        received("in: a tag", tagged(&good, 0x8100, 100)),
        received("in: two tags", tagged(&tagged(&good, 0x8100, 100), 0x88a8, 200)),
        received("in: LLDP", to(BRIDGES, 0x88cc, TRIED)),
        received("in: an unknown kind", to(OWN_MAC, 0x88b5, TRIED)),
    ]
}

/// What a guest may send, and its neighbour may not be given.
fn to_the_neighbour() -> Vec<Shape> {
    let sent = |name, frame| Shape { sinks: &[Neighbour], ..sent(name, frame) };
    let to = |mac, address| own(mac, IPV4, &udp((OWN, 1000), (address, 2000), TRIED));
    let elsewhere = Ipv4Addr::new(198, 51, 100, 1);
    vec![
        sent("to the neighbour: another's address", to(NEIGHBOUR_MAC, FREE)),
        sent("to the neighbour: an address elsewhere", to(NEIGHBOUR_MAC, elsewhere)),
        sent("to the neighbour: the gateway's address", to(NEIGHBOUR_MAC, GATEWAY)),
        sent("to the neighbour: everybody's address", to(NEIGHBOUR_MAC, EVERYBODY)),
        sent("to the neighbour: a group's address", to(NEIGHBOUR_MAC, Ipv4Addr::new(224, 0, 0, 251))),
        sent("to the neighbour: no address", to(NEIGHBOUR_MAC, NOWHERE)),
        sent("to the neighbour: another's frame", to(OTHER_MAC, NEIGHBOUR)),
        sent("to the neighbour: a frame for nobody", to(OTHER_MAC, FREE)),
        sent("to the neighbour: the gateway's frame", to(GATEWAY_MAC, NEIGHBOUR)),
        sent("to the neighbour: another's ARP answer", own(NEIGHBOUR_MAC, ARP, &says(2, OWN_MAC, OWN, FREE))),
        sent("to the neighbour: another's ARP question", own(NEIGHBOUR_MAC, ARP, &says(1, OWN_MAC, OWN, FREE))),
    ]
}

/// Good when they are sent, and made into something else by the checksum that the guest leaves to the host.
pub fn unfinished() -> Vec<Shape> {
    let low = |address: Ipv4Addr| u16::from_be_bytes([address.octets()[2], address.octets()[3]]);
    let asks = own(BROADCAST, ARP, &says(1, OWN_MAC, OWN, GATEWAY));
    let page = ip(&tcp((OWN, 4000), (GATEWAY, 587), TRIED));
    vec![
        becomes("ARP: the neighbour's, by a checksum", asks.clone(), (20, 10), low(NEIGHBOUR)),
        becomes("ARP: the gateway's, by a checksum", asks, (20, 10), low(GATEWAY)),
        becomes("the neighbour's address, by a checksum", ip(&plain(OWN)), (20, 8), low(NEIGHBOUR)),
        becomes("mail to a server, by a checksum", page, (34, 2), 25),
    ]
}

fn becomes(name: &'static str, frame: Vec<u8>, (start, offset): (u16, u16), becomes: u16) -> Shape {
    let frame = with_checksum(frame, start, becomes);
    Shape { unfinished: Some((start, offset)), sinks: &[Gateway], ..sent(name, frame) }
}

pub fn good() -> Vec<Shape> {
    let good = |name, frame, sinks| Shape { name, from: Guest, frame, unfinished: None, sinks };
    let back = |name, frame, sinks| Shape { name, from: Gateway, frame, unfinished: None, sinks };
    let asks = |sender, target| own(BROADCAST, ARP, &says(1, OWN_MAC, sender, target));
    let moved = |operation| ethernet(BROADCAST, OTHER_MAC, ARP, &says(operation, OTHER_MAC, FREE, FREE));
    vec![
        good("its own address", ip(&plain(OWN)), &[Gateway]),
        good("another address of its server", ip(&plain(OWN_TOO)), &[Gateway]),
        good("to its neighbour", own(NEIGHBOUR_MAC, IPV4, &udp((OWN, 1), (NEIGHBOUR, 2), TRIED)), &[Neighbour]),
        good("a page", ip(&tcp((OWN, 4000), (GATEWAY, 443), TRIED)), &[Gateway]),
        good("mail to its provider", ip(&tcp((OWN, 4000), (GATEWAY, 587), TRIED)), &[Gateway]),
        good("a ping", ip(&ipv4(1, OWN, GATEWAY, &[&[8, 0, 0, 0][..], TRIED].concat())), &[Gateway]),
        good("a tunnel of its own", ip(&ipv4(47, OWN, GATEWAY, TRIED)), &[Gateway]),
        good("options", ip(&with_options(&plain(OWN))), &[Gateway]),
        good("a first fragment", ip(&part(plain(OWN), 0x2000)), &[Gateway]),
        good("a last fragment", ip(&part(plain(OWN), 185)), &[Gateway]),
        good("asks for the gateway", asks(OWN, GATEWAY), &[Gateway, Neighbour]),
        good("asks as its other address", asks(OWN_TOO, GATEWAY), &[Gateway, Neighbour]),
        good("announces itself", asks(OWN, OWN), &[Gateway, Neighbour]),
        good("asks whether its address is free", asks(NOWHERE, OWN), &[Gateway, Neighbour]),
        good("answers", own(GATEWAY_MAC, ARP, &says(2, OWN_MAC, OWN, GATEWAY)), &[Gateway]),
        back("is spoken to", ethernet(OWN_MAC, GATEWAY_MAC, IPV4, &udp((GATEWAY, 1), (OWN, 2), TRIED)), &[Guest]),
        back("is asked for", ethernet(BROADCAST, GATEWAY_MAC, ARP, &says(1, GATEWAY_MAC, GATEWAY, OWN)), &[Guest]),
        back("is answered", ethernet(OWN_MAC, GATEWAY_MAC, ARP, &says(2, GATEWAY_MAC, GATEWAY, OWN)), &[Guest]),
        back("an address moved", moved(1), &[Guest, Neighbour]),
        back("an address moved, as an answer", moved(2), &[Guest, Neighbour]),
    ]
}
