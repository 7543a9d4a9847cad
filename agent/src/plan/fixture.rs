//! A server and a host for tests, and what each step makes of the host. No part of the program.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, StartEpoch, Version},
    id::ServerId,
    mac::Mac,
    sha256::Sha256,
    spec::{
        CpuUse, Desired, GuestLimits, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec,
        Tombstone,
    },
};

use super::{
    Plan, Situation, Wait, disk, mark,
    memory::{Course, Notes, PowerNote},
    plan,
    step::Step,
};
use crate::machine::{BootId, Epochs, Mark, OffCause, Seen, SeenBase, SeenDisk, SeenDomain, SeenState, SeenTap};

pub(crate) fn server() -> ServerId {
    "0198c0de-0000-7000-8000-00000000000a".parse().unwrap()
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac::for_guest([0, 0, 0, last])
}

/// A small server, wanted running for the first time.
pub(crate) fn spec() -> ServerSpec {
    let address = NicAddress { address: [203, 0, 113, 10].into(), prefix_len: 24, gateway: None };
    ServerSpec {
        server: server(),
        version: Version { incarnation: Incarnation::FIRST, generation: Generation::FIRST },
        hostname: "web-1".to_owned(),
        cpus: 1,
        ram_mib: 512,
        disk_gib: 4,
        cpu_use: CpuUse::Shared,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image: Image {
            sha256: Sha256::of(b"image"),
            url: "https://images.example/a.qcow2".to_owned(),
            format: ImageFormat::Qcow2,
            size_bytes: 1 << 20,
        },
        login: Login::default(),
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: mac(1),
            network: NicNetwork::Public,
            addresses: vec![address],
            dns: Vec::new(),
        }],
        user_data: None,
        limits: GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

/// A host that holds nothing of the server.
pub(crate) fn bare() -> Seen {
    Seen {
        host_boot: BootId("boot-1".to_owned()),
        host_stopping: false,
        setup: Mark(7),
        pool: true,
        pool_read_only: false,
        image: false,
        disks: BTreeMap::new(),
        seed: None,
        networks: BTreeMap::new(),
        taps: BTreeMap::new(),
        idle_taps: BTreeSet::new(),
        strays: BTreeMap::new(),
        queues: false,
        filters: None,
        dhcp: None,
        domain: None,
        disk_elsewhere: None,
        adapters: BTreeSet::new(),
        process: false,
    }
}

/// A host, what is noted on it, and a guest that obeys ACPI or not.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub desired: Desired,
    pub seen: Seen,
    pub notes: Notes,
    pub course: Course,
    pub now_ms: u64,
    pub obeys: bool,
    /// Taps whose filters are truly there, whatever the mark says.
    pub guarded: BTreeSet<Mac>,
    /// Adapters that the domain is defined with.
    pub defined: BTreeSet<Mac>,
}

impl World {
    pub(crate) fn new(spec: &ServerSpec) -> Self {
        Self {
            desired: Desired::Present(Box::new(spec.clone())),
            seen: bare(),
            notes: Notes::default(),
            course: Course::default(),
            now_ms: 1_000_000,
            obeys: true,
            guarded: BTreeSet::new(),
            defined: BTreeSet::new(),
        }
    }

    /// The spec's server, running as it should.
    pub(crate) fn running(spec: &ServerSpec) -> Self {
        let mut world = Self::new(spec);
        assert!(world.settle().is_settled());
        world
    }

    pub(crate) fn wants(mut self, change: impl FnOnce(&mut ServerSpec)) -> Self {
        if let Desired::Present(spec) = &mut self.desired {
            spec.version.generation = spec.version.generation.next();
            change(spec);
        }
        self
    }

    pub(crate) fn wants_gone(mut self) -> Self {
        self.desired = Desired::Absent(Tombstone { server: server(), version: self.desired.version() });
        self
    }

    /// What a server is to be that is to be there.
    pub(crate) fn desired_spec(&self) -> &ServerSpec {
        match &self.desired {
            Desired::Present(spec) => spec,
            Desired::Absent(_) => panic!("it is to be gone"),
        }
    }

    pub(crate) fn sees<R>(mut self, change: impl FnOnce(&mut Seen) -> R) -> Self {
        change(&mut self.seen);
        self
    }

    pub(crate) fn falls(self, cause: OffCause) -> Self {
        self.sees(|seen| {
            lose_process(seen);
            seen.domain.as_mut().unwrap().state = SeenState::Off(cause);
        })
    }

    pub(crate) fn plan(&self) -> Plan {
        self.plan_with(false)
    }

    pub(crate) fn plan_with(&self, starts_held: bool) -> Plan {
        plan(Situation {
            desired: &self.desired,
            seen: &self.seen,
            notes: &self.notes,
            course: &self.course,
            now_ms: self.now_ms,
            stop_timeout_ms: 90_000,
            starts_held,
        })
    }

    /// One turn of the worker: look, plan, run one step or let time pass. `false` when there is nothing to do.
    pub(crate) fn turn(&mut self) -> bool {
        self.look();
        let plan = self.plan();
        if let Some(step) = plan.steps.first() {
            self.run(step);
            return true;
        }
        let Some(Wait::Until { at_ms, .. }) = plan.wait else { return false };
        self.now_ms = at_ms.max(self.now_ms + 1);
        // Nothing but an operator ends a process that libvirt forgot.
        !self.has_stray()
    }

    /// What is remembered of a look.
    pub(crate) fn look(&mut self) {
        self.course.look(&self.seen);
        if let Desired::Present(spec) = &self.desired {
            self.notes.elsewhere = disk::elsewhere(spec, &self.seen, &self.notes);
        }
    }

    /// Whether a QEMU process runs that libvirt does not know of.
    pub(crate) fn has_stray(&self) -> bool {
        self.seen.process && !self.seen.is_up()
    }

    /// Turns until nothing is left to do, and gives the last plan.
    pub(crate) fn settle(&mut self) -> Plan {
        let turns = (0..100).take_while(|_| self.turn()).count();
        assert!(turns < 100, "no end: {:?}", self.plan());
        self.plan()
    }

    /// Every step until nothing is left to do.
    pub(crate) fn steps_to_settle(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..100 {
            steps.extend(self.plan().steps.first().cloned());
            if !self.turn() {
                return steps;
            }
        }
        panic!("no end: {steps:?}");
    }

    /// The agent dies and comes back.
    pub(crate) fn crash_agent(&mut self) {
        self.course = Course::begin(&self.notes, self.now_ms);
        self.seen.dhcp = None;
    }

    /// The host loses its power and boots again.
    pub(crate) fn crash_host(&mut self) {
        self.crash_agent();
        self.seen.host_boot = BootId(format!("{}+", self.seen.host_boot.0));
        self.seen.taps.clear();
        self.seen.idle_taps.clear();
        self.seen.strays.clear();
        self.seen.filters = None;
        self.seen.dhcp = None;
        self.guarded.clear();
        lose_process(&mut self.seen);
        if let Some(domain) = &mut self.seen.domain {
            domain.state = SeenState::Off(OffCause::Unknown);
        }
    }

    pub(crate) fn run(&mut self, step: &Step) {
        self.course.done(step, self.now_ms);
        self.notes.done(step);
        match &self.desired {
            Desired::Present(spec) => self.run_present(step, &spec.clone()),
            Desired::Absent(_) => self.run_absent(step),
        }
    }

    fn state(&mut self, state: SeenState) {
        self.seen.process = true;
        if matches!(state, SeenState::Off(_)) {
            lose_process(&mut self.seen);
        }
        self.seen.domain.as_mut().expect("a step on a domain that is not there").state = state;
    }

    fn run_present(&mut self, step: &Step, spec: &ServerSpec) {
        let macs = mark::macs(spec);
        match step {
            Step::FetchImage | Step::FetchBase => {
                assert!(!self.seen.image, "fetched twice");
                self.seen.image = true;
            }
            Step::CreateDisk => {
                assert!(self.seen.image, "a disk without its image");
                let made = self.seen.disks.insert(spec.disk_epoch, disk_of(spec.disk_gib));
                assert!(made.is_none(), "a disk made over another one");
            }
            Step::GrowDisk => {
                let has_base = self.seen.image || self.seen.is_up();
                let grown = self.seen.disks.get_mut(&spec.disk_epoch).expect("a disk grown that is not there");
                let SeenDisk::Sound { bytes, base } = *grown else { panic!("a damaged disk touched") };
                assert!(has_base || grown.is_flat(), "a disk grown without its base");
                assert!(bytes < gib(spec.disk_gib), "a disk made smaller, or grown twice");
                *grown = SeenDisk::Sound { bytes: gib(spec.disk_gib), base };
            }
            Step::RetireDisk(epoch) => {
                let runs_on = self.seen.domain.filter(|_| self.seen.is_up()).map(|domain| domain.epochs.disk);
                let newer = runs_on.is_none_or(|runs_on| *epoch < runs_on);
                assert!(newer, "a disk retired under its guest");
                assert!(self.seen.disks.remove(epoch).is_some(), "a disk retired twice");
            }
            Step::WriteSeed(mark) => self.seen.seed = Some(*mark),
            Step::MakeTaps => {
                if !self.seen.is_up() {
                    self.seen.taps.retain(|mac, _| macs.contains(mac));
                }
                let is_ready = |nic: &&Nic| match nic.network {
                    NicNetwork::Public => true,
                    NicNetwork::Private { network } => self.seen.networks.contains_key(&network),
                };
                let ready: Vec<Mac> = spec.nics.iter().filter(is_ready).map(|nic| nic.mac).collect();
                for mac in ready.iter().filter(|mac| !self.seen.adapters.contains(mac)) {
                    self.seen.taps.entry(*mac).or_insert_with(|| {
                        self.guarded.remove(mac);
                        self.seen.dhcp = None;
                        SeenTap { plugged: true, up: false }
                    });
                }
                self.seen
                    .taps
                    .iter_mut()
                    .filter(|(mac, _)| ready.contains(mac))
                    .for_each(|(_, tap)| tap.plugged = true);
            }
            Step::CutOff => {
                // A running guest may hold the tap of an adapter that it was started with.
                let is_held = self.seen.is_up();
                let idle = std::mem::take(&mut self.seen.idle_taps);
                self.seen.taps.retain(|mac, _| (is_held && !idle.contains(mac)) || macs.contains(mac));
                let others = self.seen.taps.iter_mut().filter(|(mac, _)| !macs.contains(mac));
                others.for_each(|(_, tap)| *tap = SeenTap { plugged: false, up: false });
                self.seen.strays.retain(|_, stray| !stray.removable);
                self.seen.strays.values_mut().for_each(|stray| stray.connected = false);
            }
            Step::SetFilters(mark) => self.filter(*mark),
            Step::HoldFilters { mark, own } => {
                assert!(own.is_subset(&self.notes.addresses_probed), "let through and not asked for");
                self.seen.filters = Some(*mark);
                self.guarded = self.seen.taps.keys().copied().filter(|mac| macs.contains(mac)).collect();
            }
            Step::Connect(mark) => {
                self.filter(*mark);
                self.seen.taps.iter_mut().filter(|(mac, _)| macs.contains(mac)).for_each(|(_, tap)| tap.up = true);
            }
            Step::ServeDhcp(mark) => self.seen.dhcp = Some(*mark),
            Step::AttachNic(mac) => {
                assert!(macs.contains(mac) && self.seen.is_up(), "an adapter plugged into nothing, or a foreign one");
                assert_eq!(self.seen.taps.get(mac), Some(&SeenTap::CONNECTED), "without its tap");
                assert!(self.guarded.contains(mac) && self.seen.adapters.insert(*mac), "without filters, or twice");
            }
            Step::DetachNic(mac) => {
                let tap = self.seen.taps.get(mac).copied().unwrap_or(SeenTap { plugged: false, up: false });
                assert!(!macs.contains(mac) && !tap.plugged && !tap.up, "taken away, or not cut off before");
                // A guest without a driver for it never lets go.
                if self.obeys {
                    self.seen.adapters.remove(mac);
                    self.seen.taps.remove(mac);
                }
            }
            Step::Define(stamp) => {
                self.defined = macs.iter().copied().collect();
                // What a definition named before is not in it any more. A running guest's must not be lost.
                assert!(
                    self.seen.disk_elsewhere.take().is_none() || !self.seen.is_up(),
                    "where its data is is forgotten"
                );
                let before = self.seen.domain;
                let is_kept = before.is_none_or(|domain| domain.kept);
                assert!(!self.seen.is_up() || !is_kept, "defined while running, and for nothing");
                assert!(
                    !self.seen.is_up() || before.is_some_and(|domain| domain.epochs == stamp.epochs),
                    "what runs was not started as its definition says"
                );
                let state = before.map_or(SeenState::Off(OffCause::Unknown), |domain| domain.state);
                let definition = Some(stamp.definition);
                self.seen.domain = Some(SeenDomain { state, epochs: stamp.epochs, definition, kept: true });
            }
            Step::Start => {
                let disk = self.seen.disks.get(&spec.disk_epoch).expect("started without its disk");
                let SeenDisk::Sound { base, .. } = *disk else { panic!("started on what is no disk") };
                assert_ne!(base, SeenBase::Other, "started on nobody knows what");
                assert!(self.seen.image || disk.is_flat(), "started without its base");
                let surroundings = mark::surroundings(spec, &self.seen);
                let definition = mark::definition(spec, surroundings, disk.is_flat());
                let domain = self.seen.domain.expect("started and not defined");
                assert_eq!(domain.definition, Some(definition), "what is started names another base than its disk");
                assert_eq!(self.seen.disk_elsewhere, None, "an older disk started");
                assert!(self.notes.disk_started >= Some(spec.disk_epoch), "started without the note of its disk");
                assert!(!self.seen.process, "started beside a process");
                assert!(macs.iter().all(|mac| self.seen.taps.get(mac) == Some(&SeenTap::CONNECTED)), "not connected");
                self.state(SeenState::Running);
                self.seen.adapters = self.defined.clone();
            }
            Step::AdoptStart(epoch) => self.seen.domain.as_mut().unwrap().epochs.start = *epoch,
            Step::AskStop if self.obeys => self.state(SeenState::Off(OffCause::Shutdown)),
            Step::ForceStop => self.state(SeenState::Off(OffCause::Unknown)),
            Step::Pause => self.state(SeenState::Paused),
            Step::Resume => self.state(SeenState::Running),
            Step::KillProcess => self.seen.process = false,
            Step::ProbeAddresses { own, .. } => assert_eq!(*own, mark::public_addresses(spec)),
            Step::AskStop | Step::NotePower(_) | Step::NoteDiskStarted(_) | Step::RecordCrash => {}
            Step::RemoveSeed | Step::RemoveTaps | Step::RemoveFilters | Step::Undefine => {
                panic!("{step:?} without a tombstone")
            }
        }
    }

    /// Only the spec's taps are filtered: whatever another one had before is gone.
    fn filter(&mut self, mark: Mark) {
        self.seen.filters = Some(mark);
        let Desired::Present(spec) = &self.desired else { panic!("filters for a tombstone") };
        assert_eq!(self.notes.addresses_probed, mark::public_addresses(spec), "let through and not asked for");
        let macs = mark::macs(spec);
        self.guarded = self.seen.taps.keys().copied().filter(|mac| macs.contains(mac)).collect();
    }

    fn run_absent(&mut self, step: &Step) {
        match step {
            Step::ForceStop => self.state(SeenState::Off(OffCause::Unknown)),
            Step::KillProcess => self.seen.process = false,
            Step::Undefine => {
                self.seen.disk_elsewhere = None;
                assert!(!self.seen.is_up(), "undefined while running");
                self.seen.domain = None;
            }
            Step::RemoveTaps => {
                self.seen.dhcp = None;
                self.seen.taps.clear();
                self.seen.idle_taps.clear();
                self.seen.strays.clear();
            }
            Step::RemoveFilters => {
                assert!(self.seen.taps.is_empty(), "a tap without filters");
                self.seen.filters = None;
            }
            Step::RetireDisk(epoch) => assert!(self.seen.disks.remove(epoch).is_some()),
            Step::RemoveSeed => self.seen.seed = None,
            other => panic!("{other:?} for a tombstone"),
        }
    }
}

pub(crate) fn gib(gib: u32) -> u64 {
    u64::from(gib) << 30
}

/// A disk of that size.
pub(crate) fn disk_of(size_gib: u32) -> SeenDisk {
    SeenDisk::Sound { bytes: gib(size_gib), base: SeenBase::Image(spec().image.sha256) }
}

pub(crate) fn epochs(start: u32, boot: u32, disk: u32) -> Epochs {
    Epochs { start: StartEpoch(start), boot: BootEpoch(boot), disk: DiskEpoch(disk) }
}

pub(crate) fn ran(seen: &Seen) -> PowerNote {
    PowerNote::Ran { host_boot: seen.host_boot.clone() }
}

/// The guest's QEMU goes, and with it what only that held.
fn lose_process(seen: &mut Seen) {
    seen.process = false;
    seen.adapters.clear();
    seen.disk_elsewhere.take_if(|file| disk::is_held_open(file));
}
