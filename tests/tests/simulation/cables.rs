//! What a kernel counts on a host's taps, and what the agent makes of it: its own count, over a disk that outlives it.

use std::collections::BTreeMap;

use csp_agent::traffic::count::{Count, TapSeen};
use csp_shared::{id::ServerId, mac::Mac, sample::NetworkMoved, traffic::CountId};
use csp_tests::FakeMachine;
use uuid::Uuid;

/// What each look finds more on each tap, in bytes, unless a scenario says otherwise.
const EACH: u64 = 1000;

/// The kernel's side, and the file of the agent.
pub struct Cables {
    /// What each look finds more on each tap, in bytes.
    pub each: u64,
    /// All that a server's taps ever carried.
    pub carried: BTreeMap<ServerId, u64>,
    taps: BTreeMap<(ServerId, Mac), (u32, u64)>,
    links: u32,
    countings: u128,
    file: Vec<u8>,
}

impl Default for Cables {
    fn default() -> Self {
        let (carried, taps, file) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { each: EACH, carried, taps, links: 0, countings: 0, file }
    }
}

impl Cables {
    /// What a new process of the agent begins with.
    pub fn count(&mut self, boot: &str) -> Count {
        if let Ok(count) = serde_json::from_slice::<Count>(&self.file) {
            return count.resumed(boot);
        }
        Count::default().resumed(boot)
    }

    /// The host went down, and all of its taps.
    pub fn cut(&mut self) {
        self.taps.clear();
    }

    /// Guests send something, and the agent looks and writes down what it saw.
    pub fn look(&mut self, machine: &FakeMachine, count: &mut Count, up_s: u64) {
        let servers = machine.with(|host| host.servers.clone());
        let there = |server: &ServerId, mac: &Mac| servers.get(server).is_some_and(|held| held.taps.contains_key(mac));
        self.taps.retain(|(server, mac), _| there(server, mac));
        for (server, mac) in servers.iter().flat_map(|(server, held)| held.taps.keys().map(|mac| (*server, *mac))) {
            let links = &mut self.links;
            let (_, bytes) = self.taps.entry((server, mac)).or_insert_with(|| {
                *links += 1;
                (*links, 0)
            });
            *bytes += self.each;
            *self.carried.entry(server).or_default() += self.each;
        }
        let seen = |((server, mac), (link, bytes)): (&(ServerId, Mac), &(u32, u64))| {
            let carried = NetworkMoved { sent_bytes: *bytes, ..NetworkMoved::default() };
            TapSeen { server: *server, mac: *mac, link: *link, carried }
        };
        let seen: Vec<TapSeen> = self.taps.iter().map(seen).collect();
        count.look(&seen, up_s, || {
            self.countings += 1;
            CountId(Uuid::from_u128(self.countings))
        });
        self.file = serde_json::to_vec(count).unwrap();
    }
}
