//! Disks and seeds on real files, with the real qemu-img and xorriso.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/mounts.rs"]
mod mounts;

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use csp_agent::{
    host_machine::{self, fault::Coded},
    machine::{Mark, SeenBase, SeenDisk},
    storage::{
        disk::{DiskError, Disks},
        image_cache::CachedImage,
        pool::Pool,
        room::Room,
        seed::SeedFiles,
        seed_image::Seeds,
        tool::Tool,
        trash_clock::TrashTime,
    },
};
use csp_shared::{generation::DiskEpoch, id::ServerId, observed::FaultCode, spec::ImageFormat};
use nix::mount::{MsFlags, mount};
use uuid::Uuid;

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const OTHER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bc));
const LIMIT: Duration = Duration::from_secs(60);
const ONE: DiskEpoch = DiskEpoch(1);

fn pool(home: impl AsRef<Path>, reserve_bytes: u64) -> Pool {
    let home = home.as_ref();
    Pool::open(home.join("pool"), &home.join("note"), Uuid::from_u128(1), reserve_bytes).unwrap()
}

/// A cached raw image of 1 MiB, under a name of the cache.
fn base(pool: &Pool) -> CachedImage {
    let path = pool.images().join(format!("{}.raw", csp_shared::sha256::Sha256::of(b"base")));
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
fn what_stands_in_a_disks_place_and_is_no_file_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    let path = disks.path(SERVER, ONE);
    let refused = || {
        let why = disks.create(SERVER, ONE, 1, &base).unwrap_err();
        assert!(why.to_string().contains(path.to_str().unwrap()) && why.to_string().contains("move it away"), "{why}");
    };
    std::fs::create_dir(&path).unwrap();
    refused();
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink(home.path().join("nowhere"), &path).unwrap();
    refused();
    std::fs::remove_file(&path).unwrap();
    disks.create(SERVER, ONE, 1, &base).unwrap();
}

#[test]
fn a_disk_grows_within_the_pools_room_and_never_shrinks_whatever_its_guest_wrote() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    let path = disks.path(SERVER, ONE);
    // Its guest writes an image header that names a file of the host into its own first sectors.
    let hostile =
        Tool::new("qemu-img", LIMIT).args(["create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", "-u"]);
    hostile.arg(home.path().join("hostile")).arg("64M").run().unwrap();
    let copy = Tool::new("qemu-img", LIMIT).args(["convert", "-n", "-f", "raw", "-O", "qcow2"]);
    copy.arg(home.path().join("hostile")).arg(&path).run().unwrap();
    for bytes in [3u64 << 30, 3 << 30, 2 << 30] {
        disks.grow(SERVER, ONE, bytes).unwrap();
        assert_eq!(disks.look(SERVER).unwrap()[&ONE].bytes(), Some(3 << 30));
    }
    let info = describe(&path);
    assert_eq!((&info["virtual-size"], &info["format"]), (&(3u64 << 30).into(), &"qcow2".into()));
    assert_eq!(info["backing-filename"], base.path.to_str().unwrap(), "what the guest wrote is data");

    let room = pool.room().unwrap();
    let refused = disks.grow(SERVER, ONE, (3 << 30) + room.free() + 1).unwrap_err();
    assert!(matches!(refused, DiskError::Room(_)), "{refused}");
    assert_eq!(describe(&path)["virtual-size"], 3u64 << 30);
    let mut corrupt = std::fs::read(&path).unwrap();
    corrupt[79] |= 2; // as QEMU marks an image whose tables it found wrong
    let cut = std::fs::read(&path).unwrap()[..70_000].to_vec();
    let mut elsewhere = std::fs::read(&path).unwrap();
    elsewhere[79] |= 4; // its data lies in another file
    for damaged in [b"damaged".to_vec(), Vec::new(), corrupt, cut, elsewhere] {
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(disks.look(SERVER).unwrap(), [(ONE, SeenDisk::Damaged)].into());
        disks.grow(SERVER, ONE, 9 << 30).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "nothing is done to it");
    }
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
fn what_a_disk_stands_on_is_read_from_its_header() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    let path = disks.path(SERVER, ONE);
    let stands_on = || match disks.look(SERVER).unwrap()[&ONE] {
        SeenDisk::Sound { base, .. } => base,
        SeenDisk::Damaged => panic!("it is sound"),
    };
    assert!(matches!(stands_on(), SeenBase::Image(_)));
    let flat = home.path().join("flat");
    let convert = Tool::new("qemu-img", LIMIT).args(["convert", "-f", "qcow2", "-O", "qcow2"]);
    convert.arg(&path).arg(&flat).run().unwrap();
    std::fs::rename(&flat, &path).unwrap();
    assert_eq!(stands_on(), SeenBase::Nothing);
    let other =
        Tool::new("qemu-img", LIMIT).args(["rebase", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/machine-id"]);
    other.arg(&path).run().unwrap();
    assert_eq!(stands_on(), SeenBase::Other);
    for (file, is_own) in [
        (path.clone(), true),
        (disks.path(SERVER, DiskEpoch(2)), true),
        (disks.path(OTHER, ONE), false),
        (path.with_extension("snap1"), false),
        (home.path().join(path.file_name().unwrap()), false),
    ] {
        assert_eq!(disks.is_place_of(SERVER, &file), is_own, "{}", file.display());
    }
}

#[test]
fn a_disk_is_at_its_place_where_the_pool_was_before_once_it_is_there_no_more() {
    let home = tempfile::tempdir().unwrap();
    let former = home.path().join("pool");
    let disks = Disks::new(pool(&home, 0));
    std::fs::write(disks.path(SERVER, ONE), b"a disk").unwrap();
    let (named, never_made) = (disks.path(SERVER, ONE), disks.path(SERVER, DiskEpoch(2)));
    let moved = home.path().join("moved");
    let open = || Pool::open(moved.clone(), &home.path().join("note"), Uuid::from_u128(2), 0).unwrap();

    // A copy, and the old one is there still: nobody knows which is newer.
    let copied = Tool::new("cp", LIMIT).arg("-a").arg(&former).arg(&moved);
    copied.run().unwrap();
    assert!(!Disks::new(open()).that_were_in(vec![former.clone()]).is_place_of(SERVER, &named));
    std::fs::remove_dir_all(&former).unwrap();
    let disks = Disks::new(open()).that_were_in(vec![former]);
    assert!(disks.is_place_of(SERVER, &named), "the pool was moved, and has it");
    assert!(!disks.is_place_of(SERVER, &never_made), "the pool has no such disk");
    assert!(!disks.is_place_of(OTHER, &named));
    assert!(!disks.is_place_of(SERVER, &named.with_extension("snap1")), "a snapshot's file");
    assert!(!Disks::new(open()).is_place_of(SERVER, &named), "the pool never was there");
}

#[test]
fn a_trash_that_somebody_removed_is_made_anew_and_no_disk_counts_as_moved_before() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    std::fs::remove_dir(pool.trash()).unwrap();
    std::fs::write(pool.trash(), "in its way").unwrap();
    disks.retire(SERVER, ONE, TrashTime(7)).unwrap_err();
    assert_eq!(disks.list(SERVER).unwrap().len(), 1, "it is where it was");
    std::fs::remove_file(pool.trash()).unwrap();
    assert_eq!(Pool::missing_folders(pool.trash().parent().unwrap()), [pool.trash()]);
    disks.retire(SERVER, ONE, TrashTime(7)).unwrap();
    assert_eq!((disks.list(SERVER).unwrap().len(), trash(&pool).len()), (0, 1));
    std::fs::remove_dir(pool.disks()).unwrap();
    pool.make_up().unwrap();
    assert!(disks.list(SERVER).is_err(), "an empty folder would say that there are no disks");
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
fn a_disk_that_somebody_closed_is_opened_to_its_owner_and_to_nobody_else() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    disks.create(OTHER, ONE, 1, &base).unwrap();
    let mode = |server| std::fs::metadata(disks.path(server, ONE)).unwrap().permissions().mode() & 0o777;
    for closed in [0o000, 0o400, 0o200] {
        for server in [SERVER, OTHER] {
            std::fs::set_permissions(disks.path(server, ONE), PermissionsExt::from_mode(closed)).unwrap();
        }
        disks.lend(SERVER).unwrap();
        assert_eq!((mode(SERVER), mode(OTHER)), (0o600, closed));
    }
}

/// QEMU's user owns neither.
#[test]
fn an_image_and_the_folders_on_the_way_that_somebody_closed_are_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let (base, disks) = (base(&pool), Disks::new(pool.clone()));
    disks.create(SERVER, ONE, 1, &base).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let close = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let other = pool.images().join(format!("{}.raw", csp_shared::sha256::Sha256::of(b"other")));
    std::fs::write(&other, b"no disk of the server's stands on it").unwrap();
    close(&other, 0o400);
    for closed in [0o400, 0o000, 0o666] {
        close(&base.path, closed);
        [pool.dir().to_owned(), pool.images(), pool.disks(), pool.seeds()].iter().for_each(|dir| close(dir, 0o700));
        disks.lend(SERVER).unwrap();
        assert_eq!((mode(&base.path), mode(&other)), (0o444, 0o400), "{closed:o}");
        for folder in [pool.dir().to_owned(), pool.images(), pool.disks(), pool.seeds()] {
            assert_eq!(mode(&folder), 0o711, "{}", folder.display());
        }
        assert_eq!(mode(&pool.trash()), 0o700);
    }
    std::fs::remove_file(&base.path).unwrap();
    disks.lend(SERVER).unwrap(); // that it is gone is told by whoever looks for it
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

fn seed_files() -> SeedFiles {
    SeedFiles {
        meta_data: r#"{"instance-id":"one"}"#.to_owned(),
        user_data: "#cloud-config\n{}".to_owned(),
        network_config: r#"{"version":2}"#.to_owned(),
    }
}

#[test]
fn a_pool_that_takes_no_writes_is_told_by_name_and_used_again_when_it_does() {
    mounts::beside_own_pool(None, |home| {
        let disks = Disks::new(pool(home, 0));
        let none: Option<&str> = None;
        let again = |flags| mount(none, &home.join("pool"), none, MsFlags::MS_REMOUNT | flags, none).unwrap();
        again(MsFlags::MS_RDONLY);
        let refused = disks.list(SERVER).unwrap_err();
        assert!(refused.to_string().contains("mounted read-only"), "{refused}");
        assert_eq!(host_machine::fault::of(&refused).code, FaultCode::PoolReadOnly);
        again(MsFlags::empty());
        assert!(disks.list(SERVER).unwrap().is_empty());
    });
}

#[test]
fn a_seed_is_a_labelled_image_with_the_three_files_that_only_root_reads() {
    let home = tempfile::tempdir().unwrap();
    let seeds = Seeds::new(pool(&home, 0).seeds());
    let files = seed_files();
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

    for damage in [b"bad\n".to_vec(), Vec::new(), bytes[..bytes.len() - 2048].to_vec(), {
        let mut bytes = bytes.clone();
        bytes[20 * 2048] ^= 1;
        bytes
    }] {
        std::fs::write(&path, damage).unwrap();
        assert_eq!(seeds.see(SERVER).unwrap(), Some(Mark(0)), "a damaged one is none that is wanted");
        seeds.write(SERVER, Mark(2), &files).unwrap();
        assert_eq!(seeds.see(SERVER).unwrap(), Some(Mark(2)), "it is made anew");
    }

    std::fs::write(seeds.path(SERVER, Mark(9)), b"of a crash").unwrap();
    assert_eq!(seeds.see(SERVER).unwrap(), Some(Mark(0)), "two are none that is wanted");
    seeds.remove(SERVER).unwrap();
    seeds.remove(SERVER).unwrap();
    assert_eq!((seeds.see(SERVER).unwrap(), seeds.see(OTHER).unwrap()), (None, Some(Mark(3))));
}

#[test]
fn a_seed_that_cannot_be_written_has_a_code_of_its_own_and_leaves_the_others() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(&home, 0);
    let seeds = Seeds::new(pool.seeds());
    let files = seed_files();
    seeds.write(OTHER, Mark(1), &files).unwrap();
    // Where its work is to be done there is something that is no folder of ours.
    let work = format!("{}.part", seeds.path(SERVER, Mark(1)).display());
    std::fs::write(&work, "in the way").unwrap();
    let error = seeds.write(SERVER, Mark(1), &files).unwrap_err();
    assert_eq!(error.code(), FaultCode::SeedRefused, "{error}");
    assert_eq!((seeds.see(SERVER).unwrap(), seeds.see(OTHER).unwrap()), (None, Some(Mark(1))));
}
