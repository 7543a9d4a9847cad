//! What a guest does shows in its owner's numbers, from the guest to the answer. Part of a test that has a guest already.

use serde_json::Value;

use crate::rig::{Lab, Server};

/// Bytes that the guest sends. Hardly any go in, so that the directions cannot be mixed up unseen.
const MIB: u64 = 1 << 20;

/// Has the guest burn its processor and move bytes, and waits until the API says so.
pub fn numbers_follow_the_guest(lab: &Lab, server: &Server) {
    let shown = || lab.call("GET", &format!("/servers/{}", server.uuid), None).1["data"]["metrics"].clone();
    let number = |metrics: &Value, name: &str| metrics[name].as_f64().unwrap_or(0.0);
    lab.ssh(server, "timeout 15 sh -c 'while :; do :; done' >/dev/null 2>&1 & head -c 1048576 /dev/zero");
    let (mut cpu, mut sent, mut received) = (0.0_f64, 0.0_f64, 0.0_f64);
    lab.await_true("the guest's work to show in its numbers", || {
        let metrics = shown();
        cpu = cpu.max(number(&metrics, "cpu_percent"));
        sent = sent.max(number(&metrics, "network_sent_bytes_per_s"));
        received = received.max(number(&metrics, "network_received_bytes_per_s"));
        // On a busy machine an emulated processor that burns gets a part of a real one.
        cpu > 20.0 && sent * 15.0 > MIB as f64 / 2.0
    });
    assert!(sent > received * 3.0, "sent {sent}, received {received}: directions are the guest's");
    let metrics = shown();
    assert!(metrics["age_s"].as_i64().is_some_and(|age| (0..=30).contains(&age)), "{metrics}");
    assert!(number(&metrics, "memory_mb") > 100.0 && number(&metrics, "memory_resident_mb") > 20.0, "{metrics}");
    let (status, curve) = lab.call("GET", &format!("/servers/{}/metrics?range=1h", server.uuid), None);
    assert_eq!(status, 200, "{curve}");
    let column = curve["data"]["series"]["cpu_percent"].as_array().unwrap();
    assert_eq!((column.len(), curve["data"]["unix_s"].as_array().unwrap().len()), (240, 240));
    assert!(column.iter().filter_map(Value::as_f64).any(|percent| percent > 10.0), "{curve}");
    let disk = curve["data"]["series"]["disk_read_bytes_per_s"].as_array().unwrap();
    assert!(disk.iter().any(|value| !value.is_null()), "{curve}");
}
