//! Browsers that are signed in: whose cookie counts, for how long, and from which page.

use csp_control::api::panel::{Door, PREFIX, listed};
use serde_json::{Value, json};

use super::{ADA, HERE, NEW_PASSWORD, PASSWORD, World, cookie};

const SOME: &str = "01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07";

#[tokio::test]
async fn every_sign_in_makes_a_session_of_its_own_and_none_is_taken_over() {
    let world = World::with_ada().await;
    let planted = "__Host-csp_panel=csp_si_0000000000000000000000000000000000000000000";
    let body = json!({"email": ADA, "password": PASSWORD});
    let first = world.by(planted, "POST", "/sign-in", &body).await;
    let second = world.by(&cookie(&first), "POST", "/sign-in", &body).await;
    assert!(cookie(&first) != planted && cookie(&second) != cookie(&first));
    assert_eq!(world.account(planted).await.status.as_u16(), 401);
    let flags = first.header("set-cookie").split_once("; ").unwrap().1;
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600; Secure");
    assert!(first.header("set-cookie").starts_with("__Host-csp_panel=csp_si_"));
    assert_eq!(first.header("cache-control"), "no-store");
    let wrong = world.try_sign_in(ADA, "not the password").await;
    assert_eq!(wrong.header("set-cookie"), "", "nothing is kept of a sign-in that failed");
}

/// Every change of both APIs: method and path, from the router's own list and from the document that is made with it.
async fn changes(world: &World) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for route in listed() {
        let methods = route.methods.iter().filter(|method| **method != "GET");
        found.extend(methods.map(|method| ((*method).to_owned(), format!("{PREFIX}{}", route.path))));
    }
    let document = world.control.api("GET", "/openapi.json").send().await.json;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys().map(|method| method.to_uppercase());
        let methods = methods.filter(|method| ["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()));
        let prefix = if path.starts_with("/api/") { "" } else { "/api/v1" };
        found.extend(methods.map(|method| (method, format!("{prefix}{path}"))));
    }
    assert!(found.len() > 30, "{found:?}");
    let filled = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { SOME } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    found.into_iter().map(|(method, path)| (method, filled(&path))).collect()
}

#[tokio::test]
async fn no_change_is_taken_from_another_sites_page_or_of_another_kind_than_json() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let strange: [(&[(&str, &str)], &str); 7] = [
        (&[], "application/json"),
        (&[("origin", "https://evil.example")], "application/json"),
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], "application/json"),
        (&[("origin", "null")], "application/json"),
        (&[("sec-fetch-site", "same-site")], "application/json"),
        (&[("origin", HERE)], "text/plain"),
        (&[("origin", HERE)], "application/x-www-form-urlencoded"),
    ];
    for (method, path) in changes(&world).await {
        for (headers, kind) in strange {
            let mut sent = world.control.raw(&method, &path).header("cookie", &cookie).header("content-type", kind);
            for (name, value) in headers {
                sent = sent.header(name, value);
            }
            let reply = sent.body("{}").send().await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (403, "cross_site"),
                "{method} {path} {headers:?} {kind}"
            );
        }
        let sent = world.control.raw(&method, &path).header("origin", HERE).header("cookie", "a=b").json(&json!({}));
        assert_ne!(sent.send().await.code(), "cross_site", "{method} {path}");
    }
    assert_eq!(world.account(&cookie).await.status.as_u16(), 200, "and nothing was done");
}

#[tokio::test]
async fn a_browser_changes_what_a_key_can_change() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let network = json!({"label": "Laptop", "public_key": csp_tests::test_control::PUBLIC_KEY});
    let sent = world.control.api("POST", "/ssh-keys").header("cookie", &cookie).header("sec-fetch-site", "same-origin");
    assert_eq!(sent.json(&network).send().await.data()["label"], "Laptop");
}

#[tokio::test]
async fn a_key_opens_none_of_the_doors_that_are_for_people() {
    let world = World::with_ada().await;
    let key = world.control.customer("Someone", "10.00").await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    for route in listed().into_iter().filter(|route| route.door == Door::SignedIn) {
        for method in route.methods {
            let path = format!("{PREFIX}{}", route.path.replace("{uuid}", SOME));
            let send = || world.control.raw(method, &path).header("origin", HERE).json(&json!({}));
            assert_eq!(send().by(&key).send().await.status.as_u16(), 401, "{method} {path}");
            assert_eq!(send().by(&key).header("cookie", &cookie).send().await.status.as_u16(), 401, "{method} {path}");
            assert_eq!(send().send().await.status.as_u16(), 401, "{method} {path}");
        }
    }
    assert_eq!(world.account(&cookie).await.status.as_u16(), 200);
}

#[tokio::test]
async fn browsers_are_listed_and_signed_out_one_by_one_or_all_at_once() {
    let world = World::with_ada().await;
    world.signed_up("bob@example.com").await;
    let bob = world.sign_in("bob@example.com", PASSWORD).await;
    let (here, there) = (world.sign_in(ADA, PASSWORD).await, {
        let body = json!({"email": ADA, "password": PASSWORD});
        let sent =
            world.page("POST", "/sign-in", &body).from("203.0.113.9").header("user-agent", &"Firefox ".repeat(99));
        cookie(&sent.send().await)
    });
    let list = world.by(&here, "GET", "/sign-ins", &json!({})).await.data().as_array().unwrap().clone();
    assert_eq!(list.len(), 2, "her own");
    assert_eq!((&list[0]["from"], &list[0]["current"]), (&json!("203.0.113.9"), &json!(false)));
    assert_eq!(list[0]["user_agent"].as_str().unwrap().len(), 200);
    let path = format!("/sign-ins/{}", list[0]["uuid"].as_str().unwrap());
    assert_eq!(world.by(&bob, "DELETE", &path, &json!({})).await.code(), "not_found", "nobody else's");
    assert_eq!(world.account(&there).await.status.as_u16(), 200);
    world.by(&here, "DELETE", &path, &json!({})).await;
    assert_eq!(world.account(&there).await.status.as_u16(), 401);
    let another = world.sign_in(ADA, PASSWORD).await;
    world.by(&here, "DELETE", "/sign-ins", &json!({})).await;
    for cookie in [&here, &another] {
        assert_eq!(world.account(cookie).await.status.as_u16(), 401);
    }
    assert_eq!(world.account(&bob).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_browser_is_signed_out_a_day_after_its_last_use_and_after_two_weeks() {
    let world = World::with_ada().await;
    let idle = world.sign_in(ADA, PASSWORD).await;
    world.control.clock.advance(86_400);
    assert_eq!(world.account(&idle).await.status.as_u16(), 401);
    let used = world.sign_in(ADA, PASSWORD).await;
    for _ in 0..14 * 2 - 1 {
        world.control.clock.advance(43_200);
        assert_eq!(world.account(&used).await.status.as_u16(), 200);
    }
    world.control.clock.advance(43_200);
    assert_eq!(world.account(&used).await.status.as_u16(), 401);
}

#[tokio::test]
async fn keys_are_made_shown_once_listed_and_revoked_by_whoever_has_signed_in_and_nobody_elses() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let other = world.control.customer("Someone", "10.00").await;
    let made = world.make_key(&cookie, json!({"label": "Terraform", "scopes": ["read"]})).await;
    let key = made.data()["key"].as_str().unwrap().to_owned();
    let asked = async || world.control.api("GET", "/account").with_key(&key).send().await;
    assert_eq!(asked().await.data()["key"]["scopes"], json!(["read"]));
    let list = world.by(&cookie, "GET", "/keys", &json!({})).await;
    assert_eq!((list.data().as_array().unwrap().len(), list.text.contains(&key)), (1, false));
    for bad in [json!({"label": "a"}), json!({"scopes": ["admin"]}), json!({"scopes": ["read"], "account": SOME})] {
        assert_eq!(world.make_key(&cookie, bad.clone()).await.code(), "validation_failed", "{bad}");
    }
    for unproved in [json!({"scopes": ["read"]}), json!({"scopes": ["read"], "current_password": NEW_PASSWORD})] {
        let refused = world.by(&cookie, "POST", "/keys", &unproved).await;
        assert_eq!(refused.fields(), ["current_password"], "a browser that was left open: {}", refused.text);
    }
    let account = other.account;
    let theirs = world.control.operator("GET", &format!("/accounts/{account}/keys")).send().await;
    let theirs = theirs.data()[0]["uuid"].as_str().unwrap().to_owned();
    assert_eq!(world.by(&cookie, "DELETE", &format!("/keys/{theirs}"), &json!({})).await.code(), "not_found");
    assert_eq!(world.control.api("GET", "/account").by(&other).send().await.status.as_u16(), 200);
    let own = made.data()["uuid"].as_str().unwrap();
    let revoked = world.by(&cookie, "DELETE", &format!("/keys/{own}"), &json!({})).await;
    assert_eq!(revoked.data()["state"], "revoked");
    assert_eq!(asked().await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_ticket_for_a_screen_and_a_stream_of_events_end_with_the_browser_that_asked() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let account: Value = world.account(&cookie).await.data()["uuid"].clone();
    world.control.top_up(account.as_str().unwrap().parse().unwrap(), "20.00", "bank/1").await;
    let host = world.control.host("host-1").await;
    let ask = |method: &'static str, path: &str, body: Value| {
        world.control.api(method, path).header("cookie", &cookie).header("origin", HERE).json(&body).send()
    };
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let server = ask("POST", "/servers", order).await.data()["uuid"].as_str().unwrap().to_owned();
    host.obey().await;
    let url = ask("POST", &format!("/servers/{server}/console"), json!({})).await.data()["url"].clone();
    let ticket = csp_shared::secret::Secret::new(url.as_str().unwrap().split_once('#').unwrap().1.to_owned());
    let mut stream = world
        .control
        .api("GET", "/events")
        .header("accept", "text/event-stream")
        .header("cookie", &cookie)
        .open()
        .await;
    stream.next().await.unwrap();
    world.by(&cookie, "POST", "/sign-out", &json!({})).await;
    while stream.next().await.is_some() {}
    let now = world.control.app.now();
    let redeemed = world
        .control
        .app
        .store
        .write(move |tx| csp_control::service::open_console::redeem_console_ticket(tx, &ticket, now));
    assert_eq!(redeemed.await.unwrap(), csp_control::service::open_console::Admission::BadTicket);
}

/// A tab says whom it was shown to; the browser's cookie may be somebody else's since.
#[tokio::test]
async fn a_tab_that_was_shown_to_somebody_else_acts_for_nobody() {
    let world = World::with_ada().await;
    let cookie = world.sign_in(ADA, PASSWORD).await;
    let person = world.by(&cookie, "GET", "/person", &Value::Null).await.data()["uuid"].as_str().unwrap().to_owned();
    for (shown_to, status) in [(person.as_str(), 200), (SOME, 401), ("", 401)] {
        for path in ["/panel/v1/person", "/api/v1/servers"] {
            let send = world.control.raw("GET", path).header("cookie", &cookie).header("x-csp-person", shown_to);
            assert_eq!(send.send().await.status.as_u16(), status, "{path} {shown_to}");
        }
    }
}
