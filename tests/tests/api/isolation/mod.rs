//! Who may see and do what: every route of the document with every kind of key.
//!
//! What is another account's is not there: the same bytes come back as for what never was (the request's id aside), and
//! the same statements are run for it, so that not even the time it takes tells them apart.

mod once;
mod rows;

use std::collections::BTreeSet;

use csp_control::{
    api::document::{self, Row as Operation},
    domain::scope::Scope,
};
use csp_tests::test_control::{NOON, Reply, Statements, TestControl, TestCustomer, TestGuests, TestHost};
use serde_json::{Value, json};

use self::rows::{Names, OPEN, ROWS, Row};

const ABSENT: &str = "0192f0c1-0000-7000-8000-000000000001";
const HOME: &str = "203.0.113.9";
const ELSEWHERE: &str = "198.51.100.1";

/// A control plane, two customers, and what Ada has.
struct Scene {
    control: TestControl,
    statements: Statements,
    ada: TestCustomer,
    eve: TestCustomer,
    server: String,
    ssh_key: String,
    action: String,
    network: String,
    joined_network: String,
    member: String,
    /// Two extra addresses of the server, and a server that one of them can be moved to.
    ips: [String; 2],
    other_server: String,
    share_link: String,
    host: TestHost,
    /// They answer as long as the scene stands.
    _guests: TestGuests,
}

impl Scene {
    async fn set() -> Self {
        let (control, statements) = TestControl::traced().await;
        let host = control.host("host-1").await;
        let (ada, eve) = (control.customer("ada", "100").await, control.customer("eve", "100").await);
        let ssh_key = control.ssh_key(ada.account).await.to_string();
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "adas"});
        let ordered = control.api("POST", "/servers").by(&ada).json(&order).send().await;
        let server = ordered.data()["uuid"].as_str().unwrap().to_owned();
        let action = ordered.json["action"]["uuid"].as_str().unwrap().to_owned();
        let another = control.api("POST", "/servers").by(&ada).json(&order).send().await;
        let other_server = another.data()["uuid"].as_str().unwrap().to_owned();
        host.obey().await;
        let mut networks = Vec::new();
        for name in ["empty", "joined"] {
            let made = control.api("POST", "/private-networks").by(&ada).json(&json!({"name": name})).send().await;
            networks.push(made.data()["uuid"].as_str().unwrap().to_owned());
        }
        let joined_network = networks.pop().unwrap();
        let attach = control.api("POST", &format!("/private-networks/{joined_network}/attach")).by(&ada);
        let attached = attach.json(&json!({"server_uuid": server})).send().await;
        let member = attached.data()["membership_id"].as_str().unwrap().to_owned();
        host.obey().await;
        let link = control.api("POST", &format!("/servers/{server}/share-links")).by(&ada).json(&rows::share_link());
        let share_link = link.send().await.data()["uuid"].as_str().unwrap().to_owned();
        let path = format!("/servers/{server}/extra-ips");
        control.operator("POST", &path).json(&json!({"max": 4})).send().await;
        let mut ips = Vec::new();
        for _ in 0..2 {
            let added = control.api("POST", &path).by(&ada).send().await;
            ips.push(added.data()["uuid"].as_str().unwrap().to_owned());
        }
        host.obey().await;
        let (guests, ips) = (host.with_guests(&control), ips.try_into().unwrap());
        Self {
            control,
            statements,
            ada,
            eve,
            server,
            ssh_key,
            action,
            network: networks.remove(0),
            joined_network,
            member,
            ips,
            other_server,
            share_link,
            host,
            _guests: guests,
        }
    }

    /// What of Ada's the row's path names.
    fn own(&self, row: &Row) -> &str {
        match row.names {
            Names::Nothing => "",
            Names::Server => &self.server,
            Names::SshKey => &self.ssh_key,
            Names::ExtraIp => &self.ips[0],
            Names::OtherExtraIp => &self.ips[1],
            Names::Action => &self.action,
            Names::Network => &self.network,
            Names::JoinedNetwork => &self.joined_network,
            Names::ShareLink => &self.share_link,
        }
    }

    /// The row's request about the thing `id`.
    async fn ask(&self, row: &Row, key: Option<&str>, id: &str) -> Reply {
        let method = row.route.0;
        let path = self.path(row, id);
        let send = self.control.api(method, &path).from(HOME).header("x-request-id", "same");
        let send = key.into_iter().fold(send, csp_tests::test_control::Send::with_key);
        match self.body(row) {
            Value::Null => send.send().await,
            body => send.json(&body).send().await,
        }
    }

    /// The row's path about the thing `id`. A thing of a server is looked for on Ada's.
    fn path(&self, row: &Row, id: &str) -> String {
        let path = row.route.1.replace("{uuid_or_slug}", "starter").replace("{month}", "2026-06");
        let path = path.replace("{membership_id}", &self.member);
        match row.names {
            Names::ExtraIp | Names::OtherExtraIp => path.replace("{uuid}", &self.server).replace("{ip_uuid}", id),
            Names::ShareLink => path.replace("{uuid}", &self.server).replace("{link_uuid}", id),
            _ => path.replace("{uuid}", id),
        }
    }

    fn body(&self, row: &Row) -> Value {
        let text = (row.body)().to_string().replace("{server}", &self.server).replace("{other}", &self.other_server);
        serde_json::from_str(&text).unwrap()
    }
}

fn operation(row: &Row) -> Operation {
    let found = document::rows().into_iter().find(|known| (known.method, known.path.as_str()) == row.route);
    found.unwrap_or_else(|| panic!("{:?} is no route", row.route))
}

#[test]
fn every_route_has_its_row() {
    let routes: BTreeSet<(String, String)> =
        document::rows().into_iter().map(|row| (row.method.to_owned(), row.path)).collect();
    let named = |(method, path): (&str, &str)| (method.to_owned(), path.to_owned());
    let rows: BTreeSet<_> =
        ROWS.iter().map(|row| named(row.route)).chain(OPEN.iter().map(|o| named((o.0, o.1)))).collect();
    assert_eq!(rows, routes, "a new route needs a row in isolation/rows.rs, and one that is gone needs none");
    for row in ROWS {
        assert!(!operation(row).needs.is_empty(), "{:?} asks for no key: say why in OPEN", row.route);
        assert_eq!(row.route.1.contains("{uuid}"), row.names != Names::Nothing, "{:?}", row.route);
    }
    for (method, path, _) in OPEN {
        let open =
            document::rows().into_iter().find(|row| (row.method, row.path.as_str()) == (*method, *path)).unwrap();
        assert!(open.needs.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn each_route_works_for_its_owner() {
    let scene = Scene::set().await;
    let key = scene.ada.key.reveal();
    for row in ROWS {
        let reply = scene.ask(row, Some(key), scene.own(row)).await;
        assert_eq!(reply.status.as_u16(), 200, "{:?}: {}", row.route, reply.text);
        // What one row asked for is done before the next one asks.
        scene.host.obey().await;
    }
}

#[tokio::test]
async fn without_a_key_that_opens_no_route_answers_and_nothing_changes() {
    let scene = Scene::set().await;
    let (control, account) = (&scene.control, scene.ada.account);
    let (revoked_id, revoked) = control.key(account, &json!({})).await;
    control.revoke(&revoked_id).await;
    let (_, expired) = control.key(account, &json!({"expires_at": "2026-06-10 12:00:01"})).await;
    let (_, elsewhere) = control.key(account, &json!({"networks": [format!("{ELSEWHERE}/32")]})).await;
    control.clock.set(NOON.plus(1));
    let unknown = "csp_live_0000000000000000000000000000000000000000000";
    let truncated = &scene.ada.key.reveal()[..51];
    let keys = [
        (None, 401, "unauthorized"),
        (Some(""), 401, "unauthorized"),
        (Some(unknown), 401, "unauthorized"),
        (Some(truncated), 401, "unauthorized"),
        (Some(&revoked), 401, "unauthorized"),
        (Some(&expired), 401, "unauthorized"),
        (Some(&elsewhere), 403, "network_not_allowed"),
    ];
    let before = control.books().await;
    for row in ROWS {
        for (key, status, code) in keys {
            let reply = scene.ask(row, key, scene.own(row)).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{:?} {key:?}", row.route);
            // Of a thing that is there and of one that never was, nobody without a key learns the difference.
            assert_eq!(scene.ask(row, key, ABSENT).await.text, reply.text, "{:?} {key:?}", row.route);
            if status == 401 {
                assert_eq!(reply.header("www-authenticate"), "Bearer", "{:?}", row.route);
            }
        }
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_single_scope_opens_what_it_names_and_nothing_else() {
    let scene = Scene::set().await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        keys.push((scope, scene.control.key(scene.ada.account, &json!({"scopes": [scope.as_str()]})).await.1));
    }
    for row in ROWS {
        let needs = operation(row).needs;
        for (scope, key) in &keys {
            let suffices = needs.iter().any(|all| all.iter().all(|needed| needed == scope));
            // Nothing that exists is asked for, so that one scope's request takes nothing from the next one.
            let before = scene.control.books().await;
            let reply = scene.ask(row, Some(key), ABSENT).await;
            if suffices {
                let status = reply.status.as_u16();
                assert!([200, 404, 409].contains(&status), "{:?} {scope:?}: {}", row.route, reply.text);
            } else {
                assert_eq!(
                    (reply.status.as_u16(), reply.code()),
                    (403, "insufficient_scope"),
                    "{:?} {scope:?}",
                    row.route
                );
                assert_eq!(scene.control.books().await, before, "{:?} {scope:?}", row.route);
                assert_eq!(
                    scene.ask(row, Some(key), scene.own(row)).await.text,
                    reply.text,
                    "{:?} {scope:?}",
                    row.route
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_anothers_and_what_is_not_there_have_one_answer_from_one_work() {
    let scene = Scene::set().await;
    let eve = scene.eve.key.reveal();
    let before = scene.control.books().await;
    for row in ROWS.iter().filter(|row| row.names != Names::Nothing) {
        scene.statements.take();
        let foreign = scene.ask(row, Some(eve), scene.own(row)).await;
        let foreign_work = scene.statements.take();
        let absent = scene.ask(row, Some(eve), ABSENT).await;
        let absent_work = scene.statements.take();
        assert_eq!((foreign.status.as_u16(), foreign.code()), (404, "not_found"), "{:?}: {}", row.route, foreign.text);
        assert_eq!(foreign.text, absent.text, "{:?}", row.route);
        assert!(foreign_work.iter().any(|statement| statement.contains("api_keys")), "statements are heard");
        assert_eq!(foreign_work, absent_work, "{:?}", row.route);
        for nonsense in ["nonsense", "%00", "%ff", "..%2f..", "0192f0c1-0000-7000-8000-00000000000g"] {
            assert_eq!(scene.ask(row, Some(eve), nonsense).await.text, foreign.text, "{:?} {nonsense}", row.route);
        }
    }
    assert_eq!(scene.control.books().await, before);
}

#[tokio::test]
async fn no_answer_to_one_account_names_a_thing_of_another() {
    let scene = Scene::set().await;
    let eve = scene.eve.key.reveal();
    let account = scene.ada.account.to_string();
    for row in ROWS.iter().filter(|row| row.names == Names::Nothing) {
        let reply = scene.ask(row, Some(eve), "").await;
        assert_eq!(reply.status.as_u16(), 200, "{:?}: {}", row.route, reply.text);
        for theirs in [
            &scene.server,
            &scene.ssh_key,
            &scene.action,
            &scene.network,
            &scene.joined_network,
            &scene.share_link,
            &account,
        ] {
            assert!(!reply.text.contains(theirs.as_str()), "{:?}: {}", row.route, reply.text);
        }
    }
}

/// Another's things in a query: filters, cursors, positions.
#[tokio::test]
async fn anothers_thing_in_a_query_is_answered_as_one_that_is_not_there() {
    let scene = Scene::set().await;
    let wallet = scene.control.api("GET", "/transactions").by(&scene.ada).send().await;
    let transaction = wallet.data()[0]["uuid"].as_str().unwrap().to_owned();
    let address = {
        let shown = scene.control.api("GET", &format!("/servers/{}", scene.server)).by(&scene.ada).send().await;
        shown.data()["ips"][0]["address"].as_str().unwrap().to_owned()
    };
    for (path, theirs, nobodys) in [
        ("/transactions?cursor=", transaction.as_str(), ABSENT),
        ("/transactions?server_uuid=", &scene.server, ABSENT),
        ("/actions?cursor=", &scene.action, ABSENT),
        ("/actions?server_uuid=", &scene.server, ABSENT),
        ("/servers?address=", &address, "203.0.113.254"),
        ("/servers?hostname=", "adas", "nobodys"),
        ("/servers?label=", "adas", "nobodys"),
        // Positions count up in each account by itself: Ada's tell nothing of Eve's.
        ("/events?after=", "3", "3"),
    ] {
        let mut seen = Vec::new();
        for named in [theirs, nobodys] {
            scene.statements.take();
            let send = scene.control.api("GET", &format!("{path}{named}")).by(&scene.eve);
            let reply = send.header("x-request-id", "same").send().await;
            assert!(
                !reply.text.contains(&scene.server) && !reply.text.contains(&transaction),
                "{path}: {}",
                reply.text
            );
            seen.push((reply.status, reply.text.replace(named, "…"), scene.statements.take()));
        }
        assert_eq!(seen[0], seen[1], "{path}");
    }
    let mine = scene.control.api("GET", "/statements/2026-06").by(&scene.eve).send().await;
    for line in mine.data()["lines"].as_array().unwrap() {
        assert_ne!(line["uuid"], json!(transaction));
        assert_eq!(line["server_uuid"], Value::Null, "a month has its own account's lines: {}", mine.text);
    }
}

#[tokio::test]
async fn anothers_thing_in_a_body_is_answered_as_one_that_is_not_there() {
    let scene = Scene::set().await;
    let order = |key: &str| json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a", "ssh_key_uuid": key});
    let mut seen = Vec::new();
    for id in [scene.ssh_key.as_str(), ABSENT] {
        scene.statements.take();
        let send = scene.control.api("POST", "/servers").by(&scene.eve).header("x-request-id", "same");
        let reply = send.json(&order(id)).send().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (422, "ssh_key_not_found"), "{}", reply.text);
        seen.push((reply.text.replace(id, "…"), scene.statements.take()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn two_keys_in_one_request_are_none() {
    let scene = Scene::set().await;
    let twice = scene.control.api("GET", "/balance").by(&scene.ada).by(&scene.ada).send().await;
    assert_eq!(twice.status.as_u16(), 401, "whoever sits in between may have read the other one");
    let key = scene.ada.key.reveal();
    for header in [format!("Basic {key}"), key.to_owned(), "Bearer".to_owned(), format!("Bearer {}", "a".repeat(5000))]
    {
        let reply = scene.control.api("GET", "/balance").header("authorization", &header).send().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "unauthorized"), "{header}");
        assert!(!reply.text.contains(key));
    }
}
