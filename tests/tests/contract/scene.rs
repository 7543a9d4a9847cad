//! The world in which the text's examples are true: a wallet of 42.50, a server `web1` that is online at 203.0.113.10.

use csp_shared::id::{ServerId, SshKeyId};
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl, TestCustomer, TestHost};
use serde_json::json;

use crate::examples::Example;

/// What the text's servers are made of: `web1` has 2 processors, 2048 MB and 40 GB.
const WEB_PACKAGE: &str = r#"
[[packages]]
slug = "web"
type = "vps"
name = "Web"
cpu = 2
ram_mb = 2048
disk_gb = 40
monthly_price = 12.50
max_extra_ips = 5
"#;

pub struct Scene {
    pub control: TestControl,
    pub customer: TestCustomer,
    pub server: ServerId,
    pub ssh_key: SshKeyId,
    /// An extra address of the server, where the example is about one, and another server to move it to.
    pub ip: Option<String>,
    pub other: Option<ServerId>,
    /// The uuid of a management link, and what is shown of its token; empty where the example has nothing of it.
    pub link: (String, String),
    host: TestHost,
}

impl Scene {
    /// At 2026-06-10 12:00:00, after: 17.50 and the price of `web1` topped up, `web1` ordered and seen running, 25.00
    /// topped up. So the wallet holds 42.50, and its newest movement is the text's.
    pub async fn for_example(example: &Example) -> Self {
        // The text lists one package first that starter is, and shows performance by its slug: both are the example
        // catalog's, and so the scene's own package stands behind them.
        let control = TestControl::with_catalog(&format!("{EXAMPLE_CATALOG}{WEB_PACKAGE}")).await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "30.00").await;
        let ssh_key = control.ssh_key(customer.account).await;
        let server = order(&control, &customer).await;
        host.obey().await;
        control.top_up(customer.account, "25.00", "the text's").await;
        let mut scene =
            Self { control, customer, server, ssh_key, ip: None, other: None, link: Default::default(), host };
        match example.name().as_str() {
            "POST /servers/{uuid}/start" => scene.stop_first().await,
            "POST /servers/{uuid}/extra-ips" => {}
            name if name.contains("/extra-ips") => scene.with_extra_ip().await,
            name if name.contains("/share-links") => scene.link = scene.customer_link().await,
            _ => {}
        }
        scene
    }

    /// `web1` has 203.0.113.11 as well, and there is another server.
    async fn with_extra_ip(&mut self) {
        let path = format!("/servers/{}/extra-ips", self.server);
        let added = self.control.api("POST", &path).by(&self.customer).send().await;
        self.ip = Some(added.data()["uuid"].as_str().unwrap().to_owned());
        self.other = Some(order(&self.control, &self.customer).await);
        self.host.obey().await;
    }

    /// The link that the text lists.
    async fn customer_link(&self) -> (String, String) {
        let path = format!("/servers/{}/share-links", self.server);
        let wanted = json!({"label": "Customer link", "permissions": {"start": true, "console": true}});
        self.control.api("POST", &path).by(&self.customer).json(&wanted).send().await;
        let listed = self.control.api("GET", &path).by(&self.customer).send().await;
        let text = |name: &str| listed.data()[0][name].as_str().unwrap().to_owned();
        (text("uuid"), text("token_preview"))
    }

    /// A start that has something to do.
    async fn stop_first(&self) {
        let path = format!("/servers/{}/stop", self.server);
        let reply = self.control.api("POST", &path).by(&self.customer).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        self.host.obey().await;
    }
}

async fn order(control: &TestControl, customer: &TestCustomer) -> ServerId {
    let order = json!({"type": "vps", "package_slug": "web", "os_image_key": "ubuntu-24-04", "hostname": "web1"});
    let reply = control.api("POST", "/servers").by(customer).json(&order).send().await;
    reply.data()["uuid"].as_str().unwrap().parse().unwrap()
}
