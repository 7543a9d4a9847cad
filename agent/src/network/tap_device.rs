//! Makes a tap that outlives the agent. The one module of the network that speaks to the kernel by ioctl.
//!
//! The tap lives as long as this process holds it open until it is made persistent, and that comes last: a crash on the
//! way leaves no nameless tap behind.

#![allow(unsafe_code, reason = "TUNSETIFF and TUNSETPERSIST have no safe wrapper")]

use std::{
    fs::{File, OpenOptions},
    os::fd::AsRawFd,
};

use nix::libc;

use super::{NetworkError, tap_name::TapName};

const IFNAMSIZ: usize = 16;

/// `struct ifreq`, as far as TUNSETIFF reads it; the rest is room that the kernel may copy.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

nix::ioctl_write_ptr_bad!(
    /// TUNSETIFF: makes or opens a tap.
    tun_set_iff,
    nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
    InterfaceRequest
);
nix::ioctl_write_int_bad!(
    /// TUNSETPERSIST: lets a tap live on.
    tun_set_persist,
    nix::request_code_write!(b'T', 203, size_of::<libc::c_int>())
);

/// A tap that vanishes when this value is dropped, unless it is kept.
#[derive(Debug)]
pub struct NewTap {
    file: File,
    name: TapName,
}

impl NewTap {
    /// Makes the tap, its link down.
    ///
    /// # Errors
    /// When the kernel refuses, as when the name is taken.
    pub fn create(name: &TapName) -> Result<Self, NetworkError> {
        let failed = |source| NetworkError::Tap { name: name.to_string(), source };
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").map_err(failed)?;
        let mut request = InterfaceRequest {
            name: [0; IFNAMSIZ],
            // EXCL: an interface that is there is not taken over. VNET_HDR: as QEMU opens it.
            flags: (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL) as libc::c_short,
            rest: [0; 22],
        };
        // The last byte stays zero, since a name has at most 15.
        for (place, byte) in request.name.iter_mut().take(IFNAMSIZ - 1).zip(name.as_str().bytes()) {
            *place = byte;
        }
        // SAFETY: the descriptor is open for the length of the call, and `request` is a `struct ifreq` in size (40
        // bytes) and layout, with a name that ends in zero. The kernel reads it and writes back into it at most.
        unsafe { tun_set_iff(file.as_raw_fd(), &raw const request) }.map_err(|errno| failed(errno.into()))?;
        Ok(Self { file, name: name.clone() })
    }

    /// Lets the tap live on without this process.
    ///
    /// # Errors
    /// When the kernel refuses; then the tap is gone.
    pub fn keep(self) -> Result<(), NetworkError> {
        // SAFETY: the descriptor is open for the length of the call; the argument is a plain number.
        let kept = unsafe { tun_set_persist(self.file.as_raw_fd(), 1) };
        kept.map(drop).map_err(|errno| NetworkError::Tap { name: self.name.to_string(), source: errno.into() })
    }
}
