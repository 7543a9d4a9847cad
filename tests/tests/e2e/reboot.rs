//! Hosts that lose their power while the control plane is away: what they bring up by themselves, and in which order.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use crate::rig::{Lab, Server};

const STOP_WATCH: &str = "/run/stop-watch";

/// Lists the links that are up, then the filter tables, again and again. In this order: a table that is there for a
/// link that was up is in the second list, and one that came too late is not.
const WATCH: &str = "while [ ! -e /run/stop-watch ]; do \
                     echo '#links'; ip -o link show up; echo '#tables'; nft list tables; done";

/// Watches a host from before its agent starts.
struct Watch<'a> {
    lab: &'a Lab,
    host: &'a str,
    program: Child,
    /// A file, since a pipe that nobody reads would stop the watch when it is full.
    seen: PathBuf,
}

impl<'a> Watch<'a> {
    /// Waits for its first look.
    fn start(lab: &'a Lab, host: &'a str) -> Self {
        let mut command = Command::new(lab.program_file());
        command.args(["exec", "--dir"]).arg(lab.dir()).args([host, "--", "sh", "-c", WATCH]);
        let seen = lab.dir().join(format!("log/watch-{host}.log"));
        let program = command.stdout(std::fs::File::create(&seen).unwrap()).spawn().unwrap();
        lab.await_true("the watch's first look", || std::fs::read_to_string(&seen).unwrap().contains("#tables"));
        Self { lab, host, program, seen }
    }

    fn stop(&mut self) {
        let _ = self.lab.exec(self.host, &["touch", STOP_WATCH]);
        let _ = self.program.wait();
    }

    /// Ends it. Proves that no link of any server was ever seen up without its filters; gives the servers whose links
    /// came up.
    fn servers_connected(mut self) -> BTreeSet<String> {
        self.stop();
        let seen = std::fs::read_to_string(&self.seen).unwrap();
        let looks: Vec<(&str, &str)> =
            seen.split("#links\n").skip(1).filter_map(|look| look.split_once("#tables\n")).collect();
        assert!(!looks[0].0.contains("server="), "a reboot leaves no tap, and the watch began before the agent");
        let mut connected = BTreeSet::new();
        for (links, tables) in &looks {
            // The queues of a server's rate are made before its filters, which hand frames to them; no guest is at them.
            let taps = links.lines().filter(|link| !link.contains(" queue="));
            for server in taps.filter_map(|link| link.split("server=").nth(1)?.split_whitespace().next()) {
                let table = format!("csp_{}", server.replace('-', ""));
                assert!(tables.contains(&table), "the link of {server} was up before its filters:\n{links}{tables}");
                connected.insert(server.to_owned());
            }
        }
        assert!(looks.len() > 20, "a watch that hardly looks sees nothing: {} looks", looks.len());
        connected
    }
}

/// Also when the test fails: it would look for ever.
impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What libvirt of a host says about a server's domain.
fn domain(lab: &Lab, host: &str, server: &Server) -> String {
    lab.exec(host, &["virsh", "-q", "-c", "qemu:///system", "domstate", &server.uuid]).1.trim().to_owned()
}

/// Switches hosts on, all at once, and watches each from before its agent starts.
fn power_on<'a>(lab: &'a Lab, hosts: &'a BTreeSet<String>) -> Vec<Watch<'a>> {
    std::thread::scope(|scope| {
        let on: Vec<_> = hosts
            .iter()
            .map(|host| {
                scope.spawn(move || {
                    lab.run(&["power-on", host, "--without-agent"]);
                    let watch = Watch::start(lab, host);
                    lab.run(&["start-agent", host]);
                    watch
                })
            })
            .collect();
        on.into_iter().map(|on| on.join().unwrap()).collect()
    })
}

/// Starts the control plane, and every agent anew: after a long silence they would take half a minute to dial again.
fn control_is_back(lab: &Lab) {
    lab.run(&["start-control"]);
    for host in lab.operate(&["host", "list"]).1.as_array().unwrap() {
        let name = host["name"].as_str().unwrap();
        lab.run(&["kill-agent", name]);
        lab.run(&["start-agent", name]);
    }
}

#[test]
fn hosts_that_reboot_alone_run_what_should_run_and_filter_before_they_connect() {
    let lab = Lab::of_environment();
    let (runs, rests) = (lab.order("runs.example.com"), lab.order("rests.example.com"));
    lab.await_status(&runs, "Online");
    lab.ssh(&rests, "(sleep 1; poweroff -f) >/dev/null 2>&1 &");
    lab.await_status(&rests, "Offline");
    let (of_runs, of_rests) = (lab.host_of(&runs), lab.host_of(&rests));
    let hosts = BTreeSet::from([of_runs.clone(), of_rests.clone()]);

    lab.run(&["kill-control"]);
    hosts.iter().for_each(|host| lab.run(&["cut-power", host]));
    let watches = power_on(&lab, &hosts);
    lab.await_true("the guest to run again", || domain(&lab, &of_runs, &runs) == "running");
    let connected: BTreeSet<String> = watches.into_iter().flat_map(Watch::servers_connected).collect();
    assert_eq!(connected, BTreeSet::from([runs.uuid.clone()]), "what is off is not connected");
    assert_eq!(domain(&lab, &of_rests, &rests), "shut off", "it had powered itself off");

    control_is_back(&lab);
    lab.await_status(&runs, "Online");
    assert!(lab.ssh(&runs, "hostname").contains("runs"));
    assert_eq!((domain(&lab, &of_rests, &rests).as_str(), lab.status(&rests).as_str()), ("shut off", "Offline"));
    lab.destroy(&runs);
    lab.destroy(&rests);
}

/// Lines of the agent's log that speak of a pool that is not there.
fn complaints(lab: &Lab, host: &str) -> usize {
    let log = std::fs::read_to_string(lab.dir().join(format!("log/agent-{host}.log"))).unwrap();
    log.lines().filter(|line| line.contains("the pool cannot be used")).count()
}

#[test]
fn a_host_whose_pool_is_not_mounted_starts_and_makes_nothing_and_goes_on_when_it_is_back() {
    let lab = Lab::of_environment();
    let server = lab.order("pool.example.com");
    lab.await_status(&server, "Online");
    let host = lab.host_of(&server);
    let pool: PathBuf = lab.dir().join("hosts").join(&host).join("srv/csp/pool");
    let away = pool.with_extension("away");

    lab.run(&["kill-control"]);
    lab.run(&["cut-power", &host]);
    std::fs::rename(&pool, &away).unwrap();
    std::fs::create_dir(&pool).unwrap();
    let before = complaints(&lab, &host);
    lab.run(&["power-on", &host]);
    std::thread::sleep(Duration::from_secs(8)); // longer than the host waits for its control plane
    assert_eq!(domain(&lab, &host, &server), "shut off");
    assert_eq!(lab.exec(&host, &["pgrep", "-f", &server.uuid]).1, "", "no QEMU");
    assert_eq!(std::fs::read_dir(&pool).unwrap().count(), 0, "the empty folder stays empty");
    assert_eq!(complaints(&lab, &host) - before, 1, "said once");

    control_is_back(&lab);
    lab.await_true("the operator to be told", || {
        let shown = lab.operate(&["server", "show", &server.uuid]).1;
        shown["last_report"]["observed"]["fault"]["code"] == "pool_missing"
    });
    lab.await_true("the audit to say what is wrong, and nothing else", || {
        let (is_clean, audit) = lab.operate(&["audit"]);
        let findings = audit["findings"].as_array().unwrap();
        let kinds: BTreeSet<&str> = findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
        !is_clean && kinds == BTreeSet::from(["guest_down", "pool_missing"])
    });

    std::fs::remove_dir(&pool).unwrap();
    std::fs::rename(&away, &pool).unwrap();
    lab.await_status(&server, "Online");
    assert_eq!(domain(&lab, &host, &server), "running");
    lab.destroy(&server);
}
