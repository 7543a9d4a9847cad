//! What owners decide about their servers: names, labels, renewal, protection; and lists filtered by them.

use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

struct World {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
}

impl World {
    async fn new() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "500").await;
        Self { control, host, customer }
    }

    /// An order that runs; its path.
    async fn server(&self, customer: &TestCustomer, hostname: &str) -> String {
        let server = self.control.order(customer, "starter", hostname).await;
        self.host.obey().await;
        format!("/servers/{server}")
    }

    async fn patch(&self, path: &str, body: Value) -> Reply {
        self.control.api("PATCH", path).by(&self.customer).json(&body).send().await
    }

    async fn named(&self, query: &str) -> Vec<String> {
        let reply = self.control.api("GET", &format!("/servers{query}")).by(&self.customer).send().await;
        let list = reply.data().as_array().unwrap().clone();
        assert_eq!(reply.json["total"], json!(list.len()), "{query}");
        list.iter().map(|server| server["hostname"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_change_names_what_it_changes_and_leaves_the_rest() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    let before = world.control.api("GET", &path).by(&world.customer).send().await.data().clone();
    assert_eq!((&before["labels"], &before["auto_renew"]), (&json!({}), &json!(true)));
    assert_eq!(before["protection"], json!({"destroy": false, "reinstall": false}));

    let changed =
        world.patch(&path, json!({"hostname": "web2.example.com", "labels": {"env": "test", "team": ""}})).await;
    let data = changed.data();
    assert_eq!((&data["hostname"], &data["auto_renew"]), (&json!("web2.example.com"), &json!(true)));
    assert_eq!(data["labels"], json!({"env": "test", "team": ""}));
    let changed = world.patch(&path, json!({"labels": {"env": "live", "team": null}, "auto_renew": false})).await;
    assert_eq!((&changed.data()["labels"], &changed.data()["auto_renew"]), (&json!({"env": "live"}), &json!(false)));
    assert_eq!(changed.data()["hostname"], json!("web2.example.com"));
    let changed = world.patch(&path, json!({"protection": {"reinstall": true}})).await;
    assert_eq!(changed.data()["protection"], json!({"destroy": false, "reinstall": true}));
    let nothing = world.patch(&path, json!({})).await;
    assert_eq!(nothing.data(), changed.data(), "nothing named, nothing changed");
}

/// The host is told nothing: a guest keeps its name until it is reinstalled.
#[tokio::test]
async fn a_change_of_settings_is_no_change_of_the_spec() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    let server = path.rsplit('/').next().unwrap().parse().unwrap();
    let spec = || world.control.app.store.read(move |read| read.spec_get(server));
    let before = spec().await.unwrap();
    world.patch(&path, json!({"hostname": "other", "labels": {"a": "b"}, "protection": {"destroy": true}})).await;
    assert_eq!(spec().await.unwrap(), before);
}

#[tokio::test]
async fn what_changed_is_an_event_and_what_did_not_is_none() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    let account = world.customer.account;
    let updates = || async {
        let events = world.control.app.store.read(move |read| read.event_list(account, 0, 100)).await.unwrap();
        events.into_iter().filter(|event| event.kind == "server.updated").map(|event| event.data).collect::<Vec<_>>()
    };
    world.patch(&path, json!({"labels": {"a": "b"}, "auto_renew": true})).await;
    assert_eq!(updates().await, [r#"{"fields":["labels"]}"#]);
    world.patch(&path, json!({"labels": {"a": "b", "c": null}, "hostname": "web1"})).await;
    assert_eq!(updates().await.len(), 1, "so it was already");
}

#[tokio::test]
async fn a_protected_server_is_not_destroyed_until_that_is_lifted() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    world.patch(&path, json!({"protection": {"destroy": true}})).await;
    let before = world.control.books().await;
    let destroy = || world.control.api("POST", &format!("{path}/destroy")).by(&world.customer).send();
    let refused = destroy().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "protected"), "{}", refused.text);
    assert_eq!(world.control.books().await, before);
    world.patch(&path, json!({"protection": {"destroy": false}})).await;
    assert_eq!(destroy().await.status.as_u16(), 200);
    assert_eq!(world.patch(&path, json!({"auto_renew": false})).await.status.as_u16(), 404, "gone");
}

#[tokio::test]
async fn a_bad_change_is_named_and_changes_nothing() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    let many: serde_json::Map<String, Value> = (0..33).map(|at| (format!("n{at}"), json!("v"))).collect();
    let table = [
        (json!({"hostname": "-a", "auto_renew": false}), "invalid_hostname", vec!["hostname"]),
        (json!({"labels": {"<b>": "x"}}), "validation_failed", vec!["labels.<b>"]),
        (json!({"labels": {"a\u{202e}": "x"}}), "validation_failed", vec!["labels.a\u{fffd}"]),
        (json!({"labels": {"a": "x\u{0}"}}), "validation_failed", vec!["labels.a"]),
        (json!({"labels": {"a": {"b": "c"}}}), "validation_failed", vec!["labels.a"]),
        (json!({"labels": ["a"]}), "validation_failed", vec!["labels"]),
        (json!({"labels": many}), "validation_failed", vec!["labels"]),
        (json!({"auto_renew": "no"}), "validation_failed", vec!["auto_renew"]),
        (json!({"protection": true}), "validation_failed", vec!["protection"]),
        (
            json!({"protection": {"destroy": "yes", "x": 1}}),
            "validation_failed",
            vec!["protection.destroy", "protection.x"],
        ),
        (json!({"status": "Online"}), "validation_failed", vec!["status"]),
    ];
    let before = world.control.api("GET", &path).by(&world.customer).send().await;
    for (body, code, fields) in table {
        let reply = world.patch(&path, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (422, code, fields), "{body}");
    }
    let after = world.control.api("GET", &path).by(&world.customer).send().await;
    assert_eq!(after.data(), before.data());
}

#[tokio::test]
async fn a_repeated_change_is_made_once() {
    let world = World::new().await;
    let path = world.server(&world.customer, "web1").await;
    let send = |body: Value| {
        world.control.api("PATCH", &path).by(&world.customer).header("idempotency-key", "k").json(&body).send()
    };
    let first = send(json!({"labels": {"a": "1"}})).await;
    world.patch(&path, json!({"labels": {"a": "2"}})).await;
    let again = send(json!({"labels": {"a": "1"}})).await;
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), "true"));
    let shown = world.control.api("GET", &path).by(&world.customer).send().await;
    assert_eq!(shown.data()["labels"], json!({"a": "2"}), "the second request stands");
    assert_eq!(send(json!({"labels": {"a": "3"}})).await.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn lists_are_filtered_by_name_address_and_labels() {
    let world = World::new().await;
    let eve = world.control.customer("eve", "500").await;
    let (one, two) = (world.server(&world.customer, "web1").await, world.server(&world.customer, "web2").await);
    let third = world.server(&world.customer, "web1").await;
    let foreign = world.server(&eve, "web1").await;
    world.patch(&one, json!({"labels": {"env": "live", "url": "http://a:1"}})).await;
    world.patch(&two, json!({"labels": {"env": "live", "team": "a"}})).await;
    world.patch(&third, json!({"labels": {"env": "test", "none": ""}})).await;
    world.control.api("PATCH", &foreign).by(&eve).json(&json!({"labels": {"env": "live"}})).send().await;
    let shown = world.control.api("GET", &two).by(&world.customer).send().await;
    let address = shown.data()["ips"][0]["address"].as_str().unwrap().to_owned();
    let others = world.control.api("GET", &foreign).by(&eve).send().await;
    let others = others.data()["ips"][0]["address"].as_str().unwrap().to_owned();

    assert_eq!(world.named("").await, ["web1", "web2", "web1"]);
    let table: [(String, &[&str]); 13] = [
        ("?hostname=web1".into(), &["web1", "web1"]),
        ("?hostname=WEB1".into(), &["web1", "web1"]),
        ("?hostname=web".into(), &[]),
        (format!("?address={address}"), &["web2"]),
        (format!("?address={others}"), &[]),
        ("?address=::1".into(), &[]),
        ("?label=env:live".into(), &["web2", "web1"]),
        ("?label=env".into(), &["web1", "web2", "web1"]),
        ("?label=none:".into(), &["web1"]),
        ("?label=url:http://a:1".into(), &["web1"]),
        ("?label=env:live&label=team:a".into(), &["web2"]),
        ("?label=env:live&label=team:b".into(), &[]),
        (format!("?label=env&hostname=web2&address={address}"), &["web2"]),
    ];
    for (query, wanted) in table {
        assert_eq!(world.named(&query).await, wanted, "{query}");
    }
    let part = world.control.api("GET", "/servers?label=env&limit=1&offset=1").by(&world.customer).send().await;
    assert_eq!((&part.json["total"], &part.data()[0]["hostname"]), (&json!(3), &json!("web2")));
    world.control.api("POST", &format!("{two}/destroy")).by(&world.customer).send().await;
    assert_eq!(world.named(&format!("?address={address}")).await, Vec::<String>::new(), "it is not its own any more");
}

#[tokio::test]
async fn a_filter_that_cannot_match_is_refused_by_name() {
    let world = World::new().await;
    let labels = "label=a&".repeat(17);
    for (query, field) in [
        ("hostname=-a", "hostname"),
        ("hostname=a&hostname=b", "hostname"),
        ("address=here", "address"),
        ("label=a%20b", "label"),
        ("label=:x", "label"),
        ("label=a:b%20c", "label"),
        (labels.trim_end_matches('&'), "label"),
        ("name=a", "name"),
    ] {
        let reply = world.control.api("GET", &format!("/servers?{query}")).by(&world.customer).send().await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{query}: {}", reply.text);
    }
    let reply = world.control.api("GET", "/packages?label=a&label=b").by(&world.customer).send().await;
    assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["label"]), "no filter of that list");
}
