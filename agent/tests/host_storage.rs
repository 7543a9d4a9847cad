//! Images, disks and seeds on real files, with the real qemu-img and xorriso, and a web server that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/web.rs"]
mod web;

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use csp_agent::{
    host_machine,
    machine::Mark,
    storage::{
        disk::{DiskError, Disks},
        download::DownloadError,
        image_cache::{CachedImage, ImageCache, ImageError},
        pool::Pool,
        qcow2,
        room::Room,
        seed::SeedFiles,
        seed_image::Seeds,
        tool::Tool,
        trash_clock::TrashTime,
    },
};
use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    observed::FaultCode,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use tempfile::TempDir;
use uuid::Uuid;
use web::{Behaviour, Web};

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const OTHER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bc));
const LIMIT: Duration = Duration::from_secs(60);
const ENDLESS: Room = Room { total: u64::MAX, available: u64::MAX, promised: 0, trash: 0, occupied: 0, reserve: 0 };
const ONE: DiskEpoch = DiskEpoch(1);

fn pool(home: &TempDir, reserve_bytes: u64) -> Pool {
    Pool::open(home.path().join("pool"), &home.path().join("note"), Uuid::from_u128(1), reserve_bytes).unwrap()
}

/// A qcow2 image of 64 MiB as qemu-img writes it.
fn qcow2_bytes(home: &TempDir, options: &[&str]) -> Vec<u8> {
    let path = home.path().join("image.qcow2");
    let create = Tool::new("qemu-img", LIMIT).args(["create", "-q", "-f", "qcow2"]).args(options);
    create.arg(&path).arg("64M").run().unwrap();
    std::fs::read(path).unwrap()
}

fn image(url: String, bytes: &[u8], format: ImageFormat) -> Image {
    Image { sha256: Sha256::of(bytes), url, format, size_bytes: bytes.len() as u64 }
}

fn cache(home: &TempDir) -> ImageCache {
    ImageCache::new(pool(home, 0).images())
}

#[tokio::test]
async fn an_image_is_fetched_once_for_all_who_want_it_and_kept_read_only() {
    let home = tempfile::tempdir().unwrap();
    let bytes = qcow2_bytes(&home, &[]);
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Qcow2));
    let fetches = (0..8).map(|_| cache.ensure(&image, ENDLESS));
    for fetched in futures_util::future::join_all(fetches).await {
        let fetched = fetched.unwrap();
        assert_eq!((fetched.virtual_bytes, fetched.format), (64 << 20, ImageFormat::Qcow2));
        assert_eq!(std::fs::metadata(&fetched.path).unwrap().permissions().mode() & 0o777, 0o444);
    }
    assert_eq!(web.requests(), 1);
    assert_eq!(cache.cached(&image).unwrap().unwrap().virtual_bytes, 64 << 20);
}

#[tokio::test]
async fn a_connection_that_breaks_is_resumed_where_it_stopped() {
    let home = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    let web = Web::serve(bytes.clone(), Behaviour::BreaksAfter(1_000_000));
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    let fetched = cache.ensure(&image, ENDLESS).await.unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
    assert!(web.ranges().iter().any(|range| range.starts_with("bytes=") && range != "bytes=0-"), "{:?}", web.ranges());
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_beginning_again() {
    let home = tempfile::tempdir().unwrap();
    let bytes = vec![7; 1_000_000];
    let web = Web::serve(bytes.clone(), Behaviour::IgnoresRanges);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    let part = format!("{}.part", cache.path(&image).display());
    std::fs::write(part, b"an older try").unwrap();
    assert_eq!(std::fs::read(cache.ensure(&image, ENDLESS).await.unwrap().path).unwrap(), bytes);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_ends_and_the_next_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let bytes = vec![7; 4_000_000];
    let web = Web::serve(bytes.clone(), Behaviour::Slow);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    let given_up = tokio::time::timeout(Duration::from_millis(200), cache.ensure(&image, ENDLESS)).await;
    assert!(given_up.is_err(), "it should have been too slow for this");
    web.behave(Behaviour::Plain);
    let fetched = tokio::time::timeout(LIMIT, cache.ensure(&image, ENDLESS)).await.unwrap().unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), bytes);
}

#[tokio::test]
async fn what_is_not_the_image_of_the_catalog_is_never_kept() {
    let home = tempfile::tempdir().unwrap();
    let good = qcow2_bytes(&home, &[]);
    let mut forged = good.clone();
    forged[1000] ^= 1;
    let with_secrets = home.path().join("secrets.raw");
    std::fs::write(&with_secrets, vec![1; 1 << 20]).unwrap();
    let backing = qcow2_bytes(&home, &["-b", with_secrets.to_str().unwrap(), "-F", "raw"]);
    let longer = [&good[..], b"more"].concat();
    let cache = cache(&home);

    type Case<'a> = (&'a str, &'a [u8], &'a [u8], Behaviour, fn(&ImageError) -> bool);
    let cases: [Case; 6] = [
        ("forged", &forged, &good, Behaviour::Plain, |e| matches!(e, ImageError::Checksum { .. })),
        ("longer", &longer, &good, Behaviour::Plain, |e| {
            matches!(e, ImageError::Download(DownloadError::TooLong { .. }))
        }),
        ("shorter", &good[..good.len() - 1], &good, Behaviour::Plain, |e| {
            matches!(e, ImageError::Download(DownloadError::Unreachable { .. }))
        }),
        ("not there", &good, &good, Behaviour::Status(404), |e| {
            matches!(e, ImageError::Download(DownloadError::Unreachable { .. }))
        }),
        ("with a backing file", &backing, &backing, Behaviour::Plain, |e| {
            matches!(e, ImageError::Invalid { reason: qcow2::Refused::BackingFile, .. })
        }),
        ("no qcow2", b"#!/bin/sh\n", b"#!/bin/sh\n", Behaviour::Plain, |e| {
            matches!(e, ImageError::Invalid { reason: qcow2::Refused::NotQcow2, .. })
        }),
    ];
    for (name, served, wanted, behaviour, is_right) in cases {
        let web = Web::serve(served.to_vec(), behaviour);
        let image = image(web.url(), wanted, ImageFormat::Qcow2);
        let error = cache.ensure(&image, ENDLESS).await.unwrap_err();
        assert!(is_right(&error), "{name}: {error}");
        assert_eq!(cache.cached(&image).unwrap(), None, "{name}");
    }
    let full = Room { available: 10, ..ENDLESS };
    let web = Web::serve(good.clone(), Behaviour::Plain);
    let error = cache.ensure(&image(web.url(), &good, ImageFormat::Qcow2), full).await.unwrap_err();
    assert!(matches!(error, ImageError::Room(_)), "{error}");
    assert_eq!(web.requests(), 0, "a full pool fetches nothing");
}

#[test]
fn the_header_check_agrees_with_what_qemu_writes() {
    let home = tempfile::tempdir().unwrap();
    for options in [&[][..], &["-o", "compat=0.10"], &["-o", "compression_type=zstd"], &["-o", "cluster_size=2M"]] {
        let header = qcow2::parse(&qcow2_bytes(&home, options)[..]);
        assert_eq!(header.map(|header| header.virtual_bytes), Ok(64 << 20), "{options:?}");
    }
    let data_file = format!("data_file={}", home.path().join("data").display());
    let refused = [("extended_l2=on", None), (data_file.as_str(), Some(qcow2::Refused::DataFile))];
    for (option, reason) in refused {
        let refusal = qcow2::parse(&qcow2_bytes(&home, &["-o", option])).unwrap_err();
        assert!(reason.is_none_or(|reason| reason == refusal), "{option}: {refusal}");
    }
}

/// A cached raw image of 1 MiB.
fn base(pool: &Pool) -> CachedImage {
    let path = pool.images().join("base.raw");
    std::fs::write(&path, vec![0x42; 1 << 20]).unwrap();
    CachedImage { path, format: ImageFormat::Raw, virtual_bytes: 1 << 20 }
}

fn describe(path: &Path) -> serde_json::Value {
    let printed = Tool::new("qemu-img", LIMIT).args(["info", "--output=json", "-f", "qcow2"]).arg(path).run().unwrap();
    serde_json::from_slice(&printed).unwrap()
}

#[test]
fn a_disk_is_an_overlay_of_the_ordered_size_made_once() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    let info = describe(&disks.path(SERVER, ONE));
    assert_eq!(info["virtual-size"], 1u64 << 30);
    assert_eq!(info["backing-filename"], base.path.to_str().unwrap());
    assert_eq!(info["backing-filename-format"], "raw");

    let made = std::fs::metadata(disks.path(SERVER, ONE)).unwrap().modified().unwrap();
    disks.create(SERVER, ONE, 5, &base).unwrap();
    assert_eq!(std::fs::metadata(disks.path(SERVER, ONE)).unwrap().modified().unwrap(), made, "left alone");

    disks.create(SERVER, DiskEpoch(2), 1, &base).unwrap();
    disks.create(OTHER, ONE, 1, &base).unwrap();
    assert_eq!(disks.list(SERVER).unwrap().into_iter().collect::<Vec<_>>(), [ONE, DiskEpoch(2)]);
}

#[test]
fn a_disk_that_a_crash_cut_off_is_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    let part = format!("{}.part", disks.path(SERVER, ONE).display());
    std::fs::write(&part, b"half a disk").unwrap();
    assert!(disks.list(SERVER).unwrap().is_empty(), "half a disk is no disk");
    disks.create(SERVER, ONE, 1, &base).unwrap();
    assert_eq!(describe(&disks.path(SERVER, ONE))["virtual-size"], 1u64 << 30);
    assert!(!Path::new(&part).exists());
}

#[test]
fn a_retired_disk_is_in_the_trash_and_still_counts() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    for round in 1..=3 {
        disks.create(SERVER, ONE, 1, &base).unwrap();
        disks.retire(SERVER, ONE, TrashTime(7)).unwrap();
        disks.retire(SERVER, ONE, TrashTime(7)).unwrap(); // nothing there: done
        assert!(disks.list(SERVER).unwrap().is_empty());
        assert_eq!(trash(&pool).len(), round, "nothing in the trash is replaced");
        let room = pool.room().unwrap();
        assert_eq!((room.promised, room.trash), (0, (round as u64) << 30));
        assert!(room.capacity() < Room { trash: 0, ..room }.capacity(), "its room is offered to nobody");
    }
}

fn trash(pool: &Pool) -> BTreeSet<String> {
    let entries = std::fs::read_dir(pool.trash()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_trash_loses_what_was_long_enough_in_it_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    for (server, at) in [(SERVER, 100), (OTHER, 150)] {
        disks.create(server, ONE, 1, &base).unwrap();
        disks.retire(server, ONE, TrashTime(at)).unwrap();
    }
    let strange = ["rescued.qcow2".to_owned(), format!("{SERVER}.1.qcow2"), format!("{SERVER}.1.0.0.qcow2.bak")];
    strange.iter().for_each(|name| std::fs::write(pool.trash().join(name), b"by hand").unwrap());
    let folder = format!("{SERVER}.1.0.0.qcow2");
    std::fs::create_dir(pool.trash().join(&folder)).unwrap();
    let elsewhere = home.path().join("precious");
    std::fs::write(&elsewhere, b"not ours").unwrap();
    std::os::unix::fs::symlink(&elsewhere, pool.trash().join(format!("{SERVER}.1.0.1.qcow2"))).unwrap();
    let before = trash(&pool);

    let keep = Duration::from_secs(100);
    let gone = |now| disks.empty_trash(TrashTime(now), keep).unwrap().removed;
    assert!(gone(199).is_empty());
    assert_eq!(trash(&pool), before);
    assert_eq!(gone(200).iter().map(|trashed| trashed.server).collect::<Vec<_>>(), [SERVER]);
    assert_eq!(gone(10_000).iter().map(|trashed| trashed.server).collect::<Vec<_>>(), [OTHER]);
    assert_eq!(trash(&pool).len(), strange.len() + 2, "{:?}", trash(&pool));
    assert!(elsewhere.exists());
}

#[test]
fn disks_that_a_lost_clock_trashed_wait_their_whole_time_once_more() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    for epoch in [ONE, DiskEpoch(2)] {
        disks.create(SERVER, epoch, 1, &base).unwrap();
        disks.retire(SERVER, epoch, TrashTime(1_000_000)).unwrap();
    }
    let keep = Duration::from_secs(100);
    let gone = |now| disks.empty_trash(TrashTime(now), keep).unwrap().removed.len();
    assert_eq!(gone(20), 0);
    assert_eq!(
        trash(&pool).into_iter().collect::<Vec<_>>(),
        [format!("{SERVER}.1.20.0.qcow2"), format!("{SERVER}.2.20.0.qcow2")]
    );
    assert_eq!((gone(119), gone(120)), (0, 2));
}

#[test]
fn a_disk_is_for_root_alone_wherever_it_lies() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    disks.create(SERVER, ONE, 1, &base).unwrap();
    assert_eq!(mode(&disks.path(SERVER, ONE)), 0o600);
    // As an older agent made it.
    std::fs::set_permissions(disks.path(SERVER, ONE), PermissionsExt::from_mode(0o644)).unwrap();
    disks.retire(SERVER, ONE, TrashTime(0)).unwrap();
    assert_eq!(mode(&pool.trash().join(trash(&pool).first().unwrap())), 0o600);
    assert_eq!((mode(&pool.trash()), mode(&pool.disks()), mode(&pool.seeds())), (0o700, 0o711, 0o711));
}

#[test]
fn disks_are_never_promised_more_than_there_is() {
    let home = tempfile::tempdir().unwrap();
    let free = pool(&home, 0).room().unwrap().free();
    let pool = pool(&home, free.saturating_sub((5 << 30) / 2)); // room for two and a half GiB
    let (base, disks) = (base(&pool), Disks::new(pool));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    disks.create(OTHER, ONE, 1, &base).unwrap();
    let error = disks.create(SERVER, DiskEpoch(2), 1, &base).unwrap_err();
    assert!(matches!(error, DiskError::Room(_)), "{error}");
    assert_eq!(disks.list(SERVER).unwrap().len(), 1);
}

#[test]
fn an_image_larger_than_the_disk_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let base = CachedImage { virtual_bytes: 2 << 30, ..base(&pool) };
    let error = Disks::new(pool).create(SERVER, ONE, 1, &base).unwrap_err();
    assert!(matches!(error, DiskError::ImageTooLarge { .. }), "{error}");
}

#[test]
fn without_its_pool_nothing_is_made_or_listed() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    std::fs::rename(home.path().join("pool"), home.path().join("unmounted")).unwrap();
    std::fs::create_dir(home.path().join("pool")).unwrap();
    assert!(matches!(disks.list(SERVER), Err(DiskError::Pool(_))));
    assert!(matches!(disks.create(SERVER, ONE, 1, &base), Err(DiskError::Pool(_))));
    assert!(matches!(disks.retire(SERVER, ONE, TrashTime(0)), Err(DiskError::Pool(_))));
    assert_eq!(std::fs::read_dir(home.path().join("pool")).unwrap().count(), 0);
}

#[test]
fn a_pool_that_takes_no_writes_is_told_by_name_and_used_again_when_it_does() {
    let thread = std::thread::spawn(|| {
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("needs root: mounts of its own");
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("pool");
        std::fs::create_dir(&dir).unwrap();
        mount(Some("tmpfs"), &dir, Some("tmpfs"), MsFlags::empty(), none).unwrap();
        let disks = Disks::new(pool(&home, 0));
        let again = |flags| mount(none, &dir, none, MsFlags::MS_REMOUNT | flags, none).unwrap();
        again(MsFlags::MS_RDONLY);
        let refused = disks.list(SERVER).unwrap_err();
        assert!(refused.to_string().contains("mounted read-only"), "{refused}");
        assert_eq!(host_machine::fault::of(&refused).code, FaultCode::PoolReadOnly);
        again(MsFlags::empty());
        assert!(disks.list(SERVER).unwrap().is_empty());
        nix::mount::umount(&dir).unwrap();
    });
    thread.join().unwrap();
}

#[test]
fn a_seed_is_a_labelled_image_with_the_three_files_that_only_root_reads() {
    let home = tempfile::tempdir().unwrap();
    let seeds = Seeds::new(pool(&home, 0).seeds());
    let files = SeedFiles {
        meta_data: r#"{"instance-id":"one"}"#.to_owned(),
        user_data: "#cloud-config\n{}".to_owned(),
        network_config: r#"{"version":2}"#.to_owned(),
    };
    seeds.write(SERVER, Mark(1), &files).unwrap();
    seeds.write(SERVER, Mark(2), &files).unwrap();
    seeds.write(OTHER, Mark(3), &files).unwrap();
    assert_eq!(seeds.see(SERVER).unwrap(), Some(Mark(2)), "the older one went");
    let path = seeds.path(SERVER, Mark(2));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[16 * 2048 + 40..16 * 2048 + 46], b"CIDATA", "the volume's label (ECMA-119, 8.4)");
    let listed = Tool::new("xorriso", LIMIT).args(["-no_rc", "-indev"]).arg(&path).args(["-find", "/", "-type", "f"]);
    let listed = String::from_utf8(listed.run().unwrap()).unwrap();
    for name in ["meta-data", "user-data", "network-config"] {
        assert!(listed.contains(name), "{listed}");
    }
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no work is left behind: {left:?}");

    std::fs::write(seeds.path(SERVER, Mark(9)), b"of a crash").unwrap();
    assert_eq!(seeds.see(SERVER).unwrap(), Some(Mark(0)), "two are none that is wanted");
    seeds.remove(SERVER).unwrap();
    seeds.remove(SERVER).unwrap();
    assert_eq!((seeds.see(SERVER).unwrap(), seeds.see(OTHER).unwrap()), (None, Some(Mark(3))));
}
