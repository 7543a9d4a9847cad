//! A server as its owner sees it in an answer. Additions to the contract's fields never change what those mean.

use std::collections::BTreeMap;

use csp_shared::{
    id::{LeaseId, NetworkId, ServerId},
    secret::Secret,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{metrics::LatestAnswer, share_links::view::LinkUrl};
use crate::{
    api::{
        actions::view::{ActionAnswer, Failure},
        catalog::Resources,
        document::schemas::{LockWord, ServiceStatusWord, ServiceTypeWord, StatusWord},
        envelope::{Money, When},
        state::App,
    },
    domain::{billing, failure, time::Time},
    store::{MemberRow, ServerIp, ServerView},
};

/// A server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Server)]
pub struct ServerAnswer {
    #[schema(value_type = Uuid)]
    uuid: ServerId,
    /// As ordered, or as it was called since.
    #[schema(example = "web1")]
    hostname: String,
    #[serde(rename = "type")]
    kind: ServiceTypeWord,
    service_status: ServiceStatusWord,
    status: StatusWord,
    /// When its host last spoke of it.
    #[schema(required)]
    status_observed_at: Option<When>,
    package: PackageAnswer,
    resources: Resources,
    image: ImageAnswer,
    ips: Vec<IpAnswer>,
    adapters: Vec<AdapterAnswer>,
    /// Where it stands.
    #[schema(example = "fra1")]
    location: String,
    /// Paid until; null before it was first Online.
    #[schema(required)]
    billing_date: Option<When>,
    auto_renew: bool,
    /// Why it is suspended; each reason is lifted on its own.
    #[schema(example = json!([]))]
    locks: Vec<LockWord>,
    /// The owner's own words about it.
    #[schema(example = json!({"env": "production"}))]
    labels: BTreeMap<String, String>,
    protection: ProtectionAnswer,
    renewal: Renewal,
    /// What it used lately; null when its host measured nothing for 90 seconds.
    #[schema(required)]
    metrics: Option<LatestAnswer>,
    /// What is being done to it.
    #[schema(required)]
    action: Option<ActionAnswer>,
    /// Why its order failed.
    #[schema(required)]
    failure: Option<Failure>,
    /// What keeps a server in service from being as it was asked for, such as a guest that falls again and again; null when
    /// nothing does, and while something is being done to it.
    #[schema(required)]
    trouble: Option<Failure>,
    created_at: When,
    /// Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "password")]
    root_password: Option<Secret>,
    /// Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    management_link: Option<LinkUrl>,
}

/// What is refused until its owner lifts it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Protection)]
struct ProtectionAnswer {
    /// From being destroyed.
    destroy: bool,
    /// From being reinstalled.
    reinstall: bool,
}

/// What was bought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerPackage)]
struct PackageAnswer {
    #[schema(value_type = Uuid)]
    uuid: String,
    #[schema(example = "edge")]
    slug: String,
    #[schema(example = "Edge")]
    name: String,
    #[serde(rename = "type")]
    kind: ServiceTypeWord,
    /// Virtual processors.
    #[schema(minimum = 1, example = 2)]
    cpu: u16,
    /// Memory, in MiB.
    #[schema(minimum = 1, example = 2048)]
    ram_mb: u32,
    /// Disk, in GiB.
    #[schema(minimum = 1, example = 40)]
    disk_gb: u32,
    monthly_price: Money,
}

/// What is installed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerImage)]
struct ImageAnswer {
    #[schema(value_type = Uuid)]
    uuid: String,
    #[schema(example = "ubuntu-24-04")]
    key: String,
    #[schema(example = "Ubuntu")]
    name: String,
    #[schema(example = "24.04")]
    version: String,
}

/// An address of a server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerIp)]
struct IpAnswer {
    #[schema(value_type = Uuid)]
    uuid: LeaseId,
    #[schema(example = "203.0.113.10")]
    address: String,
    #[serde(rename = "type")]
    #[schema(example = "primary")]
    role: &'static str,
    #[schema(example = "net0")]
    adapter: String,
    #[schema(minimum = 0, maximum = 128, example = 24)]
    prefix_len: u8,
    #[schema(required, example = "203.0.113.1")]
    gateway: Option<String>,
}

/// A network adapter of a server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Adapter)]
struct AdapterAnswer {
    #[schema(example = "net0")]
    name: String,
    #[schema(example = "52:54:00:3a:1c:5e")]
    mac: String,
    #[schema(example = json!(["203.0.113.10"]))]
    addresses: Vec<String>,
    /// The private network that it is in; null for one on the public network.
    #[schema(required, value_type = Option<Uuid>)]
    private_network_uuid: Option<NetworkId>,
}

/// What the next period costs, by today's prices.
#[derive(Debug, Serialize, ToSchema)]
struct Renewal {
    total: Money,
    package: Money,
    extra_ips: Money,
    discount: Money,
}

impl ServerAnswer {
    /// The same with what it used lately.
    #[must_use]
    pub fn with_metrics(mut self, app: &App, now: Time) -> Self {
        self.metrics = app.metrics.latest_of(self.uuid, now).map(|latest| LatestAnswer::new(latest, now));
        self
    }

    /// The same with the password that is shown this once.
    #[must_use]
    pub fn with_root_password(mut self, password: Option<Secret>) -> Self {
        self.root_password = password;
        self
    }

    /// The same with the link that was ordered along, whose URL is shown this once.
    #[must_use]
    pub fn with_management_link(mut self, link: Option<LinkUrl>) -> Self {
        self.management_link = link;
        self
    }
}

impl From<ServerView> for ServerAnswer {
    fn from(view: ServerView) -> Self {
        let (renewal, adapters) = (view.renewal.into(), adapters(&view.ips, &view.private));
        let package = package(&view);
        let (uuid, key, name, version) = view.image;
        Self {
            uuid: view.id,
            hostname: view.hostname,
            kind: ServiceTypeWord(view.kind),
            service_status: ServiceStatusWord(view.service),
            status: StatusWord(view.status),
            status_observed_at: view.observed_at.map(When),
            package,
            resources: view.size.into(),
            image: ImageAnswer { uuid, key, name, version },
            ips: view.ips.into_iter().map(ip).collect(),
            adapters,
            location: view.location,
            billing_date: view.paid_until.map(When),
            auto_renew: view.auto_renew,
            locks: view.locks.iter().map(LockWord).collect(),
            labels: view
                .labels
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
                .collect(),
            protection: ProtectionAnswer { destroy: view.protection.destroy, reinstall: view.protection.reinstall },
            renewal,
            metrics: None,
            action: view.action.map(ActionAnswer::from),
            failure: view.failure.map(Failure::from),
            trouble: view.trouble.map(|code| Failure::from(failure::trouble(code))),
            created_at: When(view.created_at),
            root_password: None,
            management_link: None,
        }
    }
}

fn package(view: &ServerView) -> PackageAnswer {
    let (uuid, slug, name) = view.package.clone();
    let (cpu, ram_mb, disk_gb) = (view.size.cpu, view.size.ram_mb, view.size.disk_gb);
    let (kind, monthly_price) = (ServiceTypeWord(view.kind), Money(view.monthly));
    PackageAnswer { uuid, slug, name, kind, cpu, ram_mb, disk_gb, monthly_price }
}

fn ip(ip: ServerIp) -> IpAnswer {
    IpAnswer {
        uuid: ip.lease.id,
        address: ip.lease.address.to_string(),
        role: ip.lease.role.as_str(),
        adapter: ip.lease.adapter,
        prefix_len: ip.prefix_len,
        gateway: ip.gateway,
    }
}

/// Adapters in the order of their addresses: the primary first, private ones last.
fn adapters(ips: &[ServerIp], private: &[MemberRow]) -> Vec<AdapterAnswer> {
    let mut adapters: Vec<AdapterAnswer> = Vec::new();
    for ip in ips {
        let address = ip.lease.address.to_string();
        match adapters.iter_mut().find(|adapter| adapter.name == ip.lease.adapter) {
            Some(adapter) => adapter.addresses.push(address),
            None => {
                let (name, mac) = (ip.lease.adapter.clone(), ip.mac.clone());
                adapters.push(AdapterAnswer { name, mac, addresses: vec![address], private_network_uuid: None });
            }
        }
    }
    adapters.extend(private.iter().map(|member| AdapterAnswer {
        name: member.adapter.clone(),
        mac: member.mac.to_string(),
        addresses: vec![member.address.to_string()],
        private_network_uuid: Some(member.network),
    }));
    adapters
}

impl From<billing::renewal::Renewal> for Renewal {
    fn from(renewal: billing::renewal::Renewal) -> Self {
        Self {
            total: Money(renewal.total),
            package: Money(renewal.package),
            extra_ips: Money(renewal.extra_ips),
            discount: Money(renewal.discount),
        }
    }
}
