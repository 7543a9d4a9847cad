//! Another package and another system on a real guest: it sees its new size, keeps its address, and loses its data exactly
//! when it was told so.

use std::path::PathBuf;

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

/// The host's trash, for as long as this lives: a lab empties it within a minute, and a provider after a day.
struct Rescued {
    config: PathBuf,
    text: String,
    host: String,
}

impl Rescued {
    fn begin(lab: &Lab, server: &Server) -> Self {
        let host = lab.host_of(server);
        let config = lab.dir().join(format!("hosts/{host}/agent.toml"));
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("keep_hours = 0", "keep_hours = 24")).unwrap();
        let kept = Self { config, text, host };
        kept.restart_agent(lab);
        kept
    }

    fn restart_agent(&self, lab: &Lab) {
        lab.run(&["kill-agent", &self.host]);
        lab.run(&["start-agent", &self.host]);
    }

    fn trash(&self, lab: &Lab, words: &[&str]) -> (bool, String) {
        let agent = lab.program_file().with_file_name("csp-agent");
        let start = [agent.to_str().unwrap(), "--config", self.config.to_str().unwrap(), "trash"];
        lab.exec(&self.host, &[&start, words].concat())
    }

    /// What was on the old disk is there for whoever looks in time, and in nobody's way.
    fn copy_out(self, lab: &Lab, server: &Server) {
        let (listed, said) = self.trash(lab, &["list", "--json"]);
        assert!(listed && said.contains(&server.uuid) && said.contains("superseded"), "{said}");
        let id = server.uuid.as_str();
        let (put_back, said) = self.trash(lab, &["restore", id]);
        assert!(!put_back, "its server has a newer one: {said}");
        let (copied, said) = self.trash(lab, &["restore", id, "--to", "/srv/csp/rescued.qcow2"]);
        assert!(copied, "{said}");
        let info = lab.exec(&self.host, &["qemu-img", "info", "-f", "qcow2", "/srv/csp/rescued.qcow2"]).1;
        assert!(info.contains("6 GiB") && !info.contains("backing file"), "{info}");
        assert!(lab.exec(&self.host, &["rm", "/srv/csp/rescued.qcow2"]).0);
        std::fs::write(&self.config, &self.text).unwrap();
        self.restart_agent(lab);
    }
}

impl Drop for Rescued {
    fn drop(&mut self) {
        std::fs::write(&self.config, &self.text).unwrap();
    }
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

    let rescued = Rescued::begin(&lab, &server);
    ask(&lab, &server, "reinstall", &json!({"os_image_key": "ubuntu-24-04"}));
    assert_eq!(lab.refusal(&server, "restart").1, "server_busy");
    lab.await_status(&server, "Online");
    let said = lab.ssh(&server, "ls /state; ip -4 -o address show; hostname");
    assert!(!said.contains("mark"), "what was on the old disk is gone: {said}");
    assert!(said.contains(&server.address.to_string()) && said.contains("reshape"), "{said}");

    rescued.copy_out(&lab, &server);

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
