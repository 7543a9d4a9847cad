//! The trash as an operator sees it, on real files and with the real qemu-img.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use csp_shared::{
    generation::Generation,
    spec::{Desired, ImageFormat},
};
use uuid::Uuid;

use super::*;
use crate::{
    plan::{
        fixture::{server, spec},
        memory::Notes,
    },
    storage::{image_cache::CachedImage, tool::Tool, trash_clock::TrashTime},
};

const ONE: DiskEpoch = DiskEpoch(1);

struct Host {
    home: tempfile::TempDir,
    config: Config,
    disks: Disks,
}

/// A host on which the server's only disk has some bytes in it and lies in the trash.
fn host() -> Host {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let config = Config { state_dir: at("state"), pool_dir: at("pool"), ..Config::default() };
    let pool = Pool::open(at("pool"), &at("state/pool.id"), Uuid::from_u128(1), 0).unwrap();
    std::fs::create_dir(at("state/servers")).unwrap();
    let path = pool.images().join("base.raw");
    std::fs::write(&path, vec![7; 1 << 20]).unwrap();
    let base = CachedImage { path, format: ImageFormat::Raw, virtual_bytes: 1 << 20 };
    let disks = Disks::new(pool);
    disks.create(server(), ONE, 1, &base).unwrap();
    let disk = disks.path(server(), ONE);
    qemu_io(&disk, &["write -P 42 0 64k"]);
    disks.retire(server(), ONE, TrashTime(0)).unwrap();
    Host { home, config, disks }
}

fn qemu_io(disk: &Path, commands: &[&str]) {
    let commands = commands.iter().flat_map(|command| ["-c", command]);
    Tool::new("qemu-io", Duration::from_secs(60)).args(["-f", "qcow2"]).args(commands).arg(disk).run().unwrap();
}

impl Host {
    fn knows(&self, desired: Desired, started: DiskEpoch) {
        let record = Record { desired, notes: Notes { disk_started: Some(started), ..Notes::default() } };
        let path = self.config.state_dir.join(format!("servers/{}.json", server()));
        std::fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
    }

    fn destroyed(&self) {
        let mut version = spec().version;
        version.generation = Generation(9);
        self.knows(Desired::Absent(csp_shared::spec::Tombstone { server: server(), version }), ONE);
    }
}

#[test]
fn the_list_tells_whose_disks_they_are_and_what_can_be_done() {
    let host = host();
    host.destroyed();
    std::fs::write(host.config.state_dir.join("trash.clock"), "3600").unwrap();
    let listed = list(&host.config).unwrap();
    let text = listed.to_string();
    let occupied = format!("{} MiB", listed.trash[0].occupied_bytes.div_ceil(MIB));
    insta::assert_snapshot!(text.replace(&occupied, "[written]").replace("22 h 59", "23 h 0"));
    assert_eq!((listed.trash[0].full_bytes, listed.trash[0].way_back), (1 << 30, WayBack::Destroyed));
    let json = serde_json::to_value(&listed).unwrap();
    assert_eq!(json["trash"][0]["way_back"], "destroyed");
}

#[test]
fn a_destroyed_servers_disk_comes_back_as_a_file_that_stands_on_nothing_and_only_root_reads() {
    let host = host();
    host.destroyed();
    let refused = restore(&host.config, &server().to_string(), None).unwrap_err();
    assert!(refused.contains("restore it to a file"), "{refused}");

    let file = host.home.path().join("rescued/disk.qcow2");
    let restored = restore(&host.config, &server().to_string(), Some(&file)).unwrap();
    assert!(!restored.as_disk);
    // With its base gone, so that what is read below is in the file itself.
    std::fs::remove_file(host.config.pool_dir.join("images/base.raw")).unwrap();
    qemu_io(&file, &["read -P 42 0 64k", "read -P 7 64k 64k"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(list(&host.config).unwrap().trash.len(), 1, "and it is still in the trash");
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no half is left");

    let again = restore(&host.config, &server().to_string(), Some(&file)).unwrap_err();
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn a_disk_that_its_server_waits_for_is_its_disk_again() {
    let host = host();
    host.knows(Desired::Present(Box::new(spec())), ONE);
    let restored = restore(&host.config, &server().to_string(), None).unwrap();
    assert_eq!(restored.path, host.disks.path(server(), ONE));
    qemu_io(&restored.path, &["read -P 42 0 64k"]);
    assert!(list(&host.config).unwrap().trash.is_empty());
}

#[test]
fn nothing_that_is_there_is_ever_replaced() {
    let host = host();
    host.knows(Desired::Present(Box::new(spec())), ONE);
    let disk = host.disks.path(server(), ONE);
    std::fs::write(&disk, b"a disk of a customer").unwrap();
    assert!(restore(&host.config, &server().to_string(), None).unwrap_err().contains("restore it to a file"));
    // Even if it came between the look and the link.
    let entry = list(&host.config).unwrap().trash.remove(0);
    assert!(host.disks.put_back(entry.disk).is_err());
    assert_eq!(std::fs::read(&disk).unwrap(), b"a disk of a customer");
    assert_eq!(list(&host.config).unwrap().trash.len(), 1);
}

#[test]
fn copies_go_neither_into_the_pool_nor_over_anything() {
    let host = host();
    let into = |path: &Path| restore(&host.config, &server().to_string(), Some(path)).unwrap_err();
    let in_pool = host.config.pool_dir.join("disks/x.qcow2");
    let round_about = host.config.pool_dir.join("../pool/images/x.qcow2");
    std::os::unix::fs::symlink(&host.config.pool_dir, host.home.path().join("link")).unwrap();
    for path in [in_pool, round_about, host.home.path().join("link/trash/x.qcow2")] {
        assert!(into(&path).contains("is in the pool"), "{}", path.display());
    }
    assert_eq!(
        restore(&host.config, "nobody", None).unwrap_err(),
        "nobody is not in the trash; `csp-agent trash list` shows what is"
    );
}

#[test]
fn of_several_disks_of_a_server_one_is_named() {
    let host = host();
    let path = host.config.pool_dir.join("trash").join(format!("{}.2.5.0.qcow2", server()));
    std::fs::write(&path, b"another").unwrap();
    let error = restore(&host.config, &server().to_string(), None).unwrap_err();
    assert!(error.starts_with("2 disks"), "{error}");
    let file = host.home.path().join("rescued.qcow2");
    restore(&host.config, &format!("{}.1.0.0.qcow2", server()), Some(&file)).unwrap();
}

#[test]
fn a_host_without_its_pool_says_so_and_makes_none() {
    let host = host();
    std::fs::rename(&host.config.pool_dir, host.home.path().join("unmounted")).unwrap();
    std::fs::create_dir(&host.config.pool_dir).unwrap();
    assert!(list(&host.config).unwrap_err().contains("is its file system mounted?"));
    std::fs::remove_file(host.config.state_dir.join("pool.id")).unwrap();
    assert!(list(&host.config).unwrap_err().contains("never had a pool"));
    assert_eq!(std::fs::read_dir(&host.config.pool_dir).unwrap().count(), 0);
}
