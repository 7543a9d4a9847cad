//! The page behind a management link, as a browser sees it over HTTP.

pub mod canary;
mod pages;
mod permissions;
mod sessions;

use std::sync::atomic::{AtomicU32, Ordering};

use csp_shared::{
    id::ServerId,
    sample::{Memory, Sample},
};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

const ORIGIN: &str = "https://cybaaspace.com";
/// Where links lead that open nothing.
const CLOSED: &str = "/manage/closed";
const PERMISSIONS: [&str; 6] = ["start", "stop", "restart", "reinstall", "console", "stats"];

/// A control plane with a server of Ada's that runs, and links to it.
struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
    server: String,
    /// Each browser has an address of its own, so that none is held back for what others tried.
    addresses: AtomicU32,
}

/// A browser that opened a link.
struct Browser {
    cookie: String,
    check: String,
}

impl World {
    async fn online() -> Self {
        Self::with_key(&json!({})).await
    }

    /// The same; `more` goes into the order.
    async fn with_key(more: &Value) -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "100").await;
        let mut order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1.example.com"});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = control.api("POST", "/servers").by(&ada).json(&order).send().await;
        let server = reply.data()["uuid"].as_str().unwrap().to_owned();
        host.obey().await;
        Self { control, host, ada, server, addresses: AtomicU32::new(1) }
    }

    fn server(&self) -> ServerId {
        self.server.parse().unwrap()
    }

    /// Half a processor for 15 seconds.
    fn sample(&self) -> Sample {
        let memory = Memory { assigned_kib: 1 << 20, resident_kib: Some(1 << 19), used_kib: None };
        let (server, cpu_ns) = (self.server(), Some(7_500_000_000));
        Sample { server, over_ms: 15_000, cpu_ns, memory: Some(memory), disk: None, network: None }
    }

    fn address(&self) -> String {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        format!("198.18.{}.{}", number / 250, number % 250 + 1)
    }

    /// A link that allows this: its uuid, and the path of its URL.
    async fn link(&self, permissions: &[&str]) -> (String, String) {
        self.link_with(json!({"label": "Night shift"}), permissions).await
    }

    async fn link_with(&self, mut body: Value, permissions: &[&str]) -> (String, String) {
        body["permissions"] = permissions.iter().map(|name| ((*name).to_owned(), json!(true))).collect::<Value>();
        let path = format!("/servers/{}/share-links", self.server);
        let made = self.control.api("POST", &path).by(&self.ada).json(&body).send().await;
        let url = made.data()["url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap().to_owned();
        (made.data()["uuid"].as_str().unwrap().to_owned(), url)
    }

    async fn revoke(&self, link: &str) {
        let path = format!("/servers/{}/share-links/{link}", self.server);
        let reply = self.control.api("DELETE", &path).by(&self.ada).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    }

    async fn follow(&self, path: &str) -> Reply {
        self.control.raw("GET", path).from(&self.address()).send().await
    }

    /// Follows a link that opens nothing: it leads away from the address with the token, to the page that says so.
    async fn dead_end(&self, path: &str) -> Reply {
        let led = self.follow(path).await;
        let shown = &path[..path.len().min(60)];
        assert_eq!((led.status.as_u16(), led.header("location"), led.text.as_str()), (303, CLOSED, ""), "{shown}");
        assert_eq!(led.header("set-cookie"), "", "{shown}");
        assert_eq!(
            (led.header("referrer-policy"), led.header("cache-control")),
            ("no-referrer", "no-store"),
            "{shown}"
        );
        self.follow(CLOSED).await
    }

    /// Opens a link and looks at its page, as a browser does.
    async fn browser(&self, path: &str) -> Browser {
        let entered = self.follow(path).await;
        assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/manage"), "{}", entered.text);
        let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = self.get(&cookie, "/manage").await;
        assert_eq!(page.status.as_u16(), 200, "{}", page.text);
        let check = page.text.split("name=\"check\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        Browser { cookie, check }
    }

    async fn get(&self, cookie: &str, path: &str) -> Reply {
        self.control.raw("GET", path).from(&self.address()).header("cookie", cookie).send().await
    }

    /// Sends a form of the page.
    async fn post(&self, browser: &Browser, what: &str, fields: &str) -> Reply {
        self.post_from(ORIGIN, &browser.cookie, &format!("check={}&{fields}", browser.check), what).await
    }

    async fn post_from(&self, origin: &str, cookie: &str, body: &str, what: &str) -> Reply {
        let send = self.control.raw("POST", &format!("/manage/{what}")).from(&self.address());
        let send = send.header("cookie", cookie).header("origin", origin);
        send.header("content-type", "application/x-www-form-urlencoded").body(body).send().await
    }

    async fn status(&self) -> String {
        let shown = self.control.api("GET", &format!("/servers/{}", self.server)).by(&self.ada).send().await;
        shown.data()["status"].as_str().unwrap().to_owned()
    }

    async fn actions(&self) -> Vec<Value> {
        let path = format!("/servers/{}/actions", self.server);
        self.control.api("GET", &path).by(&self.ada).send().await.data().as_array().unwrap().clone()
    }

    async fn links(&self) -> Vec<Value> {
        let path = format!("/servers/{}/share-links", self.server);
        self.control.api("GET", &path).by(&self.ada).send().await.data().as_array().unwrap().clone()
    }
}

/// The form that reinstalls the world's server.
const REINSTALL: &str = "disk=1&image=debian-12&confirm=web1.example.com";
