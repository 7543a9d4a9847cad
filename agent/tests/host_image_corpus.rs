//! Images that somebody made to harm a host: each is refused by its code before anything of it is kept, and what a guest
//! writes into its own disk stays data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "host_support/mounts.rs"]
mod mounts;
#[path = "host_support/web.rs"]
mod web;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use csp_agent::{
    host_machine::fault::Coded,
    storage::{
        disk::Disks,
        image_cache::{ImageCache, ImageError},
        pool::Pool,
        tool::Tool,
    },
};
use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    observed::FaultCode::{self, ImageInvalid, ImageTooLarge, PoolFull},
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use uuid::Uuid;
use web::{Behaviour, Web};

const LIMIT: Duration = Duration::from_secs(60);
const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const CLUSTER: usize = 1 << 16;
/// What every attack is after.
const SECRET: &str = "/etc/shadow";

/// Where images are made.
struct Workshop(PathBuf);

impl Workshop {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// An empty image of that format, as qemu-img makes it.
    fn empty(&self, format: &str, size: &str, options: &[&str]) -> Vec<u8> {
        let path = self.path("empty");
        let _ = std::fs::remove_file(&path); // of the one before
        Tool::new("qemu-img", LIMIT)
            .args(["create", "-q", "-f", format])
            .args(options)
            .arg(&path)
            .arg(size)
            .run()
            .unwrap();
        std::fs::read(path).unwrap()
    }

    /// A qcow2 image of that content.
    fn of(&self, content: &[u8], options: &[&str]) -> Vec<u8> {
        let (raw, image) = (self.path("content"), self.path("image"));
        std::fs::write(&raw, content).unwrap();
        let convert = Tool::new("qemu-img", LIMIT).args(["convert", "-f", "raw", "-O", "qcow2"]).args(options);
        convert.arg(&raw).arg(&image).run().unwrap();
        std::fs::read(image).unwrap()
    }

    /// An image that names the secret as its backing file.
    fn backed(&self) -> Vec<u8> {
        self.empty("qcow2", "64M", &["-u", "-b", SECRET, "-F", "raw"])
    }

    fn with_snapshot(&self) -> Vec<u8> {
        self.empty("qcow2", "64M", &[]);
        Tool::new("qemu-img", LIMIT).args(["snapshot", "-c", "one"]).arg(self.path("empty")).run().unwrap();
        std::fs::read(self.path("empty")).unwrap()
    }
}

/// A copy with some bytes changed.
fn patched(image: &[u8], patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut image = image.to_vec();
    for (at, bytes) in patches {
        image[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Where the tables of a version 3 image stand: the first level's, and the first of the second level.
fn tables(image: &[u8]) -> (usize, usize) {
    let l1 = number(image, 40) as usize;
    (l1, (number(image, l1) & 0x00ff_ffff_ffff_fe00) as usize)
}

fn pool(home: &Path) -> Pool {
    Pool::open(home.join("pool"), &home.join("note"), Uuid::from_u128(1), 0).unwrap()
}

fn image(web: &Web, bytes: &[u8], format: ImageFormat) -> Image {
    Image { sha256: Sha256::of(bytes), url: web.url(), format, size_bytes: bytes.len() as u64 }
}

fn offered(cache: &ImageCache, bytes: &[u8], format: ImageFormat) -> Result<(), ImageError> {
    let web = Web::serve(bytes.to_vec(), Behaviour::Plain);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, cache.ensure(&image(&web, bytes, format))).await.unwrap() })
}

/// The corpus: what it is, its bytes, what the catalog calls it, the code that it is refused with, what the refusal says.
type Attack = (&'static str, Vec<u8>, ImageFormat, FaultCode, &'static str);

fn corpus(workshop: &Workshop) -> Vec<Attack> {
    use ImageFormat::{Qcow2, Raw};
    let plain = workshop.empty("qcow2", "64M", &[]);
    let content: Vec<u8> = (0..1u32 << 20).map(|at| (at % 251) as u8).collect();
    let (full, packed) = (workshop.of(&content, &[]), workshop.of(&content, &["-c"]));
    let (l1, l2) = tables(&full);
    let data = format!("data_file={}", workshop.path("data").display());
    let far = (1u64 << 63 | 1 << 50).to_be_bytes();
    let at_itself = (1u64 << 63 | l1 as u64).to_be_bytes();
    let odd = (number(&full, l1) | 0x1000).to_be_bytes();
    let extension = |kind: u32, length: u32| [kind.to_be_bytes(), length.to_be_bytes()].concat();
    let unknown = extension(0x1234_5678, 0).repeat(100);
    let end = number(&plain, 40).to_be_bytes();
    let backing_name = SECRET.len() as u32;
    vec![
        ("backing file", workshop.backed(), Qcow2, ImageInvalid, "backing file"),
        (
            "backing file behind its length",
            patched(&plain, &[(16, &backing_name.to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "backing",
        ),
        ("backing file without length", patched(&plain, &[(8, &512u64.to_be_bytes())]), Qcow2, ImageInvalid, "backing"),
        (
            "format of a backing file",
            patched(&plain, &[(112, &extension(0xe279_2aca, 3))]),
            Qcow2,
            ImageInvalid,
            "backing",
        ),
        ("data file", workshop.empty("qcow2", "64M", &["-o", &data]), Qcow2, ImageInvalid, "another file"),
        ("data file's bit alone", patched(&plain, &[(72, &4u64.to_be_bytes())]), Qcow2, ImageInvalid, "another file"),
        (
            "data file's name alone",
            patched(&plain, &[(112, &extension(0x4441_5441, 8))]),
            Qcow2,
            ImageInvalid,
            "another file",
        ),
        ("VMDK as qcow2", workshop.empty("vmdk", "64M", &[]), Qcow2, ImageInvalid, "not begin as qcow2"),
        ("VMDK as raw", workshop.empty("vmdk", "64M", &[]), Raw, ImageInvalid, "VMDK"),
        ("VDI as raw", workshop.empty("vdi", "64M", &[]), Raw, ImageInvalid, "VDI"),
        ("VHDX as raw", workshop.empty("vhdx", "64M", &[]), Raw, ImageInvalid, "VHDX"),
        ("VHD as raw", workshop.empty("vpc", "64M", &[]), Raw, ImageInvalid, "VHD"),
        ("QED as raw", workshop.empty("qed", "64M", &[]), Raw, ImageInvalid, "QED"),
        ("qcow2 with a backing file as raw", padded(workshop.backed()), Raw, ImageInvalid, "qcow2"),
        ("raw as qcow2", content.clone(), Qcow2, ImageInvalid, "not begin as qcow2"),
        ("the first qcow", workshop.empty("qcow", "64M", &[]), Qcow2, ImageInvalid, "version 1"),
        ("a disk larger than the pool", workshop.empty("qcow2", "60T", &[]), Qcow2, ImageTooLarge, "whole pool"),
        (
            "a disk larger than any",
            patched(&plain, &[(24, &u64::MAX.to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "describes a disk",
        ),
        ("no disk", patched(&plain, &[(24, &[0; 8])]), Qcow2, ImageInvalid, "describes a disk"),
        (
            "table of clusters behind the end",
            patched(&plain, &[(40, &(1u64 << 40).to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "table of clusters",
        ),
        (
            "table of clusters in the header",
            patched(&plain, &[(40, &[0; 8])]),
            Qcow2,
            ImageInvalid,
            "table of clusters",
        ),
        (
            "table of clusters without end",
            patched(&plain, &[(36, &u32::MAX.to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "table of clusters",
        ),
        (
            "table of clusters too short",
            patched(&plain, &[(24, &(1u64 << 40).to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "table of clusters",
        ),
        (
            "table of counts behind the end",
            patched(&plain, &[(48, &(u64::MAX - 7).to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "reference counts",
        ),
        (
            "table of counts without end",
            patched(&plain, &[(56, &u32::MAX.to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "reference counts",
        ),
        ("counts over clusters", patched(&plain, &[(48, &end)]), Qcow2, ImageInvalid, "damaged"),
        ("first level points far away", patched(&full, &[(l1, &far)]), Qcow2, ImageInvalid, "damaged"),
        ("first level points to itself", patched(&full, &[(l1, &at_itself)]), Qcow2, ImageInvalid, "damaged"),
        ("first level points between clusters", patched(&full, &[(l1, &odd)]), Qcow2, ImageInvalid, "damaged"),
        ("second level shows the tables", patched(&full, &[(l2, &at_itself)]), Qcow2, ImageInvalid, "damaged"),
        ("second level points far away", patched(&full, &[(l2, &far)]), Qcow2, ImageInvalid, "damaged"),
        ("snapshots", workshop.with_snapshot(), Qcow2, ImageInvalid, "snapshots"),
        (
            "snapshots over the header",
            patched(&plain, &[(60, &2u32.to_be_bytes()), (64, &[0; 8])]),
            Qcow2,
            ImageInvalid,
            "snapshots",
        ),
        (
            "extension that is too long",
            patched(&plain, &[(112, &extension(0x1234_5678, u32::MAX))]),
            Qcow2,
            ImageInvalid,
            "cut off",
        ),
        ("extensions without end", patched(&plain, &[(112, &unknown)]), Qcow2, ImageInvalid, "cut off"),
        ("encryption", patched(&plain, &[(32, &2u32.to_be_bytes())]), Qcow2, ImageInvalid, "encrypted"),
        ("keys of LUKS", patched(&plain, &[(112, &extension(0x0537_be77, 16))]), Qcow2, ImageInvalid, "encrypted"),
        ("bitmaps", patched(&plain, &[(112, &extension(0x2385_2875, 24))]), Qcow2, ImageInvalid, "bitmaps"),
        ("not closed", patched(&plain, &[(72, &1u64.to_be_bytes())]), Qcow2, ImageInvalid, "not cleanly closed"),
        (
            "extended second level",
            workshop.empty("qcow2", "64M", &["-o", "extended_l2=on"]),
            Qcow2,
            ImageInvalid,
            "unknown features",
        ),
        (
            "a feature of the future",
            patched(&plain, &[(72, &(1u64 << 63).to_be_bytes())]),
            Qcow2,
            ImageInvalid,
            "unknown features",
        ),
        (
            "a packing of the future",
            patched(&plain, &[(72, &8u64.to_be_bytes()), (104, &[7])]),
            Qcow2,
            ImageInvalid,
            "cut off",
        ),
        (
            "packed clusters that cannot be unpacked",
            patched(&packed, &[(5 * CLUSTER, &[0xff; 4096])]),
            Qcow2,
            ImageInvalid,
            "damaged",
        ),
        ("cut off", full[..full.len() - CLUSTER].to_vec(), Qcow2, ImageInvalid, "damaged"),
    ]
}

/// With whole sectors, so that nothing but its header gives it away.
fn padded(mut image: Vec<u8>) -> Vec<u8> {
    image.resize(image.len().next_multiple_of(512), 0);
    image
}

#[test]
fn every_hostile_image_is_refused_by_its_code_and_nothing_of_it_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let pool = pool(home.path());
    let cache = ImageCache::new(pool.clone());
    let attacks = corpus(&Workshop(home.path().to_owned()));
    for (name, bytes, format, code, says) in &attacks {
        let refused = offered(&cache, bytes, *format).expect_err(name);
        let told = csp_agent::host_machine::fault::of(&refused);
        assert_eq!((told.code, told.lasting), (*code, true), "{name}: {}", told.detail);
        assert!(told.detail.contains(says), "{name}: {}", told.detail);
        assert_eq!(std::fs::read_dir(pool.images()).unwrap().count(), 0, "{name}");
    }
    // Many of them differ from this one in a few bytes.
    offered(&cache, &Workshop(home.path().to_owned()).empty("qcow2", "64M", &[]), ImageFormat::Qcow2).unwrap();
}

/// A few kilobytes that unpack to more than there is room for; more than the whole pool is another code.
#[test]
fn a_packed_image_takes_no_more_room_than_there_is() {
    mounts::beside_own_pool(Some("size=48m"), |home| {
        let (pool, workshop) = (pool(home), Workshop(home.to_owned()));
        std::fs::write(pool.consoles().join("other"), vec![1; 20 << 20]).unwrap();
        let cache = ImageCache::new(pool.clone());
        for (mib, code) in [(40, PoolFull), (64, ImageTooLarge)] {
            let bomb = workshop.of(&vec![0x41; mib << 20], &["-c"]);
            assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
            let refused = offered(&cache, &bomb, ImageFormat::Qcow2).unwrap_err();
            assert_eq!(refused.code(), code, "{refused}");
            let kept = pool.occupied(&pool.images()).unwrap();
            assert!(kept <= bomb.len() as u64 + 4096, "nothing was unpacked: {kept}");
        }
    });
}

/// The content of a customer's image, and what its guest writes later, begins as an image that names a file of the host.
#[test]
fn a_header_inside_a_disk_is_data_through_sealing_growth_and_reinstall() {
    let home = tempfile::tempdir().unwrap();
    let (pool, workshop) = (pool(home.path()), Workshop(home.path().to_owned()));
    let (cache, disks) = (ImageCache::new(pool.clone()), Disks::new(pool));
    let hostile = padded(workshop.backed());
    let wrapped = workshop.of(&hostile, &[]);
    offered(&cache, &wrapped, ImageFormat::Qcow2).unwrap();
    let web = Web::serve(Vec::new(), Behaviour::Plain); // only its address is wanted
    let base = cache.cached(&image(&web, &wrapped, ImageFormat::Qcow2)).unwrap().unwrap();
    assert!(std::fs::read(&base.path).unwrap() == hostile, "the base is that header, byte for byte");
    for epoch in [1, 2].map(DiskEpoch) {
        disks.create(SERVER, epoch, 1, &base).unwrap();
        let path = disks.path(SERVER, epoch);
        // The guest writes it once more, into its own disk.
        let write = Tool::new("qemu-img", LIMIT).args(["convert", "-n", "-f", "raw", "-O", "qcow2"]);
        write.arg(workshop.path("content")).arg(&path).run().unwrap();
        disks.grow(SERVER, epoch, 3 << 30).unwrap();
        let chain = Tool::new("qemu-img", LIMIT).args(["info", "--backing-chain", "--output=json", "-f", "qcow2"]);
        let chain: serde_json::Value = serde_json::from_slice(&chain.arg(&path).run().unwrap()).unwrap();
        let formats: Vec<_> = chain.as_array().unwrap().iter().map(|layer| layer["format"].as_str().unwrap()).collect();
        assert_eq!(formats, ["qcow2", "raw"], "{chain}");
        assert!(!chain.to_string().contains(SECRET), "{chain}");
        let read = Tool::new("qemu-img", LIMIT).args(["dd", "-f", "qcow2", "-O", "raw", "bs=64k", "count=1"]);
        let (from, to) = (format!("if={}", path.display()), format!("of={}", workshop.path("read").display()));
        read.args([from, to]).run().unwrap();
        let read = std::fs::read(workshop.path("read")).unwrap();
        assert!(read[..CLUSTER] == hostile[..CLUSTER], "the guest reads what it wrote, and nothing of the host");
    }
}
