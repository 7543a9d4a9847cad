//! `[account_limits]`: how many of each thing an account may usually have.

use serde::Deserialize;

use crate::domain::limits::{Limit, Limits};

/// One number a thing; zero forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountLimits {
    /// Servers that are paid for.
    pub servers: u32,
    /// Management links that work.
    pub share_links: u32,
    /// Private networks.
    pub private_networks: u32,
    /// Public SSH keys.
    pub ssh_keys: u32,
    /// API keys that work.
    pub api_keys: u32,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self { servers: 25, share_links: 250, private_networks: 25, ssh_keys: 100, api_keys: 50 }
    }
}

impl AccountLimits {
    /// The same as decisions take it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::from_fn(|limit| match limit {
            Limit::Servers => self.servers,
            Limit::ShareLinks => self.share_links,
            Limit::PrivateNetworks => self.private_networks,
            Limit::SshKeys => self.ssh_keys,
            Limit::ApiKeys => self.api_keys,
        })
    }
}
