//! The operator's audit over the real store: what is asked, what is compared, and what a silent host means. Real hosts
//! are audited end to end, on the lab.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use csp_tests::test_control::TestControl;
use serde_json::{Value, json};

async fn audit(control: &TestControl) -> Value {
    let reply = control.operator("GET", "/audit").send().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json["data"].clone()
}

#[tokio::test]
async fn a_provider_without_hosts_has_no_difference() {
    let control = TestControl::start().await;
    let nothing = json!({"hosts": 0, "servers": 0, "addresses": 0, "things": 0, "findings": []});
    assert_eq!(audit(&control).await, nothing);
}

#[tokio::test]
async fn a_host_that_is_not_connected_is_a_finding_and_nothing_else_is_said_of_it() {
    let control = TestControl::start().await;
    let customer = control.customer("someone", "100").await;
    // Both speak through the store's door without a connection that could be asked.
    let host = control.host("h1").await;
    control.host("h2").await;
    let order =
        json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a.example.com"});
    let ordered = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    assert_eq!(ordered.status, 200, "{}", ordered.text);
    host.obey().await;
    let audit = audit(&control).await;
    assert_eq!((&audit["servers"], &audit["addresses"], &audit["things"]), (&json!(1), &json!(1), &json!(0)));
    let findings = audit["findings"].as_array().unwrap();
    let told: Vec<_> = findings.iter().map(|finding| (finding["kind"].as_str().unwrap(), &finding["host"])).collect();
    assert_eq!(told, [("host_silent", &json!("h1")), ("host_silent", &json!("h2"))]);
    assert!(findings[0]["what"].as_str().unwrap().contains("nothing is known about it"));
    assert!(findings[0]["cure"].as_str().unwrap().contains("csp-agent check"));
}
