//! What scenarios are played on: a control plane that customers and operators reach by its own routers, two hosts, and
//! people who send a request again when nobody answered it.

use std::sync::OnceLock;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header, response::Parts},
};
use csp_control::{
    api,
    clock::Clock,
    domain::{server::ServiceStatus, time::DAY},
    fleet::Hosts as _,
    operator::{
        catalog_file,
        wire::{self, Apply},
    },
    stripe::signature::sign,
};
use csp_shared::{
    id::{AccountId, ServerId},
    message::Enrol,
    secret::Secret,
};
use csp_tests::{
    fake_stripe::SIGNING,
    test_control::{EXAMPLE_CATALOG, PUBLIC_KEY},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::super::{control::TERMS, fuse::Fuse, history::History};

/// What customers have, in dollars; [`super::super::control::CREDIT`] in cents.
const DOLLARS: &str = "200.00";
/// How often a request is sent while nobody answers it or no host is heard of.
const TRIES: u32 = 20;
/// Rounds of some seconds until something must have happened: more than an agent waits for its control plane.
const ROUNDS: u32 = 60;

/// What [`Stage::furnish`] leaves.
struct Furnished {
    database: Vec<u8>,
    account: AccountId,
    key: String,
    ssh_key: Value,
}

static FURNISHED: OnceLock<Furnished> = OnceLock::new();

pub struct Stage {
    pub history: History,
    key: String,
    ssh_key: Value,
    requests: u32,
    cookie: String,
    word: String,
}

impl Stage {
    /// A control plane that knows nobody, and hosts that it does not know.
    pub fn empty(fuse: Fuse) -> Self {
        let mut history = History::bare(1, false, Some(fuse));
        // Each commit is one more place to die at, and one scenario counts traffic.
        history.hosts.iter_mut().for_each(|host| host.cables.each = 0);
        Self {
            history,
            key: String::new(),
            ssh_key: Value::Null,
            requests: 0,
            cookie: String::new(),
            word: String::new(),
        }
    }

    /// Catalog, two hosts and a customer, by the operator's commands.
    pub async fn furnish(&mut self) {
        // Its images are two files: the example names no real digests.
        let catalog = EXAMPLE_CATALOG.replacen(&"0".repeat(64), &"1".repeat(64), 1);
        let catalog = catalog_file::read(&catalog, "catalog").unwrap();
        self.operate("/catalog", &serde_json::to_value(Apply { catalog, dry_run: false }).unwrap()).await;
        for index in 0..self.history.hosts.len() {
            self.join(index).await;
        }
        let account = self.account().await;
        let credit = json!({"amount": DOLLARS, "reference": "bank/1", "note": null});
        self.operate(&format!("/accounts/{account}/credits"), &credit).await;
        self.operate(&format!("/accounts/{account}/limits"), &json!({"limits": {"servers": 20}})).await;
        let made = self.operate(&format!("/accounts/{account}/keys"), &json!({"label": null})).await;
        made["data"]["key"].as_str().unwrap().clone_into(&mut self.key);
        let other = self.operate(&format!("/accounts/{account}/keys"), &json!({"label": "a mistake"})).await;
        let other = other["data"]["uuid"].as_str().unwrap().to_owned();
        self.operate(&format!("/keys/{other}/revoke"), &json!({})).await;
        let notice = json!({"kind": "info", "title": "Welcome", "text": "We are open."});
        let notice = self.operate("/notices", &notice).await["data"]["uuid"].as_str().unwrap().to_owned();
        self.operate(&format!("/notices/{notice}/end"), &json!({})).await;
        let key = json!({"label": "Laptop", "public_key": PUBLIC_KEY});
        self.operate(&format!("/accounts/{account}/ssh-keys"), &key).await;
        self.ssh_key = self.customer("GET", "/ssh-keys", None).await["data"][0]["uuid"].clone();
        self.history.accounts.push(account.parse().unwrap());
        self.history.revive().await;
    }

    /// As [`Self::furnish`], with nobody dying meanwhile. Done once, since it is the same each time; then its database is
    /// copied.
    pub async fn furnished(&mut self) {
        let at = self.history.fuse.hold();
        if FURNISHED.get().is_none() {
            let mut stage = Self::empty(Fuse::default());
            stage.furnish().await;
            let Self { history, key, ssh_key, .. } = stage;
            let (account, database) = (history.accounts[0], history.control.into_database());
            let _ = FURNISHED.set(Furnished { database, account, key, ssh_key }); // somebody else's is the same
        }
        let furnished = FURNISHED.get().unwrap();
        (self.key, self.ssh_key) = (furnished.key.clone(), furnished.ssh_key.clone());
        self.history.control.begin_anew(&furnished.database, 2);
        self.history.accounts.push(furnished.account);
        self.history.revive().await;
        self.history.fuse.arm(at);
    }

    async fn join(&mut self, index: usize) {
        let name = format!("h{index}");
        let new = serde_json::to_value(wire::NewHost {
            name,
            location: "first".into(),
            dedicated: false,
            cpu_overcommit: None,
        });
        let added = self.operate("/hosts", &new.unwrap()).await;
        let line = added["data"]["join"].as_str().unwrap();
        let token = Secret::new(line.rsplit(' ').next().unwrap().to_owned());
        let (pin, machine_id) = (self.history.hosts[index].pin, self.history.hosts[index].machine_id.clone());
        loop {
            let enrol = Enrol { protocol: 1, token: token.clone(), machine_id: machine_id.clone() };
            match self.history.fuse.survive(self.history.control.hosts.enrol(enrol, pin)).await {
                Some(enrolled) => return assert!(enrolled.is_ok(), "{enrolled:?}"),
                None => self.history.replace_control().await,
            }
        }
    }

    /// Opens the account, unless a request that was not answered did.
    async fn account(&mut self) -> String {
        for _ in 0..TRIES {
            let known = self.request(true, "GET", "/accounts", None, None).await.unwrap();
            if let Some(uuid) = known["data"][0]["uuid"].as_str() {
                return uuid.to_owned();
            }
            let new = json!({"name": "Someone", "email": "someone@example.com"});
            self.request(true, "POST", "/accounts", Some(&new), None).await;
        }
        panic!("no account could be opened");
    }

    /// A command of the operator, typed again when nothing came back; what an unanswered one did already stands.
    pub async fn operate(&mut self, path: &str, body: &Value) -> Value {
        for _ in 0..TRIES {
            let Some(answer) = self.request(true, "POST", path, Some(body), None).await else { continue };
            let before = answer["error"]["code"] == "already_exists";
            assert!(before || answer["ok"] == true, "{path}: {answer}");
            return answer;
        }
        panic!("nobody answered {path}");
    }

    /// The same for a command that is refused once it was done.
    pub async fn operate_again(&mut self, path: &str, body: &Value) {
        for _ in 0..TRIES {
            let Some(answer) = self.request(true, "POST", path, Some(body), None).await else { continue };
            return assert!(answer["ok"] == true || answer["error"]["code"] == "not_found", "{path}: {answer}");
        }
        panic!("nobody answered {path}");
    }

    /// Lets days pass while nobody looks, and believes the clock after it.
    pub async fn days(&mut self, days: i64) {
        self.history.wait(days * DAY).await;
        // Whoever died over the first look comes to the same doubt.
        self.history.wait(60).await;
        let it_is = self.history.control.clock.now().to_string();
        self.operate("/scheduler/resume", &json!({ "it_is": it_is })).await;
        self.history.wait(60).await;
        self.history.wait(60).await;
    }

    /// Tells customers what no mail server took.
    pub async fn tell(&mut self) {
        for _ in 0..TRIES {
            let Some(letters) = self.request(true, "GET", "/mails", None, None).await else { continue };
            let letters = letters["data"].as_array().unwrap().clone();
            for letter in &letters {
                let path = format!("/mails/{}", letter["uuid"].as_str().unwrap());
                self.operate(&format!("{path}/retry"), &json!({})).await;
                self.operate(&format!("{path}/told"), &json!({})).await;
            }
            return assert!(!letters.is_empty(), "something was to be told");
        }
    }

    /// A request of the customer under an idempotency key, sent again until there is an answer.
    pub async fn customer(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.requests += 1;
        let once = format!("request {}", self.requests);
        for _ in 0..TRIES {
            let answer = self.request(false, method, path, body, Some(&once)).await;
            match answer {
                Some(answer) if answer["error"]["code"] == "no_capacity" => self.history.wait(5).await,
                Some(answer) => return answer,
                None => {}
            }
        }
        panic!("nobody answered {method} {path}");
    }

    /// One request. Nothing when the control plane died over it; by then another one runs.
    async fn request(
        &mut self,
        is_operator: bool,
        method: &str,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Option<Value> {
        let (router, prefix) = match is_operator {
            true => (self.history.control.operators(), wire::PREFIX),
            false => (self.history.control.customers(), api::router::PREFIX),
        };
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        request = request.uri(format!("{prefix}{path}")).header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        request = request.header(header::HOST, "cloud.example.com");
        if let Some(once) = once.filter(|_| method != "GET") {
            request = request.header("Idempotency-Key", once);
        }
        let text = body.map(|body| body.to_string());
        if text.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Body::from(text.unwrap_or_default())).unwrap();
        let (_, answer) = self.send(router, request).await?;
        Some(serde_json::from_slice(&answer).unwrap())
    }

    /// A request of a browser to what people sign in by, sent again until there is an answer. What an unanswered one did
    /// stands, so several answers may do. A cookie is kept for the next one.
    pub async fn browse(&mut self, method: &str, path: &str, body: &Value, allowed: &[u16]) -> Value {
        for _ in 0..TRIES {
            let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
            let request =
                request.uri(format!("{}{path}", api::panel::PREFIX)).header(header::HOST, "cloud.example.com");
            let request = request.header(header::ORIGIN, "https://cloud.example.com");
            let request = request.header(header::CONTENT_TYPE, "application/json").header(header::COOKIE, &self.cookie);
            let request = request.body(Body::from(body.to_string())).unwrap();
            let router = self.history.control.customers();
            let Some((head, answer)) = self.send(router, request).await else { continue };
            assert!(allowed.contains(&head.status.as_u16()), "{method} {path}: {} {answer:?}", head.status);
            if let Some(cookie) = head.headers.get(header::SET_COOKIE) {
                cookie.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
            }
            return serde_json::from_slice(&answer).unwrap();
        }
        panic!("nobody answered {method} {path}");
    }

    /// A word of Stripe's, told again until it is taken.
    pub async fn stripe(&mut self, kind: &str, object: &Value) {
        assert_eq!(self.stripe_maybe(kind, object).await, StatusCode::OK, "{kind}");
    }

    /// A word of Stripe's, told again until there is an answer.
    pub async fn stripe_maybe(&mut self, kind: &str, object: &Value) -> StatusCode {
        let body = json!({"id": "evt_1", "type": kind, "data": {"object": object}}).to_string();
        for _ in 0..TRIES {
            let now = Clock::now(&*self.history.control.clock);
            let signature = sign(body.as_bytes(), &Secret::new(SIGNING.to_owned()), now);
            let request = Request::post("/webhooks/stripe").header(header::HOST, "cloud.example.com");
            let request = request.header("stripe-signature", signature).body(Body::from(body.clone())).unwrap();
            let router = self.history.control.customers();
            if let Some((head, _)) = self.send(router, request).await {
                return head.status;
            }
        }
        panic!("nobody answered Stripe");
    }

    /// Somebody who was invited, and is signed in.
    pub async fn invited(&mut self, email: &str, password: &str) {
        self.operate("/people/invite", &json!({"email": email})).await;
        let chosen = json!({"token": self.letter().await, "name": "Ada", "password": password, "terms_version": TERMS});
        self.browse("POST", "/sign-up/finish", &chosen, &[200, 422]).await;
        let first = json!({"email": email, "password": password});
        self.browse("POST", "/sign-in", &first, &[200]).await;
    }

    /// The next code of an authenticator: the one of before may be used.
    pub async fn shows(&mut self, secret: &str) -> String {
        self.history.wait(30).await;
        csp_tests::authenticator::code(secret, Clock::now(&*self.history.control.clock))
    }

    /// A command of the operator that is refused once it was done, or not: whichever, the rest of the scenario tells.
    pub async fn operate_once(&mut self, path: &str, body: &Value) {
        for _ in 0..TRIES {
            if self.request(true, "POST", path, Some(body), None).await.is_some() {
                return;
            }
        }
        panic!("nobody answered {path}");
    }

    /// What the operator is shown.
    pub async fn look(&mut self, path: &str) -> Value {
        for _ in 0..TRIES {
            if let Some(answer) = self.request(true, "GET", path, None, None).await {
                return answer;
            }
        }
        panic!("nobody answered {path}");
    }

    /// The token of the newest letter with one, sent since the last look.
    pub async fn letter(&mut self) -> String {
        self.history.control.letters.lock().unwrap().clear();
        for _ in 0..ROUNDS {
            self.history.wait(60).await;
            let letters = self.history.control.letters.lock().unwrap().clone();
            if let Some(at) = letters.last().and_then(|letter| letter.find("csp_ml_").map(|at| (letter, at))) {
                return at.0[at.1..].split_whitespace().next().unwrap().to_owned();
            }
        }
        panic!("no letter came");
    }

    /// Head and body of an answer. Nothing when the control plane died over it; by then another one runs.
    async fn send(&mut self, router: Router, request: Request<Body>) -> Option<(Parts, Bytes)> {
        let sent = async {
            let answer = router.oneshot(request).await.unwrap();
            let (head, body) = answer.into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        };
        let answer = self.history.fuse.survive(sent).await;
        if answer.is_none() {
            self.history.replace_control().await;
        }
        answer
    }

    /// Opens a management link in a browser, again until there is an answer; gives where that leads.
    pub async fn visit(&mut self, url: &str) -> String {
        let path = url.find("/manage/").map(|at| &url[at..]).unwrap_or_else(|| panic!("{url}"));
        for _ in 0..TRIES {
            let request = Request::get(path).header(header::HOST, "cloud.example.com").body(Body::empty()).unwrap();
            let router = self.history.control.customers();
            if let Some((head, _)) = self.send(router, request).await {
                if let Some(cookie) = head.headers.get(header::SET_COOKIE) {
                    cookie.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
                    self.read_word().await;
                }
                let place = head.headers.get(header::LOCATION);
                return place.unwrap_or_else(|| panic!("{}", head.status)).to_str().unwrap().to_owned();
            }
        }
        panic!("nobody answered a visit");
    }

    /// Reads the word that stands in the forms of a link's page.
    async fn read_word(&mut self) {
        let request = Request::get("/manage").header(header::HOST, "cloud.example.com");
        let request = request.header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap();
        let router = self.history.control.customers();
        let (_, page) = self.send(router, request).await.unwrap();
        let page = String::from_utf8_lossy(&page).into_owned();
        let word = page.split("name=\"check\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        self.word = word.unwrap_or_default().to_owned();
    }

    /// Sends a form of a link's page, again until there is an answer. What an unanswered one did stands.
    pub async fn send_form(&mut self, what: &str, fields: &str, allowed: &[u16]) {
        for _ in 0..TRIES {
            let request = Request::post(format!("/manage/{what}")).header(header::HOST, "cloud.example.com");
            let request =
                request.header(header::ORIGIN, "https://cloud.example.com").header(header::COOKIE, &self.cookie);
            let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = request.body(Body::from(format!("check={}&{fields}", self.word))).unwrap();
            let router = self.history.control.customers();
            let Some((head, page)) = self.send(router, request).await else { continue };
            let page = String::from_utf8_lossy(&page);
            assert!(allowed.contains(&head.status.as_u16()), "{what}: {} {page}", head.status);
            return;
        }
        panic!("nobody answered {what}");
    }

    /// An order, paid and placed.
    pub async fn order(&mut self) -> ServerId {
        let body = json!({
            "type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1.example.com",
            "ssh_key_uuid": self.ssh_key,
        });
        let answer = self.customer("POST", "/servers", Some(&body)).await;
        let server: ServerId = answer["data"]["uuid"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
        let shown = self.show(server).await;
        let address = shown["data"]["ips"][0]["address"].as_str().unwrap().parse().unwrap();
        self.history.ordered.insert(server, (self.history.accounts[0], address));
        server
    }

    /// An order that runs.
    pub async fn running(&mut self) -> ServerId {
        let server = self.order().await;
        self.until(server, "Online").await;
        server
    }

    /// `start`, `stop`, `restart`, `console` or `destroy`. That it is so already is fine.
    pub async fn ask(&mut self, server: ServerId, what: &str) {
        let answer = self.customer("POST", &format!("/servers/{server}/{what}"), None).await;
        assert_eq!(answer["ok"], true, "{what}: {answer}");
    }

    pub async fn show(&mut self, server: ServerId) -> Value {
        self.customer("GET", &format!("/servers/{server}"), None).await
    }

    /// Waits for a status, and for every request to have ended.
    pub async fn until(&mut self, server: ServerId, status: &str) {
        for _ in 0..ROUNDS {
            let shown = self.show(server).await;
            let read = move |r: &csp_control::store::Read<'_>| r.action_open(server);
            if shown["data"]["status"] == status && self.history.control.store.read(read).await.unwrap().is_empty() {
                return;
            }
            self.history.wait(5).await;
        }
        panic!("{server} is not {status}: {}", self.show(server).await);
    }

    /// Waits until the service is at its end and its host has proved that nothing is left.
    pub async fn until_released(&mut self, server: ServerId, service: ServiceStatus) {
        for _ in 0..ROUNDS {
            let read = move |r: &csp_control::store::Read<'_>| {
                Ok::<_, csp_control::store::StoreError>((r.server_get(server)?.unwrap(), r.placement_get(server)?))
            };
            let (stored, place) = self.history.control.store.read(read).await.unwrap();
            let released = place.is_some_and(|place| place.state == csp_control::store::PlacementState::Released);
            if stored.service == service && released {
                return;
            }
            self.history.wait(5).await;
        }
        panic!("{server} was not released as {service:?}");
    }

    /// Cuts a host's line for good, or mends it.
    pub async fn away(&mut self, host: usize, is_away: bool) {
        self.history.away[host] = is_away;
        self.history.hosts[host].hang_up();
        self.history.dial_anew(host).await;
    }

    /// The host that the server is on.
    pub fn host_of(&self, server: ServerId) -> usize {
        let has = |host: &super::super::agent::SimHost| host.machine.with(|m| m.servers.contains_key(&server));
        self.history.hosts.iter().position(has).unwrap()
    }
}
