//! A KVM host in memory, below the real planner and worker of the agent. For simulation and for tests of the worker.
//!
//! It is a leaf: it decides nothing, keeps the promises of [`Machine`], and shows what an agent must not do by failing
//! loudly. Every future is ready at once (but those that a test makes slow or hang), so no runtime is needed. What a crash of
//! the agent loses is not in here; a crash of the host is [`FakeMachine::reboot`]. Handles are cheap to clone and share
//! one host.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    future::{Future, Ready, pending, ready},
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_agent::machine::{
    BootId, Epochs, HostEvent, HostFacts, Machine, Mark, OffCause, Seen, SeenDomain, SeenState, Stamp,
};
use csp_shared::{
    generation::{DiskEpoch, StartEpoch},
    id::{NetworkId, ServerId},
    mac::Mac,
    message::{Capacity, Orphan, OrphanKind, Virt},
    observed::{Fault, FaultCode},
    sha256::Sha256,
    spec::{Image, ServerSpec},
};

mod op;
mod server;

pub use op::Op;
pub use server::FakeServer;

/// The handle to one host.
#[derive(Clone, Debug)]
pub struct FakeMachine(Arc<Mutex<FakeHost>>);

/// The whole state of the host. A copy of it is a host of its own.
#[derive(Clone, Debug)]
pub struct FakeHost {
    /// What the host says of itself.
    pub capacity: Capacity,
    /// The pool is mounted. What is on it stays while it is not.
    pub pool_mounted: bool,
    /// The host is going down.
    pub stopping: bool,
    /// Guests go down when asked by ACPI.
    pub guests_obey: bool,
    /// No image ever arrives.
    pub downloads_hang: bool,
    /// How long the agent waits for the end of making a disk, which is there from the first moment on.
    pub disk_time: Duration,
    /// How long a look takes, which shows the host at its begin.
    pub look_time: Duration,
    /// Images in the cache.
    pub images: BTreeSet<Sha256>,
    /// Private networks that are ready, each with its largest packet, in bytes.
    pub networks: BTreeMap<NetworkId, u32>,
    /// What there is of each server.
    pub servers: BTreeMap<ServerId, FakeServer>,
    /// Addresses that somebody else on the segment answers for.
    pub in_use: BTreeSet<Ipv4Addr>,
    /// Domains that nobody of csp made.
    pub strangers: Vec<Orphan>,
    /// Methods that say that they did it and change nothing, as when somebody undoes it at once.
    pub idle: BTreeSet<Op>,
    /// Every successful change, oldest first.
    pub log: Vec<(ServerId, Op)>,
    boots: u64,
    failures: BTreeMap<Op, (u32, Fault)>,
}

impl Default for FakeMachine {
    fn default() -> Self {
        Self::new(Capacity { cpus: 8, ram_mib: 16 << 10, disk_gib: 500 })
    }
}

impl FakeMachine {
    /// An empty host whose guests obey.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self(Arc::new(Mutex::new(FakeHost {
            capacity,
            pool_mounted: true,
            stopping: false,
            guests_obey: true,
            downloads_hang: false,
            disk_time: Duration::ZERO,
            look_time: Duration::ZERO,
            images: BTreeSet::new(),
            networks: BTreeMap::new(),
            servers: BTreeMap::new(),
            in_use: BTreeSet::new(),
            strangers: Vec::new(),
            idle: BTreeSet::new(),
            log: Vec::new(),
            boots: 1,
            failures: BTreeMap::new(),
        })))
    }

    /// Looks into the host, or changes it behind the agent's back.
    pub fn with<R>(&self, change: impl FnOnce(&mut FakeHost) -> R) -> R {
        change(&mut self.lock())
    }

    /// What there is of a server.
    #[must_use]
    pub fn server(&self, server: ServerId) -> FakeServer {
        self.lock().servers.get(&server).cloned().unwrap_or_default()
    }

    /// Whether the server's guest runs.
    #[must_use]
    pub fn runs(&self, server: ServerId) -> bool {
        self.server(server).domain.is_some_and(|domain| domain.state == SeenState::Running)
    }

    /// Makes the next `times` calls of a method fail, before they change anything.
    pub fn fail(&self, op: Op, times: u32, fault: Fault) {
        self.lock().failures.insert(op, (times, fault));
    }

    /// The host loses its power and boots again: guests, taps and filters are gone, disks and definitions stay.
    pub fn reboot(&self) {
        let mut host = self.lock();
        host.boots += 1;
        host.stopping = false;
        for server in host.servers.values_mut() {
            server.taps.clear();
            server.strays.clear();
            server.filters = None;
            server.dhcp = None;
            server.go_off(OffCause::Unknown);
        }
    }

    /// The guest goes off by itself: it powered itself off, or QEMU died.
    pub fn guest_goes_off(&self, server: ServerId, cause: OffCause) {
        if let Some(server) = self.lock().servers.get_mut(&server) {
            server.go_off(cause);
        }
    }

    /// Guests that were asked to go down, and had not, do now.
    pub fn slow_guests_go_off(&self) {
        for server in self.lock().servers.values_mut().filter(|server| server.stop_asked) {
            server.go_off(OffCause::Shutdown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FakeHost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `change` to a server unless the method is to fail, and logs it.
    fn change(
        &self,
        op: Op,
        server: ServerId,
        change: impl FnOnce(&mut FakeServer, &mut BTreeSet<Sha256>) -> Result<(), Fault>,
    ) -> Ready<Result<(), Fault>> {
        let mut host = self.lock();
        let host = &mut *host;
        let done = host.failure(op).map_or_else(
            || {
                if op.needs_pool() && !host.pool_mounted {
                    return Err(Fault::new(FaultCode::PoolMissing, "the pool is not mounted"));
                }
                if host.idle.contains(&op) {
                    return Ok(());
                }
                change(host.servers.entry(server).or_default(), &mut host.images)
            },
            Err,
        );
        if done.is_ok() {
            host.log.push((server, op));
        }
        ready(done)
    }
}

/// Ready at once, outside a runtime too, unless a test asks for time.
async fn after<T>(time: Duration, done: T) -> T {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
    done
}

impl FakeHost {
    fn failure(&mut self, op: Op) -> Option<Fault> {
        let (times, fault) = self.failures.get_mut(&op).filter(|(times, _)| *times > 0)?;
        *times -= 1;
        Some(fault.clone())
    }

    fn boot_id(&self) -> BootId {
        BootId(format!("boot-{}", self.boots))
    }
}

impl Machine for FakeMachine {
    fn facts(&self) -> impl Future<Output = Result<HostFacts, Fault>> + Send {
        let host = self.lock();
        let machine_id = "0123456789abcdef0123456789abcdef".to_owned();
        ready(Ok(HostFacts { machine_id, boot: host.boot_id(), capacity: host.capacity, virt: Virt::Qemu }))
    }

    fn screen(&self, server: ServerId) -> Option<PathBuf> {
        Some(PathBuf::from(format!("/run/vnc/{server}.sock")))
    }

    fn see(&self, server: ServerId, image: Option<&Image>) -> impl Future<Output = Result<Seen, Fault>> + Send {
        let mut host = self.lock();
        let fault = host.failure(Op::See);
        let held = host.servers.get(&server).cloned().unwrap_or_default();
        let pool = host.pool_mounted;
        let seen = Seen {
            host_boot: host.boot_id(),
            host_stopping: host.stopping,
            setup: Mark(0),
            pool,
            pool_read_only: false,
            image: pool && image.is_some_and(|image| host.images.contains(&image.sha256)),
            disks: if pool { held.disks() } else { BTreeMap::new() },
            seed: held.seed.filter(|_| pool),
            networks: host.networks.clone(),
            taps: held.taps,
            idle_taps: BTreeSet::new(),
            strays: held.strays,
            queues: false,
            filters: held.filters,
            dhcp: held.dhcp,
            domain: held.domain,
            disk_elsewhere: None,
            adapters: held.adapters,
            process: held.process,
        };
        let (time, seen) = (host.look_time, fault.map_or(Ok(seen), Err));
        async move { after(time, seen).await }
    }

    fn orphans(&self, known: &BTreeSet<ServerId>) -> impl Future<Output = Result<Vec<Orphan>, Fault>> + Send {
        let mut host = self.lock();
        let fault = host.failure(Op::Orphans);
        let unknown = host.servers.iter().filter(|(id, server)| server.domain.is_some() && !known.contains(id));
        let unknown = unknown.map(|(id, server)| Orphan {
            name: id.to_string(),
            kind: OrphanKind::Domain,
            macs: server.taps.keys().copied().collect(),
            addresses: Vec::new(),
        });
        let orphans = unknown.chain(host.strangers.iter().cloned()).collect();
        ready(fault.map_or(Ok(orphans), Err))
    }

    fn event(&self) -> impl Future<Output = HostEvent> + Send {
        pending()
    }

    fn fetch_image(&self, image: &Image) -> impl Future<Output = Result<(), Fault>> + Send {
        let mut host = self.lock();
        let hangs = host.downloads_hang;
        let done = match host.failure(Op::FetchImage) {
            None if !host.pool_mounted => Err(Fault::new(FaultCode::PoolMissing, "the pool is not mounted")),
            None if hangs => Ok(()),
            None => {
                host.images.insert(image.sha256);
                Ok(())
            }
            Some(fault) => Err(fault),
        };
        async move { if hangs { pending().await } else { done } }
    }

    fn create_disk(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send {
        let time = self.lock().disk_time;
        let made = self.change(Op::CreateDisk, spec.server, |server, images| {
            if !images.contains(&spec.image.sha256) {
                return Err(Fault::new(FaultCode::Internal, "a disk without its image"));
            }
            if let Entry::Vacant(disk) = server.disks.entry(spec.disk_epoch) {
                disk.insert(0);
                server.disk_gib.insert(spec.disk_epoch, spec.disk_gib);
                server.bases.insert(spec.disk_epoch, spec.image.sha256);
                *server.disks_made.entry(spec.disk_epoch).or_default() += 1;
            }
            Ok(())
        });
        async move { after(time, made.await).await }
    }

    fn grow_disk(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::GrowDisk, spec.server, |server, _| {
            let runs_on = server.domain.filter(|_| server.is_up()).map(|domain| domain.epochs.disk);
            if !server.disks.contains_key(&spec.disk_epoch) || runs_on.is_some_and(|epoch| epoch != spec.disk_epoch) {
                return Err(Fault::new(FaultCode::Internal, "a disk grown that is not there or not the guest's"));
            }
            let gib = server.disk_gib.entry(spec.disk_epoch).or_default();
            *gib = spec.disk_gib.max(*gib);
            Ok(())
        })
    }

    fn retire_disk(&self, server: ServerId, epoch: DiskEpoch) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::RetireDisk, server, |server, _| {
            if let Some(boots) = server.disks.remove(&epoch) {
                server.trash.insert(epoch, boots);
            }
            Ok(())
        })
    }

    fn write_seed(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::WriteSeed, spec.server, |server, _| {
            server.seed = Some(mark);
            Ok(())
        })
    }

    fn remove_seed(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::RemoveSeed, server, |server, _| {
            server.seed = None;
            Ok(())
        })
    }

    fn make_taps(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::MakeTaps, spec.server, |server, _| {
            let macs: BTreeSet<Mac> = spec.nics.iter().map(|nic| nic.mac).collect();
            server.make_taps(&macs);
            Ok(())
        })
    }

    fn cut_off(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::CutOff, spec.server, |server, _| {
            server.cut_off(&spec.nics.iter().map(|nic| nic.mac).collect());
            Ok(())
        })
    }

    fn probe_addresses(
        &self,
        spec: &ServerSpec,
        addresses: &BTreeSet<Ipv4Addr>,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let claimed = {
            let host = self.lock();
            let others = host.servers.iter().filter(|(id, other)| **id != spec.server && other.filters.is_some());
            let others: BTreeSet<Ipv4Addr> = others.flat_map(|(_, other)| other.own.clone()).collect();
            addresses.iter().copied().find(|address| host.in_use.contains(address) || others.contains(address))
        };
        let asked = self.change(Op::ProbeAddresses, spec.server, |_, _| match claimed {
            None => Ok(()),
            Some(_) => Err(Fault::new(FaultCode::AddressInUse, "somebody answered").about(claimed)),
        });
        // Whoever tells it to fail need not say for which address.
        let is_claim = |fault: &Fault| fault.code == FaultCode::AddressInUse && fault.address.is_none();
        ready(asked.into_inner().map_err(|fault| match is_claim(&fault) {
            true => fault.about(addresses.first().copied()),
            false => fault,
        }))
    }

    fn set_filters(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::SetFilters, spec.server, |server, _| {
            server.filters = Some(mark);
            server.own = csp_agent::plan::mark::public_addresses(spec);
            Ok(())
        })
    }

    fn link_up(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::LinkUp, spec.server, |server, _| {
            if server.filters.is_none() {
                return Err(Fault::new(FaultCode::Internal, "a link set up before its filters"));
            }
            let macs: BTreeSet<Mac> = spec.nics.iter().map(|nic| nic.mac).collect();
            server.taps.iter_mut().filter(|(mac, _)| macs.contains(mac)).for_each(|(_, tap)| tap.up = true);
            Ok(())
        })
    }

    fn attach_nic(&self, spec: &ServerSpec, mac: Mac) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::AttachNic, spec.server, |server, _| server.attach(mac))
    }

    fn detach_nic(&self, server: ServerId, mac: Mac) -> impl Future<Output = Result<(), Fault>> + Send {
        let obeys = self.lock().guests_obey;
        self.change(Op::DetachNic, server, |server, _| {
            server.detach(mac, obeys);
            Ok(())
        })
    }

    fn serve_dhcp(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::ServeDhcp, spec.server, |server, _| {
            server.dhcp = Some(mark);
            Ok(())
        })
    }

    fn remove_taps(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::RemoveTaps, server, |server, _| {
            server.dhcp = None;
            server.taps.clear();
            server.strays.clear();
            Ok(())
        })
    }

    fn remove_filters(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::RemoveFilters, server, |server, _| {
            if !server.taps.is_empty() {
                return Err(Fault::new(FaultCode::Internal, "filters removed before their tap"));
            }
            server.filters = None;
            Ok(())
        })
    }

    fn define(&self, spec: &ServerSpec, stamp: Stamp) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::Define, spec.server, |server, _| {
            if server.is_up() && server.domain.is_some_and(|domain| domain.kept) {
                return Err(Fault::new(FaultCode::Internal, "defined while it runs, and for nothing"));
            }
            let state = server.domain.map_or(SeenState::Off(OffCause::Unknown), |domain| domain.state);
            let definition = Some(stamp.definition);
            server.domain = Some(SeenDomain { state, epochs: stamp.epochs, definition, kept: true });
            server.defined_adapters = spec.nics.iter().map(|nic| nic.mac).collect();
            Ok(())
        })
    }

    fn start(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::Start, server, |server, images| server.start(images))
    }

    fn adopt_start(&self, server: ServerId, epoch: StartEpoch) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::AdoptStart, server, |server, _| {
            if let Some(domain) = &mut server.domain {
                domain.epochs = Epochs { start: epoch, ..domain.epochs };
            }
            Ok(())
        })
    }

    fn ask_stop(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        let obeys = self.lock().guests_obey;
        self.change(Op::AskStop, server, |server, _| {
            server.stop_asked = server.is_up();
            if obeys {
                server.go_off(OffCause::Shutdown);
            }
            Ok(())
        })
    }

    fn force_stop(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::ForceStop, server, |server, _| {
            server.go_off(OffCause::Unknown);
            Ok(())
        })
    }

    fn pause(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::Pause, server, |server, _| server.turns(SeenState::Running, SeenState::Paused))
    }

    fn resume(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::Resume, server, |server, _| server.turns(SeenState::Paused, SeenState::Running))
    }

    fn kill_process(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::KillProcess, server, |server, _| {
            server.go_off(OffCause::Crashed);
            Ok(())
        })
    }

    fn undefine(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send {
        self.change(Op::Undefine, server, |server, _| {
            if server.is_up() {
                return Err(Fault::new(FaultCode::Internal, "undefined while it runs"));
            }
            server.domain = None;
            Ok(())
        })
    }
}
