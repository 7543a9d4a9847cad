//! Public addresses: plain types, used on both ends.

use std::net::Ipv4Addr;

use csp_shared::id::ServerId;
use serde::{Deserialize, Serialize};

/// `GET /addresses/aside`: an address that is leased to nobody, since somebody answered for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Aside {
    /// The address.
    pub address: Ipv4Addr,
    /// For whom it was asked for.
    pub server: ServerId,
    /// What that one's host says: who answered.
    pub detail: String,
    /// When.
    pub found_at: String,
}

/// `POST /addresses/clear`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// Which.
    pub address: Ipv4Addr,
}

/// `POST /servers/{uuid}/extra-ips`: how many a server may have; null: as its package says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowExtraIps {
    /// So many.
    pub max: Option<u32>,
}

/// How many it may have now.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExtraIpsAllowed {
    /// By its package or the operator's word.
    pub max: u32,
}
