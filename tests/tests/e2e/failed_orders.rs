//! Orders that end badly, end well: the customer sees why and has the money back, and address and room are held until
//! the host has proved that nothing is left.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use csp_control::{
    config::Config,
    store::{LeaseState, PlacementState, Store, StoreError},
};
use csp_shared::{id::ServerId, sha256::Sha256};
use serde_json::Value;

use crate::rig::{Lab, Server};

const HOSTS: [&str; 2] = ["h1", "h2"];
/// Beside the lab's own server of images.
const PORT: u16 = 8001;
/// The lab's address among its hosts.
const INTERNET: &str = "198.51.100.1";
/// For what is refused as soon as it is tried.
const AT_ONCE: Duration = Duration::from_secs(60);
/// The shortest time that a control plane can be told to give an order, and the clockwork's own rhythm.
const LATE: Duration = Duration::from_secs(100);

#[test]
fn an_order_that_cannot_be_fulfilled_is_refunded_with_a_reason_while_other_servers_go_on() {
    let lab = Lab::of_environment();
    let before = lab.balance_cents();
    let images = BadImages::serve(&lab);
    let good = lab.order("good.example.com");
    let expected = [
        ("wrong-sum", "image_checksum", "The image is damaged at its source; the provider was told."),
        ("garbage", "image_invalid", "The image cannot be used; the provider was told."),
        ("cut-off", "image_invalid", "The image cannot be used; the provider was told."),
        ("longer", "image_length", "The image's file is not as long as it should be; the provider was told."),
        (
            "too-large",
            "image_too_large",
            "The image does not fit on the package's disk: choose another image or a larger package.",
        ),
    ];
    let bad = expected.map(|(image, ..)| lab.order_image("bad.example.com", image));
    for (server, (_, code, words)) in bad.iter().zip(expected) {
        assert_eq!(failure(&lab, server, AT_ONCE), (code.to_owned(), format!("{words} The order was refunded.")));
    }
    lab.await_status(&good, "Online");

    // Where the wrong QEMU was installed, libvirt refuses domain by domain.
    // A copy, since libvirt looks at a program anew when its file is a newer one.
    let (emulator, wrong) = ("/usr/bin/qemu-system-x86_64", lab.dir().join("wrong-qemu"));
    fs::copy(format!("{emulator}-microvm"), &wrong).unwrap();
    for host in HOSTS {
        assert!(lab.exec(host, &["mount", "--bind", wrong.to_str().unwrap(), emulator]).0);
    }
    let refused = lab.order("refused.example.com");
    let (code, words) = failure(&lab, &refused, AT_ONCE);
    assert_eq!(
        (code.as_str(), words.as_str()),
        ("hypervisor_refused", "The host could not start the server. The order was refunded.")
    );
    for host in HOSTS {
        assert!(lab.exec(host, &["umount", emulator]).0);
    }
    assert_eq!(lab.status(&good), "Online");

    assert_eq!(before - lab.balance_cents(), 695, "what runs is paid, what failed is not");
    for server in bad.iter().chain([&refused]) {
        lab.await_true("the proof that nothing is left", || released(&lab, server));
        assert!(lab.try_run(&["traces", &server.uuid]).0);
    }
    lab.destroy(&good);
    images.withdraw(&lab);
}

#[test]
fn an_order_that_is_late_is_refunded_and_its_address_held_until_its_host_has_proved_it_gone() {
    let lab = Lab::of_environment();
    let before = lab.balance_cents();
    let control = Changed::new(&config(), "provision_timeout_minutes = 30", "provision_timeout_minutes = 1");
    start_control_anew(&lab);

    // The first host falls when it is told of its order, before it kept it. So does the second, after it kept it, and
    // by the time that it is back its pool has no room.
    start_agents(&lab, &HOSTS, Some("record/before"));
    let away = lab.order("away.example.com");
    let host = lab.host_of(&away);
    let other = *HOSTS.iter().find(|name| **name != host).unwrap();
    await_death(&lab, &host);
    start_agents(&lab, &[other], Some("record/after"));
    let full = lab.order("full.example.com");
    assert_eq!(lab.host_of(&full), other, "the emptier host is chosen");
    await_death(&lab, other);
    let agent =
        Changed::new(&lab.dir().join("hosts").join(other).join("agent.toml"), "disk_gib = 1", "disk_gib = 90000");
    start_agents(&lab, &[other], None);

    let told = "The host has no room for the disk. The order was refunded.";
    assert_eq!(failure(&lab, &full, LATE), ("pool_full".to_owned(), told.to_owned()));
    let told = "The server was not running in time. The order was refunded.";
    assert_eq!(failure(&lab, &away, LATE), ("provision_timeout".to_owned(), told.to_owned()));
    assert_eq!(lab.balance_cents(), before, "both are refunded");

    lab.await_true("the proof of the host that is there", || released(&lab, &full));
    assert_eq!(standing(&away), (Some(PlacementState::Held), vec![LeaseState::Held]), "nobody proved anything");
    drop((control, agent));
    start_control_anew(&lab);
    start_agents(&lab, &HOSTS, None);
    lab.await_true("the proof of the host that came back", || released(&lab, &away));
    for server in [&away, &full] {
        assert!(lab.try_run(&["traces", &server.uuid]).0);
    }
}

/// Code and words of the failure that a server's owner sees.
fn failure(lab: &Lab, server: &Server, within: Duration) -> (String, String) {
    let until = Instant::now() + within;
    loop {
        let shown = lab.call("GET", &format!("/servers/{}", server.uuid), None).1;
        let (status, failure) = (&shown["data"]["status"], &shown["data"]["failure"]);
        if status == "Failed" {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            return (text(&failure["code"]), text(&failure["message"]));
        }
        assert!(status == "Provisioning" && Instant::now() < until, "it did not fail: {shown}");
        sleep(Duration::from_millis(300));
    }
}

fn config() -> PathBuf {
    std::env::var("CSP_CONFIG").unwrap().into()
}

/// How place and addresses of a server stand in the database itself.
fn standing(server: &Server) -> (Option<PlacementState>, Vec<LeaseState>) {
    let store = Store::open_inline(&Config::load(&config()).unwrap().database()).unwrap();
    let id: ServerId = server.uuid.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = store.read::<_, StoreError>(move |read| {
        let leases = read.lease_list()?.into_iter().filter(|lease| lease.server == id);
        Ok((read.placement_get(id)?.map(|place| place.state), leases.map(|lease| lease.state).collect()))
    });
    runtime.block_on(read).unwrap()
}

/// Whether the host's proof was taken in: its room is free, the address rests.
fn released(lab: &Lab, server: &Server) -> bool {
    assert_eq!(lab.status(server), "Failed");
    standing(server) == (Some(PlacementState::Released), vec![LeaseState::Resting])
}

fn start_control_anew(lab: &Lab) {
    lab.run(&["kill-control"]);
    lab.run(&["start-control"]);
}

fn start_agents(lab: &Lab, hosts: &[&str], failpoint: Option<&str>) {
    let failpoint: Vec<&str> = failpoint.into_iter().flat_map(|place| ["--failpoint", place]).collect();
    for host in hosts {
        lab.run(&["kill-agent", host]);
        lab.run(&[&["start-agent", host], failpoint.as_slice()].concat());
    }
}

fn await_death(lab: &Lab, host: &str) {
    lab.await_true("the agent's death", || !lab.try_run(&["running"]).1.lines().any(|line| line == host));
}

/// A configuration file with one line changed, for as long as this lives.
struct Changed {
    path: PathBuf,
    text: String,
}

impl Changed {
    fn new(path: &Path, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {}:\n{text}", path.display());
        fs::write(path, text.replacen(from, to, 1)).unwrap();
        Self { path: path.to_owned(), text }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        fs::write(&self.path, &self.text).unwrap();
    }
}

/// Images that no server can be made from, on sale, and the server that has them.
struct BadImages {
    server: Child,
    catalog: PathBuf,
}

impl BadImages {
    fn serve(lab: &Lab) -> Self {
        let dir = lab.dir().join("bad-images");
        fs::create_dir_all(&dir).unwrap();
        let garbage = b"no image, but of the length and digest that the catalog says".repeat(1000);
        for name in ["wrong-sum", "garbage", "longer"] {
            fs::write(dir.join(name), &garbage).unwrap();
        }
        cut_off(&dir);
        let mut make = Command::new("qemu-img");
        make.args(["create", "-q", "-f", "qcow2"]).arg(dir.join("too-large")).arg("50G");
        assert!(make.status().unwrap().success());
        let mut catalog = fs::read_to_string(lab.dir().join("catalog.toml")).unwrap();
        for name in ["wrong-sum", "garbage", "cut-off", "longer", "too-large"] {
            let bytes = fs::read(dir.join(name)).unwrap();
            let digest = Sha256::of(if name == "wrong-sum" { b"something else" } else { &bytes });
            catalog += &format!(
                "\n[[images]]\nkey = \"{name}\"\nname = \"Bad\"\nversion = \"1\"\nurl = \"http://{INTERNET}:{PORT}/{name}\"\n\
                 sha256 = \"{digest}\"\nformat = \"qcow2\"\nsize_bytes = {}\n",
                bytes.len() - usize::from(name == "longer")
            );
        }
        let path = lab.dir().join("bad-catalog.toml");
        fs::write(&path, catalog).unwrap();
        assert!(lab.operate(&["apply", path.to_str().unwrap()]).0);
        let own = lab.program_file();
        let mut server = Command::new(&own);
        server.arg("--dir").arg(lab.dir()).args(["exec", "internet"]).arg(&own).args(["file-server", "--port"]);
        let server = server.arg(PORT.to_string()).arg(&dir).spawn().unwrap();
        Self { server, catalog: lab.dir().join("catalog.toml") }
    }

    /// Sells the lab's own images alone again.
    fn withdraw(self, lab: &Lab) {
        assert!(lab.operate(&["apply", self.catalog.to_str().unwrap()]).0);
    }
}

/// An image that its provider published before it was whole: the digest is of what is there.
fn cut_off(dir: &Path) {
    let (whole, image) = (dir.join("whole"), dir.join("cut-off"));
    fs::write(&whole, vec![7; 4 << 20]).unwrap();
    let mut make = Command::new("qemu-img");
    make.args(["convert", "-f", "raw", "-O", "qcow2"]).args([&whole, &image]);
    assert!(make.status().unwrap().success());
    let bytes = fs::metadata(&image).unwrap().len();
    fs::File::options().write(true).open(&image).unwrap().set_len(bytes - (1 << 20)).unwrap();
}

impl Drop for BadImages {
    fn drop(&mut self) {
        // Whether it lived until here does not matter any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
