//! Frames of clients, whole and hostile, and an answer byte by byte.

use proptest::prelude::*;

use super::*;

/// A client's frame, as the parts that a test changes.
#[derive(Clone, Debug)]
pub(in crate::network::dhcp) struct Asked {
    pub source: Mac,
    pub chaddr: Mac,
    pub flags: u16,
    pub uses: Ipv4Addr,
    pub options: Vec<u8>,
}

impl Asked {
    pub(in crate::network::dhcp) fn new(mac: Mac, options: &[u8]) -> Self {
        Self { source: mac, chaddr: mac, flags: 0, uses: Ipv4Addr::UNSPECIFIED, options: options.to_vec() }
    }

    pub(in crate::network::dhcp) fn frame(&self) -> Vec<u8> {
        let mut message = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0];
        message.extend(self.flags.to_be_bytes());
        message.extend(self.uses.octets());
        message.extend([0; 12]);
        message.extend(self.chaddr.0);
        message.resize(236, 0);
        message.extend(COOKIE);
        message.extend(&self.options);
        message.push(option::END);
        let length = message.len() as u16;
        let mut frame = [&[0xff; 6][..], &self.source.0, &ETHER_IPV4, &[0x45, 0]].concat();
        frame.extend((length + 28).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, UDP, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67]);
        frame.extend((length + 8).to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(message);
        frame
    }
}

pub(in crate::network::dhcp) fn mac() -> Mac {
    Mac::for_guest([1, 2, 3, 4])
}

const REQUEST_OF: [u8; 20] = [53, 1, 3, 0, 50, 4, 203, 0, 113, 10, 61, 2, 7, 8, 54, 4, 203, 0, 113, 1];

#[test]
fn a_client_is_understood() {
    let asked = Asked { flags: 0x8000, uses: Ipv4Addr::new(203, 0, 113, 9), ..Asked::new(mac(), &REQUEST_OF) };
    let wanted = Request {
        source: mac(),
        chaddr: mac(),
        wish: Wish::Request,
        transaction: [0xde, 0xad, 0xbe, 0xef],
        broadcast: true,
        uses: Ipv4Addr::new(203, 0, 113, 9),
        requested: Some(Ipv4Addr::new(203, 0, 113, 10)),
        server: Some(Ipv4Addr::new(203, 0, 113, 1)),
        client: vec![7, 8],
    };
    assert_eq!(Request::parse(&asked.frame()), Some(wanted));
}

#[test]
fn what_is_no_clients_message_is_left() {
    let change = |at: usize, to: u8| {
        let mut frame = Asked::new(mac(), &REQUEST_OF).frame();
        frame[at] = to;
        frame
    };
    for (name, frame) in [
        ("another EtherType", change(12, 0x86)),
        ("IPv6 inside", change(14, 0x65)),
        ("a header too short", change(14, 0x44)),
        ("a header longer than the packet", change(14, 0x4f)),
        ("longer than the frame", change(16, 0xff)),
        ("a fragment", change(20, 0x20)),
        ("a later fragment", change(21, 1)),
        ("TCP", change(23, 6)),
        ("from another port", change(35, 67)),
        ("to another port", change(37, 68)),
        ("longer than its packet", change(38, 0xff)),
        ("shorter than its header", [&change(38, 0)[..39], &[7], &change(38, 0)[40..]].concat()),
        ("an answer", change(42, 2)),
        ("not Ethernet", change(43, 6)),
        ("through a relay", change(42 + 24, 10)),
        ("no cookie", change(42 + 236, 0)),
        ("options that are cut off", Asked::new(mac(), &[53, 1, 1, 12, 200]).frame()),
        ("no kind", Asked::new(mac(), &[12, 1, 65]).frame()),
        ("a kind for relays", Asked::new(mac(), &[53, 1, 10]).frame()),
        ("a kind of two bytes", Asked::new(mac(), &[53, 2, 1, 1]).frame()),
    ] {
        assert_eq!(Request::parse(&frame), None, "{name}");
    }
}

#[test]
fn an_answer_is_the_known_one() {
    let route = |to: &str, via| Route { to: to.parse().unwrap(), via };
    let gateway = Ipv4Addr::new(203, 0, 113, 1);
    let reply = Reply {
        word: Word::Ack,
        source: mac().of_tap(),
        chaddr: mac(),
        broadcast: false,
        to: Ipv4Addr::new(203, 0, 113, 10),
        transaction: [1, 2, 3, 4],
        client: vec![7, 8],
        uses: Ipv4Addr::UNSPECIFIED,
        yours: Ipv4Addr::new(203, 0, 113, 10),
        server: gateway,
        told: vec![
            Told::Times([7, 5, 6]),
            Told::Mask(Ipv4Addr::new(255, 255, 255, 255)),
            Told::Router(gateway),
            Told::Dns(vec![Ipv4Addr::new(192, 0, 2, 53), Ipv4Addr::new(192, 0, 2, 54)]),
            Told::Mtu(1450),
            Told::Routes(vec![route("203.0.113.1/32", Ipv4Addr::UNSPECIFIED), route("10.20.0.0/13", gateway)]),
        ],
    };
    let hex: Vec<String> =
        reply.frame().chunks(16).map(|row| row.iter().map(|b| format!("{b:02x}")).collect()).collect();
    insta::assert_snapshot!(hex.join("\n"));
}

proptest! {
    #[test]
    fn whatever_a_guest_sends_is_read_or_left(frame in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = Request::parse(&frame);
    }

    /// Close to a message, where the bounds are.
    #[test]
    fn a_damaged_message_is_read_or_left(
        harm in prop::collection::vec((0usize..300, any::<u8>()), 0..6),
        cut in 0usize..400,
        options in prop::collection::vec(any::<u8>(), 0..90),
    ) {
        let mut frame = Asked::new(mac(), &options).frame();
        for (at, byte) in harm {
            if let Some(place) = frame.get_mut(at) {
                *place = byte;
            }
        }
        frame.truncate(cut.max(40));
        if let Some(read) = Request::parse(&frame) {
            prop_assert!(read.client.len() <= 255);
        }
    }

    #[test]
    fn an_answer_fits_its_frame(client in prop::collection::vec(any::<u8>(), 0..256), dns in 0usize..9) {
        let told = vec![Told::Dns(vec![Ipv4Addr::LOCALHOST; dns]), Told::Mtu(1500), Told::Times([1, 2, 3])];
        let reply = Reply {
            word: Word::Offer, source: mac(), chaddr: mac(), broadcast: true, to: Ipv4Addr::BROADCAST,
            transaction: [0; 4], client, uses: Ipv4Addr::UNSPECIFIED, yours: Ipv4Addr::LOCALHOST,
            server: Ipv4Addr::LOCALHOST, told,
        };
        let frame = reply.frame();
        prop_assert!(frame.len() <= 1514);
        prop_assert_eq!(usize::from(u16::from_be_bytes([frame[16], frame[17]])), frame.len() - ETHERNET);
        prop_assert_eq!(checksum(&frame[14..34]), 0, "a header with its checksum sums up to nothing");
    }
}
