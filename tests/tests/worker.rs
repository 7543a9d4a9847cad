//! The agent's workers, from a spec to a report, on a host in memory and on a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{sync::Arc, time::Duration};

use csp_agent::{
    config::Config,
    daemon,
    machine::{Mark, OffCause, SeenStray, SeenTap},
    network::{links::Links, segment::Segments},
    spec_file::{MemoryBacking, SpecFile},
    traffic::Meter,
    worker::{Host, Refusal, Supervisor},
};
use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch},
    mac::Mac,
    message::{Orphan, OrphanKind},
    observed::{Activity, DomainState, Fault, FaultCode, Observed, Remains},
    spec::{Desired, NicAddress, Power, ServerSpec},
};
use csp_tests::{
    FakeMachine, Op,
    spec::{next, present, server_spec, tombstone},
};
use tokio::{task::JoinHandle, time::timeout};

struct Agent {
    machine: FakeMachine,
    files: MemoryBacking,
    supervisor: Supervisor,
    actor: JoinHandle<()>,
}

impl Agent {
    async fn start(machine: FakeMachine, files: MemoryBacking) -> Self {
        let specs = SpecFile::open(files.clone()).await.unwrap();
        let host = Host { machine: machine.clone(), specs, stop_timeout_ms: 90_000 };
        let (supervisor, actor) = Supervisor::start(host);
        Self { machine, files, supervisor, actor }
    }

    /// An agent that heard its control plane.
    async fn heard() -> Self {
        let agent = Self::start(FakeMachine::default(), MemoryBacking::default()).await;
        agent.supervisor.control_heard();
        agent
    }

    async fn accept(&self, desired: Desired) {
        self.supervisor.accept(vec![desired]).await.unwrap();
    }

    /// Waits for a report, for ten minutes of the paused clock.
    async fn report(&self, what: &str, is_it: impl Fn(&Observed) -> bool) -> Observed {
        let found = async {
            loop {
                if let Some(report) = self.supervisor.next_reports(9).await.into_iter().find(&is_it) {
                    return report;
                }
            }
        };
        timeout(Duration::from_secs(600), found).await.unwrap_or_else(|_| panic!("no report: {what}"))
    }

    async fn reached(&self, spec: &ServerSpec) -> Observed {
        self.report("reached", |report| report.reached == Some(spec.version)).await
    }

    /// The agent dies and comes back on the same host.
    async fn again(self) -> Self {
        self.actor.abort();
        let _ = self.actor.await;
        Self::start(self.machine, self.files).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_spec_becomes_a_running_guest_and_a_report() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    let report = agent.reached(&spec).await;
    assert_eq!((report.domain, report.disk_epoch, report.fault), (DomainState::Running, Some(DiskEpoch(1)), None));
    assert_eq!(report.accepted_hash, present(&spec).hash());
    assert!(agent.machine.runs(spec.server));
}

#[tokio::test(start_paused = true)]
async fn whoever_tells_the_hosts_size_is_woken_when_a_disk_was_made_and_when_one_went_to_the_trash() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    let woken = async || timeout(Duration::from_secs(1), agent.supervisor.room_changed()).await.is_ok();
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    assert!(woken().await && !woken().await, "once, however much was done meanwhile");
    let renamed = next(&spec, |spec| spec.hostname = "other".to_owned());
    agent.accept(present(&renamed)).await;
    assert!(!woken().await, "that took no room");
    agent.accept(tombstone(&renamed)).await;
    agent.report("gone", |report| report.remains.is_nothing()).await;
    assert!(woken().await);
}

#[tokio::test(start_paused = true)]
async fn a_restart_waits_for_a_base_that_was_lost_and_the_guest_runs_meanwhile() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| host.images.clear());
    agent.machine.fail(Op::FetchImage, 3, Fault::new(FaultCode::ImageChecksum, "another file is at its URL"));
    let restart = next(&spec, |spec| spec.boot_epoch = BootEpoch(2));
    agent.accept(present(&restart)).await;
    let report = agent.report("a fault", |report| report.fault.is_some()).await;
    let fault = report.fault.unwrap();
    assert_eq!((fault.code, fault.lasting, report.domain), (FaultCode::BaseMissing, false, DomainState::Running));
    let sha256 = spec.image.sha256.to_string();
    assert!(fault.detail.contains(&sha256) && fault.detail.contains("image_checksum"), "{}", fault.detail);
    agent.reached(&restart).await;
    assert_eq!((agent.machine.server(spec.server).starts, agent.machine.runs(spec.server)), (2, true));
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_ends_in_the_proof_that_nothing_is_left() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.accept(tombstone(&spec)).await;
    let report = agent.report("gone", |report| report.remains.is_nothing()).await;
    assert_eq!(report.reached, Some(tombstone(&spec).version()));
    assert_eq!(agent.machine.server(spec.server).trash.len(), 1, "deleting is a move to the trash");
    let agent = agent.again().await;
    assert!(agent.supervisor.inventory().await.unwrap().0.iter().any(|report| report.remains.is_nothing()));
    agent.supervisor.control_heard();
    agent.accept(present(&next(&spec, |spec| spec.version.generation.0 += 9))).await;
    assert!(!agent.machine.runs(spec.server), "no spec takes a tombstone back");
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_that_comes_during_a_step_is_not_proved_by_what_was_seen_before_it() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.with(|host| host.disk_time = Duration::from_secs(40));
    agent.accept(present(&spec)).await;
    tokio::time::sleep(Duration::from_secs(10)).await; // the last look saw nothing, and a disk is being made
    assert_eq!(agent.machine.server(spec.server).disks.len(), 1);
    agent.accept(tombstone(&spec)).await;
    let is_about_it = |report: &Observed| report.accepted == tombstone(&spec).version();
    assert_eq!(agent.report("accepted", is_about_it).await.remains, Remains::UNPROVED);
    agent.report("gone", |report| is_about_it(report) && report.remains.is_nothing()).await;
    assert_eq!(agent.machine.server(spec.server).disks.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_look_from_before_a_tombstone_proves_nothing_about_it() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.with(|host| host.look_time = Duration::from_secs(10));
    agent.accept(present(&spec)).await;
    tokio::time::sleep(Duration::from_secs(15)).await; // one look has told that nothing is there, the next is under way
    let accepted = tokio::time::Instant::now();
    agent.accept(tombstone(&spec)).await;
    let is_about_it = |report: &Observed| report.accepted == tombstone(&spec).version();
    agent.report("gone", |report| is_about_it(report) && report.remains.is_nothing()).await;
    assert!(accepted.elapsed() >= Duration::from_secs(10), "a look of its own: {:?}", accepted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_is_tried_again_until_it_works() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.fail(Op::CreateDisk, 5, Fault::new(FaultCode::PoolFull, "no room"));
    agent.accept(present(&spec)).await;
    let code = |report: &Observed| report.fault.as_ref().map(|fault| fault.code);
    agent.report("the fault", |report| code(report) == Some(FaultCode::PoolFull)).await;
    assert_eq!(agent.reached(&spec).await.fault, None);
}

#[tokio::test(start_paused = true)]
async fn a_lasting_fault_waits_for_a_new_spec() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.fail(Op::FetchImage, 1, Fault::new(FaultCode::ImageChecksum, "another file"));
    agent.accept(present(&spec)).await;
    agent.report("the fault", |report| report.fault.as_ref().is_some_and(|fault| fault.lasting)).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!agent.machine.runs(spec.server));
    let spec = next(&spec, |_| {});
    agent.accept(present(&spec)).await;
    assert_eq!(agent.reached(&spec).await.fault, None);
}

#[tokio::test(start_paused = true)]
async fn a_newer_spec_interrupts_the_wait_for_a_guest_that_does_not_go_down() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| host.guests_obey = false);
    let stop = next(&spec, |spec| spec.power = Power::Off);
    agent.accept(present(&stop)).await;
    agent.report("stopping", |report| report.activity == Some(Activity::Stopping)).await;
    let began = tokio::time::Instant::now();
    let forced = next(&stop, |spec| spec.power = Power::ForcedOff);
    agent.accept(present(&forced)).await;
    assert_eq!(agent.reached(&forced).await.domain, DomainState::Off);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_newer_spec_interrupts_a_download() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.with(|host| host.downloads_hang = true);
    agent.accept(present(&spec)).await;
    agent.report("fetching", |report| report.activity == Some(Activity::FetchingImage)).await;
    agent.accept(tombstone(&spec)).await;
    agent.report("gone", |report| report.reached.is_some() && report.remains.is_nothing()).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_guarded_and_told_of_while_its_next_image_is_on_the_way() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| {
        host.images.clear();
        host.downloads_hang = true;
    });
    agent.accept(present(&next(&spec, |spec| spec.disk_epoch = DiskEpoch(2)))).await;
    agent.report("fetching", |report| report.activity == Some(Activity::FetchingImage)).await;
    agent.machine.with(|host| host.servers.get_mut(&spec.server).unwrap().filters = None);
    tokio::time::sleep(Duration::from_secs(45)).await;
    assert!(agent.machine.server(spec.server).filters.is_some(), "flushed by hand, and loaded again");
    agent.machine.guest_goes_off(spec.server, OffCause::Unknown);
    let told = agent.report("off", |report| report.domain == DomainState::Off).await;
    assert_eq!(told.activity, Some(Activity::FetchingImage));
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_guarded_while_its_next_disk_waits_for_its_turn() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| host.disk_time = Duration::from_secs(300));
    for number in [2, 3] {
        agent.accept(present(&server_spec(number))).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.accept(present(&next(&spec, |spec| spec.disk_epoch = DiskEpoch(2)))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.machine.with(|host| host.servers.get_mut(&spec.server).unwrap().filters = None);
    tokio::time::sleep(Duration::from_secs(45)).await;
    let seen = agent.machine.server(spec.server);
    assert!(!seen.disks.contains_key(&DiskEpoch(2)), "others write in the pool");
    assert!(seen.filters.is_some(), "flushed by hand, and loaded again");
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_its_turn_in_the_pool_is_not_done_once_something_else_comes_first() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.with(|host| host.disk_time = Duration::from_secs(300));
    let others = [server_spec(2), server_spec(3)];
    for other in &others {
        agent.accept(present(other)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.accept(present(&spec)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.machine.with(|host| host.images.clear());
    let is_up = |report: &Observed| {
        let is_its = report.server == spec.server;
        assert!(!is_its || report.fault.is_none(), "it was made without its image: {report:?}");
        is_its && report.reached.is_some()
    };
    agent.report("up", is_up).await;
}

/// The spec with one more address.
fn with_address(spec: &ServerSpec, last: u8) -> ServerSpec {
    next(spec, |spec| {
        let addresses = &mut spec.nics.first_mut().unwrap().addresses;
        let first = addresses.first().unwrap().clone();
        addresses.push(NicAddress { address: [203, 0, 113, last].into(), ..first });
    })
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_new_address_is_anothers_keeps_filters_of_its_old_ones() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| host.in_use.insert([203, 0, 113, 99].into()));
    agent.accept(present(&with_address(&spec, 99))).await;
    let is_in_use = |report: &Observed| report.fault.as_ref().is_some_and(|f| f.code == FaultCode::AddressInUse);
    assert!(agent.report("in use", is_in_use).await.fault.unwrap().lasting);
    for filters in [None, Some(Mark::BROKEN)] {
        agent.machine.with(|host| {
            let server = host.servers.get_mut(&spec.server).unwrap();
            server.filters = filters;
            server.own.clear();
        });
        tokio::time::sleep(Duration::from_secs(45)).await;
        let seen = agent.machine.server(spec.server);
        assert!(seen.filters.is_some_and(|found| found != Mark::BROKEN));
        assert_eq!(seen.own, [[203, 0, 113, 1].into()].into(), "what nobody was asked for is not let through");
    }
    agent.machine.with(|host| host.in_use.clear());
    let again = next(&with_address(&spec, 99), |_| {});
    agent.accept(present(&again)).await;
    agent.reached(&again).await;
    assert_eq!(agent.machine.server(spec.server).own.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn filters_that_cannot_be_loaded_keep_no_guest_from_going_and_end_no_order() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| {
        host.guests_obey = false;
        host.servers.get_mut(&spec.server).unwrap().filters = None;
    });
    agent.machine.fail(Op::SetFilters, 1_000, Fault::new(FaultCode::HypervisorRefused, "it will not"));
    let began = tokio::time::Instant::now();
    let stop = next(&spec, |spec| spec.power = Power::Off);
    agent.accept(present(&stop)).await;
    let is_off = |report: &Observed| {
        assert!(!report.fault.as_ref().is_some_and(|fault| fault.lasting), "{report:?}");
        report.domain == DomainState::Off
    };
    agent.report("off", is_off).await;
    assert!(began.elapsed() < Duration::from_secs(92), "after its time and no later: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn filters_that_cannot_be_loaded_hold_no_reinstall_up_and_an_image_that_cannot_be_had_no_filters() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    let flush = || agent.machine.with(|host| host.servers.get_mut(&spec.server).unwrap().filters = None);
    agent.machine.with(|host| host.images.clear());
    agent.machine.fail(Op::FetchImage, 1_000, Fault::new(FaultCode::ImageUnreachable, "no answer"));
    let reinstall = next(&spec, |spec| spec.disk_epoch = DiskEpoch(2));
    agent.accept(present(&reinstall)).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    flush();
    agent.supervisor.rescan();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(agent.machine.server(spec.server).filters.is_some(), "at once, and not when the mirror is asked again");

    flush();
    agent.machine.fail(Op::SetFilters, 1_000, Fault::new(FaultCode::NetworkRefused, "it will not"));
    agent.machine.fail(Op::FetchImage, 0, Fault::new(FaultCode::Internal, "no more"));
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(agent.machine.server(spec.server).disks.contains_key(&DiskEpoch(2)));
    assert!(!agent.machine.runs(spec.server), "the old guest went, and the new one waits for its filters");
    agent.machine.fail(Op::SetFilters, 0, Fault::new(FaultCode::Internal, "no more"));
    agent.reached(&reinstall).await;
}

#[tokio::test(start_paused = true)]
async fn what_libvirt_refuses_is_tried_again_for_a_server_that_ran_and_not_for_an_order() {
    let (agent, spec, order) = (Agent::heard().await, server_spec(1), server_spec(2));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    let refused = || Fault::new(FaultCode::HypervisorRefused, "the emulator cannot be run");
    agent.machine.fail(Op::Start, 3, refused());
    agent.machine.guest_goes_off(spec.server, OffCause::Unknown);
    let told = agent.report("refused", |report| report.fault.is_some()).await;
    assert!(told.fault.unwrap().lasting, "an action is not kept waiting for it");
    agent.report("back", |report| report.domain == DomainState::Running && report.fault.is_none()).await;
    assert_eq!(agent.machine.server(spec.server).starts, 2, "once somebody mended the host");

    agent.machine.fail(Op::Start, 1, refused());
    agent.accept(present(&order)).await;
    agent.report("refused", |report| report.server == order.server && report.fault.is_some()).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(agent.machine.server(order.server).starts, 0);
}

#[tokio::test(start_paused = true)]
async fn servers_that_wait_for_a_download_delay_no_tombstone() {
    let agent = Agent::heard().await;
    agent.machine.with(|host| host.downloads_hang = true);
    let specs: Vec<ServerSpec> = (1..20).map(server_spec).collect();
    agent.supervisor.accept(specs.iter().map(present).collect()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    for spec in &specs {
        agent.accept(tombstone(spec)).await;
        let is_it = |report: &Observed| report.server == spec.server && report.reached.is_some();
        assert!(agent.report("gone", is_it).await.remains.is_nothing());
    }
}

/// Nothing is wanted of them, so nothing is made or counted.
fn idle(config: &Config) -> (Arc<Segments>, Arc<Meter>) {
    let links = Links::connect().unwrap();
    let meter = Meter::open(&config.state_dir, links.clone()).unwrap();
    (Arc::new(Segments::new(links, &config.network)), Arc::new(meter))
}

#[tokio::test]
async fn two_agents_never_share_a_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { state_dir: folder.path().join("state"), ..Config::default() };
    let first = tokio::spawn({
        let config = config.clone();
        async move {
            let (segments, meter) = idle(&config);
            daemon::run(&config, FakeMachine::default(), segments, meter).await
        }
    });
    while !config.state_dir.join("servers").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (segments, meter) = idle(&config);
    let second = daemon::run(&config, FakeMachine::default(), segments, meter);
    let second = timeout(Duration::from_secs(10), second).await.unwrap();
    assert!(second.unwrap_err().to_string().contains("another csp-agent"));
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_go_down_is_switched_off_after_its_time() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.with(|host| host.guests_obey = false);
    let began = tokio::time::Instant::now();
    let stop = next(&spec, |spec| spec.power = Power::Off);
    agent.accept(present(&stop)).await;
    assert_eq!(agent.reached(&stop).await.domain, DomainState::Off);
    assert!((89..100).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_host_without_its_control_plane_starts_its_guests_after_a_minute() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.reboot();
    let agent = agent.again().await;
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert!(!agent.machine.runs(spec.server));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(agent.machine.runs(spec.server));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_its_control_plane_disowned_starts_nothing_by_itself_after_a_restart() {
    let (state, spec, machine) = (tempfile::tempdir().unwrap(), server_spec(1), FakeMachine::default());
    let files = MemoryBacking::default();
    let start = async || {
        let specs = SpecFile::open(files.clone()).await.unwrap();
        let host = Host { machine: machine.clone(), specs, stop_timeout_ms: 90_000 };
        Supervisor::start_with(host, Duration::from_secs(60), Refusal::in_folder(state.path()))
    };
    let (supervisor, actor) = start().await;
    supervisor.accept(vec![present(&spec)]).await.unwrap();
    supervisor.control_refused();
    drop(supervisor);
    actor.await.unwrap();
    for _ in 0..2 {
        let (supervisor, actor) = start().await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(!machine.runs(spec.server), "a restart, and a control plane that does not answer, are no leave");
        drop(supervisor);
        actor.await.unwrap();
    }

    let (supervisor, actor) = start().await;
    supervisor.control_heard();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(machine.runs(spec.server));
    machine.reboot();
    drop(supervisor);
    actor.await.unwrap();
    let (_supervisor, _actor) = start().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(machine.runs(spec.server), "once it was heard, the host goes alone again");
}

#[tokio::test(start_paused = true)]
async fn news_of_the_control_plane_comes_before_any_start() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.reboot();
    let starts = agent.machine.server(spec.server).starts;
    let agent = agent.again().await;
    agent.accept(tombstone(&spec)).await;
    agent.supervisor.control_heard();
    agent.report("gone", |report| report.remains.is_nothing()).await;
    assert_eq!(agent.machine.server(spec.server).starts, starts, "never started again");
}

#[tokio::test(start_paused = true)]
async fn drift_is_seen_without_an_event_and_at_once_when_told() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    agent.machine.guest_goes_off(spec.server, OffCause::Unknown);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert!(agent.machine.runs(spec.server), "an unknown cause means start");
    let began = tokio::time::Instant::now();
    agent.machine.guest_goes_off(spec.server, OffCause::Shutdown);
    agent.supervisor.rescan();
    agent.report("off", |report| report.domain == DomainState::Off).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!agent.machine.runs(spec.server), "its own wish");
    let start = next(&spec, |spec| spec.start_epoch = StartEpoch(2));
    agent.accept(present(&start)).await;
    assert_eq!(agent.reached(&start).await.domain, DomainState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_look_reports_that_anything_may_be_there() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.machine.fail(Op::See, 3, Fault::new(FaultCode::HypervisorAway, "libvirt does not answer"));
    agent.accept(present(&spec)).await;
    let report = agent.report("a fault", |report| report.fault.is_some()).await;
    assert_eq!(report.domain, DomainState::Unknown);
    assert!(report.remains.disk && report.remains.domain);
    agent.reached(&spec).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_reached_stays_reached_over_a_restart_of_the_agent() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    let agent = agent.again().await;
    agent.machine.fail(Op::See, 99, Fault::new(FaultCode::HypervisorAway, "libvirt does not answer"));
    let (servers, _) = agent.supervisor.inventory().await.unwrap();
    assert_eq!(servers.first().unwrap().reached, Some(spec.version));
}

#[tokio::test(start_paused = true)]
async fn an_inventory_names_every_server_and_every_stranger() {
    let (agent, one, two) = (Agent::heard().await, server_spec(1), server_spec(2));
    let stranger =
        Orphan { name: "by-hand".to_owned(), kind: OrphanKind::Domain, macs: Vec::new(), addresses: Vec::new() };
    agent.machine.with(|host| host.strangers.push(stranger.clone()));
    agent.supervisor.accept(vec![present(&one), present(&two)]).await.unwrap();
    let (servers, orphans) = agent.supervisor.inventory().await.unwrap();
    assert_eq!(servers.iter().map(|report| report.server).collect::<Vec<_>>(), [one.server, two.server]);
    assert_eq!(orphans, [stranger]);
}

#[tokio::test(start_paused = true)]
async fn a_tap_that_was_marked_by_hand_is_cut_off_and_the_agent_comes_to_rest() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    let stray = SeenStray { connected: true, removable: true };
    agent.machine.with(|host| {
        let server = host.servers.get_mut(&spec.server).unwrap();
        server.strays.insert("csptloop".to_owned(), stray);
        server.strays.insert("mine".to_owned(), SeenStray { removable: false, ..stray });
        server.taps.insert(Mac::for_guest([9, 9, 9, 9]), SeenTap::CONNECTED);
        host.log.clear();
    });
    agent.supervisor.rescan();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let server = agent.machine.server(spec.server);
    let left: Vec<_> = server.strays.iter().map(|(name, stray)| (name.as_str(), stray.connected)).collect();
    assert_eq!(left, [("mine", false)], "what has no name of csp's is disconnected and left");
    assert_eq!(server.taps.values().filter(|tap| tap.up || tap.plugged).count(), spec.nics.len());
    assert_eq!(agent.machine.with(|host| host.log.clone()), [(spec.server, Op::CutOff)], "once, and nothing else");
    assert!(agent.machine.runs(spec.server));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_undone_again_and_again_is_told_and_not_repeated_without_end() {
    let (agent, spec) = (Agent::heard().await, server_spec(1));
    agent.accept(present(&spec)).await;
    agent.reached(&spec).await;
    let other = next(&spec, |spec| spec.nics[0].addresses[0].address = [203, 0, 113, 99].into());
    agent.machine.with(|host| {
        host.idle.insert(Op::SetFilters);
        host.log.clear();
    });
    agent.accept(present(&other)).await;
    let told = agent.report("the fault", |report| report.fault.is_some()).await.fault.unwrap();
    assert!(told.code == FaultCode::Internal && !told.lasting && told.detail.contains("set_filters"), "{told:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tries = agent.machine.with(|host| host.log.len());
    assert!((8..60).contains(&tries), "{tries} in ten minutes");
    agent.machine.with(|host| host.idle.clear());
    let mended = agent.reached(&other).await;
    assert_eq!(mended.fault, None);
}
