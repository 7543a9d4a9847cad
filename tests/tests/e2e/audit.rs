//! What somebody does to a host by hand is named by `csp-control audit`, each with the cure that puts it right.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::rig::Lab;

const STRANGER: &str = "0199d5c4-8d7e-7000-8000-0000000000bb";
const STRAY: &str = "<domain type='qemu'><name>stray</name><memory>65536</memory><os><type>hvm</type></os></domain>";
const DISKS: &str = "/srv/csp/pool/disks";

/// The findings by their kind.
fn findings(lab: &Lab) -> BTreeMap<String, Value> {
    let (is_clean, audit) = lab.operate(&["audit"]);
    let findings = audit["findings"].as_array().unwrap().clone();
    let wrong = findings.iter().filter(|finding| finding["in_motion"] == false).count();
    assert_eq!(is_clean, wrong == 0, "the exit code says whether anything is wrong: {audit}");
    findings.into_iter().map(|finding| (finding["kind"].as_str().unwrap().to_owned(), finding)).collect()
}

fn text<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().unwrap()
}

/// Types what stands last in the finding's cure between backticks, in the finding's host: what comes before is to be looked at.
fn cure(lab: &Lab, finding: &Value) {
    let commands = text(finding, "cure").rsplit('`').nth(1).unwrap_or_else(|| panic!("no command in {finding}"));
    for command in commands.split(';') {
        // `virsh destroy` of a domain that is off fails, and should.
        lab.exec(text(finding, "host"), &command.split_whitespace().collect::<Vec<_>>());
    }
}

#[test]
fn what_was_done_to_a_host_by_hand_is_named_with_its_cure() {
    let lab = Lab::of_environment();
    let server = lab.order("audited.example.com");
    lab.await_status(&server, "Online");
    let host = lab.host_of(&server);
    lab.await_true("no difference", || findings(&lab).is_empty());

    let on = |words: &[&str]| assert!(lab.exec(&host, words).0, "{words:?}");
    let definition = lab.dir().join("stray.xml");
    std::fs::write(&definition, STRAY).unwrap();
    on(&["virsh", "-q", "define", definition.to_str().unwrap()]);
    std::fs::remove_file(&definition).unwrap();
    on(&["ip", "tuntap", "add", "dev", "csptforeign", "mode", "tap"]);
    let copy = format!("{DISKS}/{STRANGER}.1.qcow2");
    on(&["cp", &format!("{DISKS}/{}.1.qcow2", server.uuid), &copy]);
    let table = format!("csp_{}", server.uuid.replace('-', ""));
    let mut found = BTreeMap::new();
    // The agent may look at its server between the two, and then mends the filters at once.
    lab.await_true("the missing filters to be found", || {
        on(&["nft", "delete", "table", "netdev", &table]);
        found = findings(&lab);
        found.contains_key("tap_unfiltered")
    });
    let kinds: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["disk_orphan", "domain_orphan", "tap_orphan", "tap_unfiltered"]);
    for (kind, object) in [
        ("disk_orphan", format!("disk {STRANGER}.1.qcow2")),
        ("domain_orphan", "domain stray".to_owned()),
        ("tap_orphan", "tap csptforeign".to_owned()),
    ] {
        assert_eq!((text(&found[kind], "host"), text(&found[kind], "object")), (host.as_str(), object.as_str()));
    }
    let unfiltered = &found["tap_unfiltered"];
    assert_eq!((text(unfiltered, "server"), text(unfiltered, "severity")), (server.uuid.as_str(), "danger"));

    cure(&lab, &found["domain_orphan"]);
    cure(&lab, &found["tap_orphan"]);
    on(&["rm", &copy]);
    lab.run(&["kill-agent", &host]);
    let silent = findings(&lab);
    let told = text(&silent["host_silent"], "what");
    assert!(silent.len() == 1 && told.contains(&host) && told.contains("nothing is known"), "{silent:?}");
    lab.run(&["start-agent", &host]);
    lab.await_true("the filters to be back", || findings(&lab).is_empty());
    lab.destroy(&server);
}
