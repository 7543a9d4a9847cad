//! The real host behind [`Machine`]: libvirt, netlink, nftables and files, put together.
//!
//! Nothing is decided here. Every blocking call leaves the async threads, and every call has an end. What could not be
//! looked at is an error and never "absent".

pub mod cells;
pub mod fault;
mod networking;
mod orphans;
pub mod setup;
mod storing;
mod surplus;
mod upkeep;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use csp_shared::{
    generation::{DiskEpoch, StartEpoch},
    id::ServerId,
    mac::Mac,
    message::{Capacity, Orphan, PasswordRefusal, Virt},
    observed::{Fault, FaultCode},
    secret::Secret,
    spec::{CpuUse, Image, ServerSpec},
};
use tokio::{
    sync::{Mutex, OnceCell, Semaphore, mpsc},
    task::JoinSet,
};

use self::{
    fault::{Coded, story},
    networking::{AllNetworks, Networking},
    setup::VncFolder,
    storing::Storing,
    upkeep::Bounds,
    watched::Watched,
};
use crate::{
    config::{Config, VirtType},
    hypervisor::{
        HypervisorError, defined, domain_xml, domain_xml::DomainPlan, libvirt::Libvirt, metadata::Metadata, probe,
        process,
    },
    machine::{BootId, HostEvent, HostFacts, Machine, Mark, OffCause, Promised, Seen, SeenState, Stamp},
    network::{filter_rules, segment::Segments},
    shared_look::SharedLook,
    storage::{seed::SeedFiles, trash_clock::TrashClock},
    traffic::Meter,
};

/// How long a call of libvirt may take before the worker is told that it is away. A start under load takes seconds.
const LIBVIRT_LIMIT: Duration = Duration::from_secs(60);
/// A guest agent has five seconds to answer, and libvirt as long to find it; who asked gives up a little later.
const GUEST_AGENT_LIMIT: Duration = Duration::from_secs(12);
/// A probe guest, where libvirt first has to find out what QEMU can do.
const PROBE_LIMIT: Duration = Duration::from_secs(120);
/// Calls of libvirt at once, each on a connection of its own. libvirtd works at 20 by itself, and while it hangs each of
/// them holds a thread, which are needed for other work too.
const LIBVIRT_CALLS_MAX: usize = 16;
/// Servers whose filters somebody took away, that are not looked at yet. Further ones are at their next look.
const NETWORK_EVENTS_MAX: usize = 4096;
const GIB_SHIFT: u32 = 30;
const HOUR_SECONDS: u64 = 3600;

/// The host that this program runs on.
#[derive(Debug)]
pub struct HostMachine {
    config: Config,
    boot: BootId,
    libvirt: Arc<Libvirt>,
    libvirt_calls: Arc<Semaphore>,
    events: Mutex<mpsc::Receiver<HostEvent>>,
    network_events: Mutex<mpsc::Receiver<HostEvent>>,
    networking: Networking,
    storing: Storing,
    vnc: VncFolder,
    virt: OnceCell<Virt>,
    around: SharedLook<Result<Arc<Around>, Fault>>,
    libvirt_told: Watched,
    around_told: Watched,
    trash_clock: Arc<TrashClock>,
    /// Ends with the machine.
    _upkeep: JoinSet<()>,
}

/// What one look shows of all servers.
#[derive(Debug)]
struct Around {
    networks: AllNetworks,
    processes: BTreeMap<ServerId, Vec<i32>>,
}

impl HostMachine {
    /// Takes the host in hand. Neither libvirt nor the pool needs to be there yet. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the kernel does not give what every kernel has.
    pub fn open(config: Config) -> Result<Self, Fault> {
        let boot = setup::boot_id().map_err(|error| internal("read the boot id", &error))?;
        let networking = Networking::open(&config)?;
        let (libvirt, events) = Libvirt::new(config.libvirt_uri.clone());
        let storing = Storing::new(&config);
        let trash_clock = Arc::new(TrashClock::open(config.state_dir.join("trash.clock")));
        let keep = Duration::from_secs(u64::from(config.trash.keep_hours) * HOUR_SECONDS);
        let mut upkeep = JoinSet::new();
        let bounds = Bounds { keep, cache_bytes: config.images.cache_gib << GIB_SHIFT };
        upkeep.spawn(upkeep::keep_up(storing.clone(), Arc::clone(&trash_clock), bounds));
        let (happened, network_events) = mpsc::channel(NETWORK_EVENTS_MAX);
        networking.keep(&mut upkeep, happened);
        Ok(Self {
            boot,
            libvirt: Arc::new(libvirt),
            libvirt_calls: Arc::new(Semaphore::new(LIBVIRT_CALLS_MAX)),
            events: Mutex::new(events),
            network_events: Mutex::new(network_events),
            networking,
            storing,
            vnc: VncFolder::new(&config.run_dir),
            virt: OnceCell::new(),
            around: SharedLook::default(),
            libvirt_told: Watched::new("libvirt"),
            around_told: Watched::new("links, filters and processes"),
            trash_clock,
            _upkeep: upkeep,
            config,
        })
    }

    /// How guests run: as configured, or as a probe guest shows, once a run of the agent.
    async fn virt(&self) -> Result<Virt, Fault> {
        let probed = self.virt.get_or_try_init(|| async {
            match self.config.virt_type {
                VirtType::Kvm => Ok(Virt::Kvm),
                VirtType::Qemu => Ok(Virt::Qemu),
                VirtType::Auto => {
                    let dir = self.config.run_dir.clone();
                    setup::make_run_dir(&dir).map_err(|error| internal("make the folder of sockets", &error))?;
                    let found = self.libvirt_call(PROBE_LIMIT, move |l| l.probe(Virt::Kvm, &dir)).await?;
                    Ok(match found {
                        probe::Probed::Runs => Virt::Kvm,
                        probe::Probed::Fails(reason) => {
                            tracing::warn!(reason, "KVM runs no guest here; guests are emulated, which is slow");
                            Virt::Qemu
                        }
                    })
                }
            }
        });
        probed.await.copied()
    }

    /// What brings private networks about; taps are plugged into those that are ready.
    #[must_use]
    pub fn segments(&self) -> Arc<Segments> {
        self.networking.segments()
    }

    /// What counts servers' traffic.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        self.networking.meter()
    }

    async fn look_around(&self) -> Result<Arc<Around>, Fault> {
        self.around
            .look(async || {
                let networks = self.networking.look().await?;
                let processes = blocking(process::list).await?;
                Ok(Arc::new(Around { networks, processes }))
            })
            .await
            .inspect(|_| self.around_told.note(None))
            .inspect_err(|fault| self.around_told.note(Some(fault)))
    }

    /// What all guests of this host share: a change of it changes what they are made from.
    fn setup_mark(&self, virt: Virt) -> Mark {
        let Config { pool_dir, run_dir, network, .. } = &self.config;
        let layouts = (domain_xml::LAYOUT, filter_rules::LAYOUT);
        Mark::of(&(layouts, virt, pool_dir, run_dir, &network.public_bridge))
    }

    async fn libvirt_call<T: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&Libvirt) -> Result<T, HypervisorError> + Send + 'static,
    ) -> Result<T, Fault> {
        let (libvirt, calls) = (Arc::clone(&self.libvirt), Arc::clone(&self.libvirt_calls));
        let worked = self.libvirt_told.worked();
        let called = tokio::time::timeout(limit, async {
            // Nobody closes it. The place goes along into the thread: a call that nobody waits for any more holds it.
            let place = calls.acquire_owned().await;
            blocking(move || {
                let _place = place;
                call(&libvirt)
            })
            .await
        })
        .await;
        let called = called.unwrap_or_else(|_| Err(fault::of(&HypervisorError::TooSlow("a call of libvirt"))));
        // What it refuses for one server it refuses while it works.
        let away = called.as_ref().err().filter(|fault| fault.code == FaultCode::HypervisorAway);
        self.libvirt_told.note_since(worked, away);
        called
    }

    async fn on_libvirt<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Libvirt) -> Result<T, HypervisorError> + Send + 'static,
    ) -> Result<T, Fault> {
        self.libvirt_call(LIBVIRT_LIMIT, call).await
    }

    /// The processors that a dedicated server has for itself.
    fn pins(spec: &ServerSpec) -> Result<Vec<u32>, Fault> {
        if spec.cpu_use == CpuUse::Shared {
            return Ok(Vec::new());
        }
        let pins = cells::pins(spec.cpus, spec.ram_mib).map_err(|error| internal("list the processors", &error))?;
        pins.map_err(|there| fault::of(&HypervisorError::TooManyCpus { wanted: spec.cpus, there }))
    }
}

impl Machine for HostMachine {
    async fn facts(&self) -> Result<HostFacts, Fault> {
        let virt = self.virt().await?;
        let node = self.on_libvirt(Libvirt::node).await?;
        // A host without its pool is told of all the same; it only has no room. The log says so already.
        let disk_bytes = self.storing.room().await.map_or(0, |room| room.capacity());
        Ok(HostFacts {
            machine_id: setup::machine_id().map_err(|error| internal("read /etc/machine-id", &error))?,
            boot: self.boot.clone(),
            capacity: Capacity {
                cpus: node.cpus,
                ram_mib: node.ram_mib.saturating_sub(self.config.reserve.ram_mib),
                disk_gib: disk_bytes >> GIB_SHIFT,
            },
            virt,
        })
    }

    async fn see(&self, server: ServerId, image: Option<&Image>) -> Result<Seen, Fault> {
        let virt = self.virt().await?;
        // The domain before the process: one that libvirt loses in between is still seen as a process.
        let seen = self.on_libvirt(move |libvirt| libvirt.see(server)).await?;
        let (domain, adapters, boots_from) =
            seen.map_or((None, BTreeSet::new(), None), |seen| (Some(seen.domain), seen.adapters, seen.boots_from));
        let around = self.look_around().await?;
        let pids = around.processes.get(&server).cloned().unwrap_or_default();
        let process = !pids.is_empty();
        let network = self.networking.see(&around.networks, server).await?;
        let stored = self.storing.see(server, image, boots_from, pids).await?;
        let shut_down = domain.is_some_and(|domain| domain.state == SeenState::Off(OffCause::Shutdown));
        let host_stopping = shut_down && blocking(|| Ok::<_, HypervisorError>(setup::is_stopping())).await?;
        Ok(Seen {
            host_boot: self.boot.clone(),
            host_stopping,
            setup: self.setup_mark(virt),
            pool: stored.pool,
            pool_read_only: stored.read_only,
            image: stored.image,
            disks: stored.disks,
            seed: stored.seed,
            networks: network.networks,
            taps: network.taps,
            idle_taps: network.idle_taps,
            strays: network.strays,
            queues: network.queues,
            filters: network.filters,
            dhcp: network.dhcp,
            domain,
            disk_elsewhere: stored.disk_elsewhere,
            adapters,
            process,
        })
    }

    async fn is_there(&self, file: &Path) -> bool {
        let file = file.to_owned();
        tokio::task::spawn_blocking(move || file.try_exists().unwrap_or(false)).await.unwrap_or(false)
    }

    async fn surplus(&self, promised: &Promised) -> Result<u64, Fault> {
        let promised = promised.clone();
        self.storing.on_store(move |store| Ok(surplus::surplus(&store.disks.all()?, &promised))).await
    }

    async fn orphans(&self, known: &BTreeSet<ServerId>) -> Result<Vec<Orphan>, Fault> {
        self.strangers(known).await
    }

    fn screen(&self, server: ServerId) -> Option<PathBuf> {
        Some(self.vnc.socket(server))
    }

    async fn set_password(&self, server: ServerId, hash: &Secret) -> Result<(), PasswordRefusal> {
        let (libvirt, hash) = (Arc::clone(&self.libvirt), hash.clone());
        let asked = tokio::task::spawn_blocking(move || libvirt.set_root_password(server, &hash));
        match tokio::time::timeout(GUEST_AGENT_LIMIT, asked).await {
            Ok(Ok(done)) => done,
            _ => Err(PasswordRefusal::HostTrouble),
        }
    }

    async fn event(&self) -> HostEvent {
        // Neither ends while the machine lives; waiting is right all the same.
        let next = async |events: &Mutex<mpsc::Receiver<HostEvent>>| match events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        };
        tokio::select! {
            event = next(&self.events) => event,
            event = next(&self.network_events) => event,
        }
    }

    async fn fetch_image(&self, image: &Image) -> Result<(), Fault> {
        self.storing.fetch_image(image).await
    }

    async fn arrived_percent(&self, image: &Image) -> Option<u8> {
        self.storing.arrived_percent(image).await
    }

    async fn create_disk(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.storing.create_disk(spec).await
    }

    async fn grow_disk(&self, spec: &ServerSpec) -> Result<(), Fault> {
        let (server, epoch, bytes) = (spec.server, spec.disk_epoch, u64::from(spec.disk_gib) << GIB_SHIFT);
        if !self.on_libvirt(move |libvirt| libvirt.is_up(server)).await? {
            let grow =
                move |store: &storing::Store| storing::with_room(store, || store.disks.grow(server, epoch, bytes));
            return self.storing.on_store(grow).await;
        }
        let claimed = self.storing.on_store(move |store| {
            let claim = storing::with_room(store, || store.disks.claim_growth(server, epoch, bytes))?;
            Ok(claim.map(|claim| (claim, store.disks.path(server, epoch))))
        });
        let Some((_claim, path)) = claimed.await? else { return Ok(()) };
        self.on_libvirt(move |libvirt| libvirt.grow_disk(server, &path, bytes)).await
    }

    async fn retire_disk(&self, server: ServerId, epoch: DiskEpoch) -> Result<(), Fault> {
        let now = self.trash_clock.now();
        self.storing.on_store(move |store| Ok(store.disks.retire(server, epoch, now)?)).await
    }

    async fn write_seed(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        let (server, files) = (spec.server, SeedFiles::of(spec, &self.networking.mtus()));
        self.storing.on_store(move |store| Ok(store.seeds.write(server, mark, &files)?)).await
    }

    async fn remove_seed(&self, server: ServerId) -> Result<(), Fault> {
        // Before the seed: should the agent die in between, the seed is seen and the rest is done again.
        self.storing.forget_console(server).await;
        self.storing.on_store(move |store| Ok(store.seeds.remove(server)?)).await
    }

    async fn make_taps(&self, spec: &ServerSpec) -> Result<(), Fault> {
        let server = spec.server;
        let seen = self.on_libvirt(move |libvirt| libvirt.see(server)).await?;
        let up = seen.filter(|seen| !matches!(seen.domain.state, SeenState::Off(_)));
        self.networking.make_taps(spec, up.as_ref().map(|seen| &seen.adapters)).await
    }

    async fn cut_off(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.networking.cut_off(spec).await
    }

    async fn probe_addresses(&self, spec: &ServerSpec, addresses: &BTreeSet<Ipv4Addr>) -> Result<(), Fault> {
        self.networking.probe_addresses(spec, addresses).await
    }

    async fn set_filters(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        self.networking.set_filters(spec, mark).await
    }

    async fn link_up(&self, spec: &ServerSpec) -> Result<(), Fault> {
        self.networking.link_up(spec).await
    }

    async fn serve_dhcp(&self, spec: &ServerSpec, mark: Mark) -> Result<(), Fault> {
        self.networking.serve_dhcp(spec, mark).await
    }

    async fn attach_nic(&self, spec: &ServerSpec, mac: Mac) -> Result<(), Fault> {
        let server = spec.server;
        self.on_libvirt(move |libvirt| libvirt.attach_nic(server, mac)).await?;
        self.networking.announce(spec, |own| own == mac).await;
        Ok(())
    }

    async fn detach_nic(&self, server: ServerId, mac: Mac) -> Result<(), Fault> {
        let is_gone = self.on_libvirt(move |libvirt| libvirt.detach_nic(server, mac)).await?;
        if is_gone {
            self.networking.remove_tap(server, mac).await?;
        } else {
            tracing::info!(%server, %mac, "the guest keeps an adapter that it was to give up; it is cut off until its next boot");
        }
        Ok(())
    }

    async fn remove_taps(&self, server: ServerId) -> Result<(), Fault> {
        self.networking.remove_taps(server).await
    }

    async fn remove_filters(&self, server: ServerId) -> Result<(), Fault> {
        self.networking.remove_filters(server).await
    }

    async fn define(&self, spec: &ServerSpec, stamp: Stamp) -> Result<(), Fault> {
        let virt = self.virt().await?;
        let place = self.storing.place(spec, stamp).await?;
        let pins = Self::pins(spec)?;
        let socket = self.vnc.socket(spec.server);
        let plan = DomainPlan {
            spec,
            metadata: Metadata { epochs: stamp.epochs, definition: Some(stamp.definition) },
            virt,
            disk: &place.disk,
            base: place.base.as_ref(),
            seed: &place.seed,
            vnc_socket: &socket,
            serial_log: &place.serial_log,
            pinned_to: &pins,
            cpu_groups: setup::cpu_groups(),
        };
        let refused =
            |error| Fault::new(FaultCode::HypervisorRefused, &format!("cannot write the domain's XML: {error}"));
        let xml = plan.to_xml().map_err(refused)?;
        let server = spec.server;
        if self.on_libvirt(move |libvirt| libvirt.define(server, &xml)).await? == defined::Before::Altered {
            tracing::warn!(%server, "the server's domain was changed behind csp's back; it was defined anew");
        }
        Ok(())
    }

    async fn start(&self, server: ServerId) -> Result<(), Fault> {
        self.vnc.make().map_err(|error| internal("make the folder of VNC sockets", &error))?;
        self.storing.lend(server).await?;
        self.on_libvirt(move |libvirt| libvirt.start(server)).await
    }

    async fn adopt_start(&self, server: ServerId, epoch: StartEpoch) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.adopt_start(server, epoch)).await
    }

    async fn ask_stop(&self, server: ServerId) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.ask_stop(server)).await
    }

    async fn force_stop(&self, server: ServerId) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.force_stop(server)).await
    }

    async fn pause(&self, server: ServerId) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.pause(server)).await
    }

    async fn resume(&self, server: ServerId) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.resume(server)).await
    }

    async fn kill_process(&self, server: ServerId) -> Result<(), Fault> {
        blocking(move || process::kill_all(server)).await
    }

    async fn undefine(&self, server: ServerId) -> Result<(), Fault> {
        self.on_libvirt(move |libvirt| libvirt.undefine(server)).await?;
        let _ = std::fs::remove_file(self.vnc.socket(server)); // QEMU removes it itself when it ends in order
        Ok(())
    }
}

fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::new(FaultCode::Internal, &format!("cannot {doing}: {}", story(error)))
}

/// Runs blocking work off the async threads.
async fn blocking<T: Send + 'static, E: Coded + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| fault::of(&error)),
        Err(error) => Err(Fault::new(FaultCode::Internal, &format!("work on the host was broken off: {error}"))),
    }
}
