//! Any history of one host (specs, crashes of agent and host, a pool that comes and goes, steps that fail) ends with
//! the server as its newest spec says, and on the way no disk that was booted is made again or lost.
//!
//! The real planner, worker core and stored specs run on a host in memory; only the waiting is left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;

use csp_agent::{
    machine::{OffCause, SeenState},
    plan::memory::Course,
    spec_file::{MemoryBacking, SpecFile, Verdict},
    worker::{
        Host,
        converge::{Look, Moment, Next, act, converge_once, look},
    },
};
use csp_shared::{
    generation::DiskEpoch,
    mac::Mac,
    observed::{DomainState, Fault, FaultCode},
    spec::{Desired, Nic, Power, ServerSpec},
};
use csp_tests::{
    FakeMachine, Op,
    spec::{next, present, server_spec, tombstone},
};
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Copy, Debug)]
enum Event {
    Power(Power),
    Start,
    Restart,
    Reinstall,
    /// The last reinstall is given up: its older disk is wanted again.
    GiveUp,
    Grow,
    /// So many adapters, plugged in or out while it runs.
    Nics(u8),
    Lock(bool),
    Destroy,
    /// The oldest spec again, as from a stale connection.
    Stale,
    Turns(u8),
    Wait(u16),
    AgentCrash,
    HostCrash,
    GuestOff(OffCause),
    SlowGuests(bool),
    Pool(bool),
    Fail(Op, FaultCode),
}

fn any_event() -> impl Strategy<Value = Event> {
    let power = prop_oneof![Just(Power::On), Just(Power::Off), Just(Power::ForcedOff)];
    let cause = prop_oneof![Just(OffCause::Shutdown), Just(OffCause::Crashed), Just(OffCause::Unknown)];
    let op = proptest::sample::select(vec![
        Op::See,
        Op::FetchImage,
        Op::CreateDisk,
        Op::GrowDisk,
        Op::RetireDisk,
        Op::WriteSeed,
        Op::MakeTaps,
        Op::SetFilters,
        Op::LinkUp,
        Op::AttachNic,
        Op::DetachNic,
        Op::Define,
        Op::Start,
        Op::AskStop,
        Op::ForceStop,
        Op::Undefine,
        Op::RemoveTaps,
    ]);
    let code = prop_oneof![Just(FaultCode::Internal), Just(FaultCode::HypervisorRefused)];
    prop_oneof![
        2 => power.prop_map(Event::Power),
        2 => Just(Event::Start),
        2 => Just(Event::Restart),
        2 => Just(Event::Reinstall),
        1 => Just(Event::GiveUp),
        1 => Just(Event::Grow),
        3 => (1u8..4).prop_map(Event::Nics),
        3 => any::<bool>().prop_map(Event::Lock),
        1 => Just(Event::Destroy),
        1 => Just(Event::Stale),
        8 => prop_oneof![1u8..4, 4u8..20].prop_map(Event::Turns),
        2 => (1u16..200).prop_map(Event::Wait),
        3 => Just(Event::AgentCrash),
        2 => Just(Event::HostCrash),
        2 => cause.prop_map(Event::GuestOff),
        1 => any::<bool>().prop_map(Event::SlowGuests),
        1 => any::<bool>().prop_map(Event::Pool),
        2 => (op, code).prop_map(|(op, code)| Event::Fail(op, code)),
    ]
}

struct History {
    machine: FakeMachine,
    files: MemoryBacking,
    host: Host<FakeMachine, MemoryBacking>,
    course: Course,
    now_ms: u64,
    first: ServerSpec,
    spec: ServerSpec,
    /// The newest disk epoch that was ever asked for.
    asked: DiskEpoch,
    is_gone: bool,
}

async fn open(machine: &FakeMachine, files: &MemoryBacking) -> Host<FakeMachine, MemoryBacking> {
    let specs = SpecFile::open(files.clone()).await.unwrap();
    Host { machine: machine.clone(), specs, stop_timeout_ms: 90_000 }
}

impl History {
    async fn begin() -> Self {
        let (machine, files, spec) = (FakeMachine::default(), MemoryBacking::default(), server_spec(1));
        let host = open(&machine, &files).await;
        host.specs.accept(present(&spec)).await.unwrap();
        let (asked, course, first) = (spec.disk_epoch, Course::default(), spec.clone());
        Self { machine, files, host, course, now_ms: 0, first, spec, asked, is_gone: false }
    }

    fn moment(&self) -> Moment {
        Moment { now_ms: self.now_ms, starts_held: false }
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Power(power) => self.wants(|spec| spec.power = power).await,
            Event::Start => self.wants(|spec| spec.start_epoch = spec.start_epoch.next()).await,
            Event::Restart => self.wants(|spec| spec.boot_epoch = spec.boot_epoch.next()).await,
            Event::Reinstall => {
                self.asked = self.asked.next();
                let asked = self.asked;
                self.wants(|spec| spec.disk_epoch = asked).await;
            }
            Event::GiveUp if self.asked > DiskEpoch::FIRST => {
                let before = DiskEpoch(self.asked.0 - 1);
                self.wants(|spec| spec.disk_epoch = before).await;
            }
            Event::GiveUp => {}
            Event::Grow => self.wants(|spec| spec.disk_gib += 1).await,
            Event::Nics(count) => {
                self.wants(|spec| {
                    let nic = |number| Nic { mac: Mac::for_guest([0, 1, 0, number]), ..spec.nics[0].clone() };
                    spec.nics = (0..count).map(nic).collect();
                })
                .await;
            }
            Event::Lock(locked) => self.wants(|spec| spec.locked = locked).await,
            Event::Destroy => {
                self.is_gone = true;
                let verdict = self.host.specs.accept(tombstone(&self.spec)).await.unwrap();
                assert!(verdict.is_held());
            }
            Event::Stale => {
                let verdict = self.host.specs.accept(present(&self.first)).await.unwrap();
                assert!(verdict != Verdict::Newer, "{verdict:?}");
            }
            Event::Turns(turns) => {
                for _ in 0..turns {
                    self.turn().await;
                }
            }
            Event::Wait(seconds) => self.now_ms += u64::from(seconds) * 1000,
            Event::AgentCrash => self.crash_agent().await,
            Event::HostCrash => {
                self.machine.reboot();
                self.crash_agent().await;
            }
            Event::GuestOff(cause) => self.machine.guest_goes_off(self.spec.server, cause),
            Event::SlowGuests(slow) => {
                self.machine.with(|host| host.guests_obey = !slow);
                self.machine.slow_guests_go_off();
            }
            Event::Pool(mounted) => self.machine.with(|host| host.pool_mounted = mounted),
            Event::Fail(op, code) => self.machine.fail(op, 1, Fault::new(code, "made to fail")),
        }
        self.disks_are_safe();
    }

    async fn wants(&mut self, change: impl FnOnce(&mut ServerSpec)) {
        if !self.is_gone {
            self.spec = next(&self.spec, change);
            assert_eq!(self.host.specs.accept(present(&self.spec)).await.unwrap(), Verdict::Newer);
        }
    }

    async fn crash_agent(&mut self) {
        self.host = open(&self.machine, &self.files).await;
        let notes = self.host.specs.get(self.spec.server).await.unwrap().notes;
        self.course = Course::begin(&notes, self.now_ms);
    }

    /// One look and at most one step: between any two of these the agent may die.
    async fn turn(&mut self) {
        let moment = self.moment();
        let look = look(&self.host, self.spec.server, &mut self.course, moment).await.unwrap();
        if let Next::Run(step) = &look.next {
            let _ = act(&self.host, &look.desired, step, &mut self.course, self.now_ms).await;
        }
    }

    /// A disk that was booted is made once, and is there or in the trash for a reason.
    fn disks_are_safe(&self) {
        let server = self.machine.server(self.spec.server);
        for (epoch, made) in &server.disks_made {
            assert_eq!(*made, 1, "epoch {epoch} was made again");
            let is_there = server.disks.contains_key(epoch);
            assert!(is_there || server.trash.contains_key(epoch), "epoch {epoch} vanished");
            assert!(is_there || self.is_gone || *epoch < self.asked, "epoch {epoch} was retired without a reason");
        }
    }

    /// Everything that an operator can mend is mended, and time goes by.
    async fn settles(&mut self) -> Look {
        self.machine.with(|host| host.pool_mounted = true);
        self.crash_agent().await;
        for _ in 0..50 {
            let moment = self.moment();
            let look = converge_once(&self.host, self.spec.server, &mut self.course, moment).await.unwrap();
            self.disks_are_safe();
            match look.next {
                Next::At(at_ms) => self.now_ms = at_ms.max(self.now_ms + 1),
                // What was made to fail for good is tried again by a new agent.
                Next::Idle if look.observed.fault.as_ref().is_some_and(|f| f.detail == "made to fail") => {
                    self.crash_agent().await;
                }
                _ => return look,
            }
        }
        panic!("no end: {:?}", self.machine.server(self.spec.server));
    }
}

async fn check(is_running: bool, events: Vec<Event>) {
    let mut history = History::begin().await;
    if is_running {
        let _ = history.settles().await;
    }
    let count = |cause| events.iter().filter(|event| matches!(event, Event::GuestOff(off) if *off == cause)).count();
    let (shutdowns, crashes) = (count(OffCause::Shutdown), count(OffCause::Crashed));
    for event in events {
        history.happens(event).await;
    }
    let mut end = history.settles().await;
    if end.observed.fault.as_ref().is_some_and(|fault| fault.code == FaultCode::DiskMissing) {
        // Given up too late: the newer disk was started, and is asked for again once its host told of it.
        assert!(end.observed.disk_epoch > Some(history.spec.disk_epoch), "{end:?}");
        let asked = history.asked;
        history.wants(|spec| spec.disk_epoch = asked).await;
        end = history.settles().await;
    }
    let server = history.machine.server(history.spec.server);
    if history.is_gone {
        assert!(end.observed.remains.is_nothing() && matches!(end.desired, Desired::Absent(_)), "{end:?}");
        assert!(server.seed.is_none(), "a seed is left");
        return;
    }
    if end.observed.fault.as_ref().is_some_and(|fault| fault.code == FaultCode::CrashLoop) {
        assert!(crashes >= 5, "a crash loop of {crashes}");
        return;
    }
    assert_eq!(end.observed.fault, None, "{server:?}");
    assert_eq!(end.observed.reached, Some(history.spec.version), "{server:?}");
    assert_eq!(end.observed.disk_epoch, Some(history.spec.disk_epoch));
    assert!(server.disk_gib[&history.spec.disk_epoch] >= history.spec.disk_gib, "{server:?}");
    if !history.spec.should_run() {
        assert_eq!(end.observed.domain, DomainState::Off);
        return;
    }
    let wanted: BTreeSet<Mac> = history.spec.nics.iter().map(|nic| nic.mac).collect();
    if server.process {
        assert!(wanted.is_subset(&server.adapters), "{server:?}");
        let is_cut_off = |mac| server.taps.get(mac).is_none_or(|tap| !tap.plugged && !tap.up);
        assert!(server.adapters.difference(&wanted).all(is_cut_off), "{server:?}");
    }
    let notes = history.host.specs.get(history.spec.server).await.unwrap().notes;
    let is_self_off = matches!(notes.power, csp_agent::plan::memory::PowerNote::SelfOff { .. });
    assert!(!is_self_off || shutdowns > 0, "a wish that the guest never had");
    assert!(is_self_off || server.domain.unwrap().state == SeenState::Running, "{server:?} {notes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_history_ends_as_the_newest_spec_says(is_running: bool, events in vec(any_event(), 0..30)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(check(is_running, events));
    }
}
