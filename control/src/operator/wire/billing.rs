//! The life of services: plain types, used on both ends.

use csp_shared::id::{AccountId, LeaseId, MailId, ServerId};
use serde::{Deserialize, Serialize};

/// `GET /scheduler` and `POST /scheduler/resume`
#[derive(Debug, Serialize, Deserialize)]
pub struct Scheduler {
    /// `running` or `stopped`.
    pub state: String,
    /// The time by which csp goes, UTC: the clock's while that is believed, what was counted while it is not.
    pub now: String,
    /// What the machine's clock shows, UTC.
    pub clock_shows: String,
    /// When it stopped, UTC.
    pub stopped_at: Option<String>,
    /// By how many seconds the machine's clock had jumped then.
    pub jumped_seconds: Option<i64>,
    /// When the ledger's newest transfer was posted, UTC; null before the first, and for one whose time was called wrong.
    pub ledger_at: Option<String>,
    /// Services that wait for a look.
    pub due: usize,
    /// Letters that wait for a mail server.
    pub letters_waiting: usize,
    /// Letters that were given up; `csp-control mail list` shows them.
    pub letters_given_up: usize,
}

/// `POST /scheduler/resume`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeScheduler {
    /// What time it is by another clock, UTC. Wanted where the machine's clock, csp's count and the ledger contradict each other.
    #[serde(default)]
    pub it_is: Option<String>,
}

/// `POST /servers/{uuid}/lock` and `/unlock`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockServer {
    /// `abuse` or `operator`.
    pub reason: String,
    /// For operators.
    #[serde(default)]
    pub note: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Locked {
    /// Whether anything changed.
    pub changed: bool,
    /// Why the server is locked now.
    pub locks: Vec<Lock>,
}

/// A reason that a server is locked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `unpaid`, `abuse` or `operator`.
    pub reason: String,
    /// UTC.
    pub since: String,
    /// What the operator noted.
    pub note: Option<String>,
}

/// `POST /prices`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnouncePrice {
    /// For one server.
    #[serde(default)]
    pub server_uuid: Option<ServerId>,
    /// For all servers of a package, by its slug.
    #[serde(default)]
    pub package: Option<String>,
    /// For one extra address.
    #[serde(default)]
    pub ip_uuid: Option<LeaseId>,
    /// For all extra addresses of a pool, by its slug.
    #[serde(default)]
    pub pool: Option<String>,
    /// Of a month, USD.
    pub price: String,
    /// From when on, UTC; left out: as soon as it may.
    #[serde(default)]
    pub effective_at: Option<String>,
}

/// What became of an announcement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Announced {
    /// From when on, UTC; the earliest of all.
    #[serde(default)]
    pub first_at: Option<String>,
    /// The latest of all.
    pub effective_at: Option<String>,
    /// Servers, or extra addresses, whose owners were told.
    pub announced: usize,
    /// Servers that it passes by, each with the reason.
    pub passed_by: Vec<PassedBy>,
}

/// A server that keeps its price.
#[derive(Debug, Serialize, Deserialize)]
pub struct PassedBy {
    /// Which.
    pub server: ServerId,
    /// Why.
    pub reason: String,
}

/// `POST /servers/{uuid}/price/fix`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixPrice {
    /// USD; left out: what it is.
    #[serde(default)]
    pub price: Option<String>,
}

/// The price of a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServerPrice {
    /// Which.
    pub server: ServerId,
    /// Of a month, USD.
    pub price: String,
    /// Announcements pass it by.
    pub fixed: bool,
}

/// A letter that no mail server took.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Its id.
    pub uuid: MailId,
    /// Whose.
    pub account: Option<AccountId>,
    /// Where to.
    pub recipient: String,
    /// What about.
    pub subject: String,
    /// `waiting` or `given_up`.
    pub state: String,
    /// How often it was tried in vain.
    pub tries: u32,
    /// Why.
    pub last_error: Option<String>,
    /// UTC.
    pub created_at: String,
}
