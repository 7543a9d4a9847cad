//! The counters of all running domains in one call to libvirt.
//!
//! `virt` wraps the call and leaks its answer, so it is made here; everything that libvirt hands over is copied and
//! given back before this module returns.
//!
//! NOWAIT means that a domain which is busy with something else is passed over, but for what can be told without it. A
//! domain whose monitor hangs *while it is asked* still holds up the caller. Hence a connection and a thread for this
//! alone; a second call then passes the hanging domain over, because the first one is what keeps it busy.

#![allow(unsafe_code, reason = "virConnectGetAllDomainStats has no sound wrapper; each block says why it is sound")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char},
    ptr, slice,
};

use virt::{connect::Connect, error::Error, sys};

use super::{
    HypervisorError,
    counters::{Counters, Value},
    events,
};

/// What is asked for: each group costs, and the last two speak with QEMU.
const GROUPS: u32 = sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_BLOCK;
const FLAGS: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;

/// A connection of its own, for counters.
#[derive(Debug)]
pub struct Stats {
    uri: String,
    connect: Option<Connect>,
}

impl Stats {
    /// Connects when first asked.
    #[must_use]
    pub fn new(uri: String) -> Self {
        Self { uri, connect: None }
    }

    /// The counters of all running servers' domains. Blocks, for as long as a guest's monitor hangs.
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn read(&mut self) -> Result<Vec<Counters>, HypervisorError> {
        self.try_read().map_err(|source| {
            self.close();
            HypervisorError::sort(&self.uri, "tell what the domains use", source)
        })
    }

    fn try_read(&mut self) -> Result<Vec<Counters>, Error> {
        let connect = match self.connect.take() {
            Some(connect) if connect.is_alive().unwrap_or(false) => connect,
            lost => {
                self.connect = lost;
                self.close();
                events::open_quietly(&self.uri)?
            }
        };
        all(self.connect.insert(connect))
    }

    fn close(&mut self) {
        if let Some(mut connect) = self.connect.take() {
            let _ = connect.close(); // nothing can be done about one that will not close
        }
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        self.close();
    }
}

fn all(connect: &Connect) -> Result<Vec<Counters>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is open as long as `connect` lives. libvirt sets `records` to a list of its own that ends
    // with a null pointer, or leaves it and answers a negative number.
    let count = unsafe { sys::virConnectGetAllDomainStats(connect.as_ptr(), GROUPS, &raw mut records, FLAGS) };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    let list = List(records);
    // SAFETY: the list holds `count` pointers, each to a record that lives until the list is freed, after this function.
    let counters = (0..count).filter_map(|index| unsafe { read(&**list.0.add(index)) }).collect();
    Ok(counters)
}

/// Frees the records, their domains and their values.
struct List(*mut sys::virDomainStatsRecordPtr);

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list came from virConnectGetAllDomainStats and is freed only here.
            unsafe { sys::virDomainStatsRecordListFree(self.0) };
        }
    }
}

/// Copies a record; nothing when its domain is no server's.
///
/// # Safety
/// The record must be one that libvirt handed over and that is not freed yet.
unsafe fn read(record: &sys::virDomainStatsRecord) -> Option<Counters> {
    // SAFETY: the record's domain lives as long as the record. Neither call asks libvirtd.
    let (name, run) = unsafe { (sys::virDomainGetName(record.dom), sys::virDomainGetID(record.dom)) };
    // SAFETY: the name ends in zero and lives as long as its domain.
    let server = unsafe { text(name) }?.parse().ok()?;
    let count = usize::try_from(record.nparams).unwrap_or(0);
    let params = if record.params.is_null() || count == 0 {
        &[][..]
    } else {
        // SAFETY: libvirt says that so many values stand there, and they live as long as the record.
        unsafe { slice::from_raw_parts(record.params, count) }
    };
    // SAFETY: libvirt filled each of them.
    let values: BTreeMap<String, Value> = params.iter().filter_map(|param| unsafe { named(param) }).collect();
    Some(Counters::read(server, run, &values))
}

/// # Safety
/// The value must be one that libvirt filled, so that `type_` says which of the union's fields is meant.
unsafe fn named(param: &sys::virTypedParameter) -> Option<(String, Value)> {
    // SAFETY: the name is an array that libvirt ends with a zero.
    let name = unsafe { text(param.field.as_ptr()) }?;
    // SAFETY: `type_` says which field was written; texts end in zero and live as long as the value.
    let value = unsafe {
        match u32::try_from(param.type_).ok()? {
            sys::VIR_TYPED_PARAM_ULLONG => Value::Number(param.value.ul),
            sys::VIR_TYPED_PARAM_LLONG => Value::Number(u64::try_from(param.value.l).ok()?),
            sys::VIR_TYPED_PARAM_UINT => Value::Number(param.value.ui.into()),
            sys::VIR_TYPED_PARAM_INT => Value::Number(u64::try_from(param.value.i).ok()?),
            sys::VIR_TYPED_PARAM_STRING => Value::Text(text(param.value.s)?),
            _ => return None,
        }
    };
    Some((name, value))
}

/// # Safety
/// A pointer that is not null must be to a text that ends in zero.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}
