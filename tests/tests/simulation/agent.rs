//! A host of a history: a fake machine, what is on its disk, and the agent's process, which may be dead. What the
//! process knows is lost with it; what was written stays.

use std::collections::BTreeMap;

use csp_agent::{
    failpoint,
    machine::Machine,
    networks::Networks,
    plan::memory::Course,
    spec_file::{MemoryBacking, SpecFile},
    traffic::count::Count,
    worker::converge::{Host, Moment, Next, act, look},
};
use csp_shared::{
    generation::SessionEpoch,
    host_status::{HostStatus, PoolStatus},
    id::{NetworkId, ServerId},
    key_pin::KeyPin,
    message::{Capacity, Hello, Inventory, Message, ToAgent, ToControl, Virt},
    network::{DesiredNetwork, HostNetworks, NetworkRemains, ObservedNetwork},
    observed::Observed,
    sample::NetworkMoved,
    spec::{Desired, NicNetwork},
};
use csp_tests::FakeMachine;

use super::{cables::Cables, fuse::Fuse, mortal::Mortal, wire::Wire};

/// A process of the agent.
pub struct Process {
    host: Host<Mortal<FakeMachine>, Mortal<MemoryBacking>>,
    fuse: Fuse,
    courses: BTreeMap<ServerId, Course>,
    told: BTreeMap<ServerId, Observed>,
    networks: Networks<Mortal<MemoryBacking>>,
    networks_told: BTreeMap<NetworkId, ObservedNetwork>,
    count: Count,
    traffic_told: BTreeMap<ServerId, NetworkMoved>,
    session: Option<SessionEpoch>,
    orphans_told: Option<SessionEpoch>,
    heard: bool,
    began_ms: u64,
    skew_ms: u64,
}

pub struct SimHost {
    pub machine: FakeMachine,
    pub pin: KeyPin,
    pub machine_id: String,
    pub wire: Wire,
    pub process: Option<Process>,
    /// By how much the agent's clock is ahead, in milliseconds; counts from its next start.
    pub skew_ms: u64,
    /// What its taps carry.
    pub cables: Cables,
    disk: MemoryBacking,
    networks: MemoryBacking,
    underlay: u8,
    fuse: Fuse,
}

impl SimHost {
    pub fn new(number: usize, fuse: Fuse) -> Self {
        let machine = FakeMachine::new(Capacity { cpus: 8, ram_mib: 4096, disk_gib: 100 });
        Self {
            machine,
            pin: KeyPin::of(format!("key {number}").as_bytes()),
            machine_id: format!("machine-{number}"),
            wire: Wire::default(),
            process: None,
            skew_ms: 0,
            cables: Cables::default(),
            disk: MemoryBacking::default(),
            networks: MemoryBacking::default(),
            underlay: u8::try_from(number).unwrap() + 1,
            fuse,
        }
    }

    pub async fn start(&mut self, now_ms: u64) {
        let now_ms = now_ms + self.skew_ms;
        let specs = SpecFile::open(Mortal::new(self.disk.clone(), self.fuse.clone())).await.unwrap();
        assert!(specs.damaged().is_empty());
        let networks = Networks::open(Mortal::new(self.networks.clone(), self.fuse.clone())).await.unwrap();
        assert!(networks.damaged().is_empty());
        let machine = Mortal::new(self.machine.clone(), self.fuse.clone());
        let host = Host { machine, specs, stop_timeout_ms: 60_000 };
        let mut count = self.cables.count(&self.machine.facts().await.unwrap().boot.0);
        self.cables.look(&self.machine, &mut count, now_ms / 1000);
        let (courses, told) = (BTreeMap::new(), BTreeMap::new());
        let fuse = self.fuse.clone();
        self.process = Some(Process {
            host,
            fuse,
            courses,
            told,
            networks,
            networks_told: BTreeMap::new(),
            count,
            traffic_told: BTreeMap::new(),
            session: None,
            orphans_told: None,
            heard: false,
            began_ms: now_ms,
            skew_ms: self.skew_ms,
        });
    }

    pub fn kill(&mut self) {
        self.process = None;
        self.wire.cut();
    }

    pub fn hang_up(&mut self) {
        self.wire.cut();
        if let Some(process) = &mut self.process {
            process.session = None;
        }
    }

    /// Dials: the first frame of a session.
    pub async fn dial(&mut self) {
        let facts = self.machine.facts().await.unwrap();
        self.hang_up();
        self.wire.connect();
        let hello = Hello {
            protocol: csp_shared::compat::PROTOCOL,
            machine_id: self.machine_id.clone(),
            boot_id: facts.boot.0,
            agent_version: "0.1.0".to_owned(),
            capacity: facts.capacity,
            virt: Virt::Qemu,
            passwords: false,
            networks: true,
        };
        self.wire.to_control.push_back(ToControl::Hello(hello).encode());
    }

    /// Takes in one frame, if there is one.
    pub async fn hear(&mut self) {
        self.fuse.doing("hear");
        let Some(process) = &mut self.process else { return };
        let Some(frame) = self.wire.to_agent.pop_front() else { return };
        match ToAgent::decode(&frame).unwrap() {
            ToAgent::Welcome { session, .. } => {
                process.session = Some(session);
                process.traffic_told.clear();
                let servers = process.inventory().await;
                let networks = process.look_at_networks().await;
                let inventory = Inventory { session, servers, orphans: Vec::new(), networks };
                self.wire.to_control.push_back(ToControl::Inventory(inventory).encode());
            }
            ToAgent::Desired { desired } => {
                for desired in desired {
                    process.host.specs.accept(desired).await.unwrap();
                }
                process.heard = true;
            }
            ToAgent::DesiredNetworks { networks } => {
                process.networks.accept(networks).await;
                self.tell_of_networks().await;
            }
            ToAgent::Refused { .. } => self.hang_up(),
            ToAgent::Enrolled { .. }
            | ToAgent::Audit { .. }
            | ToAgent::OpenConsole { .. }
            | ToAgent::SetPassword { .. } => {
                panic!("nobody asked to enrol, audits or watches a screen")
            }
        }
    }

    /// Says that it lives.
    pub fn say_alive(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Some(session) = process.session else { return };
        // Orphans once a session, as when they do not change.
        let is_first = process.orphans_told.replace(session) != Some(session);
        let orphans = is_first.then(|| self.machine.with(|machine| machine.strangers.clone()));
        let pool = PoolStatus { total_bytes: 100 << 30, free_bytes: 100 << 30, ..PoolStatus::default() };
        let status = HostStatus { pool: Some(pool), ..HostStatus::default() };
        let underlay = Some([192, 0, 2, self.underlay].into());
        let networks = is_first.then(|| HostNetworks { underlay, ..HostNetworks::default() });
        let alive = ToControl::Alive { session, capacity: None, status: Some(status), orphans, networks };
        self.wire.to_control.push_back(alive.encode());
    }

    /// Counts what servers carried, and tells what changed.
    pub fn tell_of_traffic(&mut self, now_ms: u64) {
        let Some(process) = &mut self.process else { return };
        let up_s = (process.skew_ms + now_ms) / 1000;
        self.cables.look(&self.machine, &mut process.count, up_s);
        let Some(session) = process.session else { return };
        let traffic = process.count.beside(&process.traffic_told, up_s);
        if !traffic.is_empty() {
            process.traffic_told.extend(traffic.iter().map(|told| (told.server, told.total)));
            self.wire.to_control.push_back(ToControl::Traffic { session, traffic }.encode());
        }
    }

    pub fn servers(&self) -> Vec<ServerId> {
        self.process.as_ref().map(|process| process.host.specs.servers()).unwrap_or_default()
    }

    /// Whether it was told that the server cannot be brought about, and is tried no more until something else is wanted.
    pub fn gave_up(&self, server: ServerId) -> bool {
        let told = self.process.as_ref().and_then(|process| process.told.get(&server));
        told.and_then(|observed| observed.fault.as_ref()).is_some_and(|fault| fault.lasting)
    }

    /// One look at a server and at most one step: a crash can come between any two of them. `true` when it did a step.
    pub async fn step(&mut self, server: ServerId, now_ms: u64) -> bool {
        let Some(process) = &mut self.process else { return false };
        let now_ms = process.skew_ms + now_ms;
        let Some((observed, ran)) = process.step(server, now_ms).await else { return false };
        let news = process.told.get(&server) != Some(&observed);
        if let Some(session) = process.session.filter(|_| news) {
            process.told.insert(server, observed.clone());
            self.wire.to_control.push_back(ToControl::Reports { session, reports: vec![observed] }.encode());
        }
        self.tell_of_networks().await;
        ran
    }

    /// What changed of private networks.
    async fn tell_of_networks(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Some(session) = process.session else { return };
        let before = process.networks_told.clone();
        let mut reports = process.look_at_networks().await;
        reports.retain(|seen| before.get(&seen.network) != Some(seen));
        if !reports.is_empty() {
            self.wire.to_control.push_back(ToControl::NetworkReports { session, reports }.encode());
        }
    }

    /// What the host should know of a private network.
    pub async fn network(&self, network: NetworkId) -> Option<DesiredNetwork> {
        self.process.as_ref()?.networks.get(network).await
    }
}

impl Process {
    fn moment(&self, now_ms: u64) -> Moment {
        Moment { now_ms, starts_held: !self.heard && now_ms < self.began_ms + 60_000 }
    }

    async fn step(&mut self, server: ServerId, now_ms: u64) -> Option<(Observed, bool)> {
        let present = self.networks.list().await.into_iter().filter_map(|desired| match desired {
            DesiredNetwork::Present(spec) => Some((spec.network, u32::from(spec.mtu))),
            DesiredNetwork::Absent(_) => None,
        });
        self.host.machine.offer(present.collect());
        let moment = self.moment(now_ms);
        let notes = self.host.specs.get(server).await?.notes;
        let course = self.courses.entry(server).or_insert_with(|| Course::begin(&notes, now_ms));
        self.fuse.doing("look");
        let look = look(&self.host, server, course, moment).await?;
        let Next::Run(step) = &look.next else { return Some((look.observed, false)) };
        self.fuse.doing(failpoint::of_step(step));
        // A failure is told by the next look.
        let _ = act(&self.host, &look.desired, step, course, now_ms).await;
        Some((look.observed, true))
    }

    /// What there is of each private network. Nothing here makes bridges: one is there as long as it should be, or a tap is.
    async fn look_at_networks(&mut self) -> Vec<ObservedNetwork> {
        let mut all = Vec::new();
        for desired in self.networks.list().await {
            let taps = self.has_taps(desired.network()).await;
            let is_there = taps || matches!(desired, DesiredNetwork::Present(_));
            all.push(ObservedNetwork {
                network: desired.network(),
                accepted: desired.version(),
                accepted_hash: desired.hash(),
                reached: Some(desired.version()),
                fault: None,
                remains: NetworkRemains { bridge: is_there, device: is_there, taps },
            });
        }
        self.networks_told = all.iter().map(|seen| (seen.network, seen.clone())).collect();
        all
    }

    /// Whether a tap is in the network. A connected one that no spec has any more may be in any.
    async fn has_taps(&self, network: NetworkId) -> bool {
        for server in self.host.specs.servers() {
            let Some(record) = self.host.specs.get(server).await else { continue };
            let nics = if let Desired::Present(spec) = record.desired { spec.nics } else { Vec::new() };
            let held = self.host.machine.taps(server);
            let is_in = |mac| match nics.iter().find(|nic| nic.mac == mac) {
                Some(nic) => nic.network == NicNetwork::Private { network },
                None => true,
            };
            if held.iter().any(|(mac, tap)| (tap.plugged || tap.up) && is_in(*mac)) {
                return true;
            }
        }
        false
    }

    async fn inventory(&mut self) -> Vec<Observed> {
        let mut all = Vec::new();
        for server in self.host.specs.servers() {
            // A look of its own: what the worker remembers is the worker's.
            let (mut course, moment) = (Course::default(), self.moment(self.began_ms));
            all.extend(look(&self.host, server, &mut course, moment).await.map(|look| look.observed));
        }
        self.told = all.iter().map(|observed| (observed.server, observed.clone())).collect();
        all
    }
}
