//! Who gets a ticket, and what one is worth.

use csp_tests::test_control::TestControl;
use serde_json::{Value, json};

use crate::rig::{Rig, accepted};

const BAD: (u16, &str) = (4001, "bad_ticket");

fn by_name(closed: &(u16, String)) -> (u16, &str) {
    (closed.0, &closed.1)
}

#[tokio::test]
async fn the_answer_is_a_url_with_the_ticket_in_its_fragment_for_sixty_seconds() {
    let (rig, server) = Rig::with_server().await;
    let path = format!("/servers/{server}/console");
    let reply = rig.control.api("POST", &path).by(&rig.ada).send().await;
    let (url, expires_at) = (reply.data()["url"].as_str().unwrap(), &reply.data()["expires_at"]);
    assert_eq!(*expires_at, json!("2026-06-10 12:01:00"));
    let ticket = url.strip_prefix("https://cybaaspace.com/console#csp_con_").unwrap();
    assert_eq!(ticket.len(), 43);
    let field = rig.control.api("POST", &path).by(&rig.ada).json(&json!({"for": "ever"})).send().await;
    assert_eq!((field.status.as_u16(), field.code()), (422, "validation_failed"));
    let again = || rig.control.api("POST", &path).by(&rig.ada).header("idempotency-key", "one");
    assert_eq!(again().send().await.data(), again().send().await.data(), "a retry is the same ticket");
    let database = std::fs::read(rig.control.folder().join("control.db-wal")).unwrap();
    assert!(!database.windows(ticket.len()).any(|part| part == ticket.as_bytes()), "only its hash is stored");
}

#[tokio::test]
async fn a_ticket_opens_once_and_used_old_and_invented_ones_cannot_be_told_apart() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let ticket = rig.ticket(server).await;
    let _viewer = rig.viewer_with(&ticket).await;
    let _shown = accepted(&screen).await;
    assert_eq!(by_name(&rig.viewer_with(&ticket).await.closed().await), BAD, "used");

    let old = rig.ticket(server).await;
    rig.control.clock.advance(60);
    assert_eq!(by_name(&rig.viewer_with(&old).await.closed().await), BAD, "old");

    let (long, longer, endless) = ("a".repeat(256), "a".repeat(257), "a".repeat(1 << 20));
    let api_key = rig.ada.key.reveal();
    for invented in
        ["", " ", "csp_con_", "null", "' OR 1=1 --", "\u{0}\u{1F980}", &ticket[..50], &long, &longer, &endless, api_key]
    {
        let shown = invented.chars().take(40).collect::<String>();
        assert_eq!(
            by_name(&rig.viewer_with(invented).await.closed().await),
            BAD,
            "{shown:?}, {} bytes",
            invented.len()
        );
    }
    assert_eq!(rig.screens.asked(), 1, "no host is asked for what is no ticket");
}

#[tokio::test]
async fn only_the_owner_of_a_running_server_gets_a_ticket() {
    let (rig, server) = Rig::with_server().await;
    let eve = rig.control.customer("eve", "50").await;
    let path = format!("/servers/{server}/console");
    let foreign = rig.control.api("POST", &path).by(&eve).header("x-request-id", "same").send().await;
    let absent = rig.control.api("POST", "/servers/0192f0c1-0000-7000-8000-000000000001/console");
    assert_eq!(foreign.status.as_u16(), 404);
    assert_eq!(foreign.text, absent.by(&eve).header("x-request-id", "same").send().await.text);

    let ticket = rig.ticket(server).await;
    rig.control.api("POST", &format!("/servers/{server}/stop")).by(&rig.ada).send().await;
    rig.until("the server to be off", async || {
        let shown = rig.control.api("GET", &format!("/servers/{server}")).by(&rig.ada).send().await;
        shown.data()["status"] == "Offline"
    })
    .await;
    let refused = rig.control.api("POST", &path).by(&rig.ada).send().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "conflict"));
    assert!(refused.text.contains("The server is Offline"), "{}", refused.text);
    assert_eq!(by_name(&rig.viewer_with(&ticket).await.closed().await), (4002, "not_online"), "stopped meanwhile");

    rig.control.clock.advance(1000);
    let silent = rig.control.api("POST", &path).by(&rig.ada).send().await;
    assert_eq!((silent.status.as_u16(), silent.code()), (409, "conflict"), "its host is not heard of");
}

#[tokio::test]
async fn the_page_is_strict_and_the_stream_takes_websockets_only() {
    let control = TestControl::start().await;
    for path in ["/console", "/panel", "/panel/servers/any"] {
        let reply = control.raw("GET", path).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let headers = ["referrer-policy", "cache-control", "x-frame-options", "x-content-type-options"];
        assert_eq!(headers.map(|name| reply.header(name)), ["no-referrer", "no-store", "DENY", "nosniff"], "{path}");
        let page = reply.text;
        assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("onclick"), "{page}");
    }
    assert_eq!(control.raw("GET", "/panel/v1/absent").send().await.code(), "not_found", "no page among the data");
    let plain = control.raw("GET", "/console/stream").send().await;
    assert_eq!((plain.status.as_u16(), plain.code()), (400, "bad_request"));
    assert_eq!(control.raw("POST", "/console/stream").send().await.status.as_u16(), 405);
    assert_eq!(control.raw("GET", "/console/other").send().await.json["ok"], Value::Bool(false));
}
