//! What is said about hosts that are drained, lost, fenced or removed, and about what on them is nobody's.

use csp_shared::id::HostId;
use serde::{Deserialize, Serialize};

/// `POST /hosts/{name}/drain`, `/undrain`, `/fenced`, `/remove`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDirected {
    /// Its id.
    pub uuid: HostId,
    /// Unique among hosts.
    pub name: String,
    /// Where it stands now.
    pub state: String,
    /// It did not stand there before.
    pub changed: bool,
}

/// `GET /orphans`: something on a host that no spec explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Name of the host.
    pub host: String,
    /// `domain`, `process`, `tap`, `filters`, `disk` or `other`.
    pub kind: String,
    /// What it is called there.
    pub name: String,
    /// MAC addresses that it may use; given to nobody.
    pub macs: Vec<String>,
    /// Addresses that it may use; leased to nobody.
    pub addresses: Vec<String>,
    /// Since when it has been told of, UTC.
    pub first_seen_at: String,
}

/// `POST /hosts/{name}/set`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetHost {
    /// Virtual processors promised for each real one, from now on.
    pub cpu_overcommit: u32,
}

/// `GET /hosts/{name}/loss`: whom it would concern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoss {
    /// Where it stands now.
    pub state: String,
    /// It is heard of: what is to be given up may be running well.
    pub connected: bool,
    /// Servers on it.
    pub servers: u64,
    /// Whose: so many accounts.
    pub accounts: u64,
}

/// `POST /hosts/{name}/lost`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLost {
    /// As for every direction.
    #[serde(flatten)]
    pub directed: HostDirected,
    /// Servers that were ended by this command.
    pub ended: u32,
    /// What their customers got back, USD.
    pub credited: String,
    /// Servers that could not be ended; they are tried again every few seconds, and the log says why.
    pub left: u32,
    /// Servers whose addresses and share of the host are held until it proved that they are gone, or was fenced.
    pub held: u32,
}
