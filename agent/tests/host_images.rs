//! Images on real files, with the real qemu-img, from a web server that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/web.rs"]
mod web;

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::Duration,
};

use csp_agent::{
    host_machine::fault::Coded,
    storage::{
        download::{DownloadError, Length},
        image_cache::{ImageCache, ImageError},
        pool::Pool,
        qcow2,
        seal::SealError,
        tool::Tool,
    },
};
use csp_shared::{
    observed::FaultCode,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use tempfile::TempDir;
use uuid::Uuid;
use web::{Behaviour, Resumes, Web};

const LIMIT: Duration = Duration::from_secs(60);

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
    ImageCache::new(pool(home, 0))
}

/// What is kept of an image.
async fn kept(cache: &ImageCache, image: &Image) -> Vec<u8> {
    tokio::time::timeout(LIMIT, cache.ensure(image)).await.unwrap().unwrap();
    std::fs::read(cache.cached(image).unwrap().unwrap().path).unwrap()
}

#[tokio::test]
async fn an_image_is_fetched_once_for_all_who_want_it_and_kept_read_only() {
    let home = tempfile::tempdir().unwrap();
    let bytes = qcow2_bytes(&home, &[]);
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Qcow2));
    let fetches = (0..8).map(|_| cache.ensure(&image));
    futures_util::future::join_all(fetches).await.into_iter().for_each(Result::unwrap);
    assert_eq!(web.requests(), 1);
    let kept = cache.cached(&image).unwrap().unwrap();
    assert_eq!((kept.virtual_bytes, kept.format), (64 << 20, ImageFormat::Raw));
    assert_eq!(std::fs::metadata(&kept.path).unwrap().permissions().mode() & 0o777, 0o444);
}

#[tokio::test]
async fn a_connection_that_breaks_is_resumed_where_it_stopped() {
    let home = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..2_999_808u32).map(|number| (number % 251) as u8).collect();
    let web = Web::serve(bytes.clone(), Behaviour::BreaksAfter(1_000_000));
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    assert_eq!(kept(&cache, &image).await, bytes);
    assert!(web.ranges().iter().any(|range| range.starts_with("bytes=") && range != "bytes=0-"), "{:?}", web.ranges());
}

/// Half of the one and half of the other is neither.
#[tokio::test]
async fn a_file_that_changes_while_it_is_fetched_is_fetched_anew() {
    let (half, whole) = (1_000_000, 2_999_808);
    for resumes in [Resumes::TheSameFile, Resumes::AnyFile] {
        let home = tempfile::tempdir().unwrap();
        let bytes = vec![8; whole];
        let changes = Behaviour::ChangesAfter(half, resumes);
        let web = Web::serve_and_then(vec![7; whole], Some(bytes.clone()), changes);
        let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
        assert!(kept(&cache, &image).await == bytes);
        assert_eq!(web.ranges()[1], format!("bytes={half}-"), "it was to be resumed");
    }
    // What lies there from an earlier run of the agent is of nobody knows which file.
    let home = tempfile::tempdir().unwrap();
    let bytes = vec![8; whole];
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    std::fs::write(format!("{}.part", cache.path(&image).display()), vec![7; half]).unwrap();
    assert_eq!(cache.arrived_percent(&image), Some(33), "for people");
    assert!(kept(&cache, &image).await == bytes);
    assert_eq!(web.ranges(), [format!("bytes={half}-"), "bytes=0-".to_owned()]);
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_beginning_again() {
    let home = tempfile::tempdir().unwrap();
    let bytes = vec![7; 1 << 20];
    let web = Web::serve(bytes.clone(), Behaviour::IgnoresRanges);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    let part = format!("{}.part", cache.path(&image).display());
    std::fs::write(part, b"an older try").unwrap();
    assert_eq!(kept(&cache, &image).await, bytes);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_ends_and_the_next_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let bytes = vec![7; 4 << 20];
    let web = Web::serve(bytes.clone(), Behaviour::Slow);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Raw));
    let given_up = tokio::time::timeout(Duration::from_millis(200), cache.ensure(&image)).await;
    assert!(given_up.is_err(), "it should have been too slow for this");
    web.behave(Behaviour::Plain);
    assert_eq!(kept(&cache, &image).await, bytes);
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
    let cases: [Case; 8] = [
        ("forged", &forged, &good, Behaviour::Plain, |e| matches!(e, ImageError::Checksum { .. })),
        ("longer", &longer, &good, Behaviour::Plain, |e| {
            matches!(e, ImageError::Download(DownloadError::OtherLength { .. }))
        }),
        ("endless", &longer, &good, Behaviour::NamesNoLength, |e| {
            matches!(e, ImageError::Download(DownloadError::OtherLength { found: Length::More, .. }))
        }),
        ("shorter", &good[..good.len() - 1], &good, Behaviour::Plain, |e| {
            matches!(e, ImageError::Download(DownloadError::OtherLength { .. }))
        }),
        ("breaks off", &good, &good, Behaviour::BreaksAfter(0), |e| {
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
        let error = cache.ensure(&image).await.unwrap_err();
        assert!(is_right(&error), "{name}: {error}");
        assert_eq!(cache.cached(&image).unwrap(), None, "{name}");
    }
    // What broke off is gone on with; everything else is gone.
    assert_eq!(files_of(&home), [format!("{}.qcow2.part", Sha256::of(&good))]);

    let full = ImageCache::new(pool(&home, u64::MAX));
    let web = Web::serve(good.clone(), Behaviour::Plain);
    let error = full.ensure(&image(web.url(), &good, ImageFormat::Qcow2)).await.unwrap_err();
    assert!(matches!(error, ImageError::Room(_)), "{error}");
    assert_eq!(web.requests(), 0, "a full pool fetches nothing");
}

/// What lies in the folder of images.
fn files_of(home: &TempDir) -> Vec<String> {
    let files = std::fs::read_dir(pool(home, 0).images()).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// A qcow2 image of a disk with two mebibytes of text that does not repeat, and what the disk holds.
fn filled(home: &TempDir, options: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let (raw, image) = (home.path().join("content.raw"), home.path().join("content.qcow2"));
    let mut content = vec![0; 4 << 20];
    for (at, bytes) in content[1 << 20..3 << 20].chunks_mut(64).enumerate() {
        bytes.copy_from_slice(Sha256::of(&at.to_le_bytes()).to_string().as_bytes());
    }
    std::fs::write(&raw, &content).unwrap();
    let convert = Tool::new("qemu-img", LIMIT).args(["convert", "-f", "raw", "-O", "qcow2"]).args(options);
    convert.arg(&raw).arg(&image).run().unwrap();
    (std::fs::read(image).unwrap(), content)
}

#[tokio::test]
async fn what_is_kept_of_a_qcow2_image_is_the_disk_that_it_describes_and_none_of_its_tables() {
    let home = tempfile::tempdir().unwrap();
    for options in [&[][..], &["-c"], &["-c", "-o", "compression_type=zstd"], &["-o", "cluster_size=512"]] {
        let (bytes, content) = filled(&home, options);
        let web = Web::serve(bytes.clone(), Behaviour::Plain);
        let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Qcow2));
        assert!(kept(&cache, &image).await == content, "{options:?}");
        let path = cache.cached(&image).unwrap().unwrap().path;
        assert!(std::fs::metadata(path).unwrap().blocks() * 512 < 3 << 20, "what is empty takes no room");
    }
    let is_kept = |name: &String| [".qcow2.raw", ".qcow2.raw.length"].iter().any(|ending| name.ends_with(ending));
    assert!(files_of(&home).iter().all(is_kept), "{:?}", files_of(&home));
}

/// It opens all the same: its guests would run on zeros, and a new disk on it would be blank.
#[tokio::test]
async fn a_base_of_another_length_is_replaced_and_whoever_has_it_open_keeps_it() {
    let home = tempfile::tempdir().unwrap();
    let (qcow2, content) = filled(&home, &[]);
    for (bytes, format) in [(&qcow2, ImageFormat::Qcow2), (&content, ImageFormat::Raw)] {
        let web = Web::serve(bytes.clone(), Behaviour::Plain);
        let (cache, image) = (cache(&home), image(web.url(), bytes, format));
        assert!(kept(&cache, &image).await == content, "{format:?}");
        let base = cache.cached(&image).unwrap().unwrap();
        for length in [0, 1 << 20, 8 << 20] {
            std::fs::set_permissions(&base.path, PermissionsExt::from_mode(0o644)).unwrap();
            let held = std::fs::File::options().write(true).open(&base.path).unwrap();
            held.set_len(length).unwrap();
            std::fs::set_permissions(&base.path, PermissionsExt::from_mode(0o444)).unwrap();
            assert_eq!(cache.cached(&image).unwrap(), None, "{format:?} {length}");
            assert!(kept(&cache, &image).await == content, "{format:?} {length}");
            assert_eq!(cache.cached(&image).unwrap().as_ref(), Some(&base), "the same place, layout and length");
            let (there, held) = (std::fs::metadata(&base.path).unwrap(), held.metadata().unwrap());
            assert_eq!((there.mode() & 0o777, held.len(), held.nlink()), (0o444, length, 0));
            assert_ne!(there.ino(), held.ino(), "a guest's QEMU goes on with the file that it opened");
        }
    }
}

/// So are those of the agents before this one: nothing is fetched for them, and from then on their length is known.
#[tokio::test]
async fn a_base_without_a_note_is_taken_and_one_with_a_damaged_note_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (bytes, content) = filled(&home, &[]);
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Qcow2));
    assert!(kept(&cache, &image).await == content);
    let note = cache.path(&image).with_extension("raw.length");
    std::fs::remove_file(&note).unwrap();
    let all = futures_util::future::join_all((0..8).map(|_| cache.ensure(&image))).await;
    assert!(all.iter().all(Result::is_ok) && web.requests() == 1);
    assert_eq!(std::fs::read_to_string(&note).unwrap(), content.len().to_string());
    std::fs::write(&note, "").unwrap();
    assert_eq!(cache.cached(&image).unwrap(), None);
    assert!(kept(&cache, &image).await == content && web.requests() == 2);
    assert_eq!(std::fs::read_to_string(&note).unwrap(), content.len().to_string());
}

/// Disks stand on it: what comes back must be what was there, to the last byte.
#[tokio::test]
async fn a_base_that_was_lost_is_made_again_as_it_was_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let (bytes, _) = filled(&home, &[]);
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let (cache, image) = (cache(&home), image(web.url(), &bytes, ImageFormat::Qcow2));
    let first = kept(&cache, &image).await;
    let base = cache.cached(&image).unwrap().unwrap();
    std::fs::remove_file(&base.path).unwrap();
    assert!(kept(&cache, &image).await == first);
    assert_eq!(cache.cached(&image).unwrap().unwrap(), base, "the same name, layout and length");

    std::fs::remove_file(&base.path).unwrap();
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    let web = Web::serve(other, Behaviour::Plain);
    let replaced = Image { url: web.url(), ..image };
    let error = cache.ensure(&replaced).await.unwrap_err();
    assert_eq!(error.code(), FaultCode::ImageChecksum, "{error}");
    assert_eq!(cache.cached(&replaced).unwrap(), None);
}

/// The provider took the digest of a file that was damaged already.
#[tokio::test]
async fn an_image_that_is_damaged_behind_its_header_is_refused_whatever_its_digest() {
    let home = tempfile::tempdir().unwrap();
    let (plain, _) = filled(&home, &[]);
    let (packed, content) = filled(&home, &["-c"]);
    let cut_off = &plain[..plain.len() - (1 << 20)];
    // The entry of the first level points to a table that points far behind the end.
    let mut astray = plain.clone();
    let l1 = u64::from_be_bytes(plain[40..48].try_into().unwrap()) as usize;
    let l2 = (u64::from_be_bytes(plain[l1..l1 + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_fe00) as usize;
    astray[l2 + 16 * 8..l2 + 17 * 8].copy_from_slice(&(1 << 63 | 1u64 << 40).to_be_bytes());
    // The tables are as they should be; only what they point to cannot be unpacked.
    let mut scrambled = packed.clone();
    let data = 5 << 16;
    scrambled[data..data + (64 << 10)].fill(0xff);
    let unlike_raw = &content[..content.len() - 100];

    type Case<'a> = (&'a str, &'a [u8], ImageFormat, fn(&ImageError) -> bool);
    let damaged = |e: &ImageError| matches!(e, ImageError::Sealed { reason: SealError::Damaged(_), .. });
    let cases: [Case; 5] = [
        ("cut off", cut_off, ImageFormat::Qcow2, damaged),
        ("astray", &astray, ImageFormat::Qcow2, damaged),
        ("scrambled", &scrambled, ImageFormat::Qcow2, damaged),
        ("a part of a sector", unlike_raw, ImageFormat::Raw, |e| matches!(e, ImageError::NotRaw { .. })),
        ("qcow2 called raw", &plain, ImageFormat::Raw, |e| matches!(e, ImageError::NotRaw { .. })),
    ];
    let cache = cache(&home);
    for (name, bytes, format, is_right) in cases {
        let web = Web::serve(bytes.to_vec(), Behaviour::Plain);
        let image = image(web.url(), bytes, format);
        let error = cache.ensure(&image).await.expect_err(name);
        assert!(is_right(&error) && error.code() == FaultCode::ImageInvalid, "{name}: {error:?}");
        assert_eq!(cache.cached(&image).unwrap(), None, "{name}");
    }
    assert_eq!(files_of(&home), Vec::<String>::new(), "nothing of them is kept");
}

#[tokio::test]
async fn a_disk_larger_than_the_pool_is_not_written_out() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("huge.qcow2");
    Tool::new("qemu-img", LIMIT).args(["create", "-q", "-f", "qcow2"]).arg(&path).arg("60T").run().unwrap();
    let bytes = std::fs::read(path).unwrap();
    let web = Web::serve(bytes.clone(), Behaviour::Plain);
    let error = cache(&home).ensure(&image(web.url(), &bytes, ImageFormat::Qcow2)).await.unwrap_err();
    assert_eq!(error.code(), FaultCode::ImageTooLarge, "{error}");
}

#[test]
fn the_header_check_agrees_with_what_qemu_writes() {
    let home = tempfile::tempdir().unwrap();
    let parse = |bytes: &[u8]| qcow2::parse(bytes, bytes.len() as u64);
    for options in [&[][..], &["-o", "compat=0.10"], &["-o", "compression_type=zstd"], &["-o", "cluster_size=2M"]] {
        let header = parse(&qcow2_bytes(&home, options));
        assert_eq!(header.map(|header| header.virtual_bytes), Ok(64 << 20), "{options:?}");
    }
    let data_file = format!("data_file={}", home.path().join("data").display());
    let refused = [("extended_l2=on", None), (data_file.as_str(), Some(qcow2::Refused::DataFile))];
    for (option, reason) in refused {
        let refusal = parse(&qcow2_bytes(&home, &["-o", option])).unwrap_err();
        assert!(reason.is_none_or(|reason| reason == refusal), "{option}: {refusal}");
    }
}
