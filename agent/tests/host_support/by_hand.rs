//! What an operator does with virsh and qemu-img to a guest of csp's, on a real libvirt.

use std::path::Path;

use csp_agent::{
    host_machine::HostMachine,
    hypervisor::process,
    machine::{Epochs, Machine, OffCause, SeenBase, SeenDisk, SeenState, Stamp},
    storage::tool::Tool,
};
use csp_shared::{generation::DiskEpoch, spec::ServerSpec};

use crate::{DEFINITION, PATIENCE, SEED, SERVER, wait_for};

fn virsh(arguments: &[&str]) {
    Tool::new("virsh", PATIENCE).args(["-q", "-c", "qemu:///system"]).args(arguments).run().unwrap();
}

/// It would go on where it was, whatever became of its disk meanwhile.
pub async fn a_saved_memory_is_dropped_at_a_start(machine: &HostMachine) {
    machine.start(SERVER).await.unwrap();
    virsh(&["managedsave", &SERVER.to_string()]);
    wait_for(machine, |state| state == SeenState::Off(OffCause::Unknown)).await;
    machine.start(SERVER).await.unwrap();
    wait_for(machine, |state| state == SeenState::Running).await;
    let saved = Tool::new("virsh", PATIENCE).args(["-c", "qemu:///system", "dominfo", &SERVER.to_string()]).run();
    let told = String::from_utf8(saved.unwrap()).unwrap();
    let line = told.lines().find(|line| line.starts_with("Managed save:")).unwrap();
    assert!(line.ends_with("no"), "{told}");
}

/// While it runs, and by its definition when it is off; until it is brought back as the fault says.
pub async fn a_guest_on_another_file_is_seen(machine: &HostMachine, spec: &ServerSpec, home: &Path) {
    let server = SERVER.to_string();
    let elsewhere = async || machine.see(SERVER, None).await.unwrap().disk_elsewhere;
    let snapshot = home.join("pool/disks").join(format!("{SERVER}.1.by-hand"));
    let other = Some(snapshot.display().to_string());
    let take = ["snapshot-create-as", &server, "by-hand", "--disk-only"];
    assert_eq!(elsewhere().await, None);
    virsh(&[&take[..], &["--no-metadata"]].concat());
    assert_eq!(elsewhere().await, other);
    virsh(&["blockcommit", &server, "vda", "--active", "--shallow", "--pivot"]);
    assert_eq!(elsewhere().await, None);
    std::fs::remove_file(&snapshot).unwrap();

    // A copy in its place: QEMU goes on with the file that it holds.
    let disk = home.join("pool/disks").join(format!("{SERVER}.1.qcow2"));
    std::fs::rename(&disk, &snapshot).unwrap();
    std::fs::copy(&snapshot, &disk).unwrap();
    let held = elsewhere().await.unwrap();
    assert!(held.starts_with("/proc/") && std::fs::canonicalize(&held).unwrap() == snapshot, "{held}");
    std::fs::rename(&snapshot, &disk).unwrap();
    assert_eq!(elsewhere().await, None);

    virsh(&take);
    machine.force_stop(SERVER).await.unwrap();
    assert_eq!(elsewhere().await, other);
    Tool::new("qemu-img", PATIENCE).args(["commit", "-q", "-f", "qcow2"]).arg(&snapshot).run().unwrap();
    std::fs::remove_file(&snapshot).unwrap();
    assert_eq!(elsewhere().await, other, "its definition names it still");
    virsh(&["undefine", &server, "--snapshots-metadata", "--checkpoints-metadata", "--managed-save"]);
    assert_eq!(elsewhere().await, None);
    machine.define(spec, Stamp { epochs: Epochs::of(spec), definition: DEFINITION, seed: SEED }).await.unwrap();
}

/// Where nothing was written, the guest would read the image instead of zeros.
pub async fn a_disk_that_was_flattened_gets_no_base(machine: &HostMachine, spec: &ServerSpec, home: &Path) {
    let disk = home.join("pool/disks").join(format!("{SERVER}.1.qcow2"));
    let flat = home.join("pool/flat");
    let convert = Tool::new("qemu-img", PATIENCE).args(["convert", "-f", "qcow2", "-O", "qcow2"]);
    convert.arg(&disk).arg(&flat).run().unwrap();
    std::fs::set_permissions(&flat, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(&flat, &disk).unwrap();
    let seen = machine.see(SERVER, Some(&spec.image)).await.unwrap().disks[&DiskEpoch(1)];
    assert!(matches!(seen, SeenDisk::Sound { base: SeenBase::Nothing, .. }), "{seen:?}");
    machine.define(spec, Stamp { epochs: Epochs::of(spec), definition: DEFINITION, seed: SEED }).await.unwrap();
    machine.start(SERVER).await.unwrap();
    let pid = process::find(SERVER).unwrap()[0];
    let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let opened = ["\"driver\":\"file\"", "\"driver\":\"qcow2\"", "\"driver\":\"raw\""];
    assert_eq!(opened.map(|word| arguments.matches(word).count()), [2, 1, 1], "disk and seed: {arguments}");
    machine.force_stop(SERVER).await.unwrap();
}
