//! Keeps the daemon small. It works in bursts, on many short-lived threads; by itself the allocator keeps a pool for each
//! of them, and what a burst needed would stay with the program for good. So would all of libvirt's libraries that only
//! the start ran through.

#![allow(unsafe_code, reason = "mallopt(3), malloc_trim(3) and madvise(2) have no safe wrapper")]

use std::{convert::Infallible, fs, ops::Range, ptr, sync::OnceLock, time::Duration};

use nix::libc;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

/// How the allocator is bounded (mallopt(3)). What each thread would keep for itself beside that is left out by the unit
/// (`GLIBC_TUNABLES` in systemd/csp-agent.service): no call of the program can.
const BOUNDS: [(libc::c_int, libc::c_int); 4] = [
    // One pool. Threads that allocate at the same moment wait for each other; the agent's hardly ever do.
    (libc::M_ARENA_MAX, 1),
    // What has more bytes goes back to the kernel once it is free. By itself the allocator raises this to the largest that it gave
    // out, and from then on such pieces leave holes in its pool.
    (libc::M_MMAP_THRESHOLD, 128 << 10),
    // Small pieces that are free are joined with their neighbours, and nothing is taken in advance.
    (libc::M_MXFAST, 0),
    (libc::M_TOP_PAD, 4 << 10),
];
/// How often what is free goes back to the kernel. Far more often than everything is looked at, so that the agent is small between
/// two looks.
const EVERY: Duration = Duration::from_secs(2);
/// How many times that until what was loaded is let go: what is needed all the time comes back at once, and what the start or
/// an order needed does not.
const LOADED_EVERY: u32 = 30;

/// Where programs and libraries lie that were loaded before the first other thread, and that nothing is ever written to. They
/// stay there to the end.
static LOADED: OnceLock<Vec<Range<usize>>> = OnceLock::new();

/// Bounds the allocator, and notes what was loaded. To be called before the first other thread: bounds hold only then
/// for all of them, and what is loaded later may still be written to.
pub fn bound() {
    for (number, bound) in BOUNDS {
        // SAFETY: sets a number of the allocator; no other thread is there yet.
        if unsafe { libc::mallopt(number, bound) } == 0 {
            warn!(number, "the allocator takes no such bound: the agent may grow large");
        }
    }
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    LOADED.get_or_init(|| untouched(&maps));
}

/// Gives back what is free, for ever.
pub async fn give_back() -> Infallible {
    let mut turn = 0;
    loop {
        turn = (turn + 1) % LOADED_EVERY;
        sleep(EVERY).await;
        let given = spawn_blocking(move || {
            // SAFETY: may be called at any time, from any thread; what is in use stays where it is.
            unsafe { libc::malloc_trim(0) };
            if turn == 0 {
                LOADED.get().into_iter().flatten().for_each(let_go);
            }
        });
        if let Err(fell) = given.await {
            warn!(%fell, "memory was not given back");
        }
    }
}

/// Lets go of pages that are read from a file: what is needed of them comes back from the kernel's cache when it is next
/// touched, and what is not is the first to make room when something else needs it.
fn let_go(loaded: &Range<usize>) {
    let start = ptr::without_provenance_mut(loaded.start);
    // SAFETY: the range was mapped from a file before the first other thread and is never unmapped. Nothing was written to
    // it, nor can be: so each of its pages is as it is in the file, and is read from there again (MADV_DONTNEED in
    // madvise(2)).
    if unsafe { libc::madvise(start, loaded.len(), libc::MADV_DONTNEED) } != 0 {
        warn!(error = %nix::errno::Errno::last(), "what was loaded is kept");
    }
}

/// What of a list of mappings (proc_pid_smaps(5)) is of files, takes no writes, and has no page of its own.
fn untouched(maps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut current = None;
    for line in maps.lines() {
        if let Some(range) = mapping(line) {
            current = range;
        } else if let Some(own) = line.strip_prefix("Anonymous:")
            && let Some(range) = current.take()
            && own.split_whitespace().next() == Some("0")
        {
            found.push(range);
        }
    }
    found
}

/// Reads the first line of a mapping: `Some(None)` when it is not of a file, or takes writes; `None` when it is another line.
fn mapping(line: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    let range = address(start)?..address(end)?;
    let (permissions, path) = (words.next()?, words.nth(3));
    let is_kept =
        permissions.contains('w') || !permissions.ends_with('p') || !path.is_some_and(|it| it.starts_with('/'));
    Some((!is_kept).then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_loaded_is_let_go_where_nothing_was_written_and_nothing_can_be() {
        let mapping = |range: &str, permissions: &str, path: &str, own: u32| {
            format!(
                "{range} {permissions} 00000000 fd:00 1234 {path}\nRss: 8 kB\nAnonymous: {own} kB\nVmFlags: rd mr\n"
            )
        };
        let maps = [
            mapping("1000-3000", "r--p", "/usr/bin/csp-agent", 0),
            mapping("3000-9000", "r-xp", "/usr/bin/csp-agent", 0),
            mapping("9000-a000", "r--p", "/usr/bin/csp-agent", 4), // relocated
            mapping("a000-b000", "rw-p", "/usr/bin/csp-agent", 0),
            mapping("b000-c000", "r--s", "/usr/lib/gconv.cache", 0),
            mapping("c000-d000", "r-xp", "[vdso]", 0),
            mapping("d000-e000", "r--p", "", 0),
            mapping("7f0000000000-7f0000001000", "r-xp", "/usr/lib/libvirt.so.0", 0),
        ];
        assert_eq!(untouched(&maps.concat()), [0x1000..0x3000, 0x3000..0x9000, 0x7f00_0000_0000..0x7f00_0000_1000]);
        assert!(untouched("nonsense\nAnonymous: 0 kB\n").is_empty());
    }

    #[test]
    fn a_program_runs_on_without_what_it_had_loaded() {
        let loaded = untouched(&fs::read_to_string("/proc/self/smaps").unwrap());
        assert!(!loaded.is_empty());
        loaded.iter().for_each(let_go);
        assert!(!untouched(&fs::read_to_string("/proc/self/smaps").unwrap()).is_empty());
    }
}
