//! Counters of taps to totals of servers. Pure: looks bring the host's uptime with them.
//!
//! What must hold:
//! * a total never goes back, and nothing is in it twice, whatever becomes of taps, agent and host in between;
//! * a tap that is there at the very first look has counted for long, and nobody knows since when: only what it carries from
//!   then on counts.

use std::collections::BTreeMap;

use csp_shared::{
    id::ServerId,
    mac::Mac,
    sample::NetworkMoved,
    traffic::{CountId, EARLIER_MAX, Earlier, Traffic},
};
use serde::{Deserialize, Serialize};

/// Between two totals that are kept to be told when no control plane heard them, in seconds.
const STAND_EVERY_SECONDS: u64 = 600;
/// A server without taps is forgotten after this time, in seconds; one that comes back is counted anew.
const FORGET_SECONDS: u64 = 7 * 86_400;

/// A public tap, as a look shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapSeen {
    /// Whose.
    pub server: ServerId,
    /// The guest's address on it.
    pub mac: Mac,
    /// The kernel's number for it, which no other interface of this boot gets.
    pub link: u32,
    /// What it carried since it was made, in the guest's directions.
    pub carried: NetworkMoved,
}

/// All that was counted on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The boot in which it was written; times and numbers of links are of that boot.
    boot: String,
    /// A look was counted: what is new from now on is counted whole.
    begun: bool,
    servers: BTreeMap<ServerId, Counted>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    count: CountId,
    total: NetworkMoved,
    taps: BTreeMap<Mac, Tap>,
    /// What the total was, oldest first.
    stands: Vec<Stand>,
    /// When it was first seen without a tap.
    bare_since_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tap {
    link: u32,
    carried: NetworkMoved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stand {
    up_s: u64,
    total: NetworkMoved,
}

impl Count {
    /// Goes on with what was written down, in the boot named `boot`. Of an earlier boot nobody knows how long ago it was, but
    /// that all of it was before this one began; and its taps are gone.
    #[must_use]
    pub fn resumed(mut self, boot: &str) -> Self {
        if self.boot != boot {
            boot.clone_into(&mut self.boot);
            for counted in self.servers.values_mut() {
                counted.taps.clear();
                counted.stands = vec![Stand { up_s: 0, total: counted.total }];
                counted.bare_since_s = Some(0);
            }
        }
        self
    }

    /// Takes in a look at all public taps, made when the host was up for `up_s` seconds. `fresh` draws the name of a new
    /// counting. Looks must come in the order in which they were made.
    pub fn look(&mut self, taps: &[TapSeen], up_s: u64, mut fresh: impl FnMut() -> CountId) {
        let mut there: BTreeMap<ServerId, BTreeMap<Mac, Tap>> = BTreeMap::new();
        for seen in taps {
            let tap = Tap { link: seen.link, carried: seen.carried };
            there.entry(seen.server).or_default().insert(seen.mac, tap);
        }
        let counts_new = std::mem::replace(&mut self.begun, true);
        for server in there.keys() {
            self.servers.entry(*server).or_insert_with(|| Counted::new(fresh()));
        }
        for (server, counted) in &mut self.servers {
            counted.look(there.remove(server).unwrap_or_default(), up_s, counts_new);
        }
        let is_kept = |counted: &Counted| counted.bare_since_s.is_none_or(|since| up_s < since + FORGET_SECONDS);
        self.servers.retain(|_, counted| is_kept(counted));
    }

    /// What differs from what was told. A server of which nothing was told comes with its earlier totals; one that carried
    /// nothing is not told of.
    #[must_use]
    pub fn beside(&self, told: &BTreeMap<ServerId, NetworkMoved>, up_s: u64) -> Vec<Traffic> {
        let nothing = NetworkMoved::default();
        let news =
            self.servers.iter().filter(|(server, counted)| *told.get(server).unwrap_or(&nothing) != counted.total);
        let tell = |(server, counted): (&ServerId, &Counted)| {
            let age = |stand: &Stand| Earlier { age_seconds: up_s.saturating_sub(stand.up_s), total: stand.total };
            let earlier = if told.contains_key(server) { Vec::new() } else { counted.stands.iter().map(age).collect() };
            Traffic { server: *server, count: counted.count, total: counted.total, earlier }
        };
        news.map(tell).collect()
    }
}

impl Counted {
    fn new(count: CountId) -> Self {
        let (total, taps, stands) = (NetworkMoved::default(), BTreeMap::new(), Vec::new());
        Self { count, total, taps, stands, bare_since_s: None }
    }

    fn look(&mut self, taps: BTreeMap<Mac, Tap>, up_s: u64, counts_new: bool) {
        let before = self.total;
        for (mac, tap) in &taps {
            self.total = self.total.plus(&moved(self.taps.get(mac), tap, counts_new));
        }
        self.bare_since_s = if taps.is_empty() { self.bare_since_s.or(Some(up_s)) } else { None };
        self.taps = taps;
        let last = self.stands.last().map_or(0, |stand| stand.up_s);
        if self.total != before && (self.stands.is_empty() || up_s >= last + STAND_EVERY_SECONDS) {
            self.stand(Stand { up_s, total: self.total });
        }
    }

    /// Keeps a total. Where there are too many every second one goes, so that a long time is told in coarser steps.
    fn stand(&mut self, stand: Stand) {
        if self.stands.len() >= EARLIER_MAX {
            let mut place = 0u32;
            self.stands.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
        self.stands.push(stand);
    }
}

/// What a tap carried since the look before. One that was made since then, or whose counters began anew, carried all that it
/// shows.
fn moved(before: Option<&Tap>, now: &Tap, counts_new: bool) -> NetworkMoved {
    match before {
        Some(before) if before.link == now.link => {
            let since = now.carried.minus(&before.carried);
            let is_further = since.plus(&before.carried) == now.carried;
            if is_further { since } else { now.carried }
        }
        Some(_) => now.carried,
        None if counts_new => now.carried,
        None => NetworkMoved::default(),
    }
}

#[cfg(test)]
mod tests;
