//! `address`: public addresses that are leased to nobody, and how many a server may have.

use std::net::Ipv4Addr;

use clap::Subcommand;
use csp_shared::id::ServerId;

use super::{
    CommandError,
    client::Client,
    text::{say, say_json, table},
};
use crate::operator::wire::addresses::{AllowExtraIps, Aside, Clear, ExtraIpsAllowed};

/// `address`
#[derive(Debug, Subcommand)]
pub(super) enum AddressCommand {
    /// Show addresses that another machine answered for: nobody gets them until they are cleared
    List,
    /// Give an address back to its pool; the next server that is to use it asks for it again
    Clear {
        /// As `address list` shows it
        address: Ipv4Addr,
    },
}

/// Runs one of them.
pub(super) fn run(client: &Client<'_>, command: &AddressCommand, json: bool) -> Result<(), CommandError> {
    match command {
        AddressCommand::List => {
            let aside: Vec<Aside> = client.get("/addresses/aside")?;
            if json { say_json(&aside) } else { say(&listed(&aside)) }
        }
        AddressCommand::Clear { address } => {
            let cleared: Clear = client.post("/addresses/clear", &Clear { address: *address })?;
            if json { say_json(&cleared) } else { say(&format!("{} can be leased again.", cleared.address)) }
        }
    }
}

fn listed(aside: &[Aside]) -> String {
    let row = |a: &Aside| [a.address.to_string(), a.found_at.clone(), a.server.to_string(), a.detail.clone()];
    table(["ADDRESS", "SINCE", "ASKED FOR", "WHAT ITS HOST SAYS"], &aside.iter().map(row).collect::<Vec<_>>())
}

/// `server extra-ips`
pub(super) fn allow(client: &Client<'_>, server: ServerId, max: Option<u32>, json: bool) -> Result<(), CommandError> {
    let allowed: ExtraIpsAllowed = client.post(&format!("/servers/{server}/extra-ips"), &AllowExtraIps { max })?;
    if json { say_json(&allowed) } else { say(&format!("It may have {} extra addresses.", allowed.max)) }
}
