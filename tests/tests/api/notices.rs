//! What the provider has to say reaches whom it is meant for, and nobody else.

use csp_tests::test_control::{EXAMPLE_CATALOG, NOON, TestControl, TestCustomer};
use serde_json::{Value, json};

async fn publish(control: &TestControl, title: &str, more: Value) -> String {
    let mut notice = json!({"kind": "maintenance", "title": title, "text": "First line.\nSecond <b>line</b>."});
    notice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = control.operator("POST", "/notices").json(&notice).send().await;
    reply.data()["uuid"].as_str().unwrap().to_owned()
}

async fn told(control: &TestControl, customer: &TestCustomer) -> Vec<String> {
    let list = control.api("GET", "/notices").by(customer).send().await;
    list.data().as_array().unwrap().iter().map(|notice| notice["title"].as_str().unwrap().to_owned()).collect()
}

async fn events(control: &TestControl, customer: &TestCustomer) -> Vec<String> {
    let account = customer.account;
    let events = control.app.store.read(move |read| read.event_list(account, 0, 100)).await.unwrap();
    let notices = events.iter().filter(|event| event.kind == "notice.published");
    let title = |data: &str| serde_json::from_str::<Value>(data).unwrap()["title"].as_str().unwrap().to_owned();
    notices.map(|event| title(&event.data)).collect()
}

#[tokio::test]
async fn a_notice_reaches_everybody_a_locations_customers_or_one_account() {
    let second = "\n[[locations]]\nslug = \"second\"\nname = \"Second\"\n";
    let control = TestControl::with_catalog(&format!("{EXAMPLE_CATALOG}{second}")).await;
    let host = control.host("host-1").await;
    let (ada, eve) = (control.customer("ada", "50").await, control.customer("eve", "50").await);
    let server = control.order(&ada, "starter", "a").await.to_string();
    host.obey().await;
    publish(&control, "all", json!({})).await;
    publish(&control, "here", json!({"location": "first", "starts_at": "2026-06-20 02:00:00"})).await;
    publish(&control, "there", json!({"location": "second"})).await;
    publish(&control, "eve", json!({"account": eve.account, "starts_at": "2026-06-01"})).await;
    assert_eq!(told(&control, &ada).await, ["here", "all"], "the latest beginning first");
    assert_eq!(told(&control, &eve).await, ["all", "eve"]);
    assert_eq!(events(&control, &ada).await, ["all", "here"], "in the order in which they were published");
    assert_eq!(events(&control, &eve).await, ["all", "eve"]);
    control.api("POST", &format!("/servers/{server}/destroy")).by(&ada).send().await;
    assert_eq!(told(&control, &ada).await, ["all"], "no server is there any more");
    let shown = control.api("GET", "/notices?limit=1").by(&ada).send().await;
    let notice = &shown.data()[0];
    assert_eq!((&notice["kind"], &notice["location"]), (&json!("maintenance"), &Value::Null));
    assert_eq!(notice["text"], json!("First line.\nSecond <b>line</b>."), "plain text stays what it is");
}

#[tokio::test]
async fn what_has_ended_by_itself_or_by_hand_is_shown_no_more() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "0").await;
    publish(&control, "short", json!({"ends_at": "2026-06-10 12:00:10"})).await;
    let long = publish(&control, "long", json!({})).await;
    assert_eq!(told(&control, &ada).await, ["long", "short"]);
    control.clock.set(NOON.plus(10));
    assert_eq!(told(&control, &ada).await, ["long"]);
    for _ in 0..2 {
        let ended = control.operator("POST", &format!("/notices/{long}/end")).json(&json!({})).send().await;
        assert_eq!(
            (&ended.data()["state"], &ended.data()["ends_at"]),
            (&json!("ended"), &json!("2026-06-10 12:00:10"))
        );
        control.clock.set(NOON.plus(20));
    }
    assert_eq!(told(&control, &ada).await, Vec::<String>::new());
    let all = control.operator("GET", "/notices").send().await;
    let states: Vec<_> = all.data().as_array().unwrap().iter().map(|notice| notice["state"].clone()).collect();
    assert_eq!(states, ["ended", "ended"], "operators see all of them");
}

#[tokio::test]
async fn a_notice_that_would_reach_nobody_or_acts_on_its_reader_is_refused() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "0").await;
    let absent = "0192f0c1-0000-7000-8000-000000000001";
    let table = [
        (json!({"kind": "gossip"}), 422, "kind"),
        (json!({"title": "a\u{202e}b"}), 422, "title"),
        (json!({"text": ""}), 422, "text"),
        (json!({"text": "a\u{1b}[2Jb"}), 422, "text"),
        (json!({"starts_at": "tomorrow"}), 422, "starts_at"),
        (json!({"ends_at": "2026-06-10 12:00:00"}), 422, "ends_at"),
        (json!({"starts_at": "2026-06-12", "ends_at": "2026-06-11"}), 422, "ends_at"),
        (json!({"location": "mars"}), 422, "location"),
        (json!({"location": "first", "account": ada.account}), 422, "account"),
    ];
    for (more, status, field) in table {
        let mut notice = json!({"kind": "info", "title": "a", "text": "b"});
        notice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = control.operator("POST", "/notices").json(&notice).send().await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (status, vec![field]), "{more}: {}", reply.text);
    }
    let notice = json!({"kind": "info", "title": "a", "text": "b", "account": absent});
    assert_eq!(control.operator("POST", "/notices").json(&notice).send().await.status.as_u16(), 404);
    let end = control.operator("POST", &format!("/notices/{absent}/end")).json(&json!({})).send().await;
    assert_eq!(end.status.as_u16(), 404);
    assert_eq!(told(&control, &ada).await, Vec::<String>::new());
}
