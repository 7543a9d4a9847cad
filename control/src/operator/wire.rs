//! What the operator's commands and the control plane say to each other: plain types, used on both ends.
//!
//! Amounts are texts (`"6.95"`): this side has no contract that wants numbers, and a text is exact everywhere.

use std::{collections::BTreeMap, str::FromStr};

use csp_shared::{
    host_status::HostStatus,
    id::{AccountId, HostId, ServerId, SshKeyId},
    observed::Observed,
    secret::Secret,
    spec::Desired,
};
use serde::{Deserialize, Serialize};

use super::catalog_file::CatalogFile;
pub use crate::api::keys::{Key, KeyShow, NewKey};

pub mod addresses;
pub mod billing;
pub mod hosts;
pub mod ledger;
pub mod networks;
pub mod notices;
pub mod payments;
pub mod people;
pub mod tokens;

/// Where the operator API begins.
pub const PREFIX: &str = "/operator/v1";

/// `POST /catalog`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// Everything that is sold from now on.
    pub catalog: CatalogFile,
    /// Show the difference alone.
    pub dry_run: bool,
}

/// What `apply` did, or would do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    /// Empty when the catalog says what is already so.
    pub changes: Vec<CatalogChange>,
    /// Whether it was brought about.
    pub applied: bool,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogChange {
    /// `location`, `package`, `image` or `pool`.
    pub kind: String,
    /// Its slug or key.
    pub key: String,
    /// `add`, `change` or `retire`.
    pub change: String,
    /// What changes, for people.
    pub detail: String,
}

/// `POST /accounts`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// For people.
    pub name: String,
    /// Where to write to.
    pub email: Option<String>,
}

/// `POST /accounts/{uuid}/set`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAccount {
    /// Where to write to from now on.
    pub email: String,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AccountSet {
    /// As it is now.
    #[serde(flatten)]
    pub account: Account,
    /// Whether anything changed.
    pub changed: bool,
    /// Letters that waited, and go to the new address.
    pub letters: usize,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub uuid: AccountId,
    /// For people.
    pub name: String,
    /// Where to write to.
    pub email: Option<String>,
    /// What is in the wallet, USD.
    pub balance: String,
    /// What is owed for disputed payments, USD.
    pub owed: String,
    /// Why it may not order: `closed`, `dispute`, `debt`.
    pub locks: Vec<String>,
    /// UTC.
    pub created_at: String,
}

/// `POST /accounts/{uuid}/limits`: a number gives the account its own, `usual` takes it back; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLimits {
    /// By the name of the limit.
    pub limits: BTreeMap<String, LimitChoice>,
}

/// What an account is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LimitChoice {
    /// A number of its own.
    Own(u32),
    /// What the configuration says.
    Usual(Usual),
}

/// The word `usual`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usual {
    /// The word.
    Usual,
}

impl FromStr for LimitChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a whole number nor the word usual");
        if text == "usual" { Ok(Self::Usual(Usual::Usual)) } else { text.parse().map(Self::Own).map_err(|_| wrong()) }
    }
}

/// How many of something an account may have, and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLimit {
    /// Of what.
    pub name: String,
    /// There may be so many.
    pub max: u32,
    /// There are so many.
    pub used: u64,
}

/// `POST /accounts/{uuid}/ssh-keys`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSshKey {
    /// For people.
    pub label: String,
    /// One line of a `.pub` file.
    pub public_key: String,
}

/// A public key in an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct SshKey {
    /// Its id.
    pub uuid: SshKeyId,
    /// For people.
    pub label: String,
    /// As `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

/// `POST /hosts`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHost {
    /// Unique among hosts.
    pub name: String,
    /// Slug of a location in the catalog.
    pub location: String,
    /// Takes one dedicated server instead of many shared ones.
    #[serde(default)]
    pub dedicated: bool,
    /// Virtual processors promised for each real one; null: what is usual for its class.
    #[serde(default)]
    pub cpu_overcommit: Option<u32>,
}

/// A host that may join.
#[derive(Debug, Serialize, Deserialize)]
pub struct HostAdded {
    /// Its id.
    pub uuid: HostId,
    /// Unique among hosts.
    pub name: String,
    /// The line to paste on the host, as root. Holds a token that is shown this once.
    pub join: Secret,
    /// When the token in it ends, UTC.
    pub join_expires_at: String,
}

/// A host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    /// Its id.
    pub uuid: HostId,
    /// Unique among hosts.
    pub name: String,
    /// Slug of its location.
    pub location: String,
    /// `shared` or `dedicated`.
    pub class: String,
    /// What the operator decided about it.
    pub state: String,
    /// Heard of within the last moments.
    pub connected: bool,
    /// When it was heard of, UTC; null: never.
    pub seen_at: Option<String>,
    /// Of its agent.
    pub agent_version: Option<String>,
    /// `kvm` or `qemu`.
    pub virt: Option<String>,
    /// What it has, its own reserve taken off; null until it connected.
    pub capacity: Option<Resources>,
    /// Virtual processors promised for each real one.
    pub cpu_overcommit: u32,
    /// What is promised of it; memory and disk are never promised twice.
    pub promised: Resources,
    /// Servers on it, held ones included.
    pub servers: u32,
    /// Of those, the ones that are to be gone and not proved to be.
    pub held: u32,
    /// Things on it that no spec explains.
    pub orphans: u32,
}

/// A host, and how it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostShow {
    /// What the database says.
    pub database: Host,
    /// What the host told last; null until it did.
    pub status: Option<HostStatus>,
    /// When, UTC.
    pub status_at: Option<String>,
    /// What an operator should see to: `pool_filling`, `pool_missing`, `state_full`, `network_missing`, `no_filters`,
    /// `no_uplink`, `no_shaping`, `silent`, `came_back`, `speaks_though_fenced`, `orphans`, `other_machine`, `disk_missing`,
    /// `disk_elsewhere`, `disk_damaged`.
    pub alarms: Vec<String>,
    /// Which servers' disks the last three are about, 20 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<FaultyDisk>,
}

/// A server whose disk is not as it should be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaultyDisk {
    /// Which server.
    pub server: ServerId,
    /// What its host says of it: a name of an alarm.
    pub fault: String,
}

/// Shares of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Virtual processors.
    pub cpus: u32,
    /// MiB.
    pub ram_mib: u64,
    /// GiB.
    pub disk_gib: u64,
}

/// A server in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Its id, and the name of its domain.
    pub uuid: ServerId,
    /// Whose it is.
    pub account: AccountId,
    /// As ordered.
    pub hostname: String,
    /// `vps` or `dedicated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Slug of what was sold.
    pub package: String,
    /// `provisioning`, `active`, `suspended`, `failed` or `destroyed`.
    pub service_status: String,
    /// What its owner sees.
    pub status: String,
    /// Name of the host that it was placed on last.
    pub host: String,
    /// Addresses, the primary first.
    pub ips: Vec<String>,
    /// UTC.
    pub created_at: String,
}

/// `POST /servers/{uuid}/smtp`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSmtp {
    /// Whether mail may leave for other servers.
    pub open: bool,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SmtpSays {
    /// Whether anything changed.
    pub changed: bool,
    /// Whether mail may leave now; a host that is away follows when it is back.
    pub open: bool,
}

/// `GET /servers/{uuid}`: what each side says, under separate names, so that a difference is seen.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServerShow {
    /// What the database says.
    pub database: DatabaseSays,
    /// What its host last reported; null when it never did.
    pub last_report: Option<ReportSays>,
}

/// What the database says about a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct DatabaseSays {
    /// As in the list.
    #[serde(flatten)]
    pub server: Server,
    /// Why an order failed.
    pub failure_code: Option<String>,
    /// UTC; null before the first Online.
    pub paid_until: Option<String>,
    /// Why it is locked.
    pub locks: Vec<billing::Lock>,
    /// What its host is to bring about. Password hashes and user data are left out.
    pub desired: Option<Desired>,
    /// What its public adapters carried, by months of UTC.
    #[serde(default)]
    pub traffic: Traffic,
    /// Newest first.
    pub actions: Vec<Action>,
}

/// What a server's public adapters carried.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// When it was counted last, UTC; null before the first time.
    pub counted_at: Option<String>,
    /// What was sold a month, received and sent together; null: as much as it likes.
    pub quota_bytes: Option<u64>,
    /// The rate past it; null: its owner is told, and nothing else.
    pub shape_mbit_per_second: Option<u32>,
    /// The rate that it is held to now because of it.
    pub held_mbit_per_second: Option<u32>,
    /// Newest first.
    pub months: Vec<TrafficMonth>,
}

/// One month.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrafficMonth {
    /// `2026-06`, UTC.
    pub month: String,
    /// Came to the server.
    pub received_bytes: u64,
    /// In packets.
    pub received_packets: u64,
    /// The server sent it.
    pub sent_bytes: u64,
    /// In packets.
    pub sent_packets: u64,
    /// Which part of the quota its owner was told to have used, in percent.
    pub told_percent: u8,
}

/// Something that was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Action {
    /// `create`, `start`, …
    pub command: String,
    /// `queued`, `running`, `done`, `failed` or `superseded`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
    /// What its host said last of why it could not be done; customers are not told.
    #[serde(default)]
    pub host_says: Option<String>,
    /// UTC.
    pub created_at: String,
    /// UTC; null while it runs.
    pub finished_at: Option<String>,
}

/// What a host said about a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReportSays {
    /// UTC.
    pub seen_at: String,
    /// The report as it came.
    pub observed: Observed,
}

/// `GET /audit`: the store and what is on the hosts, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Hosts that were asked.
    pub hosts: usize,
    /// Places of servers, the past ones too.
    pub servers: usize,
    /// Addresses that are not free.
    pub addresses: usize,
    /// Things that the hosts told of.
    pub things: usize,
    /// Every difference; empty when all is as it should be.
    pub findings: Vec<AuditFinding>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFinding {
    /// `danger`, `wrong` or `leftover`.
    pub severity: String,
    /// A name for programs, `tap_orphan` for example.
    pub kind: String,
    /// On which host.
    pub host: Option<String>,
    /// Of which server.
    pub server: Option<ServerId>,
    /// Which thing.
    pub object: String,
    /// What is different.
    pub what: String,
    /// What to do about it.
    pub cure: String,
    /// Work under way should end it by itself.
    pub in_motion: bool,
}
