//! What is shown as available is what an order finds: rooms and addresses, in every location.

use csp_shared::host_status::{BridgeState, HostStatus, NumaCell, PoolStatus};
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl, TestCustomer};
use serde_json::{Value, json};

/// Two locations, the second one without hosts; `first` has two addresses.
fn catalog() -> String {
    let second = "\n[[locations]]\nslug = \"second\"\nname = \"Second location\"\n";
    EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.11\"").replacen(
        "\n# What is sold.",
        &format!("{second}\n# What is sold."),
        1,
    )
}

/// Whether an order of this package would find a place, as each way of asking says it.
async fn told(control: &TestControl, customer: &TestCustomer, package: &str, location: &str) -> [bool; 4] {
    let has = |list: &Value, word: &str| list.as_array().unwrap().contains(&json!(word));
    let get = async |path: &str| control.api("GET", path).by(customer).send().await.data().clone();
    let packages = get("/packages").await;
    let listed = packages.as_array().unwrap().iter().find(|row| row["slug"] == package).unwrap();
    let shown = get(&format!("/packages/{package}")).await;
    let locations = get("/locations").await;
    let place = locations.as_array().unwrap().iter().find(|row| row["slug"] == location).unwrap();
    let kind = listed["type"].as_str().unwrap();
    let order = json!({"type": kind, "package_slug": package, "os_image_key": "debian-12", "hostname": "a", "location": location});
    let tried = control.api("POST", "/servers?dry_run=true").by(customer).json(&order).send().await;
    assert!(["", "no_capacity", "no_address_available"].contains(&tried.code()), "{}", tried.text);
    [
        has(&listed["available"], location),
        has(&shown["available"], location),
        has(&place["available"], package),
        tried.status.is_success(),
    ]
}

async fn is_available(control: &TestControl, customer: &TestCustomer, package: &str, location: &str) -> bool {
    let told = told(control, customer, package, location).await;
    assert!(told.iter().all(|one| *one == told[0]), "{package} in {location}: {told:?}");
    told[0]
}

#[tokio::test]
async fn every_way_of_asking_says_what_an_order_finds() {
    let control = TestControl::with_catalog(&catalog()).await;
    let ada = control.customer("ada", "1000").await;
    assert!(!is_available(&control, &ada, "starter", "first").await, "no host yet");
    let host = control.host("host-1").await;
    assert!(is_available(&control, &ada, "starter", "first").await);
    assert!(!is_available(&control, &ada, "starter", "second").await, "hosts stand elsewhere");
    assert!(!is_available(&control, &ada, "dedicated-16", "first").await, "no host of that class");
    control.dedicated_host("host-2").await;
    assert!(is_available(&control, &ada, "dedicated-16", "first").await);
    let order = |kind: &str, package: &str| json!({"type": kind, "package_slug": package, "os_image_key": "debian-12", "hostname": "a"});
    let first = control.api("POST", "/servers").by(&ada).json(&order("dedicated", "dedicated-16")).send().await;
    assert!(first.status.is_success(), "{}", first.text);
    assert!(!is_available(&control, &ada, "dedicated-16", "first").await, "its one host is taken");
    assert!(is_available(&control, &ada, "starter", "first").await, "one address is left");
    let last = control.api("POST", "/servers").by(&ada).json(&order("vps", "starter")).send().await;
    assert!(!is_available(&control, &ada, "starter", "first").await, "no address is left");
    let path = format!("/servers/{}/destroy", last.data()["uuid"].as_str().unwrap());
    assert!(control.api("POST", &path).by(&ada).send().await.status.is_success());
    assert!(!is_available(&control, &ada, "starter", "first").await, "it is held");
    host.obey().await;
    assert!(!is_available(&control, &ada, "starter", "first").await, "it rests");
    control.clock.set(control.app.now().plus(61));
    host.alive().await;
    assert!(is_available(&control, &ada, "starter", "first").await, "it has rested");
}

#[tokio::test]
async fn locations_have_names_and_come_in_parts() {
    let control = TestControl::with_catalog(&catalog()).await;
    let ada = control.customer("ada", "0").await;
    let all = control.api("GET", "/locations").by(&ada).send().await;
    assert_eq!(all.data()[0], json!({"slug": "first", "name": "First location", "available": []}));
    let part = control.api("GET", "/locations?limit=1&offset=1").by(&ada).send().await;
    assert_eq!((&part.data()[0]["slug"], &part.json["total"]), (&json!("second"), &json!(2)));
}

/// What a host tells that is well and has that processor.
fn made_of(cpu_model: &str) -> HostStatus {
    let pool = PoolStatus { total_bytes: 1000, free_bytes: 400, growth_bytes: 300, ..PoolStatus::default() };
    let cpu_model = cpu_model.to_owned();
    HostStatus { cpu_model, pool: Some(pool), bridge: Some(BridgeState::Ready), ..HostStatus::default() }
}

#[tokio::test]
async fn a_package_stands_only_on_processors_that_it_names() {
    let price = "monthly_price = 14.95\n";
    let asks = format!("{price}cpu_models = [\"epyc\", \"Ryzen\"]\n");
    let control = TestControl::with_catalog(&EXAMPLE_CATALOG.replacen(price, &asks, 1)).await;
    let ada = control.customer("ada", "1000").await;
    let host = control.host("host-1").await;
    assert!(!is_available(&control, &ada, "edge", "first").await, "it has not told what it is");
    host.status(made_of("Intel Xeon 8380")).await;
    assert!(!is_available(&control, &ada, "edge", "first").await);
    assert!(is_available(&control, &ada, "starter", "first").await, "it asks for none");

    let path = format!("/servers/{}/change-package", control.order(&ada, "starter", "a").await);
    host.obey().await;
    let change = async || control.api("POST", &path).by(&ada).json(&json!({"package_slug": "edge"})).send().await;
    let refused = change().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "no_capacity"), "it would stay where it is");

    host.status(made_of("AMD EPYC 7763 64-Core Processor")).await;
    assert!(is_available(&control, &ada, "edge", "first").await);
    let changed = change().await;
    assert!(changed.status.is_success(), "{}", changed.text);
}

#[tokio::test]
async fn a_dedicated_server_stands_only_where_one_numa_cell_holds_it() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1000").await;
    let host = control.dedicated_host("host-1").await;
    let with = |cpus, ram_mib| HostStatus { numa_cells: vec![NumaCell { cpus, ram_mib }; 2], ..made_of("x") };
    host.status(with(8, 65_536)).await;
    assert!(!is_available(&control, &ada, "dedicated-16", "first").await, "half of its processors");
    host.status(with(16, 32_768)).await;
    assert!(!is_available(&control, &ada, "dedicated-16", "first").await, "half of its memory");
    host.status(with(16, 65_536)).await;
    assert!(is_available(&control, &ada, "dedicated-16", "first").await);
}
