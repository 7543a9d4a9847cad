//! Counters of two looks to what moved in between. Pure: the looks bring their own times, from a clock that never jumps.
//!
//! What must hold: nothing is ever told to have moved that did not move since the look before. So a first look, a domain
//! that was started in between, and a look whose moment is uncertain tell nothing, and begin anew.

use std::collections::BTreeMap;

use csp_shared::{
    id::ServerId,
    limits::SAMPLE_MS_MAX,
    sample::{DiskMoved, Memory, NetworkMoved, Sample},
};

use crate::hypervisor::counters::{Balloon, Counters, DiskCounters, TapCounters};

/// A guest's driver that said nothing new for so long is not believed any more, in milliseconds.
const SAID_MS_MAX: u64 = 90_000;

/// One look at all domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When it began, in milliseconds since any one moment.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// What was seen.
    pub domains: Vec<Counters>,
}

impl Look {
    fn took_ms(&self) -> u64 {
        self.ended_ms.saturating_sub(self.began_ms)
    }
}

/// Remembers the look before.
#[derive(Debug, Default)]
pub struct Rates {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    began_ms: u64,
    ended_ms: u64,
    took_ms: u64,
    domains: BTreeMap<ServerId, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    counters: Counters,
    /// Since when the guest's driver says the same.
    said_since_ms: u64,
}

impl Rates {
    /// What moved since the look before.
    pub fn samples(&mut self, look: Look) -> Vec<Sample> {
        // A look that hung somewhere and comes after a later one: its counters are older than those that are known.
        if self.last.as_ref().is_some_and(|last| look.began_ms < last.began_ms) {
            return Vec::new();
        }
        let (began_ms, ended_ms, took_ms) = (look.began_ms, look.ended_ms, look.took_ms());
        let last = self.last.take();
        let over_ms = last.as_ref().and_then(|last| over_ms(last, ended_ms, took_ms));
        let mut before = last.map(|last| last.domains).unwrap_or_default();
        let mut samples = Vec::new();
        let mut domains = BTreeMap::new();
        for counters in look.domains {
            let before = before.remove(&counters.server).filter(|before| before.counters.run == counters.run);
            let said_since_ms = match &before {
                Some(before) if said_at(&before.counters) == said_at(&counters) => before.said_since_ms,
                _ => ended_ms,
            };
            if let (Some(over_ms), Some(before)) = (over_ms, &before) {
                let is_fresh = ended_ms.saturating_sub(said_since_ms) <= SAID_MS_MAX;
                samples.push(sample(&before.counters, &counters, over_ms, is_fresh));
            }
            domains.insert(counters.server, Known { counters, said_since_ms });
        }
        self.last = Some(Last { began_ms, ended_ms, took_ms, domains });
        samples
    }
}

/// How much time lies between two looks; None when that is not known well enough, or too much.
///
/// A look takes its time, and where in it a domain stood is not known. Mostly it is the same place each time. But when
/// one look hung on some domain, those behind it were seen later than usual.
fn over_ms(last: &Last, ended_ms: u64, took_ms: u64) -> Option<u32> {
    let over_ms = u32::try_from(ended_ms.checked_sub(last.ended_ms)?).ok()?;
    let uncertain_ms = took_ms.abs_diff(last.took_ms);
    (over_ms > 0 && over_ms <= SAMPLE_MS_MAX && uncertain_ms <= u64::from(over_ms / 5)).then_some(over_ms)
}

fn sample(before: &Counters, now: &Counters, over_ms: u32, says_memory: bool) -> Sample {
    Sample {
        server: now.server,
        over_ms,
        cpu_ns: before.cpu_ns.zip(now.cpu_ns).map(|(before, now)| moved(before, now)),
        memory: now.balloon.map(|balloon| memory(&balloon, says_memory)),
        disk: before.disk.zip(now.disk).map(|(before, now)| disk(&before, &now)),
        network: network(&before.taps, &now.taps),
    }
}

/// A counter that is smaller than it was began anew in between: what it shows moved since.
fn moved(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

fn said_at(counters: &Counters) -> Option<u64> {
    counters.balloon.map(|balloon| balloon.said_at)
}

fn memory(balloon: &Balloon, is_fresh: bool) -> Memory {
    // As `free` computes it where the driver says what can be had; older ones count the page cache as used.
    let free_kib = balloon.usable_kib.or(balloon.unused_kib);
    let used_kib = balloon.available_kib.zip(free_kib).map(|(all, free)| all.saturating_sub(free));
    Memory {
        assigned_kib: balloon.current_kib,
        resident_kib: balloon.resident_kib,
        used_kib: used_kib.filter(|_| is_fresh && balloon.said_at > 0),
    }
}

fn disk(before: &DiskCounters, now: &DiskCounters) -> DiskMoved {
    DiskMoved {
        read_bytes: moved(before.read_bytes, now.read_bytes),
        read_requests: moved(before.read_requests, now.read_requests),
        write_bytes: moved(before.write_bytes, now.write_bytes),
        write_requests: moved(before.write_requests, now.write_requests),
        allocated_bytes: now.allocated_bytes,
    }
}

/// The sum over taps that were there before: a new one may have been counting for long, when it was not told of earlier.
/// None when there is none.
fn network(before: &BTreeMap<String, TapCounters>, now: &BTreeMap<String, TapCounters>) -> Option<NetworkMoved> {
    let mut sum: Option<NetworkMoved> = None;
    for (before, now) in now.iter().filter_map(|(name, now)| Some((before.get(name)?, now))) {
        let sum = sum.get_or_insert_default();
        let add = |sum: &mut u64, before, now| *sum = sum.saturating_add(moved(before, now));
        add(&mut sum.received_bytes, before.received_bytes, now.received_bytes);
        add(&mut sum.received_packets, before.received_packets, now.received_packets);
        add(&mut sum.sent_bytes, before.sent_bytes, now.sent_bytes);
        add(&mut sum.sent_packets, before.sent_packets, now.sent_packets);
    }
    sum
}

#[cfg(test)]
mod tests;
