//! Management links as their owner makes, sees and revokes them.

use csp_tests::test_control::{NOON, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
    server: String,
}

impl World {
    async fn online() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "100").await;
        let reply = control.api("POST", "/servers").by(&ada).json(&order()).send().await;
        let server = reply.data()["uuid"].as_str().unwrap().to_owned();
        host.obey().await;
        Self { control, host, ada, server }
    }

    fn path(&self) -> String {
        format!("/servers/{}/share-links", self.server)
    }

    async fn create(&self, body: &Value) -> Reply {
        self.control.api("POST", &self.path()).by(&self.ada).json(body).send().await
    }

    async fn list(&self) -> Vec<Value> {
        let listed = self.control.api("GET", &self.path()).by(&self.ada).send().await;
        listed.data().as_array().unwrap().clone()
    }
}

fn order() -> Value {
    json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"})
}

#[tokio::test]
async fn a_link_is_shown_whole_once_and_by_its_ends_afterwards() {
    let world = World::online().await;
    let body = json!({"label": "Customer link", "expires_at": "2026-07-10 23:59:59",
                      "permissions": {"restart": true, "console": true, "stop": false}});
    let made = world.create(&body).await;
    let (uuid, url) = (made.data()["uuid"].as_str().unwrap(), made.data()["url"].as_str().unwrap());
    let token = url.strip_prefix("https://cybaaspace.com/manage/").unwrap();
    assert!(token.starts_with("csp_sh_") && token.len() == 7 + 43, "{token}");
    let listed = world.list().await;
    let preview = format!("{}...\u{2022}\u{2022}\u{2022}\u{2022}{}", &token[..10], &token[46..]);
    assert_eq!(
        listed,
        [json!({"uuid": uuid, "label": "Customer link", "token_preview": preview,
                "permissions": {"restart": true, "console": true}, "expires_at": "2026-07-10 23:59:59",
                "created_at": "2026-06-10 12:00:00", "uses": 0, "last_used_at": null, "last_used_from": null})]
    );
    for kept in ["control.db", "control.db-wal"] {
        let bytes = std::fs::read(world.control.folder().join(kept)).unwrap();
        assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()), "{kept} holds the token");
    }
}

#[tokio::test]
async fn revoked_and_expired_links_leave_the_list_and_each_is_told_once() {
    let world = World::online().await;
    let all = json!({"permissions": {"start": true}});
    let first = world.create(&all).await.data()["uuid"].as_str().unwrap().to_owned();
    world.create(&json!({"label": "short", "expires_at": "2026-06-10 12:00:10", "permissions": {"start": true}})).await;
    assert_eq!(world.list().await.len(), 2);
    let path = format!("{}/{first}", world.path());
    let revoked = world.control.api("DELETE", &path).by(&world.ada).send().await;
    assert_eq!(revoked.json, json!({"ok": true, "message": "Management link revoked."}));
    let again = world.control.api("DELETE", &path).by(&world.ada).send().await;
    assert_eq!((again.status.as_u16(), again.code()), (404, "not_found"));
    world.control.clock.set(NOON.plus(10));
    assert_eq!(world.list().await, [] as [Value; 0], "the other is over");
    let events = world.control.events(world.ada.account).await;
    let told: Vec<_> = events.iter().filter(|(kind, _)| kind.starts_with("server.link")).collect();
    assert_eq!(told.len(), 3);
    assert_eq!(*told[2], ("server.link_revoked".to_owned(), json!({"link_uuid": first, "label": "Management link"})));
}

#[tokio::test]
async fn a_key_gives_away_only_what_it_may_do_itself() {
    let world = World::online().await;
    let (control, account) = (&world.control, world.ada.account);
    let (_, writes) = control.key(account, &json!({"scopes": ["write"]})).await;
    let (_, spends) = control.key(account, &json!({"scopes": ["write", "billing"]})).await;
    let ask = |key: String, body: Value| control.api("POST", &world.path()).with_key(&key).json(&body).send();
    let power = ask(writes.clone(), json!({"permissions": {"start": true, "reinstall": true}})).await;
    assert_eq!(power.status.as_u16(), 200, "{}", power.text);
    for permission in ["console", "stats"] {
        let refused = ask(writes.clone(), json!({"permissions": {"start": true, permission: true}})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "insufficient_scope"), "{permission}");
        assert_eq!(refused.fields(), ["permissions"]);
    }
    let mut order = order();
    order["create_management_link"] = json!(true);
    let before = control.books().await;
    let refused = control.api("POST", "/servers").with_key(&spends).json(&order).send().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "insufficient_scope"), "{}", refused.text);
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn an_order_brings_its_link_along_once_and_a_failed_order_takes_it_back() {
    let world = World::online().await;
    let mut order = order();
    order["create_management_link"] = json!(true);
    let send = || world.control.api("POST", "/servers").by(&world.ada).header("idempotency-key", "one").json(&order);
    let tried = world.control.api("POST", "/servers?dry_run=true").by(&world.ada).json(&order).send().await;
    assert_eq!(tried.data()["dry_run"], true);
    let ordered = send().send().await;
    let link = &ordered.data()["management_link"];
    let url = link["url"].as_str().unwrap();
    assert!(url.starts_with("https://cybaaspace.com/manage/csp_sh_"), "{url}");
    assert_eq!(send().send().await.data()["management_link"], *link, "a retry has the same link");
    let server = ordered.data()["uuid"].as_str().unwrap();
    let path = format!("/servers/{server}/share-links");
    let listed = world.control.api("GET", &path).by(&world.ada).send().await;
    let all_but_reinstall = json!({"start": true, "stop": true, "restart": true, "console": true, "stats": true});
    assert_eq!(listed.data().as_array().unwrap().len(), 1);
    let seen = &listed.data()[0];
    assert_eq!(
        (&seen["label"], &seen["permissions"], &seen["expires_at"]),
        (&json!("Management link"), &all_but_reinstall, &Value::Null)
    );
    // The order fails, since its host says nothing in time.
    world.control.clock.set(NOON.plus(31 * 60));
    let app = &world.control.app;
    csp_control::schedule::tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    let shown = world.control.api("GET", &format!("/servers/{server}")).by(&world.ada).send().await;
    assert_eq!(shown.data()["service_status"], "failed");
    let listed = world.control.api("GET", &path).by(&world.ada).send().await;
    assert_eq!(*listed.data(), json!([]));
    let dead = world.control.raw("GET", url.strip_prefix("https://cybaaspace.com").unwrap()).send().await;
    assert_eq!((dead.status.as_u16(), dead.header("location")), (303, "/manage/closed"));
    let another = world.control.api("POST", &path).by(&world.ada).json(&json!({"permissions": {"start": true}}));
    let refused = another.send().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "conflict"), "{}", refused.text);
}

#[tokio::test]
async fn an_account_has_a_bounded_number_of_links_that_work() {
    let world = World::online().await;
    let account = world.ada.account.to_string();
    let limits = world.control.operator("POST", &format!("/accounts/{account}/limits"));
    limits.json(&json!({"limits": {"share_links": 1}})).send().await;
    let body = json!({"permissions": {"start": true}});
    let first = world.create(&body).await.data()["uuid"].as_str().unwrap().to_owned();
    let shown = world.control.api("GET", "/account").by(&world.ada).send().await;
    assert_eq!(shown.data()["limits"]["share_links"], json!({"max": 1, "used": 1}));
    let refused = world.create(&body).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "limit_reached"), "{}", refused.text);
    world.control.api("DELETE", &format!("{}/{first}", world.path())).by(&world.ada).send().await;
    assert_eq!(world.create(&body).await.status.as_u16(), 200, "a revoked one has made room");
    world.host.obey().await;
}
