//! A VFS of SQLite (<https://www.sqlite.org/vfs.html>) that stands before the usual one and writes down what reaches a
//! disk, in order: each write with its bytes, each truncation, each deletion, and each flush.
//!
//! From that list every moment's disk can be made again, with what was flushed and any part of what was not. Files,
//! locks and shared memory stay the usual VFS's own: only what a loss of power would lose is looked at.
//!
//! `unsafe` is here and nowhere else in the tests: SQLite calls through C function pointers with pointers of its own.
//! What each call relies on is SQLite's contract: pointers that it hands over are valid for the call, `sqlite3_file` is
//! at least `szOsFile` bytes that nobody else touches, and a file is closed once and used no more.
#![allow(unsafe_code)]

use std::{
    collections::HashMap,
    ffi::{CStr, c_char, c_int, c_void},
    mem::size_of,
    path::{Path, PathBuf},
    ptr,
    sync::{Arc, LazyLock, Mutex, Once, OnceLock},
};

use rusqlite::ffi;

/// What happened to a file, by its name.
#[derive(Clone, Debug)]
pub enum Event {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        size: usize,
    },
    Delete {
        file: String,
    },
    Sync {
        file: String,
    },
    /// The test's own: everything up to this round was answered.
    Answered(usize),
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<Event>,
    /// Flushes are answered and not done, as by a disk that lies, or by `synchronous=OFF`.
    loses_flushes: bool,
}

/// What was written below a folder.
#[derive(Clone, Debug)]
pub struct Recording {
    folder: PathBuf,
    log: Arc<Mutex<Log>>,
}

static RECORDINGS: LazyLock<Mutex<HashMap<PathBuf, Arc<Mutex<Log>>>>> = LazyLock::new(Mutex::default);

impl Recording {
    /// Writes down what is done to databases in this folder that are opened from now on.
    pub fn of(folder: &Path, loses_flushes: bool) -> Self {
        register();
        let log = Arc::new(Mutex::new(Log { events: Vec::new(), loses_flushes }));
        RECORDINGS.lock().unwrap().insert(folder.to_owned(), log.clone());
        Self { folder: folder.to_owned(), log }
    }

    pub fn answered(&self, round: usize) {
        self.log.lock().unwrap().events.push(Event::Answered(round));
    }

    /// Everything so far. Later writes are nobody's.
    pub fn end(self) -> Vec<Event> {
        RECORDINGS.lock().unwrap().remove(&self.folder);
        std::mem::take(&mut self.log.lock().unwrap().events)
    }
}

/// Our part of an open file; the usual VFS's own follows it in memory.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// Null when nobody writes this file down.
    recorded: *mut Recorded,
}

struct Recorded {
    name: String,
    log: Arc<Mutex<Log>>,
}

/// The usual VFS.
struct Usual(*mut ffi::sqlite3_vfs);
// SAFETY: a registered VFS is never freed, and SQLite itself calls it from any thread.
unsafe impl Send for Usual {}
// SAFETY: likewise.
unsafe impl Sync for Usual {}

static USUAL: OnceLock<Usual> = OnceLock::new();

fn usual() -> *mut ffi::sqlite3_vfs {
    USUAL.get().expect("registered before anything is opened through it").0
}

/// Makes ours the default of the process, once: the store opens its files as it always does.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite initializes itself here; a null name asks for the default VFS, which exists on every Unix and is
        // copied as plain data. The copy and its name live for ever.
        unsafe {
            let found = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!found.is_null() && (*found).iVersion >= 1);
            assert!(USUAL.set(Usual(found)).is_ok());
            let mut ours = ptr::read(found);
            ours.zName = c"power".as_ptr();
            ours.szOsFile = c_int::try_from(size_of::<File>()).unwrap() + (*found).szOsFile;
            ours.pNext = ptr::null_mut();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1), ffi::SQLITE_OK);
        }
    });
}

fn recorded(path: *const c_char) -> Option<Recorded> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite hands over paths that end with a NUL.
    let path = Path::new(unsafe { CStr::from_ptr(path) }.to_str().ok()?);
    let log = RECORDINGS.lock().unwrap().get(path.parent()?)?.clone();
    let name = path.file_name()?.to_str()?.to_owned();
    // Not what may be lost: measurements have a file of their own.
    name.starts_with("control.db").then_some(Recorded { name, log })
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let ours = file.cast::<File>();
    // SAFETY: `file` has room for our part and the usual one behind it, and is uninitialized until here.
    unsafe {
        (*ours).base.pMethods = ptr::null();
        (*ours).recorded = ptr::null_mut();
        let real = behind(file);
        (*real).pMethods = ptr::null();
        let code = (*usual()).xOpen.unwrap()(usual(), path, real, flags, out);
        if !(*real).pMethods.is_null() {
            (*ours).base.pMethods = &raw const METHODS;
            (*ours).recorded = recorded(path).map_or(ptr::null_mut(), |recorded| Box::into_raw(Box::new(recorded)));
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    if let Some(Recorded { name, log }) = recorded(path) {
        log.lock().unwrap().events.push(Event::Delete { file: name });
    }
    // SAFETY: as SQLite called us.
    unsafe { (*usual()).xDelete.unwrap()(usual(), path, sync) }
}

/// The usual VFS's part of a file.
unsafe fn behind(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` of ours is the size of both parts; ours is a multiple of a pointer's alignment.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Notes an event of a file that is written down.
unsafe fn note(file: *mut ffi::sqlite3_file, event: impl FnOnce(String, &Log) -> Option<Event>) {
    // SAFETY: `file` was opened by us; `recorded` is null or a box of ours that lives until it is closed.
    if let Some(recorded) = unsafe { (*file.cast::<File>()).recorded.as_ref() } {
        let mut log = recorded.log.lock().unwrap();
        let event = event(recorded.name.clone(), &log);
        log.events.extend(event);
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box is taken back once.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).recorded.is_null() {
            drop(Box::from_raw((*ours).recorded));
            (*ours).recorded = ptr::null_mut();
        }
        let real = behind(file);
        (*(*real).pMethods).xClose.unwrap()(real)
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, amount: c_int, at: i64) -> c_int {
    // SAFETY: `data` is `amount` readable bytes.
    unsafe {
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), usize::try_from(amount).unwrap());
        note(file, |file, _| Some(Event::Write { file, at: usize::try_from(at).unwrap(), bytes: bytes.to_vec() }));
        let real = behind(file);
        (*(*real).pMethods).xWrite.unwrap()(real, data, amount, at)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as SQLite called us.
    unsafe {
        note(file, |file, _| Some(Event::Truncate { file, size: usize::try_from(size).unwrap() }));
        let real = behind(file);
        (*(*real).pMethods).xTruncate.unwrap()(real, size)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as SQLite called us.
    unsafe {
        note(file, |file, log| (!log.loses_flushes).then_some(Event::Sync { file }));
        let real = behind(file);
        (*(*real).pMethods).xSync.unwrap()(real, flags)
    }
}

/// A call that goes on to the usual VFS as it is.
macro_rules! pass {
    ($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) $(-> $answer)? {
            // SAFETY: as SQLite called us; the file is open, so its methods are there.
            unsafe {
                let real = behind(file);
                (*(*real).pMethods).$method.unwrap()(real, $($argument),*)
            }
        }
    };
}

pass!(read = xRead(data: *mut c_void, amount: c_int, at: i64) -> c_int);
pass!(file_size = xFileSize(size: *mut i64) -> c_int);
pass!(lock = xLock(level: c_int) -> c_int);
pass!(unlock = xUnlock(level: c_int) -> c_int);
pass!(check_reserved_lock = xCheckReservedLock(out: *mut c_int) -> c_int);
pass!(file_control = xFileControl(what: c_int, argument: *mut c_void) -> c_int);
pass!(sector_size = xSectorSize() -> c_int);
pass!(device_characteristics = xDeviceCharacteristics() -> c_int);
pass!(shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int);
pass!(shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int);
pass!(shm_barrier = xShmBarrier());
pass!(shm_unmap = xShmUnmap(delete: c_int) -> c_int);

/// Version 2: without memory-mapped pages, whose writes nobody would see.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
