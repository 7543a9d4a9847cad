//! Lists of what the kernel has, by netlink (rtnetlink(7)), each over a socket of its own and read piece by piece as it comes. A
//! connection that others use too would take all pieces from the kernel first: of a thousand interfaces that is many
//! times what anybody wants to know of them.
//!
//! A list that the kernel marks as interrupted is taken again: an interface that it skipped would count as gone, and "not
//! seen" is not "absent".

use nix::errno::Errno;
use rtnetlink::{
    packet_core::{
        ErrorBuffer, ErrorMessage, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
        NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NlasIterator, Parseable,
    },
    packet_route::RouteNetlinkMessage,
    sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE},
};
use tracing::warn;

use super::{
    NetworkError,
    links::{failed, refused},
};

/// The kernel's word for a dump during which something changed (linux/netlink.h).
const NLM_F_DUMP_INTR: u16 = 0x10;
const TRIES: u32 = 10;
/// What the kernel hands over at once, at most, in bytes (netlink_recvmsg in net/netlink/af_netlink.c).
const PIECE: usize = 32 << 10;
/// Messages are told apart by it; there is one question to a socket.
const SEQUENCE: u32 = 1;
/// The kind of message that tells of an interface, and the bytes before its attributes (linux/rtnetlink.h).
const NEW_LINK: u16 = 16;
const LINK_HEADER: usize = 16;
/// Attributes start at multiples of it.
const ALIGNED: usize = 4;

/// Which attributes of an interface are read at all: `None` for every one.
pub(super) type Kept = Option<&'static [u16]>;

/// What `read` takes of all that the kernel lists of one kind of thing.
///
/// # Errors
/// When the kernel gives no whole list.
pub(super) async fn dump<T>(
    doing: &str,
    question: RouteNetlinkMessage,
    kept: Kept,
    read: impl Fn(&RouteNetlinkMessage) -> Option<T>,
) -> Result<Vec<T>, NetworkError> {
    let mut request = NetlinkMessage::from(question);
    request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.sequence_number = SEQUENCE;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    for _ in 0..TRIES {
        let mut list = List { kept, read: &read, things: Vec::new(), is_whole: true };
        ask(&bytes, &mut list).await.map_err(|stopped| stopped.told(doing))?;
        if list.is_whole {
            return Ok(list.things);
        }
    }
    Err(failed(doing, None, &"it changes faster than it can be read"))
}

/// One pass over a new socket: nothing that is left of an earlier one can be taken for an answer.
async fn ask<T, F: Fn(&RouteNetlinkMessage) -> Option<T>>(
    bytes: &[u8],
    list: &mut List<'_, T, F>,
) -> Result<(), Stopped> {
    let socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.send_to(bytes, &SocketAddr::new(0, 0)).await?;
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        socket.recv(&mut piece).await?;
        if list.take(&piece)? {
            return Ok(());
        }
    }
}

/// Why there is no list.
enum Stopped {
    /// The kernel says so.
    Refused(ErrorMessage),
    /// The socket says so.
    Socket(std::io::Error),
    /// What came is no message.
    Garbled,
}

impl Stopped {
    fn told(self, doing: &str) -> NetworkError {
        match self {
            Self::Refused(error) => refused(doing, &error),
            Self::Socket(error) => failed(doing, error.raw_os_error(), &error),
            Self::Garbled => failed(doing, Some(Errno::EBADMSG as i32), &"the kernel's answer cannot be read"),
        }
    }
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Socket(error)
    }
}

/// What was read of a list so far.
struct List<'a, T, F> {
    kept: Kept,
    read: &'a F,
    things: Vec<T>,
    /// Nothing changed meanwhile.
    is_whole: bool,
}

impl<T, F: Fn(&RouteNetlinkMessage) -> Option<T>> List<'_, T, F> {
    /// Reads a piece; answers whether it was the last one.
    fn take(&mut self, mut piece: &[u8]) -> Result<bool, Stopped> {
        while !piece.is_empty() {
            let message = NetlinkBuffer::new_checked(piece).map_err(|_| Stopped::Garbled)?;
            let length = usize::try_from(message.length()).map_err(|_| Stopped::Garbled)?;
            piece = piece.get(length.next_multiple_of(ALIGNED)..).unwrap_or_default();
            self.is_whole &= message.flags() & NLM_F_DUMP_INTR == 0;
            match message.message_type() {
                NLMSG_DONE => return end(message.payload()).map(|()| true),
                NLMSG_ERROR => {
                    let error =
                        ErrorBuffer::new_checked(&message.payload()).and_then(|error| ErrorMessage::parse(&error));
                    return Err(error.map_or(Stopped::Garbled, Stopped::Refused));
                }
                _ => self.things.extend(self.thing(&message)),
            }
        }
        Ok(false)
    }

    fn thing(&self, message: &NetlinkBuffer<&[u8]>) -> Option<T> {
        let header = NetlinkHeader::parse(message).ok()?;
        let payload = match self.kept {
            Some(kept) if header.message_type == NEW_LINK => &without_others(message.payload(), kept),
            _ => message.payload(),
        };
        match RouteNetlinkMessage::deserialize(&header, payload) {
            Ok(message) => (self.read)(&message),
            Err(error) => {
                warn!(%error, kind = header.message_type, "the kernel lists something that cannot be read");
                None
            }
        }
    }
}

/// How a list ended: with a number, which is negative when the kernel broke it off.
fn end(payload: &[u8]) -> Result<(), Stopped> {
    let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    if code < 0 { Err(std::io::Error::from_raw_os_error(code.saturating_neg()).into()) } else { Ok(()) }
}

/// What is told of an interface, without the attributes that nobody reads: they are most of it.
fn without_others(link: &[u8], kept: &[u16]) -> Vec<u8> {
    let (header, attributes) = link.split_at_checked(LINK_HEADER).unwrap_or((link, &[]));
    let mut bytes = header.to_vec();
    for attribute in NlasIterator::new(attributes).map_while(Result::ok).filter(|it| kept.contains(&it.kind())) {
        let length = usize::from(attribute.length());
        bytes.extend(attribute.into_inner().get(..length).unwrap_or_default());
        bytes.resize(bytes.len().next_multiple_of(ALIGNED), 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

    use super::*;

    const NAME: u16 = 3;
    const ALIAS: u16 = 20;

    fn link(index: u32, flags: u16) -> Vec<u8> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = vec![
            LinkAttribute::IfName(format!("tap{index}")),
            LinkAttribute::Mtu(1500),
            LinkAttribute::IfAlias("of a server".to_owned()),
        ];
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
        message.header.flags = flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    /// A header with a number behind it.
    fn ending(kind: u16, number: i32) -> Vec<u8> {
        let length = 20u32;
        let parts = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &number.to_ne_bytes()];
        parts.concat()
    }

    fn taken(pieces: &[&[u8]], kept: Kept) -> (Vec<LinkMessage>, bool, Result<bool, Option<i32>>) {
        let read = |message: &RouteNetlinkMessage| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link.clone()),
            _ => None,
        };
        let mut list = List { kept, read: &read, things: Vec::new(), is_whole: true };
        let mut done = Ok(false);
        for piece in pieces {
            done = list.take(piece).map_err(|stopped| match stopped.told("list") {
                NetworkError::Netlink { errno, .. } => errno,
                other => panic!("{other}"),
            });
        }
        (list.things, list.is_whole, done)
    }

    #[test]
    fn a_list_is_read_over_its_pieces_up_to_its_end() {
        let (first, last) = ([link(1, 2), link(2, 2)].concat(), [link(3, 2), ending(NLMSG_DONE, 0)].concat());
        let (things, is_whole, done) = taken(&[&first, &last], None);
        assert_eq!(things.iter().map(|link| link.header.index).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((is_whole, done), (true, Ok(true)));
        let changed = link(2, NLM_F_DUMP_INTR);
        assert!(!taken(&[&first, &changed], None).1, "something changed meanwhile");
    }

    #[test]
    fn what_breaks_a_list_off_is_an_error_and_never_its_end() {
        let broken = |bytes: &[u8]| taken(&[&link(1, 2), bytes], None).2;
        assert_eq!(broken(&ending(NLMSG_DONE, -12)), Err(Some(12)));
        assert_eq!(broken(&[ending(NLMSG_ERROR, -16), vec![0; 16]].concat()), Err(Some(16)), "without its length");
        assert_eq!(broken(&link(2, 2)[..30]), Err(Some(Errno::EBADMSG as i32)), "cut off");
        assert_eq!(broken(&[0; 16]), Err(Some(Errno::EBADMSG as i32)), "no length");
    }

    #[test]
    fn what_nobody_reads_of_an_interface_is_left_out() {
        let (things, ..) = taken(&[&link(7, 2)], Some(&[NAME, ALIAS]));
        let [link] = things.try_into().unwrap();
        assert_eq!(link.header.index, 7);
        let wanted = [LinkAttribute::IfName("tap7".to_owned()), LinkAttribute::IfAlias("of a server".to_owned())];
        assert_eq!(link.attributes, wanted);
    }

    #[tokio::test]
    async fn the_kernels_interfaces_are_listed_with_what_is_kept_alone() {
        let question = || RouteNetlinkMessage::GetLink(LinkMessage::default());
        let name = |message: &RouteNetlinkMessage| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link.attributes.clone()),
            _ => None,
        };
        let all: Vec<_> = dump("list", question(), None, name).await.unwrap();
        let names = dump("list", question(), Some(&[NAME]), name).await.unwrap();
        assert!(names.contains(&vec![LinkAttribute::IfName("lo".to_owned())]), "{names:?}");
        assert_eq!(names.len(), all.len());
    }
}
