//! Exchanges messages with nftables in the kernel (linux/netlink.h, linux/netfilter/nfnetlink.h). Every call blocks, for as
//! long as the kernel needs to answer, and a second at most.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::{
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
            sockopt,
        },
        time::TimeVal,
    },
};

/// The kernel's subsystem of nftables.
const NFTABLES: u16 = 10;
/// Kinds of messages that are not of a subsystem.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// Flags of a question.
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
/// NFNL_BATCH_GENID.
const BATCH_GENERATION: u16 = 1;
/// Length of a message's header, and of the family behind it.
const HEADER: usize = 16;
const FAMILY: usize = 4;
/// The kernel hands over at most 32 KiB of a list at once.
const BUFFER_BYTES: usize = 64 << 10;
const LIMIT_SECONDS: i64 = 1;

/// A connection, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Socket {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Socket {
    pub fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(LIMIT_SECONDS, 0))?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    /// What `read` takes of the one thing that is asked for.
    pub fn get<T>(
        &mut self,
        message: u16,
        family: u8,
        attributes: &[u8],
        read: impl Fn(Told<'_>) -> Option<T>,
    ) -> Result<Option<T>, Errno> {
        Ok(self.ask(message, ACK, family, attributes, read)?.pop())
    }

    /// What `read` takes of all things of a kind. Each is read as it comes: the kernel lists those of all tables, and who asks
    /// mostly wants those of one.
    pub fn list<T>(
        &mut self,
        message: u16,
        family: u8,
        attributes: &[u8],
        read: impl Fn(Told<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Errno> {
        self.ask(message, DUMP, family, attributes, read)
    }

    fn ask<T>(
        &mut self,
        message: u16,
        flags: u16,
        family: u8,
        attributes: &[u8],
        read: impl Fn(Told<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Errno> {
        self.sequence += 1;
        self.send(&write(NFTABLES << 8 | message, REQUEST | flags, self.sequence, family, attributes))?;
        let mut found = Vec::new();
        loop {
            for part in self.receive()? {
                match part? {
                    Part::Told(told) => found.extend(read(told)),
                    Part::End(0) => return Ok(found),
                    Part::End(errno) => return Err(Errno::from_raw(errno)),
                }
            }
        }
    }

    /// Makes things in one transaction, which the kernel refuses when its filters are no longer of `generation`.
    pub fn make(&mut self, message: u16, family: u8, things: &[Vec<u8>], generation: u32) -> Result<(), Errno> {
        let batch = |sequence, kind, attributes: &[u8]| {
            let mut message = write(kind, REQUEST, sequence, 0, attributes);
            // Whose batch it is stands where other messages have nothing (`res_id`).
            if let Some(subsystem) = message.get_mut(HEADER + 2..HEADER + FAMILY) {
                subsystem.copy_from_slice(&NFTABLES.to_be_bytes());
            }
            message
        };
        self.sequence += 1;
        let mut all = batch(self.sequence, BATCH_BEGIN, &attribute(BATCH_GENERATION, &generation.to_be_bytes()));
        for thing in things {
            all.extend(write(NFTABLES << 8 | message, REQUEST | ACK | CREATE, self.sequence, family, thing));
        }
        all.extend(batch(self.sequence, BATCH_END, &[]));
        self.send(&all)?;
        // Each is answered, and one refusal is that of all.
        let mut left = things.len();
        while left > 0 {
            for part in self.receive()? {
                match part? {
                    Part::End(0) => left = left.saturating_sub(1),
                    Part::End(errno) => return Err(Errno::from_raw(errno)),
                    Part::Told(_) => {}
                }
            }
        }
        Ok(())
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        sendto(self.socket.as_raw_fd(), bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty()).map(drop)
    }

    fn receive(&mut self) -> Result<impl Iterator<Item = Result<Part<'_>, Errno>>, Errno> {
        let length = loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        Ok(read(self.buffer.get(..length).unwrap_or_default(), self.sequence))
    }
}

/// A part of what the kernel sends.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Something that was asked for.
    Told(Told<'a>),
    /// The end of a list, or what came of a request: zero, or why not.
    End(i32),
}

/// One attribute, with what rounds it up to four bytes.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_attribute(&mut bytes, kind, value);
    bytes
}

/// Puts one more attribute behind others.
pub(super) fn push_attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A name, as the kernel writes them.
pub(super) fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

fn write(kind: u16, flags: u16, sequence: u32, family: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + FAMILY + attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + FAMILY + attributes.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]); // the sender: the kernel knows
    bytes.extend([family, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

/// A message about something of nftables'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told<'a> {
    /// Which message it is.
    pub message: u16,
    /// The family of what it is about.
    pub family: u8,
    /// Its attributes.
    pub attributes: &'a [u8],
}

/// Takes apart what was told to everybody, up to what is no message.
pub(super) fn told(bytes: &[u8]) -> impl Iterator<Item = Told<'_>> {
    messages(bytes).map_while(Result::ok).filter_map(|message| message.told())
}

/// Takes apart what arrived, as far as it answers `sequence`, up to what is no message: that is an error.
fn read(bytes: &[u8], sequence: u32) -> impl Iterator<Item = Result<Part<'_>, Errno>> {
    let answers =
        messages(bytes).filter(move |message| message.as_ref().map_or(true, |message| message.sequence == sequence));
    answers.filter_map(|message| match message {
        Err(errno) => Some(Err(errno)),
        Ok(message) => match message.kind {
            // The kernel counts its reasons downwards.
            ERROR | DONE => {
                let why = number(message.body, 0).map_or(0, |why| why.cast_signed().saturating_neg());
                Some(Ok(Part::End(why)))
            }
            _ => message.told().map(|told| Ok(Part::Told(told))),
        },
    })
}

/// One of those that arrive together.
struct Message<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// What it tells of something of nftables'.
    fn told(&self) -> Option<Told<'a>> {
        let (family, attributes) = (*self.body.first()?, self.body.get(FAMILY..)?);
        (self.kind >> 8 == NFTABLES).then_some(Told { message: self.kind & 0xff, family, attributes })
    }
}

/// Takes apart what arrived. What is no message ends it, with an error.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Errno>> {
    std::iter::from_fn(move || {
        let all = std::mem::take(&mut bytes);
        if all.is_empty() {
            return None;
        }
        let message = number(all, 0).and_then(|length| {
            let length = usize::try_from(length).ok()?;
            let body = all.get(HEADER..length)?;
            bytes = all.get(length.next_multiple_of(4)..).unwrap_or_default();
            let kind = u16::from_ne_bytes(all.get(4..6)?.try_into().ok()?);
            Some(Message { kind, sequence: number(all, 8)?, body })
        });
        Some(message.ok_or(Errno::EBADMSG))
    })
}

/// Four bytes, as they lie in memory.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As the kernel tells everybody.
    pub fn message(kind: u16, family: u8, attributes: &[u8]) -> Vec<u8> {
        write(NFTABLES << 8 | kind, 0, 0, family, attributes)
    }

    const GENERATION: u16 = 15;

    #[test]
    fn answers_are_told_from_ends_refusals_and_what_answers_something_else() {
        let told = attribute(1, &7u32.to_be_bytes());
        let answer = write(NFTABLES << 8 | GENERATION, 0, 3, 0, &told);
        let end = |kind, sequence, errno: i32| {
            let mut end = write(kind, 0, sequence, 0, &[]);
            end[HEADER..].copy_from_slice(&(-errno).to_ne_bytes());
            end
        };
        let late = write(NFTABLES << 8 | GENERATION, 0, 2, 0, &told);
        let all = [late, answer, end(ERROR, 2, 1), end(DONE, 3, 0), end(ERROR, 3, 85)].concat();
        fn read(bytes: &[u8]) -> Result<Vec<Part<'_>>, Errno> {
            super::read(bytes, 3).collect()
        }
        let wanted = Told { message: GENERATION, family: 0, attributes: &told };
        assert_eq!(read(&all), Ok(vec![Part::Told(wanted), Part::End(0), Part::End(85)]));
        assert_eq!(read(&all[..all.len() - 1]), Err(Errno::EBADMSG), "cut off");
        assert_eq!(read(&[0; 16]), Err(Errno::EBADMSG), "no length");
        assert_eq!(read(&[]), Ok(vec![]));
    }

    #[test]
    fn attributes_are_rounded_up_and_say_how_long_they_are() {
        assert_eq!(text(3, "abcd"), [&[9, 0, 3, 0][..], b"abcd\0\0\0\0"].concat());
        assert_eq!(attribute(1, &[1, 2, 3, 4]).len(), 8);
    }
}
