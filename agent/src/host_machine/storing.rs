//! The pool behind [`super::HostMachine`]: opened when it is there, looked at before everything.
//!
//! It may be missing at the agent's start and come later, so it is opened at the first need and then kept; every use
//! asks again whether it is still mounted.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    observed::{Fault, FaultCode},
    spec::{Image, ServerSpec},
};

use super::{blocking, fault, fault::Coded, setup};
use crate::{
    config::Config,
    hypervisor::process,
    machine::{Mark, SeenBase, SeenDisk, Stamp},
    storage::{
        console_log::{self, ConsoleLogError},
        disk::{DiskError, Disks},
        former,
        image_cache::{CachedImage, ImageCache, ImageError},
        pool::{Pool, PoolError},
        room::Room,
        seed_image::{SeedError, Seeds},
    },
};

const GIB_SHIFT: u32 = 30;

/// An opened pool and what is in it.
#[derive(Debug)]
pub(super) struct Store {
    pub pool: Pool,
    pub images: ImageCache,
    pub disks: Disks,
    pub seeds: Seeds,
}

/// What the pool shows of a server.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub pool: bool,
    pub read_only: bool,
    pub image: bool,
    pub disks: BTreeMap<DiskEpoch, SeenDisk>,
    pub disk_elsewhere: Option<String>,
    pub seed: Option<Mark>,
}

/// Everything that a definition points to.
#[derive(Debug)]
pub(super) struct Place {
    pub disk: PathBuf,
    pub base: Option<CachedImage>,
    pub seed: PathBuf,
    pub serial_log: PathBuf,
}

/// The pool, opened or not yet.
#[derive(Debug, Clone)]
pub(super) struct Storing {
    dir: PathBuf,
    note: PathBuf,
    /// Names the folders that the pool was in.
    folders: PathBuf,
    reserve_bytes: u64,
    store: Arc<Mutex<Option<Arc<Store>>>>,
    /// The log has a line about it, and needs no other until it is back.
    missing_told: Arc<AtomicBool>,
}

/// What can go wrong with what lies in the pool.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    Console(#[from] ConsoleLogError),
    #[error("the image {0} that the server's disk stands on is not in the pool")]
    NoImage(csp_shared::sha256::Sha256),
    #[error("the server's disk {} stands neither on its image nor on nothing", .0.display())]
    OtherBase(PathBuf),
}

impl Coded for StoreError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Pool(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::Disk(error) => error.code(),
            Self::Seed(error) => error.code(),
            Self::Console(_) => FaultCode::HypervisorRefused,
            Self::NoImage(_) => FaultCode::BaseMissing,
            Self::OtherBase(_) => FaultCode::DiskDamaged,
        }
    }
}

impl Storing {
    pub fn new(config: &Config) -> Self {
        Self {
            dir: config.pool_dir.clone(),
            note: config.state_dir.join("pool.id"),
            folders: config.state_dir.join("pool.folders"),
            reserve_bytes: config.reserve.disk_gib << GIB_SHIFT,
            store: Arc::default(),
            missing_told: Arc::default(),
        }
    }

    /// The pool, if it is mounted now. Blocks.
    fn open(&self) -> Result<Arc<Store>, PoolError> {
        let opened = self.open_silently();
        match &opened {
            Err(error) if !self.missing_told.swap(true, Ordering::SeqCst) => {
                let detail = fault::story(error);
                tracing::warn!(detail, "the pool cannot be used; nothing is started from it and nothing is made in it");
            }
            Ok(_) if self.missing_told.swap(false, Ordering::SeqCst) => tracing::info!("the pool is back"),
            _ => {}
        }
        opened
    }

    fn open_silently(&self) -> Result<Arc<Store>, PoolError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = store.as_ref() {
            store.pool.check()?;
            store.pool.make_up()?;
            return Ok(Arc::clone(store));
        }
        let fresh = setup::fresh_uuid().map_err(|source| PoolError::Io { path: self.dir.clone(), source })?;
        let pool = Pool::open(self.dir.clone(), &self.note, fresh, self.reserve_bytes)?;
        let former = former::note(&self.folders, pool.id(), pool.dir()).unwrap_or_else(|error| {
            let file = self.folders.display();
            tracing::warn!(%file, %error, "where the pool is cannot be noted; should it be moved, servers' disks count as moved by hand");
            Vec::new()
        });
        let opened = Arc::new(Store {
            images: ImageCache::new(pool.clone()),
            disks: Disks::new(pool.clone()).that_were_in(former),
            seeds: Seeds::new(pool.seeds()),
            pool,
        });
        *store = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Does something in the pool, off the async threads.
    pub async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let storing = self.clone();
        blocking(move || work(&*storing.open()?)).await
    }

    pub async fn room(&self) -> Result<Room, Fault> {
        self.on_store(|store| Ok(store.pool.room()?)).await
    }

    /// A pool that is not there is a sight, not an error; a pool that cannot be read is an error. `boots_from`: what the
    /// server's domain names as its disk. `pids`: the processes of its guest.
    pub async fn see(
        &self,
        server: ServerId,
        image: Option<&Image>,
        boots_from: Option<String>,
        pids: Vec<i32>,
    ) -> Result<Stored, Fault> {
        let image = image.cloned();
        let seen = self.on_store(move |store| {
            store.images.name(server, image.as_ref());
            let cached = image.map(|image| store.images.cached(&image)).transpose()?.flatten();
            Ok(Stored {
                pool: true,
                read_only: false,
                image: cached.is_some(),
                disks: store.disks.look(server)?,
                disk_elsewhere: boots_from.and_then(|file| elsewhere(store, server, file, &pids)),
                seed: store.seeds.see(server)?,
            })
        });
        match seen.await {
            Err(fault) if fault.code == FaultCode::PoolMissing => Ok(Stored::default()),
            Err(fault) if fault.code == FaultCode::PoolReadOnly => Ok(Stored { read_only: true, ..Stored::default() }),
            seen => seen,
        }
    }

    pub async fn fetch_image(&self, image: &Image) -> Result<(), Fault> {
        let storing = self.clone();
        let store = blocking(move || storing.open()).await?;
        store.images.ensure(image).await.map_err(|error| fault::of(&error))
    }

    pub async fn create_disk(&self, spec: &ServerSpec) -> Result<(), Fault> {
        let (server, epoch, gib, image) = (spec.server, spec.disk_epoch, spec.disk_gib, spec.image.clone());
        self.on_store(move |store| {
            let base = base(store, &image)?;
            with_room(store, || store.disks.create(server, epoch, gib, &base))
        })
        .await
    }

    /// How much of an image has arrived. Nothing is known while the pool is away.
    pub async fn arrived_percent(&self, image: &Image) -> Option<u8> {
        let image = image.clone();
        self.on_store(move |store| Ok(store.images.arrived_percent(&image))).await.ok()?
    }

    /// Where everything of a definition is.
    pub async fn place(&self, spec: &ServerSpec, stamp: Stamp) -> Result<Place, Fault> {
        let (server, image) = (spec.server, spec.image.clone());
        self.on_store(move |store| {
            let disk = store.disks.path(server, stamp.epochs.disk);
            let base = match store.disks.look_at(server, stamp.epochs.disk)? {
                SeenDisk::Sound { base: SeenBase::Nothing, .. } => None,
                SeenDisk::Sound { base: SeenBase::Image(sha256), .. } if sha256 == image.sha256 => {
                    Some(base(store, &image)?)
                }
                // The planner defines no such thing: it was put in place since it looked.
                SeenDisk::Sound { .. } | SeenDisk::Damaged => return Err(StoreError::OtherBase(disk)),
            };
            Ok(Place { disk, base, seed: store.seeds.path(server, stamp.seed), serial_log: serial_log(store, server) })
        })
        .await
    }

    /// Makes sure that a guest's disk and console log can be opened by whoever starts it.
    pub async fn lend(&self, server: ServerId) -> Result<(), Fault> {
        self.on_store(move |store| {
            store.disks.lend(server)?;
            Ok(console_log::ensure_writable(&serial_log(store, server))?)
        })
        .await
    }

    /// Removes what the guest wrote on its serial console, the rotated parts too. A trace, so failures are only told.
    pub async fn forget_console(&self, server: ServerId) {
        let forgotten = self.on_store(move |store| {
            let name = server.to_string();
            let files = std::fs::read_dir(store.pool.consoles());
            for entry in files.into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&name) {
                    let _ = std::fs::remove_file(entry.path()); // told by the next look of an operator
                }
            }
            Ok(())
        });
        if let Err(fault) = forgotten.await {
            tracing::warn!(%server, detail = fault.detail, "the guest's console log stays");
        }
    }
}

/// The file that the guest's disk is, if it is not the server's own: its domain names another one, or its QEMU still holds the one
/// that was there before somebody replaced it.
fn elsewhere(store: &Store, server: ServerId, named: String, pids: &[i32]) -> Option<String> {
    if !store.disks.is_place_of(server, Path::new(&named)) {
        return Some(named);
    }
    let name = Path::new(&named).file_name()?;
    process::holds_instead(pids, &store.pool.disks().join(name)).map(|held| held.display().to_string())
}

/// Takes room in the pool, once more if images that no server needs could make some.
pub(super) fn with_room<T>(store: &Store, take: impl Fn() -> Result<T, DiskError>) -> Result<T, StoreError> {
    match take() {
        Err(DiskError::Room(refused)) if store.images.makes_room_after(refused) => Ok(take()?),
        taken => Ok(taken?),
    }
}

fn base(store: &Store, image: &Image) -> Result<CachedImage, StoreError> {
    store.images.cached(image)?.ok_or(StoreError::NoImage(image.sha256))
}

fn serial_log(store: &Store, server: ServerId) -> PathBuf {
    console_log::path(&store.pool.consoles(), server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::server;

    #[tokio::test]
    async fn a_domain_that_names_its_disk_where_the_pool_was_before_is_on_its_own_disk() {
        let home = tempfile::tempdir().unwrap();
        let at = |pool: &str| {
            let config =
                Config { state_dir: home.path().join("state"), pool_dir: home.path().join(pool), ..Config::default() };
            Storing::new(&config)
        };
        let disk = at("first").on_store(|store| Ok(store.disks.path(server(), DiskEpoch(1)))).await.unwrap();
        std::fs::write(&disk, b"a disk").unwrap();
        std::fs::rename(home.path().join("first"), home.path().join("second")).unwrap();
        for storing in [at("second"), at("second")] {
            let elsewhere = async |file: &Path| {
                storing.see(server(), None, Some(file.display().to_string()), Vec::new()).await.unwrap().disk_elsewhere
            };
            assert_eq!(elsewhere(&disk).await, None);
            assert!(elsewhere(&disk.with_extension("snap1")).await.is_some());
            assert!(elsewhere(&home.path().join("third/disks").join(disk.file_name().unwrap())).await.is_some());
        }
    }
}
