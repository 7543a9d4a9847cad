//! A screen that was opened through a management link: it is seen by the link's right, and ends with it.

use std::time::Duration;

use csp_shared::id::ServerId;
use serde_json::json;
use tokio::time::Instant;

use crate::rig::{Rig, Viewer, accepted};

const NOT_ALLOWED: (u16, &str) = (4007, "not_allowed");
const BAD: (u16, &str) = (4001, "bad_ticket");

/// A link to the screen: its uuid, and a ticket that a browser got through it.
async fn link(rig: &Rig, server: ServerId, expires_at: Option<&str>) -> (String, String) {
    let body = json!({"permissions": {"console": true}, "expires_at": expires_at});
    let path = format!("/servers/{server}/share-links");
    let made = rig.control.api("POST", &path).by(&rig.ada).json(&body).send().await;
    let url = made.data()["url"].as_str().unwrap().strip_prefix("https://cybaaspace.com").unwrap();
    let entered = rig.control.raw("GET", url).send().await;
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = rig.control.raw("GET", "/manage").header("cookie", &cookie).send().await.text;
    let check = page.split("name=\"check\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let send = rig.control.raw("POST", "/manage/console").header("cookie", &cookie);
    let sent = send.header("origin", "https://cybaaspace.com").body(format!("check={check}")).send().await;
    let ticket = sent.header("location").strip_prefix("/console#").unwrap_or_else(|| panic!("{}", sent.text));
    (made.data()["uuid"].as_str().unwrap().to_owned(), ticket.to_owned())
}

async fn ends(viewer: &mut Viewer) {
    let began = Instant::now();
    let (code, name) = viewer.closed().await;
    assert_eq!((code, name.as_str()), NOT_ALLOWED);
    // Looked at every second; the rest is for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_screen_ends_with_its_link_and_no_other_one_does() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let (revoked, ticket) = link(&rig, server, None).await;
    let mut by_revoked = rig.viewer_with(&ticket).await;
    let _first = accepted(&screen).await;
    let (_, ticket) = link(&rig, server, Some("2026-06-10 12:00:30")).await;
    let mut by_expiring = rig.viewer_with(&ticket).await;
    let _second = accepted(&screen).await;
    let mut by_key = rig.viewer(server).await;
    let third = accepted(&screen).await;
    let shows = tokio::spawn(crate::rig::echo(third));

    let path = format!("/servers/{server}/share-links/{revoked}");
    rig.control.api("DELETE", &path).by(&rig.ada).send().await;
    ends(&mut by_revoked).await;
    by_key.send(b"still there").await;
    assert_eq!(by_key.read(11).await, b"still there");
    rig.control.clock.advance(30);
    ends(&mut by_expiring).await;
    by_key.send(b"and still").await;
    assert_eq!(by_key.read(9).await, b"and still");
    shows.abort();
}

#[tokio::test]
async fn a_ticket_of_a_link_that_ended_since_opens_nothing() {
    let (rig, server) = Rig::with_server().await;
    let (uuid, ticket) = link(&rig, server, None).await;
    let path = format!("/servers/{server}/share-links/{uuid}");
    rig.control.api("DELETE", &path).by(&rig.ada).send().await;
    let (code, name) = rig.viewer_with(&ticket).await.closed().await;
    assert_eq!((code, name.as_str()), BAD);
    assert_eq!(rig.screens.asked(), 0);
}
