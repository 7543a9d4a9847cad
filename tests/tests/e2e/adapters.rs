//! Somebody plugs with virsh: the agent gives a guest its own adapter back and takes a foreign one away, while it runs.

use crate::rig::{Lab, Server};

const FOREIGN: &str = "0a:c5:ff:ff:ff:01";
const BRIDGE: &str = "br-public";

/// MAC addresses of the running guest's adapters, as libvirt tells them.
fn adapters(lab: &Lab, host: &str, server: &Server) -> Vec<String> {
    let (_, listed) = lab.exec(host, &["virsh", "-q", "-c", "qemu:///system", "domiflist", &server.uuid]);
    listed.lines().filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}

fn virsh(lab: &Lab, host: &str, words: &[&str]) {
    let (done, said) = lab.exec(host, &[&["virsh", "-q", "-c", "qemu:///system"], words].concat());
    assert!(done, "{words:?}: {said}");
}

#[test]
fn a_running_guest_gets_its_adapter_back_and_loses_one_that_is_not_its_own() {
    let lab = Lab::of_environment();
    let server = lab.order("adapters.example.com");
    lab.await_status(&server, "Online");
    let (host, booted) = (lab.host_of(&server), lab.boot_id(&server));
    let own = adapters(&lab, &host, &server);
    assert_eq!(own.len(), 1, "{own:?}");

    // Past the filters, in the middle of the customers' network: as somebody would do it who means well.
    let foreign = ["bridge", BRIDGE, "--mac", FOREIGN, "--model", "virtio", "--live"];
    virsh(&lab, &host, &[&["attach-interface", &server.uuid], &foreign[..]].concat());
    lab.await_true("the foreign adapter to be gone", || adapters(&lab, &host, &server) == own);
    assert_eq!(lab.ssh(&server, "ls -d /sys/class/net/eth* | wc -l").trim(), "1", "for the guest as well");

    virsh(&lab, &host, &["detach-interface", &server.uuid, "ethernet", "--mac", &own[0], "--live"]);
    lab.await_true("its own adapter to be back", || adapters(&lab, &host, &server) == own);
    let (_, running) = lab.exec(&host, &["virsh", "-q", "-c", "qemu:///system", "domstate", &server.uuid]);
    assert_eq!(running.trim(), "running");
    lab.ask(&server, "restart"); // it sets its network up at boot alone
    lab.await_true("another boot", || lab.try_boot_id(&server).is_some_and(|boot| boot != booted));
    lab.destroy(&server);
}
