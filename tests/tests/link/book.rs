//! A script of the control plane's store: what the hosts' connections need of it, in memory.
//!
//! It keeps the one rule that the real store keeps in its transactions: a write of an older session changes nothing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use csp_control::fleet::{Hosts, HostsError, News, Opened};
use csp_shared::{
    generation::{Generation, Incarnation, SessionEpoch, Version},
    id::{HostId, ServerId},
    key_pin::KeyPin,
    message::{Capacity, Enrol, Hello, Inventory, Refusal},
    observed::{DomainState, Observed, Remains},
    sample::Sample,
    spec::{Desired, Tombstone},
    traffic::Traffic,
};
use uuid::Uuid;

#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    /// Tokens not used yet, and whom they let in.
    pub tokens: HashMap<String, HostId>,
    /// Tokens as they were used.
    pub used: HashMap<String, (HostId, KeyPin)>,
    pub hosts: HashMap<HostId, Known>,
    pub keys: HashMap<KeyPin, HostId>,
    /// Set: every call fails, as with a full disk.
    pub is_down: bool,
    /// How often anybody tried to enrol.
    pub enrolments: usize,
}

#[derive(Default)]
pub struct Known {
    pub machine_id: String,
    pub session: SessionEpoch,
    pub wishes: BTreeMap<ServerId, Desired>,
    pub seen: BTreeMap<ServerId, Observed>,
    pub inventories: Vec<Inventory>,
    pub alive: usize,
    pub samples: Vec<Sample>,
    pub traffic: Vec<Traffic>,
    pub capacity: Option<Capacity>,
}

pub fn host(number: u128) -> HostId {
    HostId(Uuid::from_u128(number))
}

pub fn version(generation: u64) -> Version {
    Version { incarnation: Incarnation(1), generation: Generation(generation) }
}

pub fn wish(server: u128, generation: u64) -> Desired {
    Desired::Absent(Tombstone { server: ServerId(Uuid::from_u128(server)), version: version(generation) })
}

/// What a host says once it holds `desired`.
pub fn accepted(desired: &Desired) -> Observed {
    Observed {
        server: desired.server(),
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: Some(desired.version()),
        let_go: None,
        domain: DomainState::Off,
        disk_epoch: None,
        activity: None,
        arrived_percent: None,
        fault: None,
        remains: Remains::NOTHING,
    }
}

impl Book {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets a host in, as `host add` and an enrolment would.
    pub fn admit(&self, host: HostId, pin: KeyPin, machine_id: &str) {
        let mut state = self.lock();
        state.keys.insert(pin, host);
        state.hosts.insert(host, Known { machine_id: machine_id.to_owned(), ..Known::default() });
    }

    pub fn ask(&self, host: HostId, desired: Desired) {
        self.lock().hosts.get_mut(&host).unwrap().wishes.insert(desired.server(), desired);
    }

    pub fn seen(&self, host: HostId) -> Vec<Observed> {
        self.lock().hosts[&host].seen.values().cloned().collect()
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, HostsError> {
        let state = self.lock();
        if state.is_down { Err(HostsError::Unavailable("disk full".into())) } else { Ok(state) }
    }

    fn write(&self, host: HostId, session: SessionEpoch, change: impl FnOnce(&mut Known)) -> Result<(), HostsError> {
        let mut state = self.open()?;
        let gone = || HostsError::refused(Refusal::UnknownKey, "removed");
        let known = state.hosts.get_mut(&host).ok_or_else(gone)?;
        if known.session != session {
            return Err(HostsError::refused(Refusal::Superseded, "a newer session is open"));
        }
        change(known);
        Ok(())
    }
}

impl Hosts for Book {
    async fn knows(&self, pin: KeyPin) -> Result<bool, HostsError> {
        Ok(self.open()?.keys.contains_key(&pin))
    }

    async fn enrol(&self, enrol: Enrol, pin: KeyPin) -> Result<HostId, HostsError> {
        let mut state = self.open()?;
        state.enrolments += 1;
        let token = enrol.token.reveal().to_owned();
        if let Some(&(host, by)) = state.used.get(&token) {
            let refused = HostsError::refused(Refusal::BadToken, "this join token was used already: make a new line");
            return if by == pin { Ok(host) } else { Err(refused) };
        }
        let unknown = || HostsError::refused(Refusal::BadToken, "this join token is unknown");
        let host = state.tokens.remove(&token).ok_or_else(unknown)?;
        state.used.insert(token, (host, pin));
        state.keys.insert(pin, host);
        state.hosts.insert(host, Known { machine_id: enrol.machine_id, ..Known::default() });
        Ok(host)
    }

    async fn open_session(&self, hello: Hello, pin: KeyPin) -> Result<Opened, HostsError> {
        let mut state = self.open()?;
        let unknown = || HostsError::refused(Refusal::UnknownKey, "no host has this key");
        let host = *state.keys.get(&pin).ok_or_else(unknown)?;
        let known = state.hosts.get_mut(&host).ok_or_else(unknown)?;
        if known.machine_id != hello.machine_id {
            return Err(HostsError::refused(Refusal::OtherMachine, "another machine with this key is enrolled"));
        }
        known.session = known.session.next();
        Ok(Opened { host, session: known.session })
    }

    async fn record_inventory(&self, host: HostId, inventory: Inventory) -> Result<News, HostsError> {
        self.write(host, inventory.session, |known| {
            known.seen.extend(inventory.servers.iter().map(|seen| (seen.server, seen.clone())));
            known.inventories.push(inventory.clone());
        })?;
        Ok(News::None)
    }

    async fn record_reports(
        &self,
        host: HostId,
        session: SessionEpoch,
        reports: Vec<Observed>,
    ) -> Result<News, HostsError> {
        self.write(host, session, |known| known.seen.extend(reports.into_iter().map(|seen| (seen.server, seen))))?;
        Ok(News::None)
    }

    async fn alive(&self, host: HostId, session: SessionEpoch, capacity: Option<Capacity>) -> Result<(), HostsError> {
        self.write(host, session, |known| {
            known.alive += 1;
            known.capacity = capacity.or(known.capacity);
        })
    }

    async fn record_samples(
        &self,
        host: HostId,
        session: SessionEpoch,
        samples: Vec<Sample>,
    ) -> Result<(), HostsError> {
        self.write(host, session, |known| known.samples.extend(samples))
    }

    async fn record_traffic(
        &self,
        host: HostId,
        session: SessionEpoch,
        traffic: Vec<Traffic>,
    ) -> Result<News, HostsError> {
        self.write(host, session, |known| known.traffic.extend(traffic))?;
        Ok(News::None)
    }

    async fn unreported(&self, host: HostId) -> Result<Vec<Desired>, HostsError> {
        let state = self.open()?;
        let Some(known) = state.hosts.get(&host) else { return Ok(Vec::new()) };
        let is_new = |wish: &&Desired| known.seen.get(&wish.server()).is_none_or(|seen| seen.accepted < wish.version());
        Ok(known.wishes.values().filter(is_new).cloned().collect())
    }
}
