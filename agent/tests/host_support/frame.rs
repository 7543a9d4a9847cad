//! Frames, good and hostile, byte by byte.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::Ipv4Addr;

pub const BROADCAST: [u8; 6] = [0xff; 6];
pub const ARP: u16 = 0x0806;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;

pub fn ethernet(to: [u8; 6], from: [u8; 6], kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), body].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// The same frame with a VLAN tag.
pub fn tagged(frame: &[u8], tag_protocol: u16, vlan: u16) -> Vec<u8> {
    [&frame[..12], &tag_protocol.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

pub struct Arp {
    pub operation: u16,
    pub sender_mac: [u8; 6],
    pub sender: Ipv4Addr,
    pub target: Ipv4Addr,
}

/// With `marker` behind it, where switches pad.
pub fn arp(arp: &Arp, marker: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4];
    body.extend(arp.operation.to_be_bytes());
    body.extend(arp.sender_mac);
    body.extend(arp.sender.octets());
    body.extend([0; 6]);
    body.extend(arp.target.octets());
    body.extend(marker);
    body
}

pub fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), marker: &[u8]) -> Vec<u8> {
    let length = (8 + marker.len()) as u16;
    let mut datagram: Vec<u8> = [from.1, to.1, length, 0].into_iter().flat_map(u16::to_be_bytes).collect();
    datagram.extend(marker);
    ipv4(17, from.0, to.0, &datagram)
}

/// The first packet of a connection.
pub fn tcp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), marker: &[u8]) -> Vec<u8> {
    let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(marker);
    ipv4(6, from.0, to.0, &segment)
}

/// An IPv4 packet around anything.
pub fn ipv4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((20 + content.len() as u16).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header, content.to_vec()].concat()
}

/// A router advertisement, as far as a filter looks: IPv6, ICMPv6 type 134.
pub fn router_advertisement(marker: &[u8]) -> Vec<u8> {
    let mut body = vec![0x60, 0, 0, 0, 0, 16, 58, 255];
    body.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend([134, 0, 0, 0, 64, 0, 7, 8]);
    body.extend(marker);
    body
}

pub fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// A frame with two bytes more, which make the checksum over all from `start` on what is to stand in its place.
pub fn with_checksum(mut frame: Vec<u8>, start: u16, becomes: u16) -> Vec<u8> {
    frame.resize(frame.len().next_multiple_of(2), 0);
    let more = checksum(&[&frame[usize::from(start)..], &becomes.to_be_bytes()].concat());
    frame.extend(more.to_be_bytes());
    assert_eq!(checksum(&frame[usize::from(start)..]), becomes);
    frame
}
