//! What of the cached images goes and what stays, on real files with real disks on them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/mounts.rs"]
mod mounts;
#[path = "host_support/web.rs"]
mod web;

use std::{path::Path, time::Duration};

use csp_agent::storage::{
    disk::{DiskError, Disks},
    image_cache::{CachedImage, ImageCache},
    pool::Pool,
    trash_clock::TrashTime,
};
use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use uuid::Uuid;
use web::{Behaviour, Web};

const ONE: DiskEpoch = DiskEpoch(1);
const MIB: usize = 1 << 20;

fn server(number: u128) -> ServerId {
    ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0000 + number))
}

fn pool(home: &Path) -> Pool {
    Pool::open(home.join("pool"), &home.join("note"), Uuid::from_u128(1), 0).unwrap()
}

/// A raw image of that many MiB, cached; images of different content are different ones.
fn cached(cache: &ImageCache, content: u8, mib: usize) -> (Image, CachedImage) {
    let bytes = vec![content; mib * MIB];
    let url = "http://127.0.0.1:9/never-asked".to_owned();
    let size_bytes = bytes.len() as u64;
    let image = Image { sha256: Sha256::of(&bytes), url, format: ImageFormat::Raw, size_bytes };
    std::fs::write(cache.path(&image), bytes).unwrap();
    let kept = cache.cached(&image).unwrap().unwrap();
    (image, kept)
}

#[test]
fn what_no_server_needs_goes_and_what_was_used_last_goes_last() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(home.path());
    let (cache, disks) = (ImageCache::new(pool.clone()), Disks::new(pool.clone()));
    let [of_disk, of_trash, of_order, of_none, used_lately] = [1, 2, 3, 4, 5].map(|content| cached(&cache, content, 2));
    disks.create(server(1), ONE, 1, &of_disk.1).unwrap();
    disks.create(server(2), ONE, 1, &of_trash.1).unwrap();
    disks.retire(server(2), ONE, TrashTime(0)).unwrap();
    cache.name(server(3), Some(&of_order.0));
    std::fs::write(pool.images().join("by-hand.raw"), vec![9; 2 * MIB]).unwrap();
    disks.create(server(4), ONE, 1, &used_lately.1).unwrap();
    std::fs::remove_file(disks.path(server(4), ONE)).unwrap();

    let left = || [&of_disk, &of_trash, &of_order, &of_none, &used_lately].map(|(_, kept)| kept.path.exists());
    assert!(cache.sweep(10 * MIB as u64).unwrap().is_empty(), "within its bound nothing goes");
    assert_eq!(left(), [true; 5]);
    assert_eq!(cache.sweep(10 * MIB as u64 - 1).unwrap().len(), 1);
    assert_eq!(left(), [true, true, true, false, true], "of what nobody needs, the longest unused");
    cache.sweep(0).unwrap();
    assert_eq!(left(), [true, true, true, false, false]);
    cache.name(server(3), None);
    disks.empty_trash(TrashTime(10), Duration::ZERO).unwrap();
    cache.sweep(0).unwrap();
    assert_eq!(left(), [true, false, false, false, false], "a base with a disk on it never goes");
    assert!(pool.images().join("by-hand.raw").exists(), "nor what the cache did not make");

    std::fs::write(disks.path(server(5), ONE), b"no header").unwrap();
    let (_, unknown) = cached(&cache, 6, 2);
    assert!(cache.sweep(0).unwrap_err().to_string().contains(&disks.path(server(5), ONE).display().to_string()));
    assert!(unknown.path.exists(), "what a disk stands on is not guessed");
}

#[tokio::test]
async fn an_image_that_is_being_fetched_stays() {
    let home = tempfile::tempdir().unwrap();
    let cache = ImageCache::new(pool(home.path()));
    let bytes = vec![7; 2 * MIB];
    let web = Web::serve(bytes.clone(), Behaviour::Slow);
    let size_bytes = bytes.len() as u64;
    let image = Image { sha256: Sha256::of(&bytes), url: web.url(), format: ImageFormat::Raw, size_bytes };
    let part = cache.path(&image).with_extension("raw.part");
    let (swept, fetched) = tokio::join!(
        async {
            while cache.arrived_percent(&image).is_none_or(|percent| percent == 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cache.sweep(0).unwrap()
        },
        cache.ensure(&image)
    );
    fetched.unwrap();
    assert!(swept.is_empty() && cache.path(&image).exists() && !part.exists(), "{swept:?}");
    assert_eq!(cache.sweep(0).unwrap().len(), 1, "it may go once nobody waits for it");
}

/// In a pool of its own size, so that nothing else of this machine takes or gives room.
#[test]
fn images_that_no_server_needs_make_room_and_stay_where_that_is_not_enough() {
    mounts::beside_own_pool(Some("size=48m"), |home| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = pool(home);
            let (cache, disks) = (ImageCache::new(pool.clone()), Disks::new(pool));
            let (_, needless) = cached(&cache, 1, 24);
            let DiskError::Room(refused) = disks.create(server(1), ONE, 1, &needless).unwrap_err() else { panic!() };
            assert!(!cache.makes_room_after(refused), "a disk of a GiB fits in no way");
            assert!(needless.path.exists(), "so nothing is given up for it");

            let bytes = vec![2; 32 * MIB];
            let web = Web::serve(bytes.clone(), Behaviour::Plain);
            let size_bytes = bytes.len() as u64;
            let image = Image { sha256: Sha256::of(&bytes), url: web.url(), format: ImageFormat::Raw, size_bytes };
            cache.ensure(&image).await.unwrap();
            assert!(cache.path(&image).exists() && !needless.path.exists());
        });
    });
}
