//! One server's whole life on a real host: libvirt, QEMU, taps, filters, disks; and the ways in which a guest ends.
//!
//! The guests are boot sectors of a few bytes, so that nothing has to boot. Needs root, libvirtd, virtlogd, QEMU, nft,
//! qemu-img and xorriso. The host is a network and mount namespace of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stderr, clippy::disallowed_methods, reason = "the test starts daemons")]

#[path = "host_support/adapters.rs"]
mod adapters;
#[path = "host_support/by_hand.rs"]
mod by_hand;
mod host_support;
#[path = "host_support/libvirt_host.rs"]
mod libvirt_host;
#[path = "host_support/web.rs"]
mod web;

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use csp_agent::{
    check::{self, Verdict},
    config::{Config, Network, Reserve, VirtType},
    host_machine::{HostMachine, setup},
    hypervisor::{process, tuning::CpuGroups},
    machine::{Epochs, HostEvent, Machine, Mark, OffCause, Seen, SeenState, SeenTap, Stamp},
    storage::tool::Tool,
};
use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, StartEpoch, Version},
    id::ServerId,
    mac::Mac,
    message::PasswordRefusal,
    observed::{FaultCode, Remains},
    secret::Secret,
    sha256::Sha256,
    spec::{CpuUse, GuestLimits, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec},
};
use host_support::in_private_network;
use libvirt_host::LibvirtHost;
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::{Mode, umask},
    },
    unistd::Pid,
};
use rtnetlink::{LinkBridge, LinkUnspec};
use uuid::Uuid;
use web::{Behaviour, Web};

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00aa));
const MAC: Mac = Mac([0x0a, 0xc5, 0, 0, 0, 1]);
const PATIENCE: Duration = Duration::from_secs(60);
/// Less than a libvirtd that hangs is given.
const UNHURRIED: Duration = Duration::from_secs(20);
const SEED: Mark = Mark(1);
const FILTERS: Mark = Mark(2);
const DEFINITION: Mark = Mark(3);
const LIMITS: GuestLimits = GuestLimits {
    cpu_weight: Some(50),
    cpu_percent_max: Some(80),
    disk_iops_max: Some(500),
    disk_mib_per_second_max: Some(20),
    net_mbit_per_second_max: Some(50),
};
/// mov dx, 0x3f8; mov al, 'x'; again: out dx, al; jmp again: it never ends, and fills its serial console meanwhile.
const HANGS: &[u8] = &[0xba, 0xf8, 0x03, 0xb0, b'x', 0xee, 0xeb, 0xfd];
/// mov dx, 0x604; mov ax, 0x2000; out dx, ax; jmp $ — the ACPI register of q35 that switches the machine off.
const POWERS_OFF: &[u8] = &[0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xeb, 0xfe];

/// Writes zeros from sector 2048 on, 32 KiB a turn, by the BIOS (int 0x13, function 0x43) with the packet at 0x7c20.
const FILLS: &[u8] = &[
    0x31, 0xc0, 0x8e, 0xd8, // xor ax, ax; mov ds, ax
    0xbe, 0x20, 0x7c, 0xb8, 0x00, 0x43, 0xb2, 0x80, 0xcd,
    0x13, // again: mov si, 0x7c20; mov ax, 0x4300; mov dl, 0x80; int 0x13
    0x66, 0x83, 0x06, 0x28, 0x7c, 0x40, // add dword [0x7c28], 64
    0xeb, 0xee, // jmp again
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // up to 0x7c20
    0x10, 0, 0x40, 0, 0, 0x80, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0,
];

#[test]
fn a_server_lives_and_ends_on_a_real_host() {
    in_private_network(|runtime| {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o711)).unwrap(); // QEMU's user passes through
        let mut host = LibvirtHost::start(home.path());
        let _ends = EndsGuest;
        umask(Mode::from_bits_truncate(0o077)); // as the agent's unit may set it: QEMU must not need more
        runtime.block_on(async {
            let machine = HostMachine::open(config(home.path())).unwrap();
            make_bridge().await;
            check_is_content(home.path()).await;
            facts_are_told(&machine).await;
            let hanging = Web::serve(disk_of(HANGS), Behaviour::Plain);
            let spec = spec(&hanging, DiskEpoch(1));
            it_is_brought_about(&machine, &spec).await;
            it_is_held_to_its_bounds();
            no_other_user_reads_it(home.path());
            a_restart_of_libvirtd_changes_nothing(&machine, &mut host).await;
            a_libvirtd_that_hangs_is_told_and_holds_nothing_else_up(&machine, &spec, &host).await;
            its_console_is_bounded(home.path()).await;
            its_disk_grows(&machine, &spec, 3).await;
            adapters::come_and_go_while_it_runs(&machine, &spec).await;
            ends_are_told_apart(&machine).await;
            its_disk_grows(&machine, &spec, 5).await;
            by_hand::a_saved_memory_is_dropped_at_a_start(&machine).await;
            by_hand::a_guest_on_another_file_is_seen(&machine, &spec, home.path()).await;
            by_hand::a_disk_that_was_flattened_gets_no_base(&machine, &spec, home.path()).await;
            no_other_user_reads_it(home.path());
            a_guest_that_powers_off_is_seen_to(&machine).await;
            it_is_removed_without_a_trace(&machine, home.path()).await;
            no_other_user_reads_it(home.path());
            a_guest_that_fills_its_pool_waits_for_room(home.path()).await;
        });
    });
}

/// Whatever fails, no guest outlives the test.
struct EndsGuest;

impl Drop for EndsGuest {
    fn drop(&mut self) {
        process::kill_all(SERVER).unwrap();
    }
}

fn config(home: &Path) -> Config {
    Config {
        state_dir: home.join("state"),
        pool_dir: home.join("pool"),
        run_dir: home.join("run-csp"),
        virt_type: VirtType::Auto,
        reserve: Reserve { ram_mib: 1, disk_gib: 0 },
        network: Network { public_bridge: "br-test".to_owned(), ..Network::default() },
        ..Config::default()
    }
}

async fn make_bridge() {
    let (connection, handle, _) = rtnetlink::new_connection().unwrap();
    tokio::spawn(connection);
    handle.link().change(LinkUnspec::new_with_name("lo").up().build()).execute().await.unwrap();
    handle.link().add(LinkBridge::new("br-test").up().build()).execute().await.unwrap();
}

/// A disk that the firmware starts: a boot sector with these instructions.
fn disk_of(code: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[..code.len()].copy_from_slice(code);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

fn spec(web: &Web, disk_epoch: DiskEpoch) -> ServerSpec {
    let disk = disk_of(if disk_epoch == DiskEpoch(1) { HANGS } else { POWERS_OFF });
    ServerSpec {
        server: SERVER,
        version: Version { incarnation: Incarnation::FIRST, generation: Generation::FIRST },
        hostname: "web-1.example.com".to_owned(),
        cpus: 1,
        ram_mib: 64,
        disk_gib: 1,
        cpu_use: CpuUse::Shared,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch(1),
        boot_epoch: BootEpoch(1),
        disk_epoch,
        image: Image {
            sha256: Sha256::of(&disk),
            url: web.url(),
            format: ImageFormat::Raw,
            size_bytes: disk.len() as u64,
        },
        login: Login::default(),
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: MAC,
            network: NicNetwork::Public,
            addresses: vec![NicAddress { address: [203, 0, 113, 10].into(), prefix_len: 24, gateway: None }],
            dns: Vec::new(),
        }],
        user_data: None,
        limits: LIMITS,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

/// As an operator sees this host before it is enrolled.
async fn check_is_content(home: &Path) {
    let report = check::run(&config(home), |_| {}).await;
    assert!(report.is_ok(), "{report}");
    let verdicts: Vec<_> = report.findings.iter().map(|finding| (finding.name, finding.verdict)).collect();
    for part in ["libvirt", "filters"] {
        assert!(verdicts.contains(&(part, Verdict::Ok)), "{report}");
    }
    // How much room this machine has is not for a test to say.
    assert!(!verdicts.contains(&("pool", Verdict::Fault)), "{report}");
    assert!(!config(home).pool_dir.exists() && !config(home).run_dir.exists(), "a check leaves nothing behind");
}

async fn facts_are_told(machine: &HostMachine) {
    let facts = machine.facts().await.unwrap();
    assert!(facts.capacity.cpus > 0 && facts.capacity.ram_mib > 0 && facts.capacity.disk_gib > 0, "{facts:?}");
    assert!(machine.orphans(&BTreeSet::new()).await.unwrap().is_empty(), "the probe guest is none");
    let seen = machine.see(SERVER, None).await.unwrap();
    assert_eq!(seen.remains(), Remains::NOTHING, "{seen:?}");
    assert!(seen.pool);
}

async fn it_is_brought_about(machine: &HostMachine, spec: &ServerSpec) {
    bring_about(machine, spec).await;
    let seen = machine.see(SERVER, Some(&spec.image)).await.unwrap();
    let Seen { image, seed, filters, process, .. } = &seen;
    assert_eq!((*image, *seed, *filters, *process), (true, Some(SEED), Some(FILTERS), true));
    assert_eq!(seen.disks.keys().collect::<Vec<_>>(), [&DiskEpoch(1)]);
    assert_eq!(seen.taps.get(&MAC), Some(&SeenTap { plugged: true, up: true }));
    let domain = seen.domain.unwrap();
    assert_eq!((domain.state, domain.epochs), (SeenState::Running, Epochs::of(spec)));
    assert_eq!(domain.definition, Some(DEFINITION));
    assert_eq!(seen.remains(), Remains::UNPROVED);

    machine.start(SERVER).await.unwrap(); // runs already: done
    machine.make_taps(spec).await.unwrap();
    machine.adopt_start(SERVER, StartEpoch(5)).await.unwrap();
    let domain = machine.see(SERVER, None).await.unwrap().domain.unwrap();
    assert_eq!(domain.epochs, Epochs { start: StartEpoch(5), boot: BootEpoch(1), disk: DiskEpoch(1) });
    assert_eq!((domain.state, domain.definition), (SeenState::Running, Some(DEFINITION)));

    let orphans = machine.orphans(&BTreeSet::new()).await.unwrap();
    assert_eq!((orphans[0].name.as_str(), orphans[0].macs.as_slice()), (SERVER.to_string().as_str(), [MAC].as_slice()));
    assert!(machine.orphans(&BTreeSet::from([SERVER])).await.unwrap().is_empty());
    let refused = machine.undefine(SERVER).await.unwrap_err();
    assert!(refused.detail.contains("running"), "{refused:?}");
    let password = Secret::new("$6$salt$hash".to_owned());
    let other = ServerId(Uuid::from_u128(9));
    assert_eq!(machine.set_password(SERVER, &password).await, Err(PasswordRefusal::NoGuestAgent));
    assert_eq!(machine.set_password(other, &password).await, Err(PasswordRefusal::NotRunning));
}

/// By QEMU itself, by libvirt's sandbox, and by control groups where this kernel has them for processors.
fn it_is_held_to_its_bounds() {
    let pid = process::find(SERVER).unwrap()[0];
    let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(arguments.contains("-sandbox\0on,"), "{arguments}");
    // Its disk, the base below it, its seed: each file by its format, and none that QEMU would have to look into first.
    let opened = ["\"driver\":\"file\"", "\"driver\":\"qcow2\"", "\"driver\":\"raw\"", "-drive\0"];
    assert_eq!(opened.map(|word| arguments.matches(word).count()), [3, 1, 2, 0], "{arguments}");
    let virsh = Tool::new("virsh", PATIENCE).args(["-c", "qemu:///system", "blkdeviotune", &SERVER.to_string(), "vda"]);
    let told = String::from_utf8(virsh.run().unwrap()).unwrap();
    let bound = |name: &str| {
        let line = told.lines().find(|line| line.split(':').next().is_some_and(|n| n.trim() == name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
    };
    assert_eq!((bound("total_iops_sec"), bound("total_bytes_sec")), (Some(500), Some(20 << 20)), "{told}");

    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let held = |controller: &str, root: &str, file: &str| {
        let own = groups.lines().find_map(|line| line.split_once(controller)).unwrap().1;
        let above = Path::new(own.trim_start_matches('/')).ancestors();
        let files = above.map(|group| Path::new(root).join(group).join(file));
        files
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .map(|text| text.trim().to_owned())
            .collect::<Vec<_>>()
    };
    match setup::cpu_groups() {
        CpuGroups::None => eprintln!("this kernel has no control groups for processors; their bounds were not tried"),
        CpuGroups::V1 => {
            let told = held(":cpu:", "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us");
            assert!(told.contains(&"80000".to_owned()), "{told:?} {groups}");
            assert!(held(":cpu:", "/sys/fs/cgroup/cpu", "cpu.shares").contains(&"512".to_owned()));
        }
        CpuGroups::V2 => {
            assert!(held("0::", "/sys/fs/cgroup", "cpu.max").contains(&"80000 100000".to_owned()), "{groups}");
            assert!(held("0::", "/sys/fs/cgroup", "cpu.weight").contains(&"50".to_owned()));
        }
    }
}

async fn bring_about(machine: &HostMachine, spec: &ServerSpec) {
    machine.fetch_image(&spec.image).await.unwrap();
    machine.create_disk(spec).await.unwrap();
    machine.write_seed(spec, SEED).await.unwrap();
    machine.make_taps(spec).await.unwrap();
    assert!(!machine.see(SERVER, None).await.unwrap().taps.values().any(|tap| tap.up) || spec.disk_epoch.0 > 1);
    machine.set_filters(spec, FILTERS).await.unwrap();
    machine.link_up(spec).await.unwrap();
    let stamp = Stamp { epochs: Epochs::of(spec), definition: DEFINITION, seed: SEED };
    machine.define(spec, stamp).await.unwrap();
    machine.start(SERVER).await.unwrap();
}

/// Running, off and in the trash alike: libvirt lends files to QEMU's user and takes them back.
fn no_other_user_reads_it(home: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&home.join("pool/pool.id")) & 0o077, 0, "the mask holds in the agent's threads");
    for (folder, others_may) in [("disks", 0o011), ("seeds", 0o011), ("trash", 0)] {
        let folder = home.join("pool").join(folder);
        assert_eq!(mode(&folder) & 0o077, others_may, "{}", folder.display());
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
        }
    }
}

async fn a_restart_of_libvirtd_changes_nothing(machine: &HostMachine, host: &mut LibvirtHost) {
    drain_events(machine).await;
    host.stop_libvirtd();
    assert_eq!(machine.see(SERVER, None).await.unwrap_err().code, FaultCode::HypervisorAway, "not seen is not absent");
    assert_eq!(tokio::time::timeout(PATIENCE, machine.event()).await.unwrap(), HostEvent::Everything);
    host.restart_libvirtd();
    wait_for(machine, |state| state == SeenState::Running).await;
}

/// For longer than its keepalive allows: whoever needs it hears so, whoever does not goes on, and so do screens.
async fn a_libvirtd_that_hangs_is_told_and_holds_nothing_else_up(
    machine: &HostMachine,
    spec: &ServerSpec,
    host: &LibvirtHost,
) {
    // At once, so that there are as many connections, which wait no longer than their keepalive allows.
    let looks = || futures_util::future::join_all((0..4).map(|_| machine.see(SERVER, None)));
    assert!(looks().await.iter().all(Result::is_ok));
    host.hang_libvirtd();
    let looks = looks();
    let beside = async {
        machine.set_filters(spec, FILTERS).await.unwrap();
        machine.link_up(spec).await.unwrap();
        machine.fetch_image(&spec.image).await.unwrap();
        let mut screen = tokio::net::UnixStream::connect(machine.screen(SERVER).unwrap()).await.unwrap();
        let mut greeting = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut screen, &mut greeting).await.unwrap();
        assert_eq!(&greeting, b"RFB ");
    };
    let (seen, beside) = tokio::join!(looks, tokio::time::timeout(UNHURRIED, beside));
    host.unhang_libvirtd();
    beside.expect("what needs no libvirt does not wait for it");
    for seen in seen {
        assert_eq!(seen.unwrap_err().code, FaultCode::HypervisorAway);
    }
    wait_for(machine, |state| state == SeenState::Running).await;
}

/// It writes all over its disk, which is larger than what its pool can hold.
async fn a_guest_that_fills_its_pool_waits_for_room(home: &Path) {
    let small = home.join("small");
    std::fs::create_dir(&small).unwrap();
    nix::mount::mount(Some("tmpfs"), &small, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=48m,mode=0711"))
        .unwrap();
    let config = Config { pool_dir: small.join("pool"), state_dir: home.join("small-state"), ..config(home) };
    let machine = HostMachine::open(config.clone()).unwrap();
    let web = Web::serve(disk_of(FILLS), Behaviour::Plain);
    let mut spec = spec(&web, DiskEpoch(1));
    spec.image.sha256 = Sha256::of(&disk_of(FILLS));
    spec.limits = GuestLimits::NONE;
    machine.facts().await.unwrap();
    let filler = small.join("filler");
    // Made by hand, since the agent promises no more than its pool has.
    let image = config.pool_dir.join("disks").join(format!("{SERVER}.1.qcow2"));
    machine.fetch_image(&spec.image).await.unwrap();
    let base = std::fs::read_dir(config.pool_dir.join("images")).unwrap().next().unwrap().unwrap().path();
    let overlay = Tool::new("qemu-img", PATIENCE).args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
    overlay.arg(base).arg(&image).arg("1G").run().unwrap();
    std::fs::set_permissions(&image, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&filler, vec![1; 16 << 20]).unwrap();
    bring_about(&machine, &spec).await;
    wait_for(&machine, |state| state == SeenState::Paused).await;
    let occupied = |path: &Path| std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path).unwrap()) * 512;
    let before = occupied(&image);
    machine.resume(SERVER).await.unwrap();
    wait_for(&machine, |state| state == SeenState::Paused).await;

    std::fs::remove_file(&filler).unwrap();
    machine.resume(SERVER).await.unwrap();
    for _ in 0..PATIENCE.as_millis() / 100 {
        if occupied(&image) > before + (8 << 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(occupied(&image) > before + (8 << 20), "it went on where there was room: {before}");
    // As a lock does to one whose disk only its QEMU holds.
    for _ in 0..2 {
        machine.pause(SERVER).await.unwrap();
        wait_for(&machine, |state| state == SeenState::Paused).await;
    }
    machine.resume(SERVER).await.unwrap();
    wait_for(&machine, |state| state == SeenState::Running).await;
    machine.force_stop(SERVER).await.unwrap();
    machine.undefine(SERVER).await.unwrap();
    machine.remove_taps(SERVER).await.unwrap();
    machine.remove_filters(SERVER).await.unwrap();
}

/// virtlogd begins another file at 2 MiB and keeps three: what a guest writes there fills no disk.
async fn its_console_is_bounded(home: &Path) {
    let console = home.join(format!("pool/consoles/{SERVER}.log"));
    let rotated = console.with_extension("log.0");
    for _ in 0..PATIENCE.as_millis() / 100 {
        if rotated.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let length = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(length(&rotated) <= 2 << 20 && length(&console) <= 2 << 20, "{}", length(&console));
}

async fn ends_are_told_apart(machine: &HostMachine) {
    for (signal, cause) in [(Signal::SIGKILL, OffCause::Crashed), (Signal::SIGTERM, OffCause::Unknown)] {
        drain_events(machine).await;
        let pids = process::find(SERVER).unwrap();
        kill(Pid::from_raw(pids[0]), signal).unwrap();
        assert_eq!(tokio::time::timeout(PATIENCE, machine.event()).await.unwrap(), HostEvent::Server(SERVER));
        wait_for(machine, |state| state == SeenState::Off(cause)).await;
        assert!(!machine.see(SERVER, None).await.unwrap().process, "{signal}");
        machine.start(SERVER).await.unwrap();
        wait_for(machine, |state| state == SeenState::Running).await;
    }
    machine.ask_stop(SERVER).await.unwrap(); // this guest does not listen
    machine.force_stop(SERVER).await.unwrap();
    machine.force_stop(SERVER).await.unwrap(); // off already: done
    wait_for(machine, |state| state == SeenState::Off(OffCause::Unknown)).await;
}

/// Live through QEMU, or in its file; never smaller, and never the disk of another epoch.
async fn its_disk_grows(machine: &HostMachine, spec: &ServerSpec, to: u32) {
    for disk_gib in [to, to, to - 1] {
        machine.grow_disk(&ServerSpec { disk_gib, ..spec.clone() }).await.unwrap();
        assert_eq!(machine.see(SERVER, None).await.unwrap().disks[&DiskEpoch(1)].bytes(), Some(u64::from(to) << 30));
    }
    let other = ServerSpec { disk_gib: to + 1, disk_epoch: DiskEpoch(7), ..spec.clone() };
    machine.grow_disk(&other).await.unwrap_err();
    assert_eq!(machine.see(SERVER, None).await.unwrap().disks[&DiskEpoch(1)].bytes(), Some(u64::from(to) << 30));
}

async fn a_guest_that_powers_off_is_seen_to(machine: &HostMachine) {
    let web = Web::serve(disk_of(POWERS_OFF), Behaviour::Plain);
    let spec = spec(&web, DiskEpoch(2));
    machine.retire_disk(SERVER, DiskEpoch(1)).await.unwrap();
    bring_about(machine, &spec).await;
    wait_for(machine, |state| state == SeenState::Off(OffCause::Shutdown)).await;
    assert_eq!(machine.see(SERVER, None).await.unwrap().disks.keys().collect::<Vec<_>>(), [&DiskEpoch(2)]);
}

async fn it_is_removed_without_a_trace(machine: &HostMachine, home: &Path) {
    for _ in 0..2 {
        machine.undefine(SERVER).await.unwrap();
        machine.kill_process(SERVER).await.unwrap();
        machine.remove_taps(SERVER).await.unwrap();
        machine.remove_filters(SERVER).await.unwrap();
        machine.retire_disk(SERVER, DiskEpoch(2)).await.unwrap();
        machine.remove_seed(SERVER).await.unwrap();
    }
    let seen = machine.see(SERVER, None).await.unwrap();
    assert_eq!(seen.remains(), Remains::NOTHING, "{seen:?}");
    assert_eq!(seen.seed, None);
    assert_eq!(std::fs::read_dir(home.join("pool/trash")).unwrap().count(), 2);
    assert_eq!(std::fs::read_dir(home.join("pool/consoles")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(home.join("run-csp/vnc")).unwrap().count(), 0);
}

async fn wait_for(machine: &HostMachine, is_right: impl Fn(SeenState) -> bool) {
    let mut last = None;
    for _ in 0..PATIENCE.as_millis() / 100 {
        last = machine.see(SERVER, None).await.unwrap().domain.map(|domain| domain.state);
        if last.is_some_and(&is_right) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the guest stayed {last:?}");
}

async fn drain_events(machine: &HostMachine) {
    while tokio::time::timeout(Duration::from_millis(300), machine.event()).await.is_ok() {}
}
