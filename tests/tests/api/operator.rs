//! The operator API: what the commands of `csp-control` stand on.

use csp_shared::{
    host_status::{AdapterState, BridgeState, HostStatus, PoolStatus},
    observed::FaultCode,
};
use csp_tests::test_control::TestControl;
use serde_json::{Value, json};

async fn post(control: &TestControl, path: &str, body: &Value) -> csp_tests::test_control::Reply {
    control.operator("POST", path).json(body).send().await
}

#[tokio::test]
async fn a_catalog_is_shown_applied_and_then_changes_nothing() {
    let control = TestControl::with_catalog("").await;
    let slug = json!({"slug": "first", "name": "First"});
    let apply = |dry_run: bool, locations: Value| {
        let body = json!({"catalog": {"locations": locations}, "dry_run": dry_run});
        let control = &control;
        async move { post(control, "/catalog", &body).await }
    };
    let tried = apply(true, json!([slug])).await;
    assert_eq!((&tried.data()["changes"][0]["key"], &tried.data()["applied"]), (&json!("first"), &json!(false)));
    let done = apply(false, json!([slug])).await;
    assert_eq!(done.data()["changes"].as_array().map(Vec::len), Some(1), "the dry run had changed nothing");
    assert_eq!(apply(false, json!([slug])).await.data()["changes"], json!([]));
    let renamed = apply(false, json!([{"slug": "first", "name": "Second"}])).await;
    assert_eq!(renamed.data()["changes"][0]["detail"], json!("name: First -> Second"));
    let gone = apply(false, json!([])).await;
    assert_eq!(gone.data()["changes"][0]["change"], json!("retire"));
}

#[tokio::test]
async fn what_changes_in_a_catalog_is_told_in_the_words_of_its_file() {
    use csp_control::operator::catalog_file;
    let control = TestControl::start().await;
    let text = csp_tests::test_control::EXAMPLE_CATALOG
        .replacen("monthly_price = 6.95", "monthly_price = 100", 1)
        .replacen("max_disk_iops = 2000", "max_disk_iops = 3000", 1)
        .replacen("off = \"2.00\"", "off = 10.01", 1)
        .replacen("valid_until = \"2027-01-01\"", "valid_until = \"2027-02-01\"", 1);
    let catalog = catalog_file::read(&text, "catalog").unwrap();
    let shown = post(&control, "/catalog", &json!({"catalog": catalog, "dry_run": true})).await;
    let details: Vec<&str> =
        shown.data()["changes"].as_array().unwrap().iter().map(|change| change["detail"].as_str().unwrap()).collect();
    let promo = "off: 2.00 -> 10.01, valid_until: 2027-01-01 00:00:00 -> 2027-02-01 00:00:00";
    assert_eq!(details, ["monthly_price: 6.95 -> 100.00, max_disk_iops: 2000 -> 3000", promo]);
}

#[tokio::test]
async fn a_gateway_that_a_guest_has_is_refused_with_the_guests_name() {
    use csp_control::operator::catalog_file;
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "10.00").await;
    let server = control.order(&customer, "starter", "web1").await;
    let text =
        csp_tests::test_control::EXAMPLE_CATALOG.replace("gateway = \"203.0.113.1\"", "gateway = \"203.0.113.10\"");
    let catalog = catalog_file::read(&text, "catalog").unwrap();
    let refused = post(&control, "/catalog", &json!({"catalog": catalog, "dry_run": true})).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
    assert!(refused.text.contains("203.0.113.10") && refused.text.contains(&server.to_string()), "{}", refused.text);
}

#[tokio::test]
async fn a_catalog_that_cannot_work_is_refused_by_name() {
    let control = TestControl::start().await;
    let body = json!({"catalog": {"locations": [{"slug": "No!", "name": "x"}]}, "dry_run": false});
    let wrong = post(&control, "/catalog", &body).await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["catalog.locations[0].slug"]), "{}", wrong.text);
    let slug = json!({"slug": "a", "name": "x"});
    let twice = post(&control, "/catalog", &json!({"catalog": {"locations": [slug, slug]}, "dry_run": false})).await;
    assert!(twice.status.as_u16() == 422 && twice.text.contains("stands twice"), "{}", twice.text);
}

#[tokio::test]
async fn a_payment_is_credited_once() {
    let control = TestControl::start().await;
    let account = post(&control, "/accounts", &json!({"name": "Ada", "email": "ada@example.com"})).await;
    let account = account.data()["uuid"].as_str().unwrap().to_owned();
    let path = format!("/accounts/{account}/credits");
    let credit = json!({"amount": "42.50", "reference": "bank-1"});
    let first = post(&control, &path, &credit).await;
    assert_eq!((&first.data()["balance"], &first.data()["credited"]), (&json!("42.50"), &json!(true)));
    let again = post(&control, &path, &credit).await;
    assert_eq!((&again.data()["balance"], &again.data()["credited"]), (&json!("42.50"), &json!(false)));
    let before = control.books().await;
    let table = [
        (json!({"amount": "43", "reference": "bank-1"}), 409, "reference"),
        (json!({"amount": "0", "reference": "bank-2"}), 422, "amount"),
        (json!({"amount": "-1", "reference": "bank-2"}), 422, "amount"),
        (json!({"amount": "1.005", "reference": "bank-2"}), 422, "amount"),
        (json!({"amount": "1", "reference": ""}), 422, "reference"),
        (json!({"amount": "1", "reference": "bank-2", "note": "a\nb"}), 422, "note"),
    ];
    for (body, status, field) in table {
        let reply = post(&control, &path, &body).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (status, vec![field]), "{body}");
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_key_opens_the_api_and_is_shown_once() {
    let control = TestControl::start().await;
    let account = post(&control, "/accounts", &json!({"name": "Ada"})).await;
    let account = account.data()["uuid"].as_str().unwrap().to_owned();
    let key = post(&control, &format!("/accounts/{account}/keys"), &json!({})).await;
    let key = key.data()["key"].as_str().unwrap().to_owned();
    let balance = control.api("GET", "/balance").header("authorization", &format!("Bearer {key}")).send().await;
    assert_eq!(balance.data()["balance"], json!(0.0));
    assert!(!control.operator("GET", "/accounts").send().await.text.contains(&key));
    let nobody = post(&control, "/accounts/0192f0c1-0000-7000-8000-000000000001/keys", &json!({})).await;
    assert_eq!(nobody.status.as_u16(), 404);
}

#[tokio::test]
async fn a_host_gets_a_line_to_paste_and_a_fresh_one_until_it_joined() {
    let control = TestControl::start().await;
    let add = json!({"name": "host-1", "location": "first"});
    let first = post(&control, "/hosts", &add).await;
    let line = first.data()["join"].as_str().unwrap();
    assert!(line.starts_with("csp-agent enroll --control control.example.com:7443 --pin sha256:"), "{line}");
    assert_eq!(line.matches("--pin sha256:").count(), 2);
    assert!(line.contains(" --token csp_join_") && !line.contains(['\'', '"', '$', ';', '`', '\n']), "{line}");
    let second = post(&control, "/hosts", &add).await;
    assert_ne!(second.data()["join"], first.data()["join"]);
    let _joined = control.host("host-2").await;
    let taken = post(&control, "/hosts", &json!({"name": "host-2", "location": "first"})).await;
    assert_eq!((taken.status.as_u16(), taken.fields()), (409, vec!["name"]));
    let nowhere = post(&control, "/hosts", &json!({"name": "host-3", "location": "mars"})).await;
    assert_eq!((nowhere.status.as_u16(), nowhere.fields()), (422, vec!["location"]));
    let hosts = control.operator("GET", "/hosts").send().await;
    let names: Vec<(&Value, &Value)> =
        hosts.data().as_array().unwrap().iter().map(|host| (&host["name"], &host["connected"])).collect();
    assert_eq!(names, [(&json!("host-1"), &json!(false)), (&json!("host-2"), &json!(true))]);
}

#[tokio::test]
async fn a_server_is_shown_as_the_database_has_it_and_as_its_host_saw_it() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let ordered = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    let password = ordered.data()["root_password"].as_str().unwrap().to_owned();
    let path = format!("/servers/{}", ordered.data()["uuid"].as_str().unwrap());
    let before = control.operator("GET", &path).send().await;
    assert_eq!(before.data()["last_report"], Value::Null);
    host.obey().await;
    let after = control.operator("GET", &path).send().await;
    assert_eq!(after.data()["last_report"]["observed"]["domain"], json!("running"));
    assert_eq!(after.data()["database"]["desired"]["power"], json!("on"));
    assert_eq!(after.data()["database"]["actions"][0]["status"], json!("done"));
    assert!(!after.text.contains(&password) && !after.text.contains("$6$"), "{}", after.text);
    let list = control.operator("GET", &format!("/servers?account={}", customer.account)).send().await;
    assert_eq!(list.data()[0]["host"], json!("host-1"));

    for (open, changed) in [(true, true), (true, false), (false, true)] {
        let said = control.operator("POST", &format!("{path}/smtp")).json(&json!({"open": open})).send().await;
        assert_eq!(*said.data(), json!({"changed": changed, "open": open}));
        host.obey().await;
        let desired = control.operator("GET", &path).send().await.data()["database"]["desired"].clone();
        assert_eq!(desired["smtp_open"], if open { json!(true) } else { Value::Null });
    }

    let destroyed = control.api("POST", &format!("{path}/destroy")).by(&customer).send().await;
    assert_eq!(destroyed.status.as_u16(), 200, "{}", destroyed.text);
    let gone = control.operator("GET", &path).send().await;
    assert_eq!(gone.data()["database"]["service_status"], json!("destroyed"), "operators see what customers do not");
    assert_eq!(gone.data()["database"]["desired"]["want"], json!("absent"));
}

#[tokio::test]
async fn a_host_is_shown_with_what_it_told_and_an_alarm_before_its_pool_hurts_guests() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let show = async || control.operator("GET", "/hosts/host-1").send().await;
    let before = show().await;
    assert_eq!((&before.data()["database"]["name"], &before.data()["status"]), (&json!("host-1"), &Value::Null));
    let pool = PoolStatus { total_bytes: 1000, free_bytes: 400, growth_bytes: 300, ..PoolStatus::default() };
    let status = HostStatus { bridge: Some(BridgeState::Ready), ..HostStatus::default() };
    let well = HostStatus { cpu_model: "EPYC".to_owned(), numa_nodes: 2, pool: Some(pool), ..status };
    host.status(well.clone()).await;
    let told = show().await;
    assert_eq!(
        (&told.data()["status"]["numa_nodes"], &told.data()["alarms"]),
        (&json!(2), &json!([])),
        "{}",
        told.text
    );
    host.status(HostStatus { pool: Some(PoolStatus { free_bytes: 200, ..pool }), ..well.clone() }).await;
    assert_eq!(show().await.data()["alarms"], json!(["pool_filling"]));
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let ordered = async || control.api("POST", "/servers").by(&customer).json(&order).send().await;
    assert_eq!(ordered().await.code(), "no_capacity", "it takes nothing new");
    let bridge = |state| HostStatus { bridge: Some(state), ..well.clone() };
    host.status(bridge(BridgeState::Down)).await;
    assert_eq!((ordered().await.code(), &show().await.data()["alarms"]), ("no_capacity", &json!(["network_missing"])));
    host.status(bridge(BridgeState::NoUplink)).await;
    assert_eq!(show().await.data()["alarms"], json!(["no_uplink"]));
    assert_eq!(ordered().await.status.as_u16(), 200, "it may be meant so, as where the host itself is the gateway");
    let adapters = |state| HostStatus { adapters: Some(state), ..well.clone() };
    host.status(adapters(AdapterState::NoFilters)).await;
    assert_eq!((ordered().await.code(), &show().await.data()["alarms"]), ("no_capacity", &json!(["no_filters"])));
    host.status(adapters(AdapterState::NoShaping)).await;
    assert_eq!(show().await.data()["alarms"], json!(["no_shaping"]), "and takes whoever has no rate");
    let shown = show().await;
    let database = &shown.data()["database"];
    assert_eq!(
        (&database["promised"], &database["cpu_overcommit"], &database["capacity"]["cpus"]),
        (&json!({"cpus": 2, "ram_mib": 1024, "disk_gib": 20}), &json!(4), &json!(16))
    );
    assert_eq!(control.operator("GET", "/hosts/nobody").send().await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_disk_that_is_not_as_it_should_be_is_an_alarm_of_its_host_until_the_host_says_otherwise() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let (lost, well) =
        (control.order(&customer, "starter", "lost").await, control.order(&customer, "starter", "well").await);
    host.obey().await;
    let ask = async |what: &str| {
        control.api("POST", &format!("/servers/{lost}/{what}")).by(&customer).json(&json!({})).send().await.done();
    };
    let told = async || {
        let shown = control.operator("GET", "/hosts/host-1").send().await;
        (shown.data()["alarms"].clone(), shown.data()["disks"].clone())
    };
    assert_eq!(told().await, (json!([]), Value::Null));
    for (what, code) in
        [("stop", FaultCode::DiskMissing), ("start", FaultCode::DiskElsewhere), ("stop", FaultCode::DiskDamaged)]
    {
        ask(what).await;
        host.fail(code).await;
        let fault = code.as_str();
        assert_eq!(told().await, (json!([fault]), json!([{"server": lost, "fault": fault}])), "and not {well}");
    }
    control.clock.advance(300);
    assert_eq!(told().await, (json!(["silent"]), Value::Null), "of a silent host nobody knows");
    ask("start").await;
    host.obey().await;
    assert_eq!(told().await, (json!([]), Value::Null));
}

#[tokio::test]
async fn what_is_promised_of_a_hosts_processors_is_a_setting() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    host.has(csp_shared::message::Capacity { cpus: 1, ram_mib: 65_536, disk_gib: 1000 }).await;
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let ordered = async || control.api("POST", "/servers").by(&customer).json(&order).send().await.status.as_u16();
    let set = async |count: u32| post(&control, "/hosts/host-1/set", &json!({"cpu_overcommit": count})).await;
    assert_eq!((ordered().await, ordered().await, ordered().await), (200, 200, 409), "four of one, two each");
    assert_eq!(set(6).await.data()["changed"], json!(true));
    assert_eq!((set(6).await.data()["changed"].clone(), ordered().await), (json!(false), 200));
    set(1).await;
    assert_eq!(ordered().await, 409, "what is there stays, and nothing comes to it");
    assert_eq!((set(0).await.status.as_u16(), set(65).await.fields()), (422, vec!["cpu_overcommit"]));
    assert_eq!(post(&control, "/hosts/nobody/set", &json!({"cpu_overcommit": 2})).await.status.as_u16(), 404);
}
