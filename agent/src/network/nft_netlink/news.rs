//! What nftables tells everybody who listens: that something was taken away, and from which table.

#![allow(unsafe_code, reason = "a descriptor is registered with tokio by a promise alone")]

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket, sockopt,
    },
};
use tokio::io::unix::AsyncFd;

use super::{failed, socket::told, thing};
use crate::network::NetworkError;

const LISTEN: &str = "listen to nftables";
/// NFNLGRP_NFTABLES, as a bit.
const GROUP: u32 = 1 << 6;
/// Messages of what is gone: table, chain, rule, set, element.
const GONE: [u16; 5] = [2, 5, 8, 11, 14];
const TABLE: u16 = 1;
/// What a removal of many servers' filters says at once fits.
const WAITING_BYTES: usize = 4 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// A table, by its family and name.
pub type TableName = (u8, String);

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something of these tables is gone, whoever took it away.
    Gone(BTreeSet<TableName>),
    /// More than could be listened to.
    TooMuch,
}

/// Listens, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct News(AsyncFd<OwnedFd>);

impl News {
    /// Begins. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open() -> Result<Self, NetworkError> {
        let open = || {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
            // Only root may have so much; with less, more is looked at.
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &WAITING_BYTES);
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP))?;
            Ok(socket)
        };
        let socket = open().map_err(|errno| failed(LISTEN, errno))?;
        // SAFETY: the descriptor stays the same and open for as long as `AsyncFd` owns it.
        let registered = unsafe { AsyncFd::register(socket) };
        registered.map(Self).map_err(|error| failed(LISTEN, errno_of(&error.into())))
    }

    /// Waits for news, and takes all that there are by then. Cancel safe.
    ///
    /// # Errors
    /// When the kernel ends it.
    pub async fn next(&self) -> Result<Heard, NetworkError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let mut ready = self.0.readable().await.map_err(|error| failed(LISTEN, errno_of(&error)))?;
            let taken = ready.try_io(|fd| Ok(take(fd.get_ref(), &mut buffer)?));
            match taken {
                Ok(Ok(Heard::Gone(tables))) if tables.is_empty() => {}
                Ok(heard) => return heard.map_err(|error| failed(LISTEN, errno_of(&error))),
                Err(_) => {} // nothing was there
            }
        }
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// All that waits, until there is no more.
fn take(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Heard, Errno> {
    let (mut gone, mut is_whole) = (None, true);
    loop {
        match recv(socket.as_raw_fd(), buffer, MsgFlags::empty()) {
            Ok(length) => {
                let tables = gone.get_or_insert_with(BTreeSet::new);
                tables.extend(gone_from(buffer.get(..length).unwrap_or_default()));
            }
            Err(Errno::EINTR) => {}
            Err(Errno::ENOBUFS) => is_whole = false,
            Err(Errno::EAGAIN) if !is_whole => return Ok(Heard::TooMuch),
            Err(Errno::EAGAIN) => return gone.map(Heard::Gone).ok_or(Errno::EAGAIN),
            Err(errno) => return Err(errno),
        }
    }
}

/// From which tables these messages say that something is gone.
fn gone_from(bytes: &[u8]) -> impl Iterator<Item = TableName> + use<'_> {
    let gone = told(bytes).filter(|told| GONE.contains(&told.message));
    gone.filter_map(|told| Some((told.family, thing::name_in(told.attributes, TABLE)?)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::socket::{tests::message, text},
        *,
    };

    #[test]
    fn what_is_gone_is_told_by_table_and_what_came_is_not_told() {
        let of = |family, kind, table: &str| message(kind, family, &text(TABLE, table));
        let heard = [of(5, 8, "csp_one"), of(5, 6, "csp_new"), of(7, 2, "csp_guard"), of(5, 15, "csp_made")].concat();
        let gone: Vec<TableName> = gone_from(&heard).collect();
        assert_eq!(gone, [(5, "csp_one".to_owned()), (7, "csp_guard".to_owned())]);
        assert_eq!(gone_from(&heard[..heard.len() - 4]).count(), 2, "what was cut is no message");
    }
}
