//! The number that the kernel gives to the state of all its filters. It grows with each change, whoever made it, so a
//! listing of filters holds for as long as the number stands (linux/netfilter/nf_tables.h, NFT_MSG_GETGEN).

use std::os::fd::AsRawFd;

use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
        sockopt,
    },
    time::TimeVal,
};

/// Subsystem nftables (10), message 16: which generation is it?
const GET: u16 = 10 << 8 | 16;
/// The answer: message 15.
const NEW: u16 = 10 << 8 | 15;
/// NLM_F_REQUEST.
const REQUEST: u16 = 1;
/// Length of a message's header, and of the family behind it.
const HEADER: usize = 16;
const FAMILY: usize = 4;
/// NFTA_GEN_ID.
const ID: u16 = 1;
/// The kernel answers at once; it is asked again at the next look.
const LIMIT_SECONDS: i64 = 1;

/// The present number in this network; `None` when the kernel does not tell.
#[must_use]
pub fn current() -> Option<u32> {
    let socket =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter).ok()?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(LIMIT_SECONDS, 0)).ok()?;
    let mut request = Vec::with_capacity(HEADER + FAMILY);
    request.extend(u32::try_from(HEADER + FAMILY).ok()?.to_ne_bytes());
    request.extend(GET.to_ne_bytes());
    request.extend(REQUEST.to_ne_bytes());
    request.extend([0; 8 + FAMILY]); // sequence, sender, family: all of them
    sendto(socket.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty()).ok()?;
    let mut answer = [0; 256];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
    parse(answer.get(..length)?)
}

/// Reads the answer: a header, a family, and attributes of which one is the number.
fn parse(answer: &[u8]) -> Option<u32> {
    let u16_at = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if u16_at(4)? != NEW {
        return None;
    }
    let mut at = HEADER + FAMILY;
    loop {
        let (length, kind) = (usize::from(u16_at(at)?), u16_at(at + 2)?);
        if kind == ID {
            return Some(u32::from_be_bytes(answer.get(at + 4..at + 8)?.try_into().ok()?));
        }
        at += length.next_multiple_of(4).max(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_from_its_attribute_and_nothing_else_is_taken_for_it() {
        let mut answer = vec![0; HEADER + FAMILY];
        answer[4..6].copy_from_slice(&NEW.to_ne_bytes());
        let attribute =
            |kind: u16, value: u32| [8u16.to_ne_bytes().as_slice(), &kind.to_ne_bytes(), &value.to_be_bytes()].concat();
        answer.extend(attribute(2, 99));
        assert_eq!(parse(&answer), None, "there is none");
        answer.extend(attribute(ID, 4711));
        assert_eq!(parse(&answer), Some(4711));
        answer.truncate(answer.len() - 1);
        assert_eq!(parse(&answer), None, "cut off");
        answer[4] = 2;
        assert_eq!(parse(&answer), None, "an error");
        assert_eq!(parse(b""), None);
    }
}
