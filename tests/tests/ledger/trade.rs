//! Whoever trades here, and a ledger that somebody changes behind its back.

use csp_control::{api::Settings, domain::time::DAY, service::verify_ledger::verify_ledger, store::Store};
use csp_tests::test_control::{EXAMPLE_CATALOG, Reply, TestControl, TestCustomer, TestHost};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

const LITE: &str = "\n[[packages]]\nslug = \"lite\"\ntype = \"vps\"\nname = \"Lite\"\ncpu = 1\nram_mb = 512\ndisk_gb = 20\n\
                    monthly_price = 4.00\n";

/// A control plane, a host, and a customer who trades.
pub struct Trade {
    pub control: TestControl,
    pub host: TestHost,
    pub ada: TestCustomer,
}

impl Trade {
    /// With another package that is cheaper than the example's.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let control = TestControl::with_settings(change).await;
        control.apply(&format!("{EXAMPLE_CATALOG}{LITE}")).await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "200").await;
        Self { control, host, ada }
    }

    /// Asks, and is not refused.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Reply {
        let reply = self.control.api(method, path).by(&self.ada).json(&body).send().await;
        assert!(matches!(reply.status.as_u16(), 200 | 202), "{path}: {}", reply.text);
        reply
    }

    /// Orders a server.
    pub async fn order(&self, hostname: &str, package: &str, code: Option<&str>) -> String {
        let mut body =
            json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12", "hostname": hostname});
        if let Some(code) = code {
            body["promo_code"] = json!(code);
        }
        self.ask("POST", "/servers", body).await.data()["uuid"].as_str().unwrap().to_owned()
    }

    /// Adds an address; answers its path.
    pub async fn add_ip(&self, server: &str) -> String {
        let added = self.ask("POST", &format!("/servers/{server}/extra-ips"), json!({})).await;
        self.host.obey().await;
        format!("/servers/{server}/extra-ips/{}", added.data()["uuid"].as_str().unwrap())
    }

    /// Has the operator do something.
    pub async fn operate(&self, path: &str, body: Value) {
        let reply = self.control.operator("POST", path).json(&body).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{path}: {}", reply.text);
    }

    /// Brings all about, and lets days go by.
    pub async fn days(&self, days: i64) {
        self.host.obey().await;
        self.control.pass(days * DAY, DAY).await;
        self.host.alive().await;
    }
}

/// A copy of a ledger in which the database refuses nothing any more.
pub struct Whole(TempDir);

impl Whole {
    /// Of a control plane's ledger as it is now.
    pub fn of(control: &TestControl) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.db");
        let database = Connection::open(control.folder().join("control.db")).unwrap();
        database.execute("VACUUM INTO ?1", [whole.to_str().unwrap()]).unwrap();
        let database = Connection::open(&whole).unwrap();
        let triggers =
            "SELECT group_concat('DROP TRIGGER ' || name || ';', '') FROM sqlite_schema WHERE type = 'trigger'";
        let drop_all: String = database.query_row(triggers, [], |row| row.get(0)).unwrap();
        database.execute_batch(&drop_all).unwrap();
        Self(folder)
    }

    /// What the check says of a ledger in which something was changed; that it was changed is looked at.
    pub async fn spoilt(&self, spoil: &str) -> Vec<(&'static str, String)> {
        let spoilt = self.0.path().join("spoilt.db");
        std::fs::copy(self.0.path().join("whole.db"), &spoilt).unwrap();
        let database = Connection::open(&spoilt).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        database.execute_batch(spoil).unwrap();
        assert_ne!(database.total_changes(), 0, "changes nothing: {spoil}");
        drop(database);
        let verified = verify_ledger(&Store::open_inline(&spoilt).unwrap()).await.unwrap();
        verified.differences.into_iter().map(|found| (found.kind.as_str(), found.what)).collect()
    }
}
