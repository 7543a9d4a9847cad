//! What a guest's DHCP frame says, and the frame of an answer (RFC 2131, 2132, 3442, 6842). Pure.
//!
//! Guests send whatever they like: a frame is read with bounds, or it is none. Of a request's options few matter here,
//! and a library that knows them all would bring a parser of DNS along into a daemon that runs as root.

use std::net::Ipv4Addr;

use csp_shared::mac::Mac;

use super::{CLIENT_PORT, SERVER_PORT, lease::Route};

const ETHER_IPV4: [u8; 2] = [0x08, 0x00];
const UDP: u8 = 17;
/// More fragments, and the offset of this one.
const FRAGMENT: u16 = 0x3fff;
const ETHERNET: usize = 14;
const UDP_HEADER: usize = 8;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const BROADCAST_FLAG: u16 = 0x8000;
/// A client may drop what is shorter (RFC 951).
const BOOTP_MIN: usize = 300;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET_KIND: [u8; 2] = [1, 6];

/// Options, by their numbers.
mod option {
    pub const PAD: u8 = 0;
    pub const MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const DNS: u8 = 6;
    pub const MTU: u8 = 26;
    pub const REQUESTED: u8 = 50;
    pub const LEASE: u8 = 51;
    pub const KIND: u8 = 53;
    pub const SERVER: u8 = 54;
    pub const RENEWAL: u8 = 58;
    pub const REBINDING: u8 = 59;
    pub const CLIENT: u8 = 61;
    pub const ROUTES: u8 = 121;
    pub const END: u8 = 255;
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Is there a server?
    Discover,
    /// May I use this address?
    Request,
    /// I use an address; what else is there to know?
    Inform,
}

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who sent the frame.
    pub source: Mac,
    /// Which adapter it is about.
    pub chaddr: Mac,
    /// What is wanted.
    pub wish: Wish,
    /// Goes into the answer.
    pub transaction: [u8; 4],
    /// The answer is to go to everybody: the client cannot hear one sent to an address that it has not got yet.
    pub broadcast: bool,
    /// The address that it uses; unspecified when it uses none.
    pub uses: Ipv4Addr,
    /// The address that it would like.
    pub requested: Option<Ipv4Addr>,
    /// The server that it chose.
    pub server: Option<Ipv4Addr>,
    /// What it calls itself; goes into the answer and decides nothing.
    pub client: Vec<u8>,
}

impl Request {
    /// Reads a frame from a guest; nothing when it is no message of a client on this cable.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_at_checked(ETHERNET)?;
        let source = Mac(*ethernet.get(6..)?.first_chunk()?);
        if !ethernet.ends_with(&ETHER_IPV4) {
            return None;
        }
        let message = udp_content(packet)?;
        let (fixed, options) = message.split_at_checked(236)?;
        let at = |offset: usize| fixed.get(offset..)?.first_chunk::<4>().copied();
        let is_own = fixed.first() == Some(&REQUEST)
            && fixed.get(1..3)? == ETHERNET_KIND
            && at(24)? == Ipv4Addr::UNSPECIFIED.octets(); // no relay stands between a guest and its tap
        let options = Options::parse(options.strip_prefix(&COOKIE)?)?;
        let flags = u16::from_be_bytes(*fixed.get(10..)?.first_chunk()?);
        is_own.then_some(Self {
            source,
            chaddr: Mac(*fixed.get(28..)?.first_chunk()?),
            wish: options.wish?,
            transaction: at(4)?,
            broadcast: flags & BROADCAST_FLAG != 0,
            uses: at(12)?.into(),
            requested: options.requested,
            server: options.server,
            client: options.client,
        })
    }
}

/// What an IPv4 packet carries from a client's port to a server's. Its checksum is not looked at: a guest leaves that to
/// the network card, which here is nobody.
fn udp_content(packet: &[u8]) -> Option<&[u8]> {
    let [first, _, length @ ..] = packet else { return None };
    let header = usize::from(first & 0x0f) * 4;
    let length = usize::from(u16::from_be_bytes(*length.first_chunk()?));
    let packet = packet.get(..length)?;
    let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & FRAGMENT;
    if first >> 4 != 4 || header < 20 || fragment != 0 || packet.get(9) != Some(&UDP) {
        return None;
    }
    let (ports, content) = packet.get(header..)?.split_at_checked(UDP_HEADER)?;
    let field = |offset: usize| Some(u16::from_be_bytes(*ports.get(offset..)?.first_chunk()?));
    let is_clients = field(0)? == CLIENT_PORT && field(2)? == SERVER_PORT;
    content.get(..usize::from(field(4)?).checked_sub(UDP_HEADER)?).filter(|_| is_clients)
}

#[derive(Default)]
struct Options {
    wish: Option<Wish>,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    client: Vec<u8>,
}

impl Options {
    /// Reads them up to the end mark; a list that is cut off is none.
    fn parse(mut rest: &[u8]) -> Option<Self> {
        let mut options = Self::default();
        loop {
            match rest {
                [] | [option::END, ..] => return Some(options),
                [option::PAD, more @ ..] => rest = more,
                [kind, length, more @ ..] => {
                    let (value, more) = more.split_at_checked(usize::from(*length))?;
                    options.take(*kind, value);
                    rest = more;
                }
                [_] => return None,
            }
        }
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        let address = || Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?));
        match (kind, value) {
            (option::KIND, [1]) => self.wish = Some(Wish::Discover),
            (option::KIND, [3]) => self.wish = Some(Wish::Request),
            (option::KIND, [8]) => self.wish = Some(Wish::Inform),
            (option::REQUESTED, _) => self.requested = address(),
            (option::SERVER, _) => self.server = address(),
            (option::CLIENT, _) => self.client = value.to_vec(),
            _ => {}
        }
    }
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// This is what you can have.
    Offer,
    /// It is yours.
    Ack,
    /// It is not yours.
    Nak,
}

/// A server's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says.
    pub word: Word,
    /// Who says it, on the cable.
    pub source: Mac,
    /// The adapter that it is for.
    pub chaddr: Mac,
    /// To all ears of the guest, not to the adapter's address.
    pub broadcast: bool,
    /// Where the packet goes.
    pub to: Ipv4Addr,
    /// From the request.
    pub transaction: [u8; 4],
    /// From the request.
    pub client: Vec<u8>,
    /// The address that the client uses; unspecified when it uses none.
    pub uses: Ipv4Addr,
    /// The address that it gets; unspecified when it gets none.
    pub yours: Ipv4Addr,
    /// The server's own.
    pub server: Ipv4Addr,
    /// All else, in order.
    pub told: Vec<Told>,
}

/// One thing that a client is told beside its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// How long, when to renew and when to rebind, in seconds.
    Times([u32; 3]),
    /// The network's mask.
    Mask(Ipv4Addr),
    /// The gateway.
    Router(Ipv4Addr),
    /// Resolvers.
    Dns(Vec<Ipv4Addr>),
    /// Largest packet in bytes.
    Mtu(u16),
    /// Routes that take the place of the gateway for clients that understand them.
    Routes(Vec<Route>),
}

impl Reply {
    /// The whole Ethernet frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let message = self.message();
        let length = |more: usize| u16::try_from(message.len() + more).unwrap_or(u16::MAX).to_be_bytes();
        let mut header = vec![0x45, 0];
        header.extend(length(20 + UDP_HEADER));
        header.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
        header.extend(self.server.octets());
        header.extend(self.to.octets());
        let sum = checksum(&header).to_be_bytes();
        header.splice(10..12, sum);
        let to = if self.broadcast { [0xff; 6] } else { self.chaddr.0 };
        // No checksum of UDP: zero says so, and there is no cable between agent and guest that could damage it.
        let ports = [SERVER_PORT.to_be_bytes(), CLIENT_PORT.to_be_bytes(), length(UDP_HEADER), [0, 0]].concat();
        [&to[..], &self.source.0, &ETHER_IPV4, &header, &ports, &message].concat()
    }

    fn message(&self) -> Vec<u8> {
        let mut message = vec![REPLY, 1, 6, 0];
        message.extend(self.transaction);
        let flags = if self.broadcast { BROADCAST_FLAG } else { 0 };
        message.extend([0, 0]);
        message.extend(flags.to_be_bytes());
        for address in [self.uses, self.yours, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED] {
            message.extend(address.octets());
        }
        message.extend(self.chaddr.0);
        message.resize(236, 0);
        message.extend(COOKIE);
        let word = match self.word {
            Word::Offer => 2,
            Word::Ack => 5,
            Word::Nak => 6,
        };
        put(&mut message, option::KIND, &[word]);
        put(&mut message, option::SERVER, &self.server.octets());
        for told in &self.told {
            told.write(&mut message);
        }
        if !self.client.is_empty() {
            put(&mut message, option::CLIENT, &self.client);
        }
        message.push(option::END);
        message.resize(message.len().max(BOOTP_MIN), option::PAD);
        message
    }
}

impl Told {
    fn write(&self, message: &mut Vec<u8>) {
        match self {
            Self::Times([lease, renew, rebind]) => {
                put(message, option::LEASE, &lease.to_be_bytes());
                put(message, option::RENEWAL, &renew.to_be_bytes());
                put(message, option::REBINDING, &rebind.to_be_bytes());
            }
            Self::Mask(mask) => put(message, option::MASK, &mask.octets()),
            Self::Router(router) => put(message, option::ROUTER, &router.octets()),
            Self::Dns(servers) => {
                put(message, option::DNS, &servers.iter().flat_map(Ipv4Addr::octets).collect::<Vec<_>>());
            }
            Self::Mtu(bytes) => put(message, option::MTU, &bytes.to_be_bytes()),
            Self::Routes(routes) => {
                put(message, option::ROUTES, &routes.iter().flat_map(route).collect::<Vec<_>>());
            }
        }
    }
}

/// Length of the prefix, as many bytes of it as matter, and the way.
fn route(route: &Route) -> Vec<u8> {
    let bits = route.to.prefix_len();
    let mut bytes = vec![bits];
    bytes.extend(route.to.network().octets().into_iter().take(usize::from(bits.div_ceil(8))));
    bytes.extend(route.via.octets());
    bytes
}

fn put(message: &mut Vec<u8>, kind: u8, value: &[u8]) {
    // Every caller's value is far shorter than an option can be.
    let Ok(length) = u8::try_from(value.len()) else { return };
    message.extend([kind, length]);
    message.extend(value);
}

fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).filter_map(|word| Some(u32::from(u16::from_be_bytes(word.try_into().ok()?))));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
pub(super) mod tests;
