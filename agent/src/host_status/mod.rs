//! How the host is: read from /proc, /sys and the pool, now and then, beside everything else.
//!
//! What this kernel does not tell is left out. Reading asks neither libvirt nor a worker.

mod adapters;
mod proc_files;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use csp_shared::host_status::{AdapterState, BridgeState, CPU_MODEL_CHARS_MAX, HostStatus, NUMA_CELLS_MAX, PoolStatus};

use tokio::time::{Instant, sleep_until};

use self::{adapters::AdapterWatch, proc_files::CpuTimes};
use crate::{
    config::Config,
    host_machine::cells::{self, Cell},
    network::{bridge, links::Links},
    storage::pool::{Pool, PoolError},
};

/// How often the control plane is told.
const EVERY: Duration = Duration::from_secs(60);

/// Looks at the host for the link, and tells the operator of an alarm once.
#[derive(Debug)]
pub struct HostWatch {
    looker: Arc<Mutex<Looker>>,
    public_bridge: String,
    adapters: AdapterWatch,
    last: tokio::sync::Mutex<Option<Instant>>,
}

impl HostWatch {
    /// For the host with this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (looker, last) = (Arc::new(Mutex::new(Looker::new(config))), tokio::sync::Mutex::default());
        let (public_bridge, adapters) = (config.network.public_bridge.clone(), AdapterWatch::default());
        Self { looker, public_bridge, adapters, last }
    }

    /// The next look: at once, or a minute after the last one.
    pub async fn next(&self) -> HostStatus {
        let mut last = self.last.lock().await;
        if let Some(last) = *last {
            sleep_until(last + EVERY).await;
        }
        let looker = Arc::clone(&self.looker);
        let bridge = bridge_state(&self.public_bridge).await;
        let adapters = self.adapters.look(Instant::now()).await;
        // A panic of the look leaves nothing half done: the next one begins anew.
        let look = move || looker.lock().unwrap_or_else(PoisonError::into_inner).look(bridge, adapters);
        let status = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        *last = Some(Instant::now());
        status
    }
}

/// Looks again and again, and remembers the last look.
#[derive(Debug)]
struct Looker {
    config: Config,
    before: Option<CpuTimes>,
    /// The log has a line about the pool, and needs no other until it is well again.
    told: bool,
    /// The last word about the bridge in the log.
    told_bridge: BridgeState,
}

impl Looker {
    /// For the host with this configuration.
    fn new(config: &Config) -> Self {
        Self { config: config.clone(), before: None, told: false, told_bridge: BridgeState::Ready }
    }

    /// Looks. Blocks, on a pool that hangs for as long as that does.
    fn look(&mut self, bridge: Option<BridgeState>, adapters: Option<AdapterState>) -> HostStatus {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let times = proc_files::cpu_times(&text("/proc/stat"));
        let shares = self.before.zip(times).and_then(|(before, now)| now.since(before));
        let pool = pool_status(&self.config.pool_dir, &self.config.state_dir.join("pool.id")).ok();
        self.tell(pool.as_ref());
        self.tell_bridge(bridge);
        self.before = times;
        let cells = cells::list();
        HostStatus {
            cpu_model: proc_files::cpu_model(&text("/proc/cpuinfo")).chars().take(CPU_MODEL_CHARS_MAX).collect(),
            numa_nodes: u32::try_from(cells.len()).unwrap_or(u32::MAX).max(1),
            numa_cells: cells.iter().take(NUMA_CELLS_MAX).map(Cell::told).collect(),
            ram_available_mib: proc_files::memory_mib(&text("/proc/meminfo"), "MemAvailable:").unwrap_or(0),
            ram_total_mib: proc_files::memory_mib(&text("/proc/meminfo"), "MemTotal:").unwrap_or(0),
            ram_reserve_mib: self.config.reserve.ram_mib,
            disk_reserve_gib: self.config.reserve.disk_gib,
            pool,
            cpu_busy_percent: shares.map(|shares| shares.busy_percent),
            cpu_steal_percent: shares.map(|shares| shares.steal_percent),
            disk_pressure_percent: proc_files::pressure_percent(&text("/proc/pressure/io")),
            state_free_bytes: free_bytes(&self.config.state_dir),
            bridge,
            adapters,
        }
    }

    fn tell_bridge(&mut self, now: Option<BridgeState>) {
        let Some(now) = now.filter(|now| *now != self.told_bridge) else { return };
        self.told_bridge = now;
        let name = &self.config.network.public_bridge;
        match bridge::trouble(now, name) {
            Some((trouble, cure)) => tracing::warn!(cure, "{trouble}"),
            None => tracing::info!(name, "the public bridge leads out again"),
        }
    }

    fn tell(&mut self, pool: Option<&PoolStatus>) {
        let is_filling = pool.is_some_and(PoolStatus::is_filling);
        match (pool, is_filling, std::mem::replace(&mut self.told, is_filling)) {
            (Some(PoolStatus { free_bytes, growth_bytes, .. }), true, false) => tracing::warn!(
                free_bytes,
                growth_bytes,
                "the pool is filling up: guests will be paused when it is full; something in it grows beside their disks"
            ),
            (_, false, true) => tracing::info!("the pool has room again"),
            _ => {}
        }
    }
}

/// How the public bridge is; nothing when the kernel does not tell, which fails every look of the workers, too.
async fn bridge_state(name: &str) -> Option<BridgeState> {
    let links = Links::connect().ok()?.list().await.ok()?;
    Some(bridge::state(&links, name))
}

/// What can still be written in a folder, in bytes; none when it is not there.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    let is_read_only = stat.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY);
    Some(if is_read_only { 0 } else { stat.blocks_available().saturating_mul(stat.fragment_size()) })
}

/// How a host's pool is. Blocks.
///
/// # Errors
/// When it cannot be used.
pub fn pool_status(dir: &Path, note: &Path) -> Result<PoolStatus, PoolError> {
    let pool = Pool::known(dir.to_owned(), note, 0)?;
    let room = pool.room()?;
    Ok(PoolStatus {
        total_bytes: room.total,
        free_bytes: room.available,
        growth_bytes: room.growth(),
        trash_bytes: pool.occupied(&pool.trash())?,
        images_bytes: pool.occupied(&pool.images())?,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn this_machine_tells_what_it_is_and_the_second_look_what_it_did() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let config = Config { state_dir: at("state"), pool_dir: at("pool"), ..Config::default() };
        let mut looker = Looker::new(&config);
        assert_eq!(looker.look(None, None).pool, None, "a host without its pool has none");
        let pool = Pool::open(at("pool"), &at("state/pool.id"), Uuid::from_u128(1), 0).unwrap();
        std::fs::write(pool.images().join("a.raw"), vec![1; 1 << 20]).unwrap();
        let status = looker.look(Some(BridgeState::Down), Some(AdapterState::NoShaping));
        assert_eq!((status.bridge, status.adapters), (Some(BridgeState::Down), Some(AdapterState::NoShaping)));
        assert!(!status.cpu_model.is_empty() && status.numa_nodes > 0 && status.ram_available_mib > 0, "{status:?}");
        let told = status.pool.unwrap();
        assert!(told.total_bytes >= told.free_bytes && told.images_bytes >= 1 << 20, "{told:?}");
        assert!(status.state_free_bytes.is_some());
        assert!(status.cpu_busy_percent.is_none_or(|percent| percent <= 100));
    }
}
