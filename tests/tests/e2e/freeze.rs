//! `csp-agent freeze`: a guest writes nothing while a program runs on its host, and writes again whatever becomes of that
//! program and of the one that froze it.

use crate::rig::{Lab, Server};

/// Writes the time into a file of the guest's root, again and again.
const TICK: &str = "systemd-run --unit=ticks sh -c 'while :; do date +%s%N >>/root/ticks; sleep 0.1; done'; \
                    until [ \"$(wc -l </root/ticks)\" -gt 5 ]; do sleep 0.2; done";
/// The longest pause between two of them, in milliseconds.
const LONGEST: &str = "awk 'NR > 1 && $1 - before > longest { longest = $1 - before } { before = $1 } \
                       END { printf \"%d\\n\", longest / 1000000 }' /root/ticks";
/// Kills the command behind `sh` once it says that the guest is frozen. What it ran goes on, and must not hold our pipe.
const KILL: &str = "\"$@\" >/dev/null 2>/srv/csp/freeze.log & pid=$!; \
                    until grep -q 'are frozen' /srv/csp/freeze.log; do sleep 0.1; done; kill -9 $pid; wait $pid";

struct Host<'a> {
    lab: &'a Lab,
    name: String,
    agent: [String; 3],
}

impl<'a> Host<'a> {
    fn of(lab: &'a Lab, server: &Server) -> Self {
        let name = lab.host_of(server);
        let program = lab.program_file().with_file_name("csp-agent");
        let config = lab.dir().join(format!("hosts/{name}/agent.toml"));
        let agent = [program.display().to_string(), "--config".to_owned(), config.display().to_string()];
        Self { lab, name, agent }
    }

    /// Whether it was done, and what was said.
    fn freeze(&self, before: &[&str], server: &Server, words: &[&str]) -> (bool, String) {
        let agent: Vec<&str> = self.agent.iter().map(String::as_str).collect();
        let start = ["exec", &self.name, "--"];
        self.lab.try_run(&[&start[..], before, &agent, &["freeze", &server.uuid], words].concat())
    }
}

/// With a guest whose agent answers, since such a guest takes minutes to boot.
pub fn a_frozen_guest_writes_nothing_and_is_thawed_whatever_happens(lab: &Lab, server: &Server) {
    let host = Host::of(lab, server);
    lab.ssh(server, TICK);
    let (done, said) = host.freeze(&[], server, &["--", "sleep", "4"]);
    assert!(done && said.contains(" are frozen") && said.contains(" thawed ("), "{said}");
    let longest: u64 = lab.ssh(server, LONGEST).trim().parse().unwrap();
    assert!(longest >= 3_500, "it wrote on: no pause above {longest} ms");

    let written = |what: &str| lab.ssh(server, &format!("echo {what} >/root/written && sync && cat /root/written"));
    for (words, wanted) in [
        (&["--", "sh", "-c", "exit 3"][..], "sh ended with exit status: 3"),
        (&["--", "no-such-program"], "cannot run no-such-program"),
        (&["--seconds", "8", "--", "sleep", "600"], "did not end within 8 s"),
        (&["--", "virsh", "domfsthaw", &server.uuid], "did not stay frozen while virsh ran"),
    ] {
        let (done, said) = host.freeze(&[], server, words);
        assert!(!done && said.contains(wanted), "{words:?}: {said}");
        assert_eq!(written("again").trim(), "again", "{words:?}");
    }

    let killed = ["timeout", "120", "sh", "-c", KILL, "sh"];
    let (_, said) = host.freeze(&killed, server, &["--seconds", "600", "--", "sleep", "600"]);
    assert_eq!(written("thawed").trim(), "thawed", "by the guard alone: {said}");
    assert!(lab.exec(&host.name, &["pkill", "-x", "sleep"]).0, "nobody was left to end the program");
}

#[test]
fn a_guest_without_an_agent_is_refused_by_name_and_nothing_is_run() {
    let lab = Lab::of_environment();
    let server = lab.order("warm.example.com");
    lab.await_status(&server, "Online");
    let host = Host::of(&lab, &server);
    let (done, said) = host.freeze(&[], &server, &["--", "touch", "/srv/csp/ran"]);
    assert!(!done && said.contains("no guest agent answers") && said.contains(&server.uuid), "{said}");
    let elsewhere = Server { uuid: "0198c0de-0000-7000-8000-00000000000a".to_owned(), address: String::new() };
    let (done, said) = host.freeze(&[], &elsewhere, &["--", "touch", "/srv/csp/ran"]);
    assert!(!done && said.contains("does not run on this host"), "{said}");
    assert!(!lab.exec(&host.name, &["test", "-e", "/srv/csp/ran"]).0);
    lab.destroy(&server);
}
