//! The agent itself: its workers on the real host, from a spec that is handed over to the report that it was reached.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use csp_agent::{
    config::{Config, Network, Reserve, VirtType},
    host_machine::HostMachine,
    spec_file::{FolderBacking, SpecFile},
    storage::{image_cache::ImageCache, pool::Pool},
    worker::{Host, Supervisor},
};
use csp_shared::{
    id::ServerId,
    mac::Mac,
    observed::{DomainState, Observed},
    sha256::Sha256,
    spec::{Desired, Image, ImageFormat, ServerSpec},
};
use csp_tests::spec::{server_spec, tombstone};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const BRIDGE: &str = "br-bench";
/// cli; hlt: a guest that costs nothing once it is there.
const RESTS: &[u8] = &[0xfa, 0xf4, 0xeb, 0xfd];
const PATIENCE: Duration = Duration::from_secs(900);

pub struct Agent {
    config: Config,
    image: Image,
    supervisor: Supervisor,
    actor: JoinHandle<()>,
}

pub fn config(home: &Path) -> Config {
    Config {
        state_dir: home.join("state"),
        pool_dir: home.join("pool"),
        run_dir: home.join("run-csp"),
        virt_type: VirtType::Qemu,
        reserve: Reserve { ram_mib: 1, disk_gib: 0 },
        network: Network { public_bridge: BRIDGE.to_owned(), ..Network::default() },
        ..Config::default()
    }
}

/// The spec of one of the bench's servers. Without an address: the question whether somebody else uses it waits for most of a
/// second, which no script does.
pub fn spec(number: u32, image: &Image) -> ServerSpec {
    let mut spec = server_spec(10);
    spec.server = ServerId(Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0000 + u128::from(number)));
    (spec.ram_mib, spec.disk_gib, spec.image) = (32, 1, image.clone());
    let [.., a, b, c, d] = number.to_be_bytes();
    let nic = spec.nics.first_mut().unwrap();
    nic.mac = Mac::for_guest([a, b, c, d]);
    nic.addresses.clear();
    spec
}

/// A pool with the image of all servers in its cache.
pub fn furnish(config: &Config) -> Image {
    fs::create_dir_all(&config.state_dir).unwrap();
    let note = config.state_dir.join("pool.id");
    let pool = Pool::open(config.pool_dir.clone(), &note, Uuid::from_u128(1), 0).unwrap();
    let mut disk = vec![0; 1 << 20];
    disk[..RESTS.len()].copy_from_slice(RESTS);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let image = Image {
        sha256: Sha256::of(&disk),
        url: "http://127.0.0.1:9/cached".to_owned(),
        format: ImageFormat::Raw,
        size_bytes: disk.len() as u64,
    };
    let path = ImageCache::new(pool).path(&image);
    fs::write(&path, disk).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    image
}

impl Agent {
    pub async fn open(home: &Path) -> Self {
        let config = config(home);
        let image = furnish(&config);
        let machine = HostMachine::open(config.clone()).unwrap();
        let specs = SpecFile::open(FolderBacking::open(config.state_dir.join("servers")).unwrap()).await.unwrap();
        let (supervisor, actor) = Supervisor::start(Host { machine, specs, stop_timeout_ms: 90_000 });
        supervisor.control_heard();
        supervisor.facts().await.unwrap().unwrap();
        Self { config, image, supervisor, actor }
    }

    pub fn image(&self) -> PathBuf {
        let note = self.config.state_dir.join("pool.id");
        ImageCache::new(Pool::known(self.config.pool_dir.clone(), &note, 0).unwrap()).path(&self.image)
    }

    pub async fn start(&self, numbers: &[u32]) -> Duration {
        let specs: Vec<ServerSpec> = numbers.iter().map(|number| spec(*number, &self.image)).collect();
        let wanted = specs.iter().map(|spec| Desired::Present(Box::new(spec.clone()))).collect();
        self.bring_about(wanted, |report| {
            report.domain == DomainState::Running && report.reached == Some(report.accepted)
        })
        .await
    }

    pub async fn destroy(&self, numbers: &[u32]) -> Duration {
        let wanted = numbers.iter().map(|number| tombstone(&spec(*number, &self.image))).collect();
        let took = self
            .bring_about(wanted, |report| report.remains.is_nothing() && report.reached == Some(report.accepted))
            .await;
        // What rests in the trash keeps its room for a day, which no machine of a bench has.
        let trash = self.config.pool_dir.join("trash");
        fs::read_dir(trash).unwrap().for_each(|disk| fs::remove_file(disk.unwrap().path()).unwrap());
        took
    }

    async fn bring_about(&self, wanted: Vec<Desired>, is_there: impl Fn(&Observed) -> bool) -> Duration {
        let mut waiting: BTreeSet<ServerId> = wanted.iter().map(Desired::server).collect();
        let began = Instant::now();
        self.supervisor.accept(wanted).await.unwrap();
        let all = async {
            while !waiting.is_empty() {
                for report in self.supervisor.next_reports(64).await {
                    assert!(report.fault.is_none(), "{report:?}");
                    if is_there(&report) {
                        waiting.remove(&report.server);
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("all of them in time");
        began.elapsed()
    }

    /// Ends it; its files stay.
    pub async fn end(self) {
        drop(self.supervisor);
        self.actor.await.unwrap();
    }
}
