//! Has checksums written into frames before they leave an interface (ethtool(8), `tx off`; linux/ethtool.h), so that nothing in
//! them changes afterwards.
//!
//! A guest may leave the checksum of a frame to its host, and says itself where it belongs (virtio 1.2, 5.1.6.2). The kernel takes
//! any place from the end of an IP header on, and writes there when the frame leaves for a cable: after the filters, which then
//! saw another address or port than the wire. So frames are made final before filters see them the last time.

#![allow(unsafe_code, reason = "ioctl(2) has no safe wrapper")]

use std::os::fd::AsRawFd;

use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::NetworkError;

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_STXCSUM: u32 = 0x17;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Leaves nothing of the frames that an interface sends to what is behind it. In the network of the calling thread.
///
/// # Errors
/// When there is no such interface, or it can only leave it to others.
pub fn finish(interface: &str) -> Result<(), NetworkError> {
    ask(interface, ETHTOOL_STXCSUM).map(drop).map_err(|errno| NetworkError::Netlink {
        doing: format!("have checksums written before frames leave {interface}"),
        errno: Some(errno as i32),
        reason: errno.to_string(),
    })
}

/// Whether an interface leaves nothing of the frames that it sends to what is behind it.
#[must_use]
pub fn finishes(interface: &str) -> bool {
    ask(interface, ETHTOOL_GTXCSUM) == Ok(0)
}

/// A command about whether checksums are left to others; the answer is 0 when they are not.
fn ask(interface: &str, command: u32) -> Result<u32, Errno> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut value = EthtoolValue { command, data: 0 };
    // SAFETY: all zeros are a request without a name.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(Errno::ENODEV);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request names a value that outlives the call, of the form that the command has.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) })?;
    Ok(value.data)
}
