//! A short history of the wallet: requests over both HTTP faces, some of them at once, written down to the last byte.

use std::{collections::BTreeSet, fs, path::Path};

use csp_control::{domain::slug::Slug, store::Store};
use csp_tests::test_control::{Reply, TestControl, TestCustomer};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    chance::Chance,
    disk::Image,
    vfs::{Event, Recording},
};

/// What every history begins with: a customer with money, one server that runs and one that waits for its host.
pub struct Beginning {
    image: Image,
    pub customer: TestCustomer,
    server: String,
    other: String,
    /// Opens what is ordered: hashing a password for each would take longer than all else.
    key: String,
}

/// One thing that somebody asks for. Asked again, it is the same request.
#[derive(Clone, Debug)]
struct Ask {
    operator: bool,
    path: String,
    body: Value,
    key: String,
}

/// A history that was written down.
pub struct History {
    asks: Vec<Vec<Ask>>,
    pub events: Vec<Event>,
    /// Cause keys that were there before the first round, and after each.
    pub keys: Vec<BTreeSet<String>>,
    /// Balance and number of transfers at the end.
    end: (String, usize),
}

const DATABASE: &str = "control.db";

impl Beginning {
    pub async fn new() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "200").await;
        let key = control.ssh_key(customer.account).await.to_string();
        let mut servers = Vec::new();
        for runs in [true, false] {
            let order = order(0, &key);
            let ordered = control.api("POST", &order.path).by(&customer).json(&order.body).send().await;
            servers.push(ordered.data()["uuid"].as_str().unwrap().to_owned());
            if runs {
                host.obey().await;
            }
        }
        let folder = folder();
        let copy = folder.path().join(DATABASE);
        let database = Connection::open(control.folder().join(DATABASE)).unwrap();
        database.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let database = Connection::open(&copy).unwrap();
        database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        drop(database);
        let other = servers.pop().unwrap();
        Self { image: read(folder.path()), customer, server: servers.pop().unwrap(), other, key }
    }

    pub fn image(&self) -> Image {
        self.image.clone()
    }

    /// Plays the history of this seed. Every other one runs on the real writer thread, with several requests to a
    /// commit; the rest on the store without a thread, which ends with the checkpoint of an orderly stop.
    pub async fn play(&self, seed: u64, loses_flushes: bool) -> History {
        let (mut chance, folder) = (Chance::new(seed), folder());
        write(folder.path(), &self.image);
        let recording = Recording::of(folder.path(), loses_flushes);
        let is_threaded = seed.is_multiple_of(2);
        let open = |path: &Path| if is_threaded { Store::open(path) } else { Store::open_inline(path) };
        let control = TestControl::over(folder, seed, |path| open(path).unwrap());
        let mut history =
            History { asks: vec![], events: vec![], keys: vec![keys(control.folder())], end: Default::default() };
        for round in 0..1 + chance.below(2) {
            let at_once = if is_threaded { 1 + chance.below(3) } else { 1 };
            let asks: Vec<Ask> =
                (0..at_once).map(|turn| self.ask(&mut chance, round * 3 + turn, at_once == 1)).collect();
            self.send(&control, &asks).await;
            recording.answered(round + 1);
            history.keys.push(keys(control.folder()));
            history.asks.push(asks);
        }
        history.end = self.end(&control).await;
        // A writer thread goes by itself, some time after its store; what it does then is not part of the history.
        if is_threaded {
            history.events = recording.end();
        } else {
            let _kept = control.close();
            history.events = recording.end();
        }
        history
    }

    /// Requests of one moment are such that their order does not matter: asked again, they may come in another one. A
    /// dispute locks the account for the orders that come after it, so it comes alone.
    fn ask(&self, chance: &mut Chance, number: usize, is_alone: bool) -> Ask {
        let amount = format!("{}.{:02}", 1 + chance.below(9), chance.below(100));
        let reference = format!("r:{number}");
        let account = self.customer.account;
        let operator = |path: String, body: Value| Ask { operator: true, path, body, key: String::new() };
        let customer = |path: String, body: Value| Ask { operator: false, path, body, key: format!("key-{number}") };
        let credit = json!({"amount": amount, "reference": reference});
        match chance.below(10) {
            0 | 1 => operator(format!("/accounts/{account}/credits"), credit),
            2 => operator(format!("/accounts/{account}/goodwill"), credit),
            3 => {
                let direction = ["credit", "debit"][chance.below(2)];
                let body = json!({"direction": direction, "amount": amount, "reference": reference, "note": "n"});
                operator(format!("/accounts/{account}/corrections"), body)
            }
            4 => operator("/refunds".to_owned(), json!({"payment": "ada", "reference": reference, "amount": amount})),
            5 if is_alone => {
                operator("/disputes".to_owned(), json!({"payment": "ada", "reference": reference, "amount": amount}))
            }
            6 => customer(format!("/servers/{}/extend", self.server), json!({"months": 1 + chance.below(2)})),
            7 => customer(format!("/servers/{}/destroy", self.other), Value::Null),
            _ => order(number, &self.key),
        }
    }

    async fn send(&self, control: &TestControl, asks: &[Ask]) -> Vec<Reply> {
        futures_util::future::join_all(asks.iter().map(|ask| async move {
            let request = match ask.operator {
                true => control.operator("POST", &ask.path),
                false => control.api("POST", &ask.path).by(&self.customer).header("idempotency-key", &ask.key),
            };
            let reply = if ask.body.is_null() { request.send().await } else { request.json(&ask.body).send().await };
            assert!(reply.status.as_u16() < 500, "{ask:?}: {}", reply.text);
            reply
        }))
        .await
    }

    /// Opens what a cut left, and says what is wrong with it: the whole of `keys` up to the answered round must be
    /// there, nothing beyond the round after it, and the ledger must agree with itself. `asks_again`: whoever got no
    /// answer, or lost it, asks once more, and then everything is as if power had never failed.
    pub async fn judge(
        &self,
        history: &History,
        image: &Image,
        answered: usize,
        asks_again: bool,
    ) -> Result<(), String> {
        let folder = folder();
        write(folder.path(), image);
        let opened = Store::open_inline(&folder.path().join(DATABASE));
        let store = opened.map_err(|error| format!("does not open: {error}"))?;
        let found = keys(folder.path());
        let lost: Vec<_> = history.keys[answered].difference(&found).collect();
        if !lost.is_empty() {
            return Err(format!("answered and lost: {lost:?}"));
        }
        let most = &history.keys[(answered + 1).min(history.keys.len() - 1)];
        let invented: Vec<_> = found.difference(most).collect();
        if !invented.is_empty() {
            return Err(format!("nobody asked for: {invented:?}"));
        }
        let verified = csp_control::service::verify_ledger::verify_ledger(&store).await;
        let differences = verified.map_err(|error| error.to_string())?.differences;
        if !differences.is_empty() {
            return Err(format!("{differences:?}"));
        }
        if asks_again {
            let control = TestControl::over(folder, 1_000 + answered as u64, |_| store);
            for asks in &history.asks {
                self.send(&control, asks).await;
            }
            let end = self.end(&control).await;
            if end != history.end {
                return Err(format!("asked again, it ends with {end:?} instead of {:?}", history.end));
            }
        }
        Ok(())
    }

    async fn end(&self, control: &TestControl) -> (String, usize) {
        let account = self.customer.account;
        let account = control.app.store.read(move |read| read.account_get(account)).await.unwrap().unwrap();
        (format!("{} and {} owed", account.balance, account.owed), keys(control.folder()).len())
    }
}

fn order(number: usize, key: &str) -> Ask {
    let hostname = Slug::parse(&format!("host-{number}")).unwrap();
    let body = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12",
                      "hostname": hostname.as_str(), "ssh_key_uuid": key, "promo_code": (number == 1).then_some("WELCOME")});
    Ask { operator: false, path: "/servers".to_owned(), body, key: format!("key-{number}") }
}

fn keys(folder: &Path) -> BTreeSet<String> {
    let database = Connection::open(folder.join(DATABASE)).unwrap();
    let mut statement = database.prepare("SELECT cause_key FROM transfers").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// In memory where the system has a place for that: nothing here must outlive the machine.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn read(folder: &Path) -> Image {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

pub fn write(folder: &Path, image: &Image) {
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes).unwrap();
    }
}
