//! What the host does by itself, once a minute: its trash clock is written down, its trash emptied, its cache of images kept
//! within its bound.
//!
//! A task of its own, beside the workers: no server waits for it, and what fails is told once and tried again.

use std::{sync::Arc, time::Duration};

use csp_shared::observed::{Fault, FaultCode};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{blocking, internal, storing::Storing};
use crate::storage::{pool::PoolError, trash::Emptied, trash_clock::TrashClock};

/// A crash costs the trash clock no more than this. The first round waits as long: a second agent, started by mistake,
/// ends before it does anything.
const PERIOD: Duration = Duration::from_secs(60);

/// What the pool may keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Deleted disks, for how long.
    pub keep: Duration,
    /// Images, of how many bytes in all.
    pub cache_bytes: u64,
}

/// Runs for ever; to be dropped with the machine.
pub(super) async fn keep_up(storing: Storing, clock: Arc<TrashClock>, bounds: Bounds) {
    let mut told = Vec::new();
    loop {
        sleep(PERIOD).await;
        let failed = round(&storing, &clock, bounds).await;
        for detail in failed.iter().filter(|detail| !told.contains(*detail)) {
            warn!(detail, "the upkeep of the pool is not done; trying again every minute");
        }
        told = failed;
    }
}

/// What failed, as texts for the operator.
async fn round(storing: &Storing, clock: &Arc<TrashClock>, bounds: Bounds) -> Vec<String> {
    let Bounds { keep, cache_bytes } = bounds;
    let mut failed = Vec::new();
    let saving = Arc::clone(clock);
    let saved = blocking(move || Ok::<_, PoolError>(saving.save())).await;
    let saved = saved.and_then(|saved| saved.map_err(|error| internal("write the trash's clock down", &error)));
    failed.extend(saved.err().map(|fault| fault.detail));
    let now = clock.now();
    match storing.on_store(move |store| Ok(store.disks.empty_trash(now, keep)?)).await {
        Ok(Emptied { removed, failed: stuck, strange }) => {
            for trashed in removed {
                info!(server = %trashed.server, epoch = %trashed.epoch, "a deleted disk was removed from the trash");
            }
            failed.extend(stuck.iter().map(|error| super::fault::story(error)));
            failed.extend(strange.iter().map(|file| {
                format!(
                    "{} is no disk that csp put into the trash: it takes room and never goes; move it away",
                    file.display()
                )
            }));
        }
        // The log has a line about it already.
        Err(Fault { code: FaultCode::PoolMissing | FaultCode::PoolReadOnly, .. }) => {}
        Err(fault) => failed.push(fault.detail),
    }
    // After the trash: what stood on an image there is gone now.
    match storing.on_store(move |store| Ok(store.images.sweep(cache_bytes)?)).await {
        Ok(_) | Err(Fault { code: FaultCode::PoolMissing | FaultCode::PoolReadOnly, .. }) => {}
        Err(fault) => failed.push(fault.detail),
    }
    failed
}

#[cfg(test)]
mod tests {
    use csp_shared::{generation::DiskEpoch, sha256::Sha256};

    use super::*;
    use crate::{config::Config, plan::fixture::server};

    #[tokio::test]
    async fn a_round_writes_the_clock_down_and_empties_the_trash_and_then_the_cache() {
        let home = tempfile::tempdir().unwrap();
        let config =
            Config { state_dir: home.path().join("state"), pool_dir: home.path().join("pool"), ..Config::default() };
        let storing = Storing::new(&config);
        let clock = Arc::new(TrashClock::open(config.state_dir.join("trash.clock")));
        let disk = storing.on_store(|store| Ok(store.disks.path(server(), DiskEpoch(1)))).await.unwrap();
        std::fs::write(&disk, b"a disk").unwrap();
        let now = clock.now();
        storing.on_store(move |store| Ok(store.disks.retire(server(), DiskEpoch(1), now)?)).await.unwrap();
        let trash = || std::fs::read_dir(config.pool_dir.join("trash")).unwrap().count();

        let image = config.pool_dir.join("images").join(format!("{}.raw", Sha256::of(b"image")));
        std::fs::write(&image, b"an image").unwrap();
        let bounds = |seconds| Bounds { keep: Duration::from_secs(seconds), cache_bytes: 0 };
        let told = round(&storing, &clock, bounds(3600)).await;
        assert!(told.len() == 1 && told[0].contains("damaged"), "what it stands on is not known: {told:?}");
        assert!(image.exists(), "nor whether it is this");
        assert_eq!(trash(), 1, "not yet");
        assert!(config.state_dir.join("trash.clock").exists());
        assert!(round(&storing, &clock, bounds(0)).await.is_empty());
        assert!(trash() == 0 && !image.exists(), "nothing stands on it any more");

        let strange = config.pool_dir.join("trash").join(format!("{}.1.qcow2", server()));
        std::fs::write(&strange, b"").unwrap();
        let told = round(&storing, &clock, bounds(0)).await;
        assert!(told.iter().any(|told| told.contains(strange.to_str().unwrap())), "nobody would know of it: {told:?}");
        assert!(strange.exists(), "it is not csp's");

        std::fs::remove_dir_all(&config.pool_dir).unwrap();
        assert!(round(&storing, &clock, bounds(0)).await.is_empty(), "a missing pool is told elsewhere");
        std::fs::remove_dir_all(&config.state_dir).unwrap();
        assert_eq!(round(&storing, &clock, bounds(0)).await.len(), 1, "and a clock that cannot be kept is told");
    }
}
