//! What somebody does to a host with virsh, kill and mv, and what comes of it: told by name, mended when that is safe, and
//! nothing of it costs a byte. And what that all rests on goes away and comes back: libvirtd, the agent.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::rig::{Lab, Server};

const DISKS: &str = "/srv/csp/pool/disks";
const FOREIGN_DISK: &str = "/srv/csp/foreign.qcow2";
/// What libvirt writes of a server of the lab's smallest package.
const AS_ORDERED: &str = "<currentMemory unit='KiB'>262144</currentMemory>";
const CPUS_AS_ORDERED: &str = "<vcpu placement='static'>1</vcpu>";

/// On a busy machine, too.
const FLUSHED: Duration = Duration::from_secs(3);

struct Host<'a> {
    lab: &'a Lab,
    name: String,
}

impl Host<'_> {
    fn does(&self, words: &[&str]) -> String {
        let (done, said) = self.lab.exec(&self.name, words);
        assert!(done, "{words:?}: {said}");
        said
    }

    fn virsh(&self, words: &[&str]) -> String {
        self.does(&[&["virsh", "-q", "-c", "qemu:///system"], words].concat())
    }

    /// QEMU's number, and no other program's that has the server's id among its words.
    fn pid(&self, server: &Server) -> String {
        self.lab.exec(&self.name, &["pgrep", "-f", &format!("qemu.*guest={}", server.uuid)]).1.trim().to_owned()
    }

    /// What libvirt says of the server's domain under that heading.
    fn info(&self, server: &Server, heading: &str) -> String {
        let said = self.virsh(&["dominfo", &server.uuid]);
        let line = said.lines().find_map(|line| line.strip_prefix(heading)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {heading} in {said}")).trim().to_owned()
    }

    /// What the audit says, by kind.
    fn findings(&self) -> BTreeSet<String> {
        let audit = self.lab.operate(&["audit"]).1;
        let findings = audit["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn is_told(&self, what: &str, kinds: &[&str]) {
        let wanted: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        self.lab.await_true(&format!("{what} to be told as {wanted:?}"), || self.findings() == wanted);
    }

    /// Another boot than `boot` is there, and everything is as it should be.
    fn is_back(&self, server: &Server, boot: &str) -> String {
        self.lab.await_true("another boot", || self.lab.try_boot_id(server).is_some_and(|now| now != boot));
        self.is_told("nothing", &[]);
        self.lab.boot_id(server)
    }
}

#[test]
fn what_is_done_to_a_server_by_hand_is_told_and_mended_and_costs_no_data() {
    let lab = Lab::of_environment();
    let server = lab.order("drift.example.com");
    lab.await_status(&server, "Online");
    let host = Host { lab: &lab, name: lab.host_of(&server) };
    let boot = lab.boot_id(&server);

    // Ended by hand, and by the kernel: nobody's wish, so it runs again.
    host.virsh(&["destroy", &server.uuid]);
    let boot = host.is_back(&server, &boot);
    host.does(&["kill", "-9", &host.pid(&server)]);
    let boot = host.is_back(&server, &boot);

    // Undefined under the running guest, and to be started by libvirt: mended, and the guest does not notice.
    host.virsh(&["undefine", &server.uuid]);
    lab.await_true("libvirt to know it again", || host.info(&server, "Persistent") == "yes");
    host.virsh(&["autostart", &server.uuid]);
    lab.await_true("libvirt not to start it", || host.info(&server, "Autostart") == "disable");
    assert_eq!(lab.boot_id(&server), boot);

    // Another definition, for whenever it boots next: it boots as its spec says.
    host.does(&["qemu-img", "create", "-q", "-f", "qcow2", FOREIGN_DISK, "16M"]);
    let attach = ["attach-disk", &server.uuid, FOREIGN_DISK, "vdz", "--subdriver", "qcow2"];
    host.virsh(&[&attach[..], &["--config"]].concat());
    host.virsh(&["setmem", &server.uuid, "128M", "--config"]);
    host.virsh(&["setvcpus", &server.uuid, "2", "--config", "--maximum"]);
    host.virsh(&["destroy", &server.uuid]);
    let boot = host.is_back(&server, &boot);
    let made = host.virsh(&["dumpxml", &server.uuid]);
    assert!(!made.contains(FOREIGN_DISK) && made.contains(AS_ORDERED) && made.contains(CPUS_AS_ORDERED), "{made}");

    // A foreign disk plugged in: told, and nobody's to take away but a person's.
    host.virsh(&[&attach[..], &["--live"]].concat());
    host.is_told("a foreign disk", &["disk_foreign"]);
    assert!(host.virsh(&["domblklist", &server.uuid]).contains(FOREIGN_DISK), "the guest may write to it");
    host.virsh(&["detach-disk", &server.uuid, "vdz", "--live"]);
    host.is_told("nothing", &[]);

    // Changed under the running guest: told, left alone, and as its spec says once its owner restarts it.
    let tap = host.virsh(&["domiflist", &server.uuid]).split_whitespace().next().unwrap().to_owned();
    for state in ["down", "up"] {
        host.virsh(&["domif-setlink", &server.uuid, &tap, state]);
        host.is_told("a pulled cable, once it is pulled", if state == "down" { &["guest_altered"] } else { &[] });
    }
    host.virsh(&["blkdeviotune", &server.uuid, "vda", "--total-iops-sec", "500", "--live"]);
    host.is_told("a bound of its disk", &["guest_altered"]);
    host.virsh(&["setmem", &server.uuid, "192M", "--live"]);
    host.does(&["ip", "link", "delete", &tap]);
    host.is_told("what was changed by hand", &["guest_altered", "tap_missing"]);
    let running = host.pid(&server);
    assert!(!running.is_empty(), "nothing was done to it");
    lab.ask(&server, "restart");
    let boot = host.is_back(&server, &boot);
    let made = host.virsh(&["dumpxml", &server.uuid]);
    assert!(made.contains(AS_ORDERED), "{made}");

    // All of nftables is flushed, as a restart of its service does: back at once, and not at the next look, within 30 s.
    let guards = [
        format!("netdev csp_{}", server.uuid.replace('-', "")),
        "bridge csp_guard".to_owned(),
        "arp csp_host".to_owned(),
    ];
    let stand = || {
        let tables = host.does(&["nft", "list", "tables"]);
        guards.iter().all(|table| tables.contains(table))
    };
    for _ in 0..3 {
        assert!(stand());
        host.does(&["nft", "flush", "ruleset"]);
        std::thread::sleep(FLUSHED);
        assert!(stand(), "after a flush");
    }
    host.is_told("nothing", &[]);

    // The agent and libvirtd end and begin again under it, and it does not notice.
    lab.run(&["kill-agent", &host.name]);
    host.does(&[
        "sh",
        "-c",
        "kill $(pgrep -x libvirtd); while pgrep -x libvirtd; do sleep 0.2; done; libvirtd --daemon",
    ]);
    lab.run(&["start-agent", &host.name]);
    host.does(&[
        "sh",
        "-c",
        "kill $(pgrep -x libvirtd); while pgrep -x libvirtd; do sleep 0.2; done; libvirtd --daemon",
    ]);
    host.is_told("nothing", &[]);
    assert_eq!(lab.boot_id(&server), boot);

    let (disk, away) = (format!("{DISKS}/{}.1.qcow2", server.uuid), "/srv/csp/drift.qcow2");
    let boot = its_disk_is_deleted_under_it(&host, &server, &disk);
    lab.ask(&server, "stop");
    lab.await_status(&server, "Offline");

    // Its disk is gone: told, and never made anew. It is put back, and all that was on it is there.
    let digest = host.does(&["sha256sum", &disk]);
    host.does(&["mv", &disk, away]);
    lab.ask(&server, "start");
    host.is_told("a lost disk", &["disk_missing", "guest_down"]);
    assert!(!lab.exec(&host.name, &["test", "-e", &disk]).0, "it is not made anew");
    let shown = lab.operate(&["server", "show", &server.uuid]).1;
    assert_eq!(shown["last_report"]["observed"]["fault"]["code"], "disk_missing", "{shown}");
    assert_eq!(host.does(&["sha256sum", away]).split(' ').next(), digest.split(' ').next());
    host.does(&["mv", away, &disk]);
    let _ = host.is_back(&server, &boot);
    lab.destroy(&server);
}

/// Only its QEMU has what it wrote then. Neither a wish nor a lock ends that, and it is brought back as the fault says. Answers
/// the boot after it.
fn its_disk_is_deleted_under_it(host: &Host<'_>, server: &Server, disk: &str) -> String {
    let lab = host.lab;
    lab.ssh(server, "echo kept >/root/kept; sync");
    host.does(&["rm", disk]);
    let stop = lab.must("POST", &format!("/servers/{}/stop", server.uuid), &json!({"force": true}));
    assert_eq!(lab.ended(&stop), "failed");
    assert_eq!(lab.ssh(server, "cat /root/kept").trim(), "kept", "it runs on");
    let shown = lab.operate(&["host", "show", &host.name]).1;
    assert!(shown["alarms"].as_array().unwrap().contains(&json!("disk_missing")), "{shown}");

    lab.operate(&["server", "lock", &server.uuid, "--reason", "operator"]);
    lab.await_true("it to be paused", || host.virsh(&["domstate", &server.uuid]).trim() == "paused");
    let pid = host.pid(server);
    let save = format!(
        "for held in /proc/{pid}/fd/*; do [ \"$(readlink $held)\" != '{disk} (deleted)' ] || cp $held {disk}.saved; done; \
         mv {disk}.saved {disk}"
    );
    host.does(&["sh", "-c", &save]);
    host.virsh(&["destroy", &server.uuid]);
    lab.operate(&["server", "unlock", &server.uuid, "--reason", "operator"]);
    lab.ask(server, "start");
    lab.await_status(server, "Online");
    assert_eq!(lab.ssh(server, "cat /root/kept").trim(), "kept");
    host.is_told("nothing", &[]);
    lab.boot_id(server)
}

#[test]
fn a_host_that_is_given_up_and_comes_back_hears_of_it_before_anything_starts() {
    let lab = Lab::of_environment();
    let server = lab.order("lost.example.com");
    lab.await_status(&server, "Online");
    let host = Host { lab: &lab, name: lab.host_of(&server) };
    let paid = lab.balance_cents();
    lab.run(&["cut-power", &host.name]);
    let (done, lost) = lab.operate(&["host", "lost", &host.name, "--yes"]);
    assert!(done && lost["ended"] == 1 && lost["held"] == 1, "{lost}");
    assert_eq!(lab.balance_cents() - paid, 695, "none of the month was used, to the cent");
    assert_eq!(lab.call("GET", &format!("/servers/{}", server.uuid), None).0, 404);
    let (done, _) = lab.operate_refused(&["host", "undrain", &host.name]);
    assert!(!done, "it has not come back");

    let began = lab.dir().join(format!("log/agent-{}.log", host.name));
    let before = std::fs::read_to_string(&began).unwrap().len();
    lab.run(&["power-on", &host.name]);
    lab.await_true("nothing to be left", || lab.try_run(&["traces", &server.uuid]).0);
    lab.await_true("the host to be taken back", || lab.operate_refused(&["host", "undrain", &host.name]).0);
    let log = std::fs::read_to_string(&began).unwrap()[before..].to_owned();
    assert!(!log.contains("step=\"start\""), "it was started once more: {log}");
}
