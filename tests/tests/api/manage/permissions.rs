//! Each of the 64 sets of permissions against each thing that can be asked for: the server enforces every one.

use serde_json::json;

use super::{PERMISSIONS, REINSTALL, World};

/// What is asked for, its form, and the permission that it needs.
const ROUTES: [(&str, &str, &str); 6] = [
    ("start", "", "start"),
    ("stop", "", "stop"),
    ("restart", "", "restart"),
    ("reinstall", REINSTALL, "reinstall"),
    ("console", "", "console"),
    ("ticket", "", "console"),
];

#[tokio::test]
async fn every_set_of_permissions_opens_what_it_names_and_nothing_else() {
    let world = World::online().await;
    let limits = format!("/accounts/{}/limits", world.ada.account);
    world.control.operator("POST", &limits).json(&json!({"limits": {"share_links": 64}})).send().await;
    for bits in 1_u32..64 {
        let granted: Vec<&str> =
            PERMISSIONS.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, name)| *name).collect();
        let (_, path) = world.link(&granted).await;
        let browser = world.browser(&path).await;
        let page = world.get(&browser.cookie, "/manage").await.text;
        for (what, form, needed) in ROUTES {
            let is_shown = page.contains(&format!("action=\"/manage/{what}\""));
            // A new ticket is asked for by the screen's own page.
            assert_eq!(is_shown, granted.contains(&needed) && what != "ticket", "{granted:?} shows {what}");
            let before = world.control.books().await;
            // The form says which disk it was shown for.
            let disk =
                page.split("name=\"disk\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("1");
            let form = form.replace("disk=1", &format!("disk={disk}"));
            let reply = world.post(&browser, what, &form).await;
            if granted.contains(&needed) {
                let done = if ["reinstall", "ticket"].contains(&what) { 200 } else { 303 };
                assert_eq!(reply.status.as_u16(), done, "{granted:?} {what}: {}", reply.text);
            } else {
                assert_eq!(reply.status.as_u16(), 403, "{granted:?} {what}: {}", reply.text);
                assert_eq!(world.control.books().await, before, "{granted:?} {what}");
            }
            // The next one meets a server that runs.
            world.host.obey().await;
            if world.status().await != "Online" {
                let path = format!("/servers/{}/start", world.server);
                world.control.api("POST", &path).by(&world.ada).send().await;
                world.host.obey().await;
            }
        }
        assert_eq!(page.contains("Usage, last hour"), granted.contains(&"stats"), "{granted:?}");
    }
}

#[tokio::test]
async fn a_link_that_may_only_restart_cannot_power_on() {
    let world = World::online().await;
    let (_, path) = world.link(&["restart"]).await;
    let browser = world.browser(&path).await;
    world.control.api("POST", &format!("/servers/{}/stop", world.server)).by(&world.ada).send().await;
    world.host.obey().await;
    let refused = world.post(&browser, "restart", "").await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text.contains("a restart switches nothing on"), "{}", refused.text);
    world.host.obey().await;
    assert_eq!(world.status().await, "Offline");
}

#[tokio::test]
async fn what_a_link_did_is_told_to_the_owner_as_done_by_it() {
    let world = World::online().await;
    let (uuid, path) = world.link(&["restart", "stop", "reinstall"]).await;
    let browser = world.browser(&path).await;
    let by_link = json!({"uuid": uuid, "label": "Night shift"});
    for (what, form) in [("restart", ""), ("stop", ""), ("reinstall", REINSTALL)] {
        world.post(&browser, what, form).await;
        let newest = world.actions().await.remove(0);
        assert_eq!((&newest["command"], &newest["management_link"]), (&json!(what), &by_link));
        // Asked for again while it is under way: nothing new is asked, and it stays whose it was.
        world.host.obey().await;
    }
    world.control.api("POST", &format!("/servers/{}/stop", world.server)).by(&world.ada).send().await;
    assert_eq!(world.actions().await[0]["management_link"], json!(null), "a key's own");
    assert_eq!(world.post(&browser, "stop", "").await.status.as_u16(), 303);
    assert_eq!(world.actions().await[0]["management_link"], json!(null), "and it stays the key's");
    world.revoke(&uuid).await;
    assert_eq!(world.actions().await[1]["management_link"], by_link, "also after the link has ended");
}

#[tokio::test]
async fn a_protected_or_suspended_server_refuses_a_link_as_it_refuses_a_key() {
    let world = World::online().await;
    let (_, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    let settings = json!({"protection": {"reinstall": true}});
    world.control.api("PATCH", &format!("/servers/{}", world.server)).by(&world.ada).json(&settings).send().await;
    let refused = world.post(&browser, "reinstall", REINSTALL).await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text.contains("protected"), "{}", refused.text);
    let lock = world.control.operator("POST", &format!("/servers/{}/lock", world.server));
    let locked = lock.json(&json!({"reason": "operator"})).send().await;
    assert_eq!(locked.status.as_u16(), 200, "{}", locked.text);
    for what in ["start", "restart", "console"] {
        let refused = world.post(&browser, what, "").await;
        assert_eq!(refused.status.as_u16(), 409, "{what}");
        assert!(refused.text.contains("The server is suspended."), "{}", refused.text);
    }
}
