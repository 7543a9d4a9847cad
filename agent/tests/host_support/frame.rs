//! Frames, good and hostile, byte by byte.

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
    let mut body = vec![0x45, 0];
    body.extend((20 + length).to_be_bytes());
    body.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    body.extend(from.0.octets());
    body.extend(to.0.octets());
    let sum = checksum(&body);
    body[10..12].copy_from_slice(&sum.to_be_bytes());
    for field in [from.1, to.1, length, 0] {
        body.extend(field.to_be_bytes());
    }
    body.extend(marker);
    body
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

fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}
