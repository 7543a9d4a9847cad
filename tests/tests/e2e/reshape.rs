//! Another package and another system on a real guest: it sees its new size, keeps its address, and loses its data exactly
//! when it was told so.

use serde_json::{Value, json};

use crate::rig::{Lab, Server};

const GIB: u64 = 1 << 30;

/// A request to a server that must be accepted.
fn ask(lab: &Lab, server: &Server, what: &str, body: &Value) -> Value {
    let (status, answer) = lab.call("POST", &format!("/servers/{}/{what}", server.uuid), Some((body, None)));
    assert_eq!(status, 200, "{what}: {answer}");
    answer
}

/// What the guest sees: bytes of its disk, MiB of its memory.
fn size(lab: &Lab, server: &Server) -> (u64, u64) {
    let said = lab.ssh(server, "cat /sys/block/vda/size; sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo");
    let numbers: Vec<u64> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[0] * 512, numbers[1] / 1024)
}

#[test]
fn a_server_gets_a_larger_package_another_system_and_a_smaller_package_again() {
    let lab = Lab::of_environment();
    let server = lab.order("reshape.example.com");
    lab.await_status(&server, "Online");
    let (disk, memory) = size(&lab, &server);
    assert!(disk == 2 * GIB && (150..=256).contains(&memory), "{disk} {memory}");
    lab.ssh(&server, "echo kept >/state/mark && sync");

    let before = lab.balance_cents();
    let answer = ask(&lab, &server, "change-package", &json!({"package_slug": "edge"}));
    assert_eq!(before - lab.balance_cents(), 800, "{answer}");
    lab.await_status(&server, "Online");
    let (disk, memory) = size(&lab, &server);
    assert!(disk == 6 * GIB && (800..=1024).contains(&memory), "{disk} {memory}");
    assert_eq!(lab.ssh(&server, "cat /state/mark").trim(), "kept", "a larger disk keeps what is on it");

    ask(&lab, &server, "reinstall", &json!({"os_image_key": "ubuntu-24-04"}));
    assert_eq!(lab.refusal(&server, "restart").1, "server_busy");
    lab.await_status(&server, "Online");
    let said = lab.ssh(&server, "ls /state; ip -4 -o address show; hostname");
    assert!(!said.contains("mark"), "what was on the old disk is gone: {said}");
    assert!(said.contains(&server.address.to_string()) && said.contains("reshape"), "{said}");

    lab.ssh(&server, "echo lost >/state/mark && sync");
    let smaller = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": "ERASE"});
    let before = lab.balance_cents();
    ask(&lab, &server, "change-package", &smaller);
    lab.await_status(&server, "Online");
    assert!((790..=800).contains(&(lab.balance_cents() - before)), "the difference comes back when it is done");
    let (disk, memory) = size(&lab, &server);
    assert!(disk == 2 * GIB && memory <= 256, "{disk} {memory}");
    assert!(!lab.ssh(&server, "ls /state").contains("mark"));
    lab.destroy(&server);
}
