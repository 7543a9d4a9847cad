//! libvirt's event loop, and a connection that tells what happens to domains.
//!
//! The crate `virt` wraps neither domain events nor the close callback, so the calls of libvirt's C interface are made
//! here, and nowhere else. Callbacks only hand a small value on: they run on the one thread of the loop, and a panic in
//! them would end the program.

#![allow(unsafe_code, reason = "libvirt's event callbacks have no safe wrapper; each block says why it is sound")]

use std::{
    ffi::{CStr, c_int, c_void},
    ptr,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use virt::{connect::Connect, error::Error, event, sys};

/// The loop wakes at least this often, so that a connection that was opened meanwhile is watched, in milliseconds.
const WAKE_MS: c_int = 500;
/// A failing loop must not eat a processor.
const LOOP_PAUSE: Duration = Duration::from_millis(200);
/// libvirtd that answers nothing for 5 s six times is given up; calls that wait for it then fail.
const KEEPALIVE_SECONDS: i32 = 5;
const KEEPALIVE_COUNT: u32 = 6;

/// What libvirt told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Something happened to the domain of that name.
    Domain {
        /// Its name.
        name: String,
        /// What, as far as it matters.
        what: Lifecycle,
    },
    /// The connection is gone.
    Lost,
}

/// What happened to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It was started.
    Started,
    /// QEMU goes down because of a signal from the host, not by the guest's wish.
    EndedByHost,
    /// It is off, and had shut down in order.
    ShutDown,
    /// It is off for another reason.
    Fell,
    /// Anything else.
    Other,
}

/// Takes signals. Must neither block nor panic.
pub type Sink = Arc<dyn Fn(Signal) + Send + Sync>;

/// A connection whose events are heard until it is dropped.
#[derive(Debug)]
pub struct Listening {
    connect: Connect,
    callback: c_int,
}

impl Listening {
    /// Connects and listens. Blocks.
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn open(uri: &str, sink: &Sink) -> Result<Self, Error> {
        let connect = open_quietly(uri)?;
        let mut listening = Self { connect, callback: -1 };
        listening.callback = register(&listening.connect, sink)?;
        Ok(listening)
    }

    /// The connection.
    #[must_use]
    pub fn connect(&self) -> &Connect {
        &self.connect
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let connect = self.connect.as_ptr();
        if self.callback >= 0 {
            // SAFETY: the connection is open until `close` below, and the callbacks were registered on it by `register`.
            // Errors mean that the connection is gone; libvirt frees the callbacks' data with it.
            unsafe {
                sys::virConnectDomainEventDeregisterAny(connect, self.callback);
                sys::virConnectUnregisterCloseCallback(connect, Some(on_close));
            }
        }
        let _ = self.connect.close(); // nothing can be done about one that will not close
    }
}

/// Connects without listening, but so that a libvirtd which answers nothing is given up. Blocks.
pub(super) fn open_quietly(uri: &str) -> Result<Connect, Error> {
    run_loop()?;
    let connect = Connect::open(Some(uri))?;
    let _ = connect.set_keep_alive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT); // the test driver has none
    Ok(connect)
}

/// Starts the loop, once in a program.
fn run_loop() -> Result<(), Error> {
    static LOOP: OnceLock<Result<(), Error>> = OnceLock::new();
    LOOP.get_or_init(|| {
        virt::error::clear_error_callback(); // libvirt prints errors by itself otherwise
        event::event_register_default_impl()?;
        // With no timer the loop would sleep until a descriptor that it knows of moves.
        event::event_add_timeout(WAKE_MS, |_, _| {}, ptr::null_mut())?;
        let thread = thread::Builder::new().name("libvirt-events".to_owned()).spawn(|| {
            loop {
                if event::event_run_default_impl().is_err() {
                    thread::sleep(LOOP_PAUSE);
                }
            }
        });
        thread.map(drop).map_err(|_| Error::last_error())
    })
    .clone()
}

fn register(connect: &Connect, sink: &Sink) -> Result<c_int, Error> {
    // SAFETY: libvirt calls a lifecycle callback with the arguments of `on_lifecycle`; its generic type is a promise
    // that the event's number says which one is meant (libvirt-domain.h, VIR_DOMAIN_EVENT_CALLBACK).
    let callback = unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int,
            unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void),
        >(on_lifecycle)
    };
    let data = into_opaque(sink);
    // SAFETY: the connection is open; `data` is a boxed Sink that `free_sink` takes back exactly once, when libvirt
    // drops the callback. A null domain means all of them.
    let id = unsafe {
        sys::virConnectDomainEventRegisterAny(
            connect.as_ptr(),
            ptr::null_mut(),
            sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int,
            Some(callback),
            data,
            Some(free_sink),
        )
    };
    if id < 0 {
        let error = Error::last_error();
        // SAFETY: libvirt took nothing over, so the box is still ours.
        unsafe { free_sink(data) };
        return Err(error);
    }
    let data = into_opaque(sink);
    // SAFETY: as above. The test driver has no close callback and says so; then the box is still ours.
    unsafe {
        if sys::virConnectRegisterCloseCallback(connect.as_ptr(), Some(on_close), data, Some(free_sink)) < 0 {
            free_sink(data);
        }
    }
    Ok(id)
}

fn into_opaque(sink: &Sink) -> *mut c_void {
    Box::into_raw(Box::new(Arc::clone(sink))).cast()
}

unsafe extern "C" fn free_sink(opaque: *mut c_void) {
    // SAFETY: `opaque` came from `into_opaque`, and libvirt calls this once.
    drop(unsafe { Box::from_raw(opaque.cast::<Sink>()) });
}

unsafe extern "C" fn on_close(_: sys::virConnectPtr, _: c_int, opaque: *mut c_void) {
    // SAFETY: `opaque` came from `into_opaque` and is freed only after the callback was dropped.
    let sink = unsafe { &*opaque.cast::<Sink>() };
    sink(Signal::Lost);
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: `opaque` came from `into_opaque` and is freed only after the callback was dropped.
    let sink = unsafe { &*opaque.cast::<Sink>() };
    // SAFETY: libvirt lends a valid domain for the length of this call.
    let name = unsafe { sys::virDomainGetName(domain) };
    if !name.is_null() {
        // SAFETY: the name is a text that ends in zero and lives as long as the domain object.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        sink(Signal::Domain { name, what: lifecycle(event, detail) });
    }
    0
}

fn lifecycle(event: c_int, detail: c_int) -> Lifecycle {
    let is = |number: c_int, wanted: u32| u32::try_from(number) == Ok(wanted);
    if is(event, sys::VIR_DOMAIN_EVENT_STARTED) {
        Lifecycle::Started
    } else if is(event, sys::VIR_DOMAIN_EVENT_SHUTDOWN) && is(detail, sys::VIR_DOMAIN_EVENT_SHUTDOWN_HOST) {
        Lifecycle::EndedByHost
    } else if is(event, sys::VIR_DOMAIN_EVENT_STOPPED) {
        if is(detail, sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN) { Lifecycle::ShutDown } else { Lifecycle::Fell }
    } else {
        Lifecycle::Other
    }
}
