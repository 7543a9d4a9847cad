//! The bare steps, as one would write them in a script. What they need (definition, rules, the seed's texts) is written
//! before the clock runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use csp_agent::{
    hypervisor::{domain_xml::DomainPlan, metadata::Metadata, tuning::CpuGroups},
    machine::{Epochs, Mark},
    network::{
        filter_rules::{self, ServerFilters},
        gate::{Gates, Queues, Rate},
        tap_name::TapName,
    },
    storage::{image_cache::CachedImage, seed::SeedFiles},
};
use csp_shared::{
    message::Virt,
    sha256::Sha256,
    spec::{Image, ImageFormat},
};
use serde_json::json;

use super::{real, timed};

/// Its steps; `$1` is the server's folder, `$2` its tap, `$3` its address, `$4` the image, `$5` its name.
const START: &str = r#"set -e
qemu-img create -q -f qcow2 -F raw -b "$4" "$1/disk.qcow2" 1G
sync "$1/disk.qcow2" "$1"
xorriso -no_rc -report_about SORRY -as mkisofs -quiet -V CIDATA -J -r -o "$1/seed.iso" "$1/seed" 2>"$1/seed.log"
sync "$1/seed.iso" "$1"
ip tuntap add dev "$2" mode tap vnet_hdr
ip link set dev "$2" address "$3" master br-bench
ip -batch "$1/gates"
tc -batch "$1/queues"
nft -j -f "$1/filters.json"
ip link set dev "$2" up
virsh -q -c qemu:///system define "$1/domain.xml" >/dev/null
virsh -q -c qemu:///system start "$5" >/dev/null
"#;
const DESTROY: &str = r#"set -e
virsh -q -c qemu:///system destroy "$5" >/dev/null
virsh -q -c qemu:///system undefine "$5" >/dev/null
ip link set dev "$2" down
ip link del dev "$2"
ip -batch "$1/no-gates"
nft -j -f "$1/remove.json"
rm "$1/disk.qcow2" "$1/seed.iso"
sync "$1"
"#;

pub struct Shell {
    home: PathBuf,
    image: PathBuf,
}

struct Server {
    folder: PathBuf,
    tap: String,
    tap_mac: String,
    name: String,
}

impl Shell {
    pub fn new(home: &Path, image: PathBuf) -> Self {
        // QEMU writes its console and its screen's socket there.
        let home = home.join("shell");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        Self { home, image }
    }

    pub fn start(&self, number: u32) -> Duration {
        let server = self.prepare(number);
        timed(|| end(self.run(START, &server))).0
    }

    pub fn destroy(&self, number: u32) -> Duration {
        let server = self.server(number);
        timed(|| end(self.run(DESTROY, &server))).0
    }

    /// As many scripts at once as there are servers, first to start and then to destroy: what each took.
    pub fn all_at_once(&self, numbers: &[u32]) -> (Duration, Duration) {
        let servers: Vec<Server> = numbers.iter().map(|number| self.prepare(*number)).collect();
        let all = |script| {
            let running: Vec<Child> = servers.iter().map(|server| self.run(script, server)).collect();
            running.into_iter().for_each(end);
        };
        (timed(|| all(START)).0, timed(|| all(DESTROY)).0)
    }

    fn server(&self, number: u32) -> Server {
        let spec = real::spec(number, &self.spec_image());
        let mac = spec.nics[0].mac;
        Server {
            folder: self.home.join(number.to_string()),
            tap: TapName::of(spec.server, mac).to_string(),
            tap_mac: mac.of_tap().to_string(),
            name: spec.server.to_string(),
        }
    }

    fn spec_image(&self) -> Image {
        Image { sha256: Sha256::of(b"cached"), url: String::new(), format: ImageFormat::Raw, size_bytes: 1 << 20 }
    }

    /// Writes what the script reads.
    fn prepare(&self, number: u32) -> Server {
        let (server, spec) = (self.server(number), real::spec(number, &self.spec_image()));
        let folder = &server.folder;
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("seed")).unwrap();
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let seed = SeedFiles::of(&spec, &std::collections::BTreeMap::new());
        fs::write(folder.join("seed/meta-data"), seed.meta_data).unwrap();
        fs::write(folder.join("seed/user-data"), seed.user_data).unwrap();
        fs::write(folder.join("seed/network-config"), seed.network_config).unwrap();
        let base = CachedImage { path: self.image.clone(), format: ImageFormat::Raw, virtual_bytes: 1 << 20 };
        let plan = DomainPlan {
            spec: &spec,
            metadata: Metadata { epochs: Epochs::of(&spec), definition: Some(Mark(1)) },
            virt: Virt::Qemu,
            disk: &folder.join("disk.qcow2"),
            base: Some(&base),
            seed: &folder.join("seed.iso"),
            vnc_socket: &folder.join("vnc.sock"),
            serial_log: &folder.join("console.log"),
            pinned_to: &[],
            cpu_groups: CpuGroups::None,
        };
        fs::write(folder.join("domain.xml"), plan.to_xml().unwrap()).unwrap();
        let macs = vec![spec.nics[0].mac];
        let filters = ServerFilters {
            server: spec.server,
            own: Vec::new(),
            macs,
            smtp_open: false,
            private: Vec::new(),
            gates: Gates { public: Some(Queues::of(spec.server)), private: None },
            mark: Mark(1),
        };
        let Queues { from_guest, to_guest } = Queues::of(spec.server);
        let (near, far, tap) = (from_guest.near, from_guest.far, &server.tap);
        let gates = format!(
            "link add {near} mtu 65535 type veth peer name {far} mtu 65535\nlink add {to_guest} type ifb\n\
             link set {far} up\nlink set {near} up\nlink set {to_guest} up\n"
        );
        let [a, b, c, d, e, f] = spec.nics[0].mac.0;
        let (first, last) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, 0, 0]));
        let Rate { bytes_per_second, burst_bytes, waiting_bytes } = Rate::of_mbit(100_000);
        let rate = format!("tbf rate {}bit burst {burst_bytes} limit {waiting_bytes}", bytes_per_second * 8);
        let queues = format!(
            "qdisc add dev {far} ingress\nfilter add dev {far} ingress protocol all u32 \
             match u32 {first:#x} 0xffffffff at -8 match u32 {last:#x} 0xffff0000 at -4 \
             action mirred ingress redirect dev {tap}\n\
             qdisc add dev {near} root handle 1: {rate}\nqdisc add dev {to_guest} root handle 1: {rate}\n"
        );
        fs::write(folder.join("gates"), gates).unwrap();
        fs::write(folder.join("queues"), queues).unwrap();
        fs::write(folder.join("no-gates"), format!("link del {near}\nlink del {to_guest}\n")).unwrap();
        let rules = filter_rules::load(&filters, &[]);
        fs::write(folder.join("filters.json"), json!({ "nftables": rules }).to_string()).unwrap();
        let remove = filter_rules::remove(spec.server);
        fs::write(folder.join("remove.json"), json!({ "nftables": remove }).to_string()).unwrap();
        server
    }

    fn run(&self, script: &str, server: &Server) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&server.folder).args([&server.tap, &server.tap_mac]);
        command.arg(&self.image).arg(&server.name).stdin(Stdio::null()).spawn().unwrap()
    }
}

fn end(mut script: Child) {
    assert!(script.wait().unwrap().success(), "the bare steps failed");
}
