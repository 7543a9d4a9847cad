//! What tests of the host side stand on: a network namespace of their own, and raw cables.
//!
//! Needs root, /dev/net/tun and nft; a test fails when one is missing, it never passes without having looked.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "programs are run by hand, as in a guest")]
#![allow(unsafe_code, reason = "raw sockets and the tap's ioctl have no safe wrapper")]

mod mounts;

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::{
    libc,
    sched::{CloneFlags, unshare},
};
use tokio::runtime::{Builder, Runtime};

pub use self::mounts::{bind, with_private_mounts};

/// How long a frame that should arrive may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Length of the header that QEMU and the kernel put before each frame of a tap (virtio-net, no merged buffers).
const VNET_HEADER: usize = 10;

/// Runs a test on a thread that has its own, empty network. Threads and programs that it starts share that network.
pub fn in_private_network(test: impl FnOnce(&Runtime) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("needs root: a network namespace of its own");
        test(&Builder::new_current_thread().enable_all().build().unwrap());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Puts `with` over `path`, for the rest of this test alone.
pub fn hide_behind(with: &str, path: &str) {
    with_private_mounts();
    bind(Path::new(with), Path::new(path));
}

/// A guest's end of a tap, opened as QEMU does.
pub struct GuestCable(File);

nix::ioctl_write_ptr_bad!(tun_set_iff, nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()), [u8; 40]);

impl GuestCable {
    pub fn open(tap: &str) -> Self {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        let mut request = [0u8; 40];
        request[..tap.len()].copy_from_slice(tap.as_bytes());
        let flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as u16;
        request[16..18].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the descriptor is open; the request is 40 bytes, the size of `struct ifreq`.
        unsafe { tun_set_iff(file.as_raw_fd(), &raw const request) }.unwrap();
        set_nonblocking(&file);
        Self(file)
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.send_behind([0; VNET_HEADER], frame);
    }

    /// With a checksum that is left to the host: over all from `start` on, and to be written `offset` bytes behind that.
    pub fn send_unfinished(&mut self, frame: &[u8], (start, offset): (u16, u16)) {
        const NEEDS_CHECKSUM: u8 = 1;
        let ([a, b], [c, d]) = (start.to_le_bytes(), offset.to_le_bytes());
        self.send_behind([NEEDS_CHECKSUM, 0, 0, 0, 0, 0, a, b, c, d], frame);
    }

    fn send_behind(&mut self, header: [u8; VNET_HEADER], frame: &[u8]) {
        let with_header = [&header, frame].concat();
        match self.0.write(&with_header) {
            Ok(count) => assert_eq!(count, with_header.len()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EIO), "only a link that is down refuses"),
        }
    }
}

/// Runs `inside` in a network of its own, where the cable is an interface `eth0` of that MAC address, as in a guest.
/// Meanwhile `runtime` goes on with what was spawned on it.
pub fn in_guest<T: Send + 'static>(
    runtime: &Runtime,
    cable: GuestCable,
    mac: &str,
    inside: impl FnOnce() -> T + Send + 'static,
) -> T {
    let mac = mac.to_owned();
    let (done, wait) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let adapter = GuestCable::open("eth0");
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["link", "set", "eth0", "address", &mac, "up"]);
        let is_over = Arc::new(AtomicBool::new(false));
        let relay = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || relay(cable, adapter, &is_over)
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
        is_over.store(true, Ordering::Relaxed);
        relay.join().unwrap();
        let _ = done.send(());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    runtime.block_on(wait).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Carries frames both ways, with the header that both ends know.
fn relay(mut one: GuestCable, mut other: GuestCable, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let there = read_frame(&mut one.0);
        let back = read_frame(&mut other.0);
        if there.is_none() && back.is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        // An end that is down, or full, loses what is sent to it.
        there.map(|frame| other.0.write(&frame));
        back.map(|frame| one.0.write(&frame));
    }
}

/// Runs a program to its end.
pub fn run(program: &str, arguments: &[&str]) {
    let ended = std::process::Command::new(program).args(arguments).status().unwrap();
    assert!(ended.success(), "{program} {arguments:?}");
}

/// A raw socket on an interface.
pub struct Wire(File);

impl Wire {
    pub fn open(interface: &str) -> Self {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let index = nix::net::if_::if_nametoindex(interface).unwrap();
        // SAFETY: plain numbers; the result is checked before use.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, i32::from(protocol)) };
        assert!(fd >= 0, "needs root: a raw socket");
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all fields are numbers, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the address is a `sockaddr_ll` and its length is given.
        let bound = unsafe {
            libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32)
        };
        assert_eq!(bound, 0);
        // So much that nothing is lost while the test does something else.
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &(64 << 20)).unwrap();
        let file = File::from(socket);
        set_nonblocking(&file);
        Self(file)
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.0.write_all(frame).unwrap();
    }
}

/// Where frames come out.
pub trait Frames {
    /// The next frame, if one is waiting.
    fn next(&mut self) -> Option<Vec<u8>>;

    /// Reads until `last` comes by; says whether `wanted` came before it. So no time has to be waited for a frame that
    /// does not come: frames do not overtake each other.
    fn saw_before(&mut self, wanted: &[u8], last: &[u8]) -> bool {
        self.count_before(wanted, last) > 0
    }

    /// How many frames with `wanted` came before it.
    fn count_before(&mut self, wanted: &[u8], last: &[u8]) -> usize {
        let mut seen = 0;
        let end = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() + PATIENCE;
        while std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() < end {
            match self.next() {
                Some(frame) if contains(&frame, last) => return seen,
                Some(frame) => seen += usize::from(contains(&frame, wanted)),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        panic!("the last frame, which is allowed, did not arrive");
    }
}

impl Frames for GuestCable {
    fn next(&mut self) -> Option<Vec<u8>> {
        read_frame(&mut self.0).map(|frame| frame[VNET_HEADER..].to_vec())
    }
}

impl Frames for Wire {
    fn next(&mut self) -> Option<Vec<u8>> {
        read_frame(&mut self.0)
    }
}

fn read_frame(file: &mut File) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 70_000];
    match file.read(&mut buffer) {
        Ok(count) => Some(buffer[..count].to_vec()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        // A socket tells once that its interface went down; a tap that is down gives nothing.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::EIO)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn set_nonblocking(file: &File) {
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
}

pub fn contains(frame: &[u8], part: &[u8]) -> bool {
    frame.windows(part.len()).any(|window| window == part)
}
