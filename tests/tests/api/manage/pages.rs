//! What the page shows, and what it never does.

use csp_control::service::open_console::{Admission, redeem_console_ticket};
use csp_shared::{
    generation::DiskEpoch,
    observed::{Fault, FaultCode, Observed},
    secret::Secret,
};
use csp_tests::test_control::{PUBLIC_KEY, TestControl};
use serde_json::json;

use super::{PERMISSIONS, REINSTALL, World};

#[tokio::test]
async fn the_page_is_strict_and_its_files_are_ours() {
    let world = World::online().await;
    let (_, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    for (path, referrer) in [
        ("/manage", "same-origin"),
        ("/manage/state", "no-referrer"),
        ("/manage/manage.css", "no-referrer"),
        ("/manage/manage.js", "no-referrer"),
    ] {
        let reply = match path.strip_prefix("/manage/") {
            Some("state") => world.post(&browser, "state", "").await,
            _ => world.get(&browser.cookie, path).await,
        };
        assert_eq!(reply.status.as_u16(), 200, "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        let headers = ["referrer-policy", "cache-control", "x-frame-options", "x-content-type-options", "x-robots-tag"];
        let wanted = [referrer, "no-store", "DENY", "nosniff", "noindex, nofollow"];
        assert_eq!(headers.map(|name| reply.header(name)), wanted, "{path}");
    }
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("onclick"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere: {page}");
}

#[tokio::test]
async fn the_page_knows_one_server_and_nothing_of_the_account() {
    let world = World::with_key(&json!({"ssh_keys": [PUBLIC_KEY]})).await;
    let (control, ada) = (&world.control, &world.ada);
    control.ssh_key(ada.account).await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "other-one",
                       "ssh_keys": [PUBLIC_KEY]});
    let other = control.api("POST", "/servers").by(ada).json(&order).send().await;
    let other = other.data()["uuid"].as_str().unwrap().to_owned();
    let labels = json!({"labels": {"secretlabel": "sesame"}});
    control.api("PATCH", &format!("/servers/{}", world.server)).by(ada).json(&labels).send().await;
    let (_, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    let mut texts = vec![world.get(&browser.cookie, "/manage").await.text];
    texts.push(world.post(&browser, "state", "").await.text);
    texts.push(world.post(&browser, "reinstall", REINSTALL).await.text);
    assert!(texts[0].contains("<h1>web1.example.com</h1>") && texts[0].contains("Online"), "{}", texts[0]);
    assert!(texts[2].contains("The keys that opened the server open it again."), "{}", texts[2]);
    let account = ada.account.to_string();
    let names = [
        "ada",
        "Laptop",
        "ssh-ed25519",
        "SHA256:",
        "6.95",
        "USD",
        "balance",
        "secretlabel",
        "sesame",
        "Night shift",
        "other-one",
        "csp_sh_",
        "csp_ls_",
        "csp_live_",
        "203.0.113.",
        "host-1",
        &other,
        &account,
        &world.server,
    ];
    for text in &texts {
        let shown = text.replace("loading", "").replace("leading", "");
        for name in names {
            assert!(!shown.contains(name), "{name} in {text}");
        }
    }
}

#[tokio::test]
async fn a_reinstall_needs_the_hosts_name_and_shows_a_password_once() {
    let world = World::online().await;
    let (_, path) = world.link(&["reinstall"]).await;
    let browser = world.browser(&path).await;
    let before = world.control.books().await;
    for (form, status) in [
        ("", 422),
        ("image=debian-12", 422),
        ("image=debian-12&confirm=web1", 422),
        ("image=debian-12&confirm=WEB1.example.com", 422),
        ("disk=1&image=windows&confirm=web1.example.com", 422),
        ("image=%3Cscript%3E&confirm=web1.example.com", 422),
    ] {
        let refused = world.post(&browser, "reinstall", form).await;
        assert_eq!(refused.status.as_u16(), status, "{form}: {}", refused.text);
        assert!(refused.text.contains("role=\"alert\"") && !refused.text.contains("<script>"), "{}", refused.text);
    }
    assert_eq!(world.control.books().await, before);
    let done = world.post(&browser, "reinstall", REINSTALL).await;
    assert_eq!(done.status.as_u16(), 200, "{}", done.text);
    let password = done.text.split("<code class=\"password\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(password.len(), 20);
    assert!(!done.text.contains("manage.js"), "nothing takes it away by itself");
    let page = world.get(&browser.cookie, "/manage").await;
    assert!(!page.text.contains(password) && page.text.contains("Reinstalling"), "{}", page.text);
    let busy = world.post(&browser, "reinstall", REINSTALL).await;
    assert_eq!(busy.status.as_u16(), 409);
    world.host.obey().await;
    assert_eq!(world.status().await, "Online");
    // A browser that shows the answer again sends the form once more.
    let before = world.control.books().await;
    let again = world.post(&browser, "reinstall", REINSTALL).await;
    assert_eq!(again.status.as_u16(), 409);
    assert!(again.text.contains("nothing was erased once more"), "{}", again.text);
    assert_eq!(world.control.books().await, before);
}

#[tokio::test]
async fn a_queued_change_is_told_once_and_buttons_say_why_they_do_nothing() {
    let world = World::online().await;
    let (_, path) = world.link(&["start", "stop", "restart", "console"]).await;
    let browser = world.browser(&path).await;
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(page.contains("The server is running.") && !page.contains("The server is off"), "{page}");
    let stopped = world.post(&browser, "stop", "").await;
    assert_eq!(stopped.header("location"), "/manage?queued=stop");
    let page = world.get(&browser.cookie, "/manage?queued=stop").await.text;
    assert!(page.contains("Shut down has been queued.") && page.contains("Shutting down: queued"), "{page}");
    for other in ["/manage?queued=%3Cscript%3E", "/manage?queued=console", "/manage?x=queued=stop"] {
        let page = world.get(&browser.cookie, other).await.text;
        assert!(!page.contains("has been queued") && !page.contains("<script>"), "{page}");
    }
    let state = world.post(&browser, "state", "").await.json;
    world.host.obey().await;
    let after = world.post(&browser, "state", "").await.json;
    assert_ne!(state["state"], after["state"]);
    assert_eq!((&after["status"], &after["action"]), (&json!("Offline"), &json!("")));
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(page.contains("a restart switches nothing on") && page.contains("There is no screen"), "{page}");
    assert!(page.contains(&format!("data-state=\"{}\"", after["state"].as_str().unwrap())), "{page}");
}

#[tokio::test]
async fn usage_is_numbers_and_curves() {
    let world = World::online().await;
    let (_, path) = world.link(&["stats"]).await;
    let browser = world.browser(&path).await;
    let empty = world.get(&browser.cookie, "/manage").await.text;
    assert!(
        empty.contains("Nothing was measured lately.") && !empty.contains("<button type=\"submit\" disabled"),
        "{empty}"
    );
    world.control.app.metrics.record(world.control.app.now(), &[world.sample()]);
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(page.contains("50.0 %") && page.contains("512 MB"), "{page}");
    assert!(page.contains("aria-label=\"Processor over the last hour, now 50.0 %\""), "{page}");
}

#[tokio::test]
async fn what_a_link_asked_for_and_failed_is_told_to_it_alone() {
    let world = World::online().await;
    let (_, path) = world.link(&["reinstall", "restart"]).await;
    let browser = world.browser(&path).await;
    let (_, other) = world.link(&["restart"]).await;
    let other = world.browser(&other).await;
    world.post(&browser, "reinstall", REINSTALL).await;
    let fault = Some(Fault::new(FaultCode::ImageChecksum, "for a test"));
    world
        .host
        .says(move |seen| Observed { reached: None, disk_epoch: Some(DiskEpoch(1)), fault: fault.clone(), ..seen })
        .await;
    world.host.obey().await;
    let words = "Reinstalling failed. The image is damaged at its source; the provider was told. A password that was shown for it";
    let told = world.get(&browser.cookie, "/manage").await.text;
    assert!(told.contains(words) && !told.contains("given back"), "{told}");
    assert!(!world.get(&other.cookie, "/manage").await.text.contains("failed"));
    // Until something newer is asked for.
    world.post(&other, "restart", "").await;
    world.host.obey().await;
    assert!(!world.get(&browser.cookie, "/manage").await.text.contains("failed"));
}

#[tokio::test]
async fn what_is_off_uses_nothing_whatever_was_measured_a_moment_ago() {
    let world = World::online().await;
    let (_, path) = world.link(&["stats", "stop"]).await;
    let browser = world.browser(&path).await;
    world.control.app.metrics.record(world.control.app.now(), &[world.sample()]);
    assert!(world.get(&browser.cookie, "/manage").await.text.contains("now 50.0 %"));
    world.post(&browser, "stop", "").await;
    world.host.obey().await;
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(page.contains("now –") && !page.contains("50.0 %"), "{page}");
}

#[tokio::test]
async fn usage_moves_by_itself_and_is_told_once() {
    let world = World::online().await;
    let (_, path) = world.link(&["stats"]).await;
    let browser = world.browser(&path).await;
    let empty = world.get(&browser.cookie, "/manage").await.text;
    let mark = empty.split("data-mark=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ask = async |mark: &str| world.post(&browser, "state", &format!("mark={mark}")).await.json;
    assert_eq!(ask(&mark).await.get("usage"), None, "the page shows it already");
    world.control.app.metrics.record(world.control.app.now(), &[world.sample()]);
    let told = ask(&mark).await;
    let (usage, page) = (&told["usage"], world.get(&browser.cookie, "/manage").await.text);
    assert_eq!((&usage["silent"], &usage["figures"][0]["now"]), (&json!(false), &json!("50.0 %")));
    // What the script puts there is what a page that is loaded now shows.
    for figure in usage["figures"].as_array().unwrap() {
        for part in ["now", "words", "line"] {
            let text = figure[part].as_str().unwrap();
            assert!(page.contains(&format!("\"{text}\"")) || page.contains(&format!(">{text}<")), "{part}: {text}");
        }
    }
    let mark = usage["mark"].as_str().unwrap();
    assert_eq!(ask(mark).await.get("usage"), None);
    assert!(page.contains(&format!("data-mark=\"{mark}\"")), "{page}");
    let (_, path) = world.link(&["start"]).await;
    let without = world.browser(&path).await;
    assert_eq!(
        world.post(&without, "state", "mark=").await.json.get("usage"),
        None,
        "where the link does not allow it"
    );
}

/// Not "not running, start it": whoever waits for the reinstall cannot, and need not.
#[tokio::test]
async fn a_screen_that_is_asked_for_during_a_reinstall_is_told_what_it_waits_for() {
    let world = World::online().await;
    let (_, path) = world.link(&["console", "reinstall"]).await;
    let browser = world.browser(&path).await;
    assert_eq!(world.post(&browser, "state", "").await.json["name"], "web1.example.com", "the screen's heading");
    let ready = world.post(&browser, "ticket", "").await;
    assert_eq!(ready.status.as_u16(), 200, "{}", ready.text);
    world.post(&browser, "reinstall", REINSTALL).await;
    let busy = world.post(&browser, "ticket", "").await;
    assert_eq!((busy.status.as_u16(), &busy.json["why"]), (409, &json!("busy")));
    let (ticket, now) = (Secret::new(ready.json["ticket"].as_str().unwrap().to_owned()), world.control.app.now());
    let opened = world.control.app.store.write(move |tx| redeem_console_ticket(tx, &ticket, now)).await.unwrap();
    assert_eq!(opened, Admission::Busy, "also with the ticket of before");
    world.host.obey().await;
    assert_eq!(world.post(&browser, "ticket", "").await.status.as_u16(), 200);
}

#[tokio::test]
async fn addresses_of_changes_lead_back_and_what_is_no_page_is_refused() {
    let control = TestControl::start().await;
    for what in ["", "start", "stop", "restart", "reinstall", "console", "state"] {
        let path = &format!("/manage/{what}");
        let reply = control.raw("GET", path).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (303, "/manage"), "{path}");
    }
    assert_eq!(control.raw("POST", "/manage").send().await.status.as_u16(), 405);
    assert_eq!(control.raw("DELETE", "/manage/start").send().await.status.as_u16(), 405);
}
