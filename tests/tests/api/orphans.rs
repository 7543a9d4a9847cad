//! What hosts have that no spec explains: told, listed, and leased to nobody.

use std::net::Ipv4Addr;

use csp_shared::message::{Orphan, OrphanKind};
use csp_tests::test_control::TestControl;
use serde_json::json;

fn orphan(kind: OrphanKind, name: &str, addresses: &[Ipv4Addr]) -> Orphan {
    let macs = vec!["52:54:00:00:00:01".parse().unwrap()];
    Orphan { name: name.to_owned(), kind, macs, addresses: addresses.to_vec() }
}

#[tokio::test]
async fn orphans_are_listed_and_their_addresses_are_leased_to_nobody() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "100").await;
    let first: Ipv4Addr = "203.0.113.10".parse().unwrap();
    let tables = [orphan(OrphanKind::Filters, "csp_old", &[first]), orphan(OrphanKind::Domain, "by-hand", &[])];
    host.finds(tables.to_vec()).await;
    let listed = control.operator("GET", "/orphans").send().await;
    let shown: Vec<_> =
        listed.data().as_array().unwrap().iter().map(|o| (&o["host"], &o["kind"], &o["name"])).collect();
    let host_1 = json!("host-1");
    assert_eq!(
        shown,
        [(&host_1, &json!("domain"), &json!("by-hand")), (&host_1, &json!("filters"), &json!("csp_old"))]
    );
    assert_eq!(listed.data()[1]["addresses"], json!(["203.0.113.10"]));
    let show = control.operator("GET", "/hosts/host-1").send().await;
    assert_eq!(show.data()["alarms"], json!(["orphans"]));

    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let address = async || {
        let made = control.api("POST", "/servers").by(&customer).json(&order).send().await;
        let path = format!("/servers/{}", made.data()["uuid"].as_str().unwrap());
        control.api("GET", &path).by(&customer).send().await.data()["ips"][0]["address"].clone()
    };
    assert_eq!(address().await, json!("203.0.113.11"), "the first one may be in use by whatever that is");
    let known = |mac: &'static str| control.app.store.read(move |read| read.mac_is_known(mac));
    assert!(known("52:54:00:00:00:01").await.unwrap(), "and its adapter's address is drawn for nobody");

    // A host that could not look says nothing, which frees nothing.
    let again = host.connected_again().await;
    again.tells_nothing().await;
    assert_eq!(address().await, json!("203.0.113.12"));
    control.clock.advance(60);
    again.finds(vec![tables[1].clone()]).await;
    assert_eq!(address().await, json!("203.0.113.10"), "it is gone");
    let listed = control.operator("GET", "/orphans").send().await;
    assert_eq!(listed.data()[0]["first_seen_at"], json!("2026-06-10 12:00:00"), "{}", listed.text);
    host.connected_again().await;
    assert_eq!(listed.data().as_array().unwrap().len(), 1);
}
