//! What was asked of servers: told in the answer that accepted it, listed, and waited for.

use std::{sync::Arc, time::Duration};

use csp_control::api::held::Kind;
use csp_shared::observed::FaultCode;
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};

/// Longer than anything here takes, and shorter than the longest wait.
const SOON: Duration = Duration::from_secs(30);
const ABSENT: &str = "0192f0c1-0000-7000-8000-000000000001";

struct World {
    control: Arc<TestControl>,
    host: TestHost,
    ada: TestCustomer,
    server: String,
}

impl World {
    async fn ordered() -> (Self, Reply) {
        let control = Arc::new(TestControl::start().await);
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "50").await;
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
        let reply = control.api("POST", "/servers").by(&ada).json(&order).send().await;
        let server = reply.data()["uuid"].as_str().unwrap().to_owned();
        (Self { control, host, ada, server }, reply)
    }

    async fn online() -> Self {
        let (world, _) = Self::ordered().await;
        world.host.obey().await;
        world
    }

    async fn post(&self, verb: &str) -> Reply {
        self.control.api("POST", &format!("/servers/{}/{verb}", self.server)).by(&self.ada).send().await
    }

    async fn get(&self, path: &str) -> Reply {
        self.control.api("GET", path).by(&self.ada).send().await
    }

    async fn action(&self, reply: &Reply) -> Value {
        self.get(&format!("/actions/{}", uuid(reply))).await.data().clone()
    }

    /// Somebody who waits for an action.
    fn wait(&self, action: &str, seconds: u32) -> JoinHandle<Reply> {
        let (control, ada, path) =
            (self.control.clone(), self.ada.clone(), format!("/actions/{action}?wait={seconds}"));
        tokio::spawn(async move { control.api("GET", &path).by(&ada).send().await })
    }
}

#[track_caller]
fn uuid(reply: &Reply) -> &str {
    reply.json["action"]["uuid"].as_str().unwrap_or_else(|| panic!("{}", reply.text))
}

fn commands(reply: &Reply) -> Vec<&str> {
    reply.data().as_array().unwrap().iter().map(|action| action["command"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn whatever_is_queued_tells_its_action_from_the_first_answer_to_the_end() {
    let (world, ordered) = World::ordered().await;
    assert_eq!(ordered.json["action"]["command"], "create");
    assert_eq!(ordered.json["action"], ordered.data()["action"], "as in the server itself");
    world.host.obey().await;
    for (verb, message) in [("stop", "Stop"), ("start", "Start"), ("restart", "Restart"), ("destroy", "Destroy")] {
        let reply = world.post(verb).await;
        assert_eq!(reply.json["message"], format!("{message} has been queued."));
        assert!(reply.json.get("data").is_none(), "the text's answer has no data: {}", reply.text);
        let wanted = json!({
            "uuid": uuid(&reply), "server_uuid": world.server, "command": verb, "status": "queued", "progress": 0,
            "created": "2026-06-10 12:00:00", "started": null, "finished": null, "error": null,
            "management_link": null,
        });
        assert_eq!(reply.json["action"], wanted);
        assert_eq!(world.action(&reply).await, wanted);
        world.control.clock.advance(1);
        world.host.obey().await;
        let ended = world.action(&reply).await;
        assert_eq!((&ended["status"], &ended["progress"]), (&json!("done"), &json!(100)), "{ended}");
        assert!(ended["started"].is_string() && ended["finished"].is_string(), "{ended}");
        world.control.begin_at(csp_tests::test_control::NOON);
    }
}

#[tokio::test]
async fn what_is_so_already_has_no_action_and_what_is_on_its_way_has_the_one_under_way() {
    let world = World::online().await;
    assert_eq!(world.post("start").await.json["action"], Value::Null);
    let stop = world.post("stop").await;
    let again = world.post("stop").await;
    assert_eq!(
        (again.json["action"].clone(), &again.json["message"]),
        (stop.json["action"].clone(), &stop.json["message"])
    );
    world.host.obey().await;
    assert_eq!(world.post("stop").await.json["action"], Value::Null);
    let start = world.post("start").await;
    let restart = world.post("restart").await;
    assert_eq!(world.post("start").await.json["action"]["uuid"], *uuid(&restart), "a restart ends in what start wants");
    assert_eq!(world.action(&start).await["status"], "superseded");
    let shown = world.get(&format!("/servers/{}", world.server)).await;
    assert_eq!(shown.data()["action"]["uuid"], *uuid(&restart));
    world.host.obey().await;
    assert_eq!(world.get(&format!("/servers/{}", world.server)).await.data()["action"], Value::Null);
}

#[tokio::test]
async fn a_failed_action_says_why() {
    let (world, ordered) = World::ordered().await;
    world.host.fail(FaultCode::ImageChecksum).await;
    let failed = world.action(&ordered).await;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("image_checksum")), "{failed}");
    assert_eq!(failed["progress"], 100, "nothing more comes");
    assert!(failed["error"]["message"].as_str().unwrap().ends_with('.'));
}

#[tokio::test]
async fn actions_are_listed_newest_first_with_filters_and_stay_when_their_server_is_gone() {
    let world = World::online().await;
    for verb in ["stop", "start", "destroy"] {
        world.post(verb).await;
        world.host.obey().await;
    }
    let all = world.get("/actions").await;
    assert_eq!((commands(&all), &all.json["total"]), (vec!["destroy", "start", "stop", "create"], &json!(4)));
    let per_server = world.get(&format!("/servers/{}/actions", world.server)).await;
    assert_eq!(
        (per_server.status.as_u16(), per_server.code()),
        (404, "not_found"),
        "as every route of a destroyed server"
    );
    let eve = world.control.customer("eve", "1").await;
    assert_eq!(world.control.api("GET", "/actions").by(&eve).send().await.data(), &json!([]));
    for (query, wanted) in [
        (format!("server_uuid={}", world.server), vec!["destroy", "start", "stop", "create"]),
        (format!("server_uuid={ABSENT}"), vec![]),
        ("status=done&command=start".to_owned(), vec!["start"]),
        ("status=queued".to_owned(), vec![]),
        ("limit=2&offset=1".to_owned(), vec!["start", "stop"]),
    ] {
        assert_eq!(commands(&world.get(&format!("/actions?{query}")).await), wanted, "{query}");
    }
    let part = world.get("/actions?limit=3").await;
    let cursor = part.json["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/actions?limit=3&cursor={cursor}")).await;
    assert_eq!((commands(&rest), &rest.json["next_cursor"]), (vec!["create"], &Value::Null));
    for (query, field) in [
        ("status=gone", "status"),
        ("command=fly", "command"),
        ("server_uuid=1", "server_uuid"),
        ("cursor=1", "cursor"),
        (&format!("cursor={ABSENT}"), "cursor"),
        (&format!("cursor={cursor}&offset=1"), "offset"),
        ("colour=red", "colour"),
    ] {
        let reply = world.get(&format!("/actions?{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{query}");
    }
    // Another account's action is no cursor, and the answer is that of one that never was.
    let foreign = world.control.api("GET", &format!("/actions?cursor={cursor}")).by(&eve).header("x-request-id", "a");
    let absent = world.control.api("GET", &format!("/actions?cursor={ABSENT}")).by(&eve).header("x-request-id", "a");
    assert_eq!(foreign.send().await.text, absent.send().await.text);
}

#[tokio::test]
async fn a_servers_own_list_has_its_actions_alone() {
    let world = World::online().await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web2"});
    let _ = world.control.api("POST", "/servers").by(&world.ada).json(&order).send().await.data();
    world.post("stop").await;
    let listed = world.get(&format!("/servers/{}/actions", world.server)).await;
    assert_eq!((commands(&listed), &listed.json["total"]), (vec!["stop", "create"], &json!(2)));
    let filtered = world.get(&format!("/servers/{}/actions?status=done", world.server)).await;
    assert_eq!(commands(&filtered), ["create"]);
    assert_eq!(commands(&world.get("/actions?command=create").await), ["create", "create"]);
}

#[tokio::test]
async fn who_waits_is_answered_when_the_action_has_ended() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let waiting = [world.wait(uuid(&stop), 60), world.wait(uuid(&stop), 60)];
    let other = world.control.customer("eve", "1").await;
    world.control.top_up(other.account, "1", "another account's news").await;
    tokio::task::yield_now().await;
    world.host.obey().await;
    for waiting in waiting {
        let reply = timeout(SOON, waiting).await.expect("before the wait is over").unwrap();
        assert_eq!(reply.data()["status"], "done", "{}", reply.text);
    }
    let ended = timeout(SOON, world.wait(uuid(&stop), 60)).await.expect("what has ended is told at once").unwrap();
    assert_eq!(ended.data()["status"], "done");
}

#[tokio::test]
async fn a_superseded_action_ends_its_wait_too() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let waiting = world.wait(uuid(&stop), 60);
    tokio::task::yield_now().await;
    world.post("start").await;
    let reply = timeout(SOON, waiting).await.expect("before the wait is over").unwrap();
    assert_eq!(reply.data()["status"], "superseded");
}

#[tokio::test]
async fn a_wait_that_is_over_answers_what_there_is() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let reply = timeout(SOON, world.wait(uuid(&stop), 1)).await.unwrap().unwrap();
    assert_eq!(reply.data()["status"], "queued");
    for wait in ["61", "-1", "1.5", "soon"] {
        let reply = world.get(&format!("/actions/{}?wait={wait}", uuid(&stop))).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["wait"]), "{wait}");
    }
}

#[tokio::test]
async fn who_goes_away_while_waiting_gives_the_place_back() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let most = Kind::Wait.account_max();
    for _ in 0..2 {
        // Once one too many is refused, all the others are held.
        let mut waiting: FuturesUnordered<_> = (0..=most).map(|_| world.wait(uuid(&stop), 60)).collect();
        let refused = timeout(SOON, waiting.next()).await.expect("refused at once").unwrap().unwrap();
        assert_eq!(refused.code(), "too_many_held_open", "{}", refused.text);
        waiting.iter().for_each(JoinHandle::abort);
        while let Some(ended) = waiting.next().await {
            assert!(ended.unwrap_err().is_cancelled(), "nobody answered it");
        }
    }
    let reply = timeout(SOON, world.wait(uuid(&stop), 1)).await.unwrap().unwrap();
    assert_eq!(reply.data()["status"], "queued", "{}", reply.text);
}

#[tokio::test]
async fn a_revoked_key_learns_nothing_at_the_end_of_its_wait() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let (id, key) = world.control.key(world.ada.account, &json!({"scopes": ["read"]})).await;
    let (control, path) = (world.control.clone(), format!("/actions/{}?wait=60", uuid(&stop)));
    let waiting = tokio::spawn(async move { control.api("GET", &path).with_key(&key).send().await });
    tokio::task::yield_now().await;
    world.control.revoke(&id).await;
    world.host.obey().await;
    let reply = timeout(SOON, waiting).await.expect("before the wait is over").unwrap();
    assert_eq!((reply.status.as_u16(), reply.code()), (401, "unauthorized"), "{}", reply.text);
}

#[tokio::test]
async fn an_account_waits_so_often_at_once_and_a_stop_ends_all_waits() {
    let world = World::online().await;
    let stop = world.post("stop").await;
    let (most, too_many) = (Kind::Wait.account_max(), 3);
    let mut waiting: FuturesUnordered<_> = (0..most + too_many).map(|_| world.wait(uuid(&stop), 60)).collect();
    for _ in 0..too_many {
        let refused = timeout(SOON, waiting.next()).await.expect("refused at once").unwrap().unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_held_open"), "{}", refused.text);
        assert_eq!(refused.header("retry-after"), "5");
    }
    let at_once = world.get(&format!("/actions/{}", uuid(&stop))).await;
    assert_eq!(at_once.status.as_u16(), 200, "who does not wait is told as ever");
    world.control.app.held.end();
    let mut ended = 0;
    while let Some(reply) = timeout(SOON, waiting.next()).await.expect("ended by the stop") {
        assert_eq!(reply.unwrap().data()["status"], "queued");
        ended += 1;
    }
    assert_eq!(ended, most);
}
