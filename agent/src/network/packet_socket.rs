//! A raw socket on one interface, behind a classic BPF filter: what the filter does not want never wakes the agent.
//!
//! The filter is in place before the socket is bound, so nothing else is ever in its queue.

#![allow(unsafe_code, reason = "neither the address of a packet socket nor its filter has a safe wrapper")]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use nix::libc;
use tokio::io::unix::AsyncFd;

use super::NetworkError;

/// As much of a frame as is taken in.
const FRAME_BYTES_MAX: usize = 2048;

/// One instruction of a filter (linux/filter.h).
pub type Instruction = libc::sock_filter;

/// Frames as Ethernet carries them, in and out. Takes in no frame that the host itself sends.
#[derive(Debug)]
pub struct PacketSocket(AsyncFd<OwnedFd>);

/// What a socket is opened for.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The interface's name, for errors.
    pub name: &'a str,
    /// The interface's number.
    pub index: u32,
    /// Which frames it takes in.
    pub filter: &'a [Instruction],
    /// The mark that its frames carry through nftables; 0 for none.
    pub mark: u32,
}

impl PacketSocket {
    /// Opens it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel refuses, as when the interface is gone.
    pub fn open(opening: &Opening<'_>) -> Result<Self, NetworkError> {
        let failed = |source| NetworkError::Packets { name: opening.name.to_owned(), source };
        let socket = open(opening).map_err(failed)?;
        // SAFETY: the descriptor stays the same and open for as long as `AsyncFd` owns it.
        let registered = unsafe { AsyncFd::register(socket) };
        registered.map(Self).map_err(|error| failed(error.into()))
    }

    /// What `read` makes of the next frame; of a longer one than [`FRAME_BYTES_MAX`] it is shown so much. Cancel safe.
    ///
    /// # Errors
    /// Once when the interface goes down, and for ever after it is gone.
    pub async fn receive<T>(&self, read: impl Fn(&[u8]) -> T) -> io::Result<T> {
        loop {
            let mut ready = self.0.readable().await?;
            // Only now: somebody waits on every tap, and hardly ever a frame comes.
            let mut frame = [0; FRAME_BYTES_MAX];
            let length = ready.try_io(|fd| nix::unistd::read(fd, &mut frame).map_err(io::Error::from));
            if let Ok(length) = length {
                return Ok(read(frame.get(..length?).unwrap_or_default()));
            }
        }
    }

    /// Sends a frame; one that finds no room is lost, as on any cable.
    ///
    /// # Errors
    /// When the interface is down or gone, or its filters refuse the frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        match nix::unistd::write(&self.0, frame) {
            Ok(_) | Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::ENOBUFS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn open(opening: &Opening<'_>) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Protocol 0: it takes in nothing until it is bound.
    // SAFETY: plain numbers; the result is checked before use.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let program = libc::sock_fprog {
        len: u16::try_from(opening.filter.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        filter: opening.filter.as_ptr().cast_mut(),
    };
    // The kernel copies the program and does not write to it.
    set_option(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32)?;
    if opening.mark != 0 {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_MARK, &opening.mark)?;
    }
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    // All protocols: a socket for one alone stands behind the bridge, which has taken the frame by then.
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = i32::try_from(opening.index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is a `sockaddr_ll` that lives through the call, and its length is given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

fn set_option<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value lives through the call and its length is given; the callers hand the option's own type.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), length) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The statements of which filters are made (linux/bpf_common.h). A jump's numbers are how many instructions it skips.
pub mod bpf {
    use super::{Instruction, libc};

    /// Length that is handed over of a frame that is wanted: all of it.
    const ALL: u32 = 0xffff;

    /// Loads 8 bits at an offset into the frame.
    #[must_use]
    pub fn load_u8(offset: u32) -> Instruction {
        statement(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, offset)
    }

    /// Loads 16 bits.
    #[must_use]
    pub fn load_u16(offset: u32) -> Instruction {
        statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, offset)
    }

    /// Goes on when what was loaded equals `value`, or skips `otherwise` instructions.
    #[must_use]
    pub fn expect(value: u32, otherwise: u8) -> Instruction {
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        Instruction { code, jt: 0, jf: otherwise, k: value }
    }

    /// Goes on when none of these bits is set in what was loaded, or skips `otherwise` instructions.
    #[must_use]
    pub fn expect_no_bit(bits: u32, otherwise: u8) -> Instruction {
        let code = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
        Instruction { code, jt: otherwise, jf: 0, k: bits }
    }

    /// Takes the frame in.
    #[must_use]
    pub fn take() -> Instruction {
        statement(libc::BPF_RET | libc::BPF_K, ALL)
    }

    /// Leaves the frame.
    #[must_use]
    pub fn leave() -> Instruction {
        statement(libc::BPF_RET | libc::BPF_K, 0)
    }

    /// Loads the length of the IPv4 header at an offset into the index.
    #[must_use]
    pub fn index_by_ipv4_header(offset: u32) -> Instruction {
        statement(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, offset)
    }

    /// Loads 16 bits at the index and an offset.
    #[must_use]
    pub fn load_u16_indexed(offset: u32) -> Instruction {
        statement(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, offset)
    }

    /// Loads whether the frame carried a VLAN tag, which the kernel has taken off by then.
    #[must_use]
    pub fn load_is_tagged() -> Instruction {
        const VLAN_TAG_PRESENT: i32 = 48;
        load_u8((libc::SKF_AD_OFF + VLAN_TAG_PRESENT) as u32)
    }

    fn statement(code: u32, k: u32) -> Instruction {
        Instruction { code: code as u16, jt: 0, jf: 0, k }
    }
}
