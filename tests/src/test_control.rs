//! A control plane in one process: the real routers over a real database, with a clock that tests set.
//!
//! Nothing here knows a rule of the product. What is missing is only the socket: requests go straight into the router,
//! and hosts speak through the same door as the fleet's listener.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod request;
mod test_host;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::Router;
use csp_control::{
    api::{self, App, Settings},
    clock::SetClock,
    config::{AccountLimits, Brand, Orders, PublicUrl, RateLimits, SignUpRules},
    domain::{
        api_key::KeyTerms, billing::rules::Rules, catalog::Catalog, label::Label, scope::Scopes, ssh_key::SshKey,
        time::Time, vault::Vault,
    },
    entropy::SeededEntropy,
    failpoint::Watch,
    metrics::Metrics,
    operator::{self, catalog_file},
    schedule::billing::{self, Looked},
    service::{
        add_ssh_key::add_ssh_key,
        apply_catalog::apply_catalog,
        create_account::create_account,
        create_key::{CreateKey, create_key},
        credit_account::{CreditAccount, credit_account},
    },
    store::{Store, StoreError, TransferFilter, Tx},
};
use csp_shared::{
    id::{AccountId, ServerId, SshKeyId},
    key_pin::KeyPin,
    secret::Secret,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::{
    request::{Message, Reply, Send, Stream},
    test_host::{TestGuests, TestHost},
};

/// The moment at which the contract's examples are set: 2026-06-10 12:00:00.
pub const NOON: Time = Time(1_781_092_800);

/// The catalog of the documentation.
pub const EXAMPLE_CATALOG: &str = include_str!("../../docs/examples/catalog.toml");

/// A public key that nobody has the other half of.
pub const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// Another one.
pub const OTHER_PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/";

/// A control plane in one process.
pub struct TestControl {
    /// What the handlers stand on.
    pub app: App,
    /// Stands still until it is set.
    pub clock: Arc<SetClock>,
    customers: Router,
    operators: Router,
    folder: TempDir,
}

/// A customer, and what opens the API for them.
#[derive(Clone, Debug)]
pub struct TestCustomer {
    /// Whose.
    pub account: AccountId,
    /// Opens the API.
    pub key: Secret,
}

/// All that a refused request must leave as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    balances: Vec<(AccountId, String)>,
    transfers: u64,
    servers: usize,
    leases: usize,
    actions: usize,
}

/// What a database was asked.
#[derive(Clone, Debug, Default)]
pub struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    /// What it was asked since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl TestControl {
    /// A control plane with the documentation's catalog, at [`NOON`].
    pub async fn start() -> Self {
        Self::with_catalog(EXAMPLE_CATALOG).await
    }

    /// A control plane that sells what `catalog` (TOML) says, at [`NOON`].
    pub async fn with_catalog(catalog: &str) -> Self {
        Self::with(catalog, |_| (), |path| Store::open(path).unwrap()).await
    }

    /// A control plane that writes down every statement of its database as it begins, without the values.
    pub async fn traced() -> (Self, Statements) {
        let statements = Statements::default();
        let ear = statements.clone();
        let hear = move |statement: &str| ear.0.lock().unwrap().push(statement.to_owned());
        let open = |path: &Path| Store::open_traced(path, hear).unwrap();
        (Self::with(EXAMPLE_CATALOG, |_| (), open).await, statements)
    }

    /// A control plane with the documentation's catalog and other settings than tests usually have.
    pub async fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(EXAMPLE_CATALOG, change, |path| Store::open(path).unwrap()).await
    }

    /// A control plane that dies where `watch` says so, as a process that is killed: what was asked of it is never answered.
    pub async fn mortal(watch: Arc<dyn Watch>) -> Self {
        Self::with(EXAMPLE_CATALOG, |_| (), |path| Store::open_watched(path, Some(watch)).unwrap()).await
    }

    /// Another process on the same files, with the clock where it was.
    #[must_use]
    pub fn restarted(self) -> Self {
        self.restarted_with(|_| ())
    }

    /// The same, with other settings.
    #[must_use]
    pub fn restarted_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self { app, clock, folder, .. } = self;
        let mut settings = (*app.settings).clone();
        change(&mut settings);
        drop(app);
        // Other random values than the first process had.
        Self::on(folder, clock, settings, 2, |path| Store::open(path).unwrap())
    }

    /// A control plane over a database that is in `folder` already, at [`NOON`]. Another `seed` draws other ids.
    pub fn over(folder: TempDir, seed: u64, open: impl FnOnce(&Path) -> Store) -> Self {
        Self::on(folder, Arc::new(SetClock::new(NOON)), usual_settings(), seed, open)
    }

    /// Ends it, so that its database is closed, and keeps the folder. A store with a thread is closed a moment later.
    #[must_use]
    pub fn close(self) -> TempDir {
        self.folder
    }

    async fn with(catalog: &str, change: impl FnOnce(&mut Settings), open: impl FnOnce(&Path) -> Store) -> Self {
        let mut settings = usual_settings();
        change(&mut settings);
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(SetClock::new(NOON)));
        let control = Self::on(folder, clock, settings, 1, open);
        control.apply(catalog).await;
        control
    }

    fn on(
        folder: TempDir,
        clock: Arc<SetClock>,
        settings: Settings,
        seed: u64,
        open: impl FnOnce(&Path) -> Store,
    ) -> Self {
        let store = open(&folder.path().join("control.db"));
        let app = App::new(store, clock.clone(), Arc::new(SeededEntropy::new(seed)), settings)
            .with_metrics(Metrics::open(&folder.path().join("metrics.db")));
        let (customers, operators) = (api::router(app.clone()), operator::router(app.clone()));
        Self { app, clock, customers, operators, folder }
    }

    /// Makes the catalog what the text says.
    pub async fn apply(&self, catalog: &str) {
        let file = catalog_file::read(catalog, "catalog").unwrap();
        let (catalog, draw, now) = (Catalog::from(file), self.app.draw(), self.app.now());
        self.app.store.write(move |tx| apply_catalog(tx, &catalog, false, draw.clone(), now)).await.unwrap();
    }

    /// A customer with `dollars` in the wallet.
    pub async fn customer(&self, name: &str, dollars: &str) -> TestCustomer {
        let (draw, now, label) = (self.app.draw(), self.app.now(), Label::parse(name).unwrap());
        let account = {
            let (draw, label) = (draw.clone(), label.clone());
            self.app
                .store
                .write::<_, StoreError>(move |tx| create_account(tx, &label, None, draw.clone(), now))
                .await
                .unwrap()
        };
        if dollars.parse() != Ok(csp_control::domain::money::Cents::ZERO) {
            self.top_up(account, dollars, name).await;
        }
        let (draw, limits) = (self.app.draw(), self.app.settings.limits);
        let terms = KeyTerms { scopes: Scopes::all(), networks: None, expires_at: None };
        let wanted = CreateKey { account, label, terms, limits };
        let made = self.app.store.write(move |tx| create_key(tx, &wanted, draw.clone(), now)).await.unwrap();
        TestCustomer { account, key: made.key }
    }

    /// Orders a virtual server of Debian 12, and answers which it is; its host has not heard of it yet.
    pub async fn order(&self, by: &TestCustomer, package: &str, hostname: &str) -> ServerId {
        let order = json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12", "hostname": hostname});
        let reply = self.api("POST", "/servers").by(by).json(&order).send().await;
        reply.data()["uuid"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).parse().unwrap()
    }

    /// A key as the operator makes it from `terms`, the body of `POST /accounts/{uuid}/keys`: its id, and the key.
    pub async fn key(&self, account: AccountId, terms: &Value) -> (String, String) {
        let made = self.operator("POST", &format!("/accounts/{account}/keys")).json(terms).send().await;
        let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
        (text("uuid"), text("key"))
    }

    /// Ends a key.
    pub async fn revoke(&self, key: &str) {
        let revoked = self.operator("POST", &format!("/keys/{key}/revoke")).json(&json!({})).send().await;
        assert_eq!(revoked.data()["state"], "revoked");
    }

    /// Puts money into a wallet.
    pub async fn top_up(&self, account: AccountId, dollars: &str, reference: &str) {
        let amount = dollars.parse().unwrap();
        let credit = CreditAccount { account, amount, reference: reference.to_owned(), note: None };
        let (draw, now) = (self.app.draw(), self.app.now());
        self.app.store.write(move |tx| credit_account(tx, &credit, draw.clone(), now)).await.unwrap();
    }

    /// Adds [`PUBLIC_KEY`] to an account.
    pub async fn ssh_key(&self, account: AccountId) -> SshKeyId {
        let (label, key) = (Label::parse("Laptop").unwrap(), SshKey::parse(PUBLIC_KEY).unwrap());
        let (draw, now) = (self.app.draw(), self.app.now());
        let limits = self.app.settings.limits;
        let added = move |tx: &mut Tx<'_>| add_ssh_key(tx, account, &label, &key, &limits, draw.clone(), now);
        self.app.store.write(added).await.unwrap()
    }

    /// A host that is connected and has room for several servers.
    pub async fn host(&self, name: &str) -> TestHost {
        TestHost::join(self, name, false).await
    }

    /// A host for one dedicated server.
    pub async fn dedicated_host(&self, name: &str) -> TestHost {
        TestHost::join(self, name, true).await
    }

    /// A request to the customer API.
    pub fn api(&self, method: &str, path: &str) -> Send {
        Send::new(self.customers.clone(), method, format!("{}{path}", api::router::PREFIX))
    }

    /// A request to a path of the customer API's listener, wherever it lies.
    pub fn raw(&self, method: &str, path: &str) -> Send {
        Send::new(self.customers.clone(), method, path.to_owned())
    }

    /// A request to the operator API.
    pub fn operator(&self, method: &str, path: &str) -> Send {
        Send::new(self.operators.clone(), method, format!("{}{path}", operator::wire::PREFIX))
    }

    /// Sets the clock before anything happened, and has it believed.
    pub fn begin_at(&self, now: Time) {
        self.clock.set(now);
        self.app.clock.believe(now);
    }

    /// Lets the scheduler look once.
    pub async fn bill(&self) -> Looked {
        let rules = self.app.settings.billing;
        billing::look(&self.app.store, &*self.app.entropy, &rules, &self.app.clock).await.unwrap()
    }

    /// Lets time pass, with a look of the scheduler at each end of at most `step` seconds.
    pub async fn pass(&self, seconds: i64, step: i64) {
        let until = self.app.now().plus(seconds);
        while self.app.now() < until {
            self.clock.advance(step.min(until.0 - self.app.now().0));
            assert_eq!(self.bill().await.stopped, None, "time passes too fast");
        }
    }

    /// What happened to an account, by kind, with the data of each.
    pub async fn events(&self, account: AccountId) -> Vec<(String, Value)> {
        let read = move |read: &csp_control::store::Read<'_>| read.event_list(account, 0, 10_000);
        let events = self.app.store.read(read).await.unwrap();
        events.into_iter().map(|event| (event.kind, serde_json::from_str(&event.data).unwrap())).collect()
    }

    /// What the books say now.
    pub async fn books(&self) -> Books {
        let read = |read: &csp_control::store::Read<'_>| {
            let accounts = read.account_list()?;
            let mut transfers = 0;
            for account in &accounts {
                transfers += read.transfer_count(account.id, &TransferFilter::default())?;
            }
            let servers = read.server_all()?;
            let mut actions = 0;
            for server in &servers {
                actions += read.action_list(server.id)?.len();
            }
            Ok::<_, StoreError>(Books {
                balances: accounts.iter().map(|account| (account.id, account.balance.to_string())).collect(),
                transfers,
                servers: servers.len(),
                leases: read.lease_list()?.len(),
                actions,
            })
        };
        self.app.store.read(read).await.unwrap()
    }

    /// All that its database's files hold.
    #[must_use]
    pub fn database_bytes(&self) -> Vec<u8> {
        let files = ["control.db", "control.db-wal"].map(|name| self.folder().join(name));
        files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// A backup of each database, as it is made of one in use: the bytes of the files.
    #[must_use]
    pub fn back_up(&self) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let copy = |name: &str| {
            let copied = folder.path().join(name);
            let database = rusqlite::Connection::open(self.folder().join(name)).unwrap();
            database.execute("VACUUM INTO ?1", [copied.to_str().unwrap()]).unwrap();
            std::fs::read(copied).unwrap()
        };
        ["control.db", "metrics.db"].map(copy).to_vec()
    }

    /// Has everybody have accepted this version of the terms, as if others had come since.
    pub fn terms_accepted_before(&self, version: &str) {
        let database = rusqlite::Connection::open(self.folder().join("control.db")).unwrap();
        database.execute("UPDATE people SET terms_version = ?1", [version]).unwrap();
    }

    /// Where the database is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn usual_settings() -> Settings {
    Settings {
        public_url: PublicUrl::try_from("https://cybaaspace.com".to_owned()).unwrap(),
        advertise: Some("control.example.com:7443".to_owned().try_into().unwrap()),
        pins: [KeyPin::of(b"current"), KeyPin::of(b"next")],
        orders: Orders::default(),
        billing: Rules::default(),
        limits: AccountLimits::default().limits(),
        brand: Brand::default(),
        logo: None,
        sign_up: SignUpRules::default(),
        rate_limits: RateLimits::generous(),
        vault: Vault::new([7; 32]),
        stripe: None,
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
    }
}
