//! Keeps the daemon small. It works in bursts, on many short-lived threads; by itself the allocator keeps a pool for each
//! of them, and what a burst needed would stay with the program for good.

#![allow(unsafe_code, reason = "mallopt(3) and malloc_trim(3) have no safe wrapper")]

use std::{convert::Infallible, time::Duration};

use nix::libc;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

/// Pools of the allocator. Threads that allocate at the same moment wait for each other; the agent's hardly ever do.
const POOLS: libc::c_int = 2;
/// What is larger goes back to the kernel once it is free. By itself the allocator raises this to the largest that it gave out, and
/// from then on such pieces leave holes in its pools. In bytes.
const LARGE: libc::c_int = 128 << 10;
/// How often what is free goes back to the kernel. Far more often than everything is looked at, so that the agent is small between
/// two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Bounds the allocator's pools. Only what is called before the first other thread holds for all of them.
pub fn bound_pools() {
    for (number, bound) in [(libc::M_ARENA_MAX, POOLS), (libc::M_MMAP_THRESHOLD, LARGE)] {
        // SAFETY: sets a number of the allocator; no other thread is there yet.
        if unsafe { libc::mallopt(number, bound) } == 0 {
            warn!("the allocator takes no bound for its pools: the agent may grow large");
        }
    }
}

/// Gives back what is free, for ever.
pub async fn give_back() -> Infallible {
    loop {
        sleep(EVERY).await;
        // SAFETY: may be called at any time, from any thread; what is in use stays where it is.
        let trimmed = spawn_blocking(|| unsafe { libc::malloc_trim(0) }).await;
        if let Err(fell) = trimmed {
            warn!(%fell, "memory was not given back");
        }
    }
}
