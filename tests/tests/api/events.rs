//! What happened, followed as a stream and read as JSON: nothing is missed, nothing comes twice, and whoever may not
//! listen any more hears nothing more.

use std::time::Duration;

use csp_control::{api::held::Kind, entropy::SeededEntropy, schedule, service::note_key_uses::KeyUses};
use csp_tests::test_control::{Message, NOON, Reply, Stream, TestControl, TestCustomer};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);
const DAY: i64 = 86_400;

async fn get(control: &TestControl, customer: &TestCustomer, query: &str) -> Reply {
    control.api("GET", &format!("/events{query}")).by(customer).send().await
}

async fn follow(control: &TestControl, customer: &TestCustomer, last_event_id: Option<&str>) -> Stream {
    let send = control.api("GET", "/events").by(customer).header("accept", "text/event-stream");
    last_event_id.into_iter().fold(send, |send, id| send.header("last-event-id", id)).open().await
}

async fn next(stream: &mut Stream) -> Message {
    timeout(SOON, stream.event()).await.expect("an event comes").expect("the stream goes on")
}

/// The stream ends, and says nothing more before.
async fn ends(stream: &mut Stream) {
    assert_eq!(timeout(SOON, stream.event()).await.expect("the stream ends"), None);
}

async fn pay(control: &TestControl, customer: &TestCustomer, times: std::ops::Range<u32>) {
    for time in times {
        control.top_up(customer.account, "1", &format!("{}/{time}", customer.account)).await;
    }
}

fn ids(reply: &Reply) -> Vec<u64> {
    reply.data().as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_orders_events_are_read_in_the_order_in_which_they_happened() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let ada = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    let ordered = control.api("POST", "/servers").by(&ada).json(&order).send().await;
    host.obey().await;
    let all = get(&control, &ada, "").await;
    let kinds: Vec<&str> = all.data().as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    let wanted = [
        "balance.credited",
        "server.created",
        "balance.debited",
        "action.queued",
        "action.done",
        "server.service_changed",
        "server.status_changed",
    ];
    assert_eq!(kinds, wanted);
    assert_eq!((ids(&all), &all.json["next_after"]), ((1..=7).collect(), &json!(7)));
    assert_eq!((&all.json["total"], &all.json["gap"]), (&json!(7), &json!(false)));
    let queued = &all.data()[3];
    assert_eq!(
        (&queued["action_uuid"], &queued["server_uuid"]),
        (&ordered.json["action"]["uuid"], &ordered.data()["uuid"])
    );
    assert_eq!(all.data()[2]["data"]["amount"], json!(6.95));
    let rest = get(&control, &ada, "?after=5").await;
    assert_eq!((ids(&rest), &rest.json["total"]), (vec![6, 7], &json!(2)));
    let part = get(&control, &ada, "?after=2&limit=2").await;
    assert_eq!((ids(&part), &part.json["total"], &part.json["next_after"]), (vec![3, 4], &json!(5), &json!(4)));
    let nothing = get(&control, &ada, "?after=7").await;
    assert_eq!((ids(&nothing), &nothing.json["next_after"], &nothing.json["gap"]), (vec![], &json!(7), &json!(false)));
    let eve = control.customer("eve", "1").await;
    assert_eq!(ids(&get(&control, &eve, "").await), [1], "positions tell nothing of other accounts");
    for (query, field) in
        [("?after=-1", "after"), ("?after=x", "after"), ("?limit=0", "limit"), ("?offset=1", "offset")]
    {
        let reply = get(&control, &ada, query).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{query}");
    }
}

#[tokio::test]
async fn a_stream_has_no_end_and_so_no_limit() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    for limit in ["1", "1000", "x"] {
        let send = control.api("GET", &format!("/events?limit={limit}")).by(&ada).header("accept", "text/event-stream");
        let reply = send.send().await;
        assert!(reply.status.as_u16() == 422 && reply.fields().contains(&"limit"), "{limit}: {}", reply.text);
    }
    let empty = control.api("GET", "/events?limit=").by(&ada).header("accept", "text/event-stream").open().await;
    assert_eq!(empty.headers["content-type"], "text/event-stream", "what is empty is absent");
}

#[tokio::test]
async fn a_stream_begins_now_and_tells_what_json_tells() {
    let control = TestControl::start().await;
    let (ada, eve) = (control.customer("ada", "1").await, control.customer("eve", "1").await);
    let mut stream = follow(&control, &ada, None).await;
    let header = |name: &str| stream.headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("cache-control")), ("text/event-stream".into(), "no-store".into()));
    assert_eq!(header("vary"), "accept");
    let greeting = stream.next().await.unwrap();
    assert_eq!((greeting.line("retry"), greeting.line("id"), greeting.line("data")), ("3000", "1", ""));
    pay(&control, &eve, 0..3).await;
    pay(&control, &ada, 0..2).await;
    let listed = get(&control, &ada, "?after=1").await;
    for (at, id) in ["2", "3"].into_iter().enumerate() {
        let event = next(&mut stream).await;
        assert_eq!((event.line("id"), event.line("event")), (id, "balance.credited"));
        assert_eq!(event.data(), listed.data()[at]);
    }
}

#[tokio::test]
async fn who_comes_back_gets_all_that_came_meanwhile_once() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let mut stream = follow(&control, &ada, Some("0")).await;
    assert_eq!(next(&mut stream).await.line("id"), "1");
    drop(stream);
    // More than one part of a stream.
    pay(&control, &ada, 0..150).await;
    let mut stream = follow(&control, &ada, Some("1")).await;
    for id in 2..=151 {
        assert_eq!(next(&mut stream).await.line("id"), id.to_string());
    }
    pay(&control, &ada, 150..151).await;
    assert_eq!(next(&mut stream).await.line("id"), "152");
    let both = control.api("GET", "/events?after=3").by(&ada).header("accept", "text/event-stream");
    let mut both = both.header("last-event-id", "150").open().await;
    assert_eq!(next(&mut both).await.line("id"), "151", "a browser sends its first address again, and the header");
    let bad = control.api("GET", "/events").by(&ada).header("last-event-id", "x").send().await;
    assert_eq!((bad.status.as_u16(), bad.fields()), (400, vec!["Last-Event-ID"]));
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_told_as_a_gap() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    pay(&control, &ada, 0..3).await;
    control.clock.advance(31 * DAY);
    schedule::tick(&control.app.store, &SeededEntropy::new(7), &KeyUses::default(), control.app.now()).await.unwrap();
    pay(&control, &ada, 3..4).await;
    let mut stream = follow(&control, &ada, Some("2")).await;
    let gap = next(&mut stream).await;
    assert_eq!((gap.line("event"), gap.line("id"), gap.data()), ("gap", "4", json!({"id": 4, "type": "gap"})));
    assert_eq!(next(&mut stream).await.line("id"), "5");
    let listed = get(&control, &ada, "?after=2").await;
    assert_eq!((ids(&listed), &listed.json["gap"]), (vec![5], &json!(true)));
    let whole = get(&control, &ada, "").await;
    assert_eq!((ids(&whole), &whole.json["gap"]), (vec![5], &json!(false)), "who has seen nothing has missed nothing");
    // A position that this store never gave: it is of another life of it, so what is known may be wrong.
    let mut stream = follow(&control, &ada, Some("9000")).await;
    assert_eq!(next(&mut stream).await.line("event"), "gap");
    pay(&control, &ada, 4..5).await;
    assert_eq!(next(&mut stream).await.line("id"), "6");
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let (id, key) = control.key(ada.account, &json!({"scopes": ["read"]})).await;
    let (_, other) = control.key(ada.account, &json!({"expires_at": "2026-06-10 13:00:00"})).await;
    let open = |key: String| control.api("GET", "/events").with_key(&key).header("accept", "text/event-stream").open();
    let (mut revoked, mut expired) = (open(key).await, open(other.clone()).await);
    let mut stays = follow(&control, &ada, None).await;
    for stream in [&mut revoked, &mut expired] {
        assert_eq!(stream.next().await.unwrap().line("retry"), "3000");
    }
    control.revoke(&id).await;
    ends(&mut revoked).await;
    control.clock.set(NOON.plus(3600));
    ends(&mut expired).await;
    let again = control.api("GET", "/events").with_key(&other).header("accept", "text/event-stream").send().await;
    assert_eq!((again.status.as_u16(), again.code()), (401, "unauthorized"));
    pay(&control, &ada, 0..1).await;
    assert_eq!(next(&mut stays).await.line("event"), "balance.credited", "another key's stream goes on");
    let (_, writes) = control.key(ada.account, &json!({"scopes": ["write"]})).await;
    let refused = control.api("GET", "/events").with_key(&writes).header("accept", "text/event-stream").send().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "insufficient_scope"));
}

#[tokio::test]
async fn a_key_that_expires_ends_a_stream_to_which_nothing_happens() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let (_, key) = control.key(ada.account, &json!({"expires_at": "2026-06-10 13:00:00"})).await;
    let mut stream = control.api("GET", "/events").with_key(&key).header("accept", "text/event-stream").open().await;
    stream.next().await.unwrap();
    tokio::time::pause();
    assert_eq!(stream.next().await.unwrap().line(""), "nothing new", "its first look is long over");
    control.clock.set(NOON.plus(3600));
    let began = tokio::time::Instant::now();
    assert_eq!(stream.next().await, None);
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_that_happened_after_a_revocation_is_told() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let (id, key) = control.key(ada.account, &json!({})).await;
    let mut stream = control.api("GET", "/events").with_key(&key).header("accept", "text/event-stream").open().await;
    // Nobody reads meanwhile, so the stream sees both at once.
    control.revoke(&id).await;
    pay(&control, &ada, 0..1).await;
    ends(&mut stream).await;
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let mut stream = follow(&control, &ada, None).await;
    stream.next().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    for _ in 0..3 {
        let beat = stream.next().await.unwrap();
        assert_eq!((beat.line(""), beat.line("data")), ("nothing new", ""));
    }
    let took = began.elapsed().as_secs();
    assert!((45..60).contains(&took), "{took} s for three");
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_and_misses_nothing() {
    let control = TestControl::start().await;
    let ada = control.customer("ada", "1").await;
    let (mut slow, mut quick) = (follow(&control, &ada, None).await, follow(&control, &ada, None).await);
    for id in 2..=300 {
        pay(&control, &ada, id..id + 1).await;
        assert_eq!(next(&mut quick).await.line("id"), id.to_string());
    }
    for id in 2..=300 {
        assert_eq!(next(&mut slow).await.line("id"), id.to_string());
    }
}

#[tokio::test]
async fn an_account_has_so_many_streams_and_a_stop_ends_all() {
    let control = TestControl::start().await;
    let (ada, eve) = (control.customer("ada", "1").await, control.customer("eve", "1").await);
    let mut streams = Vec::new();
    for _ in 0..Kind::Stream.account_max() {
        streams.push(follow(&control, &ada, None).await);
    }
    let more = || control.api("GET", "/events").by(&ada).header("accept", "text/event-stream").send();
    let refused = more().await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_held_open"), "{}", refused.text);
    assert_eq!(get(&control, &ada, "").await.status.as_u16(), 200, "JSON is told as ever");
    follow(&control, &eve, None).await.next().await.unwrap();
    streams.pop();
    streams.push(follow(&control, &ada, None).await);
    control.app.held.end();
    for stream in &mut streams {
        ends(stream).await;
    }
}

#[tokio::test]
async fn an_address_has_so_many_streams_whoever_asks() {
    let control = TestControl::start().await;
    let mut streams = Vec::new();
    let mut refused = Value::Null;
    // More accounts than one address may have streams of, each below its own bound.
    for account in 0..=Kind::Stream.address_max() / 8 {
        let customer = control.customer(&format!("c{account}"), "1").await;
        for _ in 0..8 {
            let ask = || {
                let send = control.api("GET", "/events").by(&customer).from("203.0.113.9");
                send.header("accept", "text/event-stream")
            };
            if streams.len() < Kind::Stream.address_max() {
                streams.push(ask().open().await);
            } else {
                refused = ask().send().await.json["error"]["code"].clone();
            }
        }
    }
    assert_eq!(refused, "too_many_held_open");
    let customer = control.customer("elsewhere", "1").await;
    let elsewhere = control.api("GET", "/events").by(&customer).from("203.0.113.10");
    elsewhere.header("accept", "text/event-stream").open().await.next().await.unwrap();
}
