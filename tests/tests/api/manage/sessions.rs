//! Sessions: what makes one, what ends one, and what another site can do with one.

use csp_tests::test_control::{NOON, TestControl};
use serde_json::json;

use super::{CLOSED, ORIGIN, PERMISSIONS, REINSTALL, World};

const NAME: &str = "__Host-csp_manage";

#[tokio::test]
async fn a_link_is_swapped_for_a_cookie_that_no_script_and_no_other_site_gets() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let entered = world.follow(&path).await;
    let cookie = entered.header("set-cookie");
    let (first, rest) = cookie.split_once("; ").unwrap();
    assert!(first.starts_with(&format!("{NAME}=csp_ls_")), "{cookie}");
    assert_eq!(rest, "Path=/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure");
    assert!(entered.text.is_empty() && !cookie.contains("csp_sh_"), "{cookie}");
    let headers = ["referrer-policy", "cache-control", "x-robots-tag"];
    assert_eq!(headers.map(|name| entered.header(name)), ["no-referrer", "no-store", "noindex, nofollow"]);

    let plain = TestControl::with_settings(|settings| {
        settings.public_url = "http://127.0.0.1:8080".to_owned().try_into().unwrap();
    })
    .await;
    let (host, ada) = (plain.host("host-1").await, plain.customer("ada", "50").await);
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a",
                       "create_management_link": true});
    let ordered = plain.api("POST", "/servers").by(&ada).json(&order).send().await;
    host.obey().await;
    let url = ordered.data()["management_link"]["url"].as_str().unwrap();
    let entered = plain.raw("GET", url.strip_prefix("http://127.0.0.1:8080").unwrap()).send().await;
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("csp_manage=csp_ls_") && !cookie.contains("Secure"), "without TLS: {cookie}");
}

/// Nobody can plant a session: one that a browser brings along is never the one that it has afterwards.
#[tokio::test]
async fn every_opening_makes_a_session_of_its_own() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let browser = world.browser(&path).await;
    let again = world.control.raw("GET", &path).header("cookie", &browser.cookie).send().await;
    let new = again.header("set-cookie").split(';').next().unwrap();
    assert_ne!(new, browser.cookie);
    let planted = format!("{NAME}=csp_ls_0000000000000000000000000000000000000000000");
    let entered = world.control.raw("GET", &path).header("cookie", &planted).send().await;
    assert_eq!(entered.status.as_u16(), 303);
    assert_eq!(world.get(&planted, "/manage").await.status.as_u16(), 404, "the planted one opens nothing");
    let both = format!("{}; {NAME}=csp_ls_1", browser.cookie);
    assert_eq!(world.get(&both, "/manage").await.status.as_u16(), 404, "two of one name are none");
    let links = world.links().await;
    assert_eq!(links[0]["uses"], 3, "{links:?}");
}

#[tokio::test]
async fn the_token_itself_is_no_session_and_a_session_no_token() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let browser = world.browser(&path).await;
    let token = path.strip_prefix("/manage/").unwrap();
    let session = browser.cookie.split_once('=').unwrap().1;
    assert_eq!(world.get(&format!("{NAME}={token}"), "/manage").await.status.as_u16(), 404);
    assert_eq!(world.dead_end(&format!("/manage/{session}")).await.status.as_u16(), 404);
    for secret in [token, session] {
        let reply = world.control.api("GET", "/servers").with_key(secret).send().await;
        assert_eq!(reply.status.as_u16(), 401, "and neither opens the API");
    }
}

#[tokio::test]
async fn another_sites_form_changes_nothing() {
    let world = World::online().await;
    let (_, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    let (_, path_of_other) = world.link(&PERMISSIONS).await;
    let other = world.browser(&path_of_other).await;
    let own = format!("check={}&{REINSTALL}", browser.check);
    let before = world.control.books().await;
    for what in ["start", "stop", "restart", "reinstall", "console", "leave", "state"] {
        for (origin, body) in [
            ("https://evil.example", own.as_str()),
            ("null", &own),
            (ORIGIN, REINSTALL),
            (ORIGIN, &format!("check=&{REINSTALL}")),
            (ORIGIN, &format!("check={}&{REINSTALL}", other.check)),
            (ORIGIN, &format!("check={0}&check={0}&{REINSTALL}", browser.check)),
            (ORIGIN, &format!("check={}&x={}", browser.check, "x".repeat(5000))),
        ] {
            let refused = world.post_from(origin, &browser.cookie, body, what).await;
            let shown = body.chars().take(90).collect::<String>();
            assert_eq!(refused.status.as_u16(), 403, "{what} from {origin}: {shown}");
            assert!(!refused.text.contains("web1") && !refused.text.contains("Online"), "{what}: {}", refused.text);
        }
    }
    assert_eq!(world.control.books().await, before);
    assert_eq!(world.post(&browser, "stop", "").await.status.as_u16(), 303, "and the page's own does");
}

#[tokio::test]
async fn revocation_expiry_time_leaving_and_destruction_end_a_session_at_once() {
    let world = World::online().await;
    let ended = async |world: &World, browser: &super::Browser, why: &str| {
        let page = world.get(&browser.cookie, "/manage").await;
        assert_eq!(page.status.as_u16(), 404, "{why}");
        let before = world.control.books().await;
        for (what, form) in [("stop", ""), ("reinstall", REINSTALL), ("console", ""), ("state", "")] {
            let reply = world.post(browser, what, form).await;
            assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, page.text.as_str()), "{why}: {what}");
        }
        assert_eq!(world.control.books().await, before, "{why}");
    };
    let (uuid, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    world.revoke(&uuid).await;
    ended(&world, &browser, "revoked").await;

    let (_, path) = world.link_with(json!({"expires_at": "2026-06-10 12:00:30"}), &PERMISSIONS).await;
    let browser = world.browser(&path).await;
    world.control.clock.set(NOON.plus(30));
    ended(&world, &browser, "expired").await;

    let (_, path) = world.link(&PERMISSIONS).await;
    let (left, stays) = (world.browser(&path).await, world.browser(&path).await);
    let goodbye = world.post(&left, "leave", "").await;
    assert!(goodbye.header("set-cookie").starts_with(&format!("{NAME}=; Path=/; ")), "{:?}", goodbye.headers);
    ended(&world, &left, "left").await;
    assert_eq!(world.get(&stays.cookie, "/manage").await.status.as_u16(), 200, "another browser's goes on");

    world.control.clock.advance(12 * 60 * 60);
    ended(&world, &stays, "twelve hours later").await;

    let browser = world.browser(&path).await;
    world.control.api("POST", &format!("/servers/{}/destroy", world.server)).by(&world.ada).send().await;
    ended(&world, &browser, "destroyed").await;
    assert_eq!(world.dead_end(&path).await.status.as_u16(), 404, "nor does the link open it again");
}

#[tokio::test]
async fn revoked_expired_unknown_and_malformed_links_look_the_same() {
    let world = World::online().await;
    let (uuid, revoked) = world.link(&["start"]).await;
    world.revoke(&uuid).await;
    let (_, expired) = world.link_with(json!({"expires_at": "2026-06-10 12:00:01"}), &["start"]).await;
    let (_, good) = world.link(&["start"]).await;
    world.control.clock.set(NOON.plus(1));
    let unknown = "/manage/csp_sh_0000000000000000000000000000000000000000000".to_owned();
    let led = world.follow(&unknown).await;
    let wanted = world.dead_end(&unknown).await;
    assert_eq!(wanted.status.as_u16(), 404);
    assert!(wanted.text.contains("This link does not work") && wanted.text.starts_with("<!DOCTYPE html>"));
    let long = format!("/manage/{}", "a".repeat(9000));
    let cut = good[..good.len() - 1].to_owned();
    let names = |reply: &csp_tests::test_control::Reply| {
        let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    for path in [&revoked, &expired, &cut, &long, "/manage/x", "/manage/%00", "/manage/%ff", "/manage/..%2f.."] {
        let shown = &path[..path.len().min(60)];
        assert_eq!(names(&world.follow(path).await), names(&led), "{shown}");
        let page = world.dead_end(path).await;
        assert_eq!((page.status, &page.text, names(&page)), (wanted.status, &wanted.text, names(&wanted)), "{shown}");
    }
    let without = world.follow("/manage").await;
    assert_eq!((without.status, &without.text), (wanted.status, &wanted.text), "nor a browser without a session");
    // Whoever stays at another link's page meanwhile is not led to that one.
    let (_, open) = world.link(&["start"]).await;
    let browser = world.browser(&open).await;
    let led = world.get(&browser.cookie, &revoked).await;
    assert_eq!((led.header("location"), led.header("set-cookie")), (CLOSED, ""));
    assert_eq!(world.get(&browser.cookie, CLOSED).await.text, wanted.text);
}

/// Mail programs and hands add slashes; each of these is in an address bar, so it must lead to one without the token.
#[tokio::test]
async fn a_link_with_a_slash_too_many_opens() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let doubled = path.replacen("/manage/", "/manage//", 1);
    for path in [format!("{path}/"), format!("{doubled}///"), doubled] {
        let entered = world.follow(&path).await;
        assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/manage"), "{path}: {}", entered.text);
    }
    let led = world.control.raw("POST", &path).from(&world.address()).send().await;
    assert_eq!((led.status.as_u16(), led.header("location"), led.header("set-cookie")), (303, "/manage", ""));
    assert_eq!(world.links().await[0]["uses"], 3);
}

#[tokio::test]
async fn whatever_is_asked_of_a_link_is_answered_by_the_page_and_its_guards() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let names = ["content-security-policy", "referrer-policy", "cache-control", "x-robots-tag", "x-frame-options"];
    let wanted = world.dead_end("/manage/x").await;
    for (method, path) in [("PUT", path.as_str()), ("DELETE", &path), ("OPTIONS", &path)] {
        let reply = world.control.raw(method, path).from(&world.address()).send().await;
        assert_eq!(reply.status.as_u16(), 405, "{method} {path}");
        assert_eq!(reply.text, wanted.text, "{method} {path}");
        assert_eq!(names.map(|name| reply.header(name)), names.map(|name| wanted.header(name)), "{method} {path}");
    }
    for path in ["/manage/x/y", "/manage//"] {
        assert_eq!(world.dead_end(path).await.text, wanted.text, "{path}");
    }
    assert_eq!(world.links().await[0]["uses"], 0);
    // Spelled otherwise it is none of ours, and what a browser shows of that is held as tight.
    for path in [path.replacen("/manage", "/Manage", 1).as_str(), "/", "/nosuch", "/favicon.ico", "/assets/x.js"] {
        let reply = world.follow(path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_found"), "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        let told = names[1..4].iter().map(|name| reply.header(name)).collect::<Vec<_>>();
        assert_eq!(told, ["no-referrer", "no-store", "noindex, nofollow"], "{path}");
    }
}

#[tokio::test]
async fn guesses_use_up_the_allowance_of_failed_sign_ins_and_no_links() {
    let control = TestControl::with_settings(|settings| {
        settings.rate_limits = csp_control::config::RateLimits::default();
    })
    .await;
    let mut seen = Vec::new();
    for guess in 0..200 {
        let path = format!("/manage/csp_sh_{guess:043}");
        let reply = control.raw("GET", &path).from("198.51.100.7").send().await;
        seen.push(reply.status.as_u16());
        if reply.status.as_u16() == 429 {
            assert!(reply.text.contains("Too many tries") && !reply.header("retry-after").is_empty(), "{}", reply.text);
            break;
        }
    }
    assert_eq!(seen.last(), Some(&429), "{} guesses", seen.len());
    assert!(seen[..seen.len() - 1].iter().all(|status| *status == 303));
    let key = control.api("GET", "/servers").from("198.51.100.7").with_key("csp_live_nonsense").send().await;
    assert_eq!(key.status.as_u16(), 429, "it is the same allowance");
}

#[tokio::test]
async fn what_only_looks_at_a_link_is_no_use_of_it_and_learns_nothing() {
    let world = World::online().await;
    let (_, path) = world.link(&["start"]).await;
    let invented = format!("{}x", &path[..path.len() - 1]);
    for path in [&path, &invented] {
        let looked = world.control.raw("HEAD", path).send().await;
        assert_eq!((looked.status.as_u16(), looked.header("allow"), looked.header("set-cookie")), (405, "GET", ""));
        assert_eq!(looked.header("referrer-policy"), "no-referrer");
    }
    assert_eq!(world.links().await[0]["uses"], 0);
}

#[tokio::test]
async fn who_asks_for_the_page_too_often_is_told_by_a_page() {
    let control = TestControl::with_settings(|settings| {
        settings.rate_limits.address_per_minute = std::num::NonZeroU32::new(3).unwrap();
    });
    let control = control.await;
    let ask = async |path: &str| control.raw("GET", path).from("198.51.100.1").send().await;
    for _ in 0..3 {
        assert_eq!(ask("/manage").await.status.as_u16(), 404);
    }
    for path in ["/manage", "/manage/state", "/manage/csp_sh_x"] {
        let refused = ask(path).await;
        assert_eq!(refused.status.as_u16(), 429, "{path}");
        assert!(refused.text.contains("<h1>Too many tries</h1>") && !refused.header("retry-after").is_empty());
        assert!(refused.header("content-type").starts_with("text/html"), "{path}");
    }
    assert_eq!(ask("/api/v1/servers").await.code(), "rate_limited", "a program is told what it reads");
}
