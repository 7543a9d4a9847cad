//! What is asked of a server over HTTP, in each state that it can be in: allowed and done, or refused with 409, the state,
//! what runs, and what would be allowed. The table itself is tried cell by cell in `domain/allowed/tests.rs`.

use csp_control::domain::allowed::{Ask, allowed};
use csp_shared::{id::ServerId, observed::FaultCode};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

const DAY: i64 = 86_400;

struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
    server: ServerId,
    /// A private network that it is not in, and its place in one; once it ran.
    network: String,
    member: Option<String>,
    /// An extra address of it, and another server; where it ran once.
    ip: String,
    other: String,
}

/// How a server comes into a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Provisioning,
    Online,
    Starting,
    Stopping,
    Offline,
    WentOff,
    GivenUp,
    Unseen,
    Reinstalling,
    Changing,
    Unpaid,
    LockedByOperator,
    LockedAsAbuse,
    LockedWhileReinstalled,
    Failed,
}

impl State {
    const ALL: [Self; 15] = [
        Self::Provisioning,
        Self::Online,
        Self::Starting,
        Self::Stopping,
        Self::Offline,
        Self::WentOff,
        Self::GivenUp,
        Self::Unseen,
        Self::Reinstalling,
        Self::Changing,
        Self::Unpaid,
        Self::LockedByOperator,
        Self::LockedAsAbuse,
        Self::LockedWhileReinstalled,
        Self::Failed,
    ];
}

impl World {
    async fn at(state: State) -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "100").await;
        let server = control.order(&ada, "starter", "web1").await;
        let absent = "0192f0c1-0000-7000-8000-000000000001".to_owned();
        let (ip, other, network) = (absent.clone(), absent, String::new());
        let mut world = Self { control, host, ada, server, network, member: None, ip, other };
        world.reach(state).await;
        world
    }

    async fn reach(&mut self, state: State) {
        match state {
            State::Provisioning => return,
            State::Failed => return self.host.fail(FaultCode::ImageChecksum).await,
            _ => self.host.obey().await,
        }
        for name in ["joined", "empty"] {
            let send = self.control.api("POST", "/private-networks").by(&self.ada);
            self.network = send.json(&json!({"name": name})).send().await.data()["uuid"].as_str().unwrap().to_owned();
            if name == "joined" {
                let attached = self.attach().await;
                let id = attached.data()["membership_id"].as_str().unwrap();
                self.member = Some(format!("/private-networks/{}/members/{id}", self.network));
            }
        }
        self.ip = self.ask("POST", "/extra-ips").await.data()["uuid"].as_str().unwrap().to_owned();
        self.other = self.control.order(&self.ada, "starter", "web2").await.to_string();
        self.host.obey().await;
        if matches!(state, State::Stopping | State::Offline | State::Starting | State::GivenUp) {
            self.ask("POST", "/stop").await;
        }
        if matches!(state, State::Offline | State::Starting | State::GivenUp) {
            self.host.obey().await;
        }
        if matches!(state, State::Starting | State::GivenUp) {
            self.ask("POST", "/start").await;
        }
        match state {
            State::GivenUp => self.host.fail(FaultCode::HypervisorRefused).await,
            State::WentOff => self.host.powered_itself_off(&self.control, self.server).await,
            State::Unseen => self.control.clock.advance(91),
            State::Reinstalling => drop(self.send(Ask::Reinstall).await),
            State::Changing => drop(self.send(Ask::ChangePackage).await),
            State::Unpaid => {
                self.patch(&json!({"auto_renew": false})).await;
                self.control.pass(31 * DAY, DAY).await;
                self.host.obey().await;
            }
            State::LockedByOperator => self.lock("operator").await,
            State::LockedAsAbuse => self.lock("abuse").await,
            State::LockedWhileReinstalled => {
                drop(self.send(Ask::Reinstall).await);
                self.lock("operator").await;
            }
            _ => {}
        }
    }

    /// The operator suspends it, and its host does so.
    async fn lock(&self, reason: &str) {
        let path = format!("/servers/{}/lock", self.server);
        let locked = self.control.operator("POST", &path).json(&json!({"reason": reason})).send().await;
        assert_eq!(locked.data()["changed"], true, "{}", locked.text);
    }

    async fn patch(&self, body: &Value) {
        let reply =
            self.control.api("PATCH", &format!("/servers/{}", self.server)).by(&self.ada).json(body).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    }

    async fn ask(&self, method: &str, rest: &str) -> Reply {
        self.control.api(method, &format!("/servers/{}{rest}", self.server)).by(&self.ada).send().await
    }

    async fn post(&self, rest: &str, body: &Value) -> Reply {
        self.control.api("POST", &format!("/servers/{}{rest}", self.server)).by(&self.ada).json(body).send().await
    }

    async fn attach(&self) -> Reply {
        let path = format!("/private-networks/{}/attach", self.network);
        self.control.api("POST", &path).by(&self.ada).json(&json!({"server_uuid": self.server})).send().await
    }

    /// Whether there is what the column is about: a server that never ran is in no network.
    fn can_send(&self, ask: Ask) -> bool {
        !matches!(ask, Ask::AttachNetwork | Ask::DetachNetwork) || self.member.is_some()
    }

    /// Sends what a column of the table stands for.
    async fn send(&self, ask: Ask) -> Reply {
        let (method, rest) = match ask {
            Ask::Start => ("POST", "/start"),
            Ask::Stop => ("POST", "/stop"),
            Ask::Restart => ("POST", "/restart"),
            Ask::Console => ("POST", "/console"),
            Ask::Extend => ("POST", "/extend"),
            Ask::Reinstall => return self.post("/reinstall", &json!({"os_image_key": "debian-12"})).await,
            Ask::ChangePackage => return self.post("/change-package", &json!({"package_slug": "edge"})).await,
            Ask::AttachNetwork => return self.attach().await,
            Ask::DetachNetwork => {
                let path = self.member.as_deref().unwrap_or_default();
                return self.control.api("DELETE", path).by(&self.ada).send().await;
            }
            Ask::AddExtraIp => ("POST", "/extra-ips"),
            Ask::RemoveExtraIp => return self.ask("DELETE", &format!("/extra-ips/{}", self.ip)).await,
            Ask::MoveExtraIp => {
                let body = json!({"target_server_uuid": self.other});
                return self.post(&format!("/extra-ips/{}/move", self.ip), &body).await;
            }
            Ask::Update => ("PATCH", ""),
            Ask::Destroy => ("POST", "/destroy"),
        };
        self.ask(method, rest).await
    }

    async fn allowed(&self) -> Vec<Ask> {
        let (account, server, now) = (self.ada.account, self.server, self.control.app.now());
        let standing = self.control.app.store.read(move |read| read.server_standing(account, server, now));
        allowed(&standing.await.unwrap().unwrap())
    }
}

async fn every_request_at(state: State, status: &str) {
    let world = World::at(state).await;
    let allowed = world.allowed().await;
    let names: Vec<&str> = allowed.iter().map(|ask| ask.as_str()).collect();
    let shown = world.ask("GET", "").await;
    assert_eq!(shown.data()["status"], status, "{state:?}");
    let running = match &shown.data()["action"] {
        Value::Null => Value::Null,
        action => json!({"uuid": action["uuid"], "command": action["command"]}),
    };
    let before = world.control.books().await;
    for ask in Ask::ALL.into_iter().filter(|ask| !allowed.contains(ask) && world.can_send(*ask)) {
        let refused = world.send(ask).await;
        assert_eq!(refused.status.as_u16(), 409, "{state:?} {ask:?}: {}", refused.text);
        let details = &refused.json["error"]["details"];
        let told = (&details["status"], &details["service_status"], &details["running_action"], &details["allowed"]);
        let wanted = (&json!(status), &shown.data()["service_status"], &running, &json!(names));
        assert_eq!(told, wanted, "{state:?} {ask:?}: {}", refused.text);
        assert!(["server_busy", "conflict"].contains(&refused.code()), "{state:?} {ask:?}: {}", refused.text);
        assert_eq!(refused.code() == "server_busy", refused.json["error"]["retryable"] == true);
    }
    assert_eq!(world.control.books().await, before, "{state:?}: refusals change nothing");
    assert_eq!(world.ask("GET", "").await.data()["action"], shown.data()["action"], "{state:?}");
    for ask in allowed {
        let world = World::at(state).await;
        let reply = world.send(ask).await;
        assert_eq!(reply.status.as_u16(), 200, "{state:?} {ask:?} is listed as allowed: {}", reply.text);
    }
}

macro_rules! states {
    ($($name:ident: $state:ident is $status:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            every_request_at(State::$state, $status).await;
        }
    )*};
}

states! {
    every_request_to_an_ordered_server: Provisioning is "Provisioning";
    every_request_to_one_that_is_online: Online is "Online";
    every_request_to_one_that_is_starting: Starting is "Starting";
    every_request_to_one_that_is_stopping: Stopping is "Stopping";
    every_request_to_one_that_is_offline: Offline is "Offline";
    every_request_to_one_that_went_off_by_itself: WentOff is "Offline";
    every_request_to_one_whose_start_was_given_up: GivenUp is "Offline";
    every_request_to_one_whose_host_is_silent: Unseen is "Unknown";
    every_request_to_one_that_is_reinstalled: Reinstalling is "Reinstalling";
    every_request_to_one_whose_package_is_changed: Changing is "Changing";
    every_request_to_one_that_is_not_paid: Unpaid is "Suspended";
    every_request_to_one_that_the_operator_locked: LockedByOperator is "Suspended";
    every_request_to_one_that_is_locked_as_an_abuse: LockedAsAbuse is "Suspended";
    every_request_to_one_that_was_locked_as_it_was_reinstalled: LockedWhileReinstalled is "Suspended";
    every_request_to_a_failed_order: Failed is "Failed";
}

/// Protection turns its cell in each state where there was something to refuse, and no other.
#[tokio::test]
async fn what_its_owner_protected_is_refused_by_that_name_in_every_state() {
    for state in State::ALL {
        let world = World::at(state).await;
        let before = world.allowed().await;
        world.patch(&json!({"protection": {"destroy": true, "reinstall": true}})).await;
        for ask in [Ask::Reinstall, Ask::Destroy].into_iter().filter(|ask| before.contains(ask)) {
            let refused = world.send(ask).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (409, "protected"), "{state:?}: {}", refused.text);
            let allowed: Vec<&str> = world.allowed().await.iter().map(|ask| ask.as_str()).collect();
            assert_eq!(refused.json["error"]["details"]["allowed"], json!(allowed), "{state:?}");
        }
        let kept = before.into_iter().filter(|ask| ![Ask::Reinstall, Ask::Destroy].contains(ask)).collect::<Vec<_>>();
        assert_eq!(world.allowed().await, kept, "{state:?}");
    }
}

#[tokio::test]
async fn one_that_was_destroyed_is_not_there_whatever_is_asked() {
    for state in [State::Online, State::Failed] {
        let world = World::at(state).await;
        assert_eq!(world.send(Ask::Destroy).await.status.as_u16(), 200);
        for is_gone in [false, true] {
            for ask in Ask::ALL.into_iter().filter(|ask| world.can_send(*ask)) {
                let reply = world.send(ask).await;
                assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_found"), "{ask:?}, gone: {is_gone}");
            }
            world.host.obey().await;
        }
    }
}
