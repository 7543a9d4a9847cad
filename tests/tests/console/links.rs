//! A screen that was opened through a management link: it is seen by the right of a browser's session, and ends with that.

use std::time::Duration;

use csp_shared::id::ServerId;
use csp_tests::test_control::Reply;
use serde_json::json;
use tokio::time::Instant;

use crate::rig::{Rig, Viewer, accepted};

const ORIGIN: &str = "https://cybaaspace.com";
const NOT_ALLOWED: (u16, &str) = (4007, "not_allowed");
const SUSPENDED: (u16, &str) = (4011, "suspended");
const BAD: (u16, &str) = (4001, "bad_ticket");

/// A link to the screen, a browser that followed it, and the ticket that it got.
struct Link {
    uuid: String,
    cookie: String,
    word: String,
    ticket: String,
}

impl Link {
    async fn follow(rig: &Rig, server: ServerId, expires_at: Option<&str>) -> Self {
        let body = json!({"permissions": {"console": true}, "expires_at": expires_at});
        let path = format!("/servers/{server}/share-links");
        let made = rig.control.api("POST", &path).by(&rig.ada).json(&body).send().await;
        let url = made.data()["url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap();
        let entered = rig.control.raw("GET", url).send().await;
        let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = rig.control.raw("GET", "/manage").header("cookie", &cookie).send().await.text;
        let check = page.split("name=\"check\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let sent = send(rig, "/manage/console", &cookie, check).await;
        let place = sent.header("location").strip_prefix("/console#").unwrap_or_else(|| panic!("{}", sent.text));
        let (ticket, word) = place.split_once('~').unwrap();
        let uuid = made.data()["uuid"].as_str().unwrap().to_owned();
        Self { uuid, cookie, word: word.to_owned(), ticket: ticket.to_owned() }
    }

    /// What the screen's page gets when it asks for another ticket, in a browser with this cookie.
    async fn again(&self, rig: &Rig, cookie: &str) -> Reply {
        send(rig, "/manage/ticket", cookie, &self.word).await
    }

    async fn revoke(&self, rig: &Rig, server: ServerId) {
        let path = format!("/servers/{server}/share-links/{}", self.uuid);
        rig.control.api("DELETE", &path).by(&rig.ada).send().await;
    }
}

async fn send(rig: &Rig, path: &str, cookie: &str, check: &str) -> Reply {
    let send = rig.control.raw("POST", path).header("cookie", cookie).header("origin", ORIGIN);
    send.body(format!("check={check}")).send().await
}

async fn ends(viewer: &mut Viewer) {
    let began = Instant::now();
    let (code, name) = viewer.closed().await;
    assert_eq!((code, name.as_str()), NOT_ALLOWED);
    // Looked at twice a second; the rest is for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_screen_ends_with_its_link_and_no_other_one_does() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let revoked = Link::follow(&rig, server, None).await;
    let mut by_revoked = rig.viewer_with(&revoked.ticket).await;
    let _first = accepted(&screen).await;
    let expiring = Link::follow(&rig, server, Some("2026-06-10 12:00:30")).await;
    let mut by_expiring = rig.viewer_with(&expiring.ticket).await;
    let _second = accepted(&screen).await;
    let mut by_key = rig.viewer(server).await;
    let third = accepted(&screen).await;
    let shows = tokio::spawn(crate::rig::echo(third));

    revoked.revoke(&rig, server).await;
    ends(&mut by_revoked).await;
    by_key.send(b"still there").await;
    assert_eq!(by_key.read(11).await, b"still there");
    rig.control.clock.advance(30);
    ends(&mut by_expiring).await;
    by_key.send(b"and still").await;
    assert_eq!(by_key.read(9).await, b"and still");
    shows.abort();
}

/// Somebody looks at the screen on a borrowed computer and leaves the page: the tab that shows the screen is no way back in.
#[tokio::test]
async fn a_screen_ends_when_its_browser_leaves_or_its_session_is_over_and_no_other_browsers_does() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let left = Link::follow(&rig, server, None).await;
    let stays = Link::follow(&rig, server, None).await;
    let mut by_left = rig.viewer_with(&left.ticket).await;
    let _first = accepted(&screen).await;
    let mut by_staying = rig.viewer_with(&stays.ticket).await;
    let second = accepted(&screen).await;
    let shows = tokio::spawn(crate::rig::echo(second));
    let unused = left.again(&rig, &left.cookie).await.json["ticket"].as_str().unwrap().to_owned();

    assert_eq!(send(&rig, "/manage/leave", &left.cookie, &left.word).await.status.as_u16(), 200);
    ends(&mut by_left).await;
    let (code, name) = rig.viewer_with(&unused).await.closed().await;
    assert_eq!((code, name.as_str()), BAD, "a ticket goes with the session");
    by_staying.send(b"still there").await;
    assert_eq!(by_staying.read(11).await, b"still there");

    rig.control.clock.advance(12 * 60 * 60 + 1);
    ends(&mut by_staying).await;
    shows.abort();
}

#[tokio::test]
async fn a_ticket_of_a_link_that_ended_since_opens_nothing() {
    let (rig, server) = Rig::with_server().await;
    let link = Link::follow(&rig, server, None).await;
    link.revoke(&rig, server).await;
    let (code, name) = rig.viewer_with(&link.ticket).await.closed().await;
    assert_eq!((code, name.as_str()), BAD);
    assert_eq!(rig.screens.asked(), 0);
}

#[tokio::test]
async fn a_screen_comes_back_by_its_link_until_that_ends_and_never_by_another_one() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let link = Link::follow(&rig, server, None).await;
    let first = rig.viewer_with(&link.ticket).await;
    let _shown = accepted(&screen).await;
    drop(first);
    let renewed = link.again(&rig, &link.cookie).await.json["ticket"].as_str().unwrap().to_owned();
    let mut second = rig.viewer_with(&renewed).await;
    let _shown = accepted(&screen).await;

    let other = Link::follow(&rig, server, None).await;
    let strange = link.again(&rig, &other.cookie).await;
    assert_eq!(strange.status.as_u16(), 403, "another link was opened in this browser: {}", strange.text);
    rig.control.api("POST", &format!("/servers/{server}/stop")).by(&rig.ada).send().await;
    rig.until("the server to be off", async || {
        let off = link.again(&rig, &link.cookie).await;
        (off.status.as_u16(), &off.json["why"]) == (409, &json!("not_online"))
    })
    .await;
    rig.control.clock.advance(1000);
    let away = link.again(&rig, &link.cookie).await;
    assert_eq!((away.status.as_u16(), &away.json["why"]), (409, &json!("host_away")), "its host is not heard of");

    link.revoke(&rig, server).await;
    ends(&mut second).await;
    assert_eq!(link.again(&rig, &link.cookie).await.status.as_u16(), 404);
}

/// Why is told to whoever had the right to look, at each step: while it is watched, with a ticket from before, and when asked anew.
#[tokio::test]
async fn a_screen_of_a_locked_server_says_so_and_does_not_try_for_ever() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let link = Link::follow(&rig, server, None).await;
    let mut by_link = rig.viewer_with(&link.ticket).await;
    let _shown = accepted(&screen).await;
    let unused = link.again(&rig, &link.cookie).await.json["ticket"].as_str().unwrap().to_owned();
    for lock in ["abuse", "operator"] {
        let locked = rig.control.operator("POST", &format!("/servers/{server}/lock"));
        assert_eq!(locked.json(&json!({"reason": lock})).send().await.status.as_u16(), 200);
        let refused = link.again(&rig, &link.cookie).await;
        assert_eq!((refused.status.as_u16(), &refused.json["why"]), (409, &json!("suspended")), "{lock}");
        if lock == "abuse" {
            let (code, name) = by_link.closed().await;
            assert_eq!((code, name.as_str()), SUSPENDED, "watched meanwhile");
            let (code, name) = rig.viewer_with(&unused).await.closed().await;
            assert_eq!((code, name.as_str()), SUSPENDED, "a ticket of before");
        }
        let unlocked = rig.control.operator("POST", &format!("/servers/{server}/unlock"));
        assert_eq!(unlocked.json(&json!({"reason": lock})).send().await.status.as_u16(), 200);
    }
}
