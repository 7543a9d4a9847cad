//! `network`: customers' private networks, and what of them is on which host.

use clap::Subcommand;
use csp_shared::id::NetworkId;

use super::{
    CommandError,
    client::Client,
    text::{or_dash, say, say_json, table},
};
use crate::operator::wire::networks::{Network, NetworkHost, NetworkMember};

/// `network`
#[derive(Debug, Subcommand)]
pub(super) enum NetworkCommand {
    /// Show all networks whose subnet and segment are not free
    List,
    /// Show one: its members, and for each host what it should hold and what it said
    Show {
        /// Which; `network list` shows them
        network: NetworkId,
    },
}

pub(super) fn run(client: &Client<'_>, command: &NetworkCommand, json: bool) -> Result<(), CommandError> {
    match command {
        NetworkCommand::List => {
            let networks: Vec<Network> = client.get("/networks")?;
            let head = ["NETWORK", "STATE", "SUBNET", "LOCATION", "SEGMENT", "MEMBERS", "HOSTS", "ACCOUNT", "NAME"];
            let rows = || networks.iter().map(row).collect::<Vec<_>>();
            if json { say_json(&networks) } else { say(&table(head, &rows())) }
        }
        NetworkCommand::Show { network } => {
            let network: Network = client.get(&format!("/networks/{network}"))?;
            if json { say_json(&network) } else { say(&shown(&network)) }
        }
    }
}

fn row(network: &Network) -> [String; 9] {
    let hosts = network.hosts.iter().filter(|host| !host.gone).count();
    [
        network.uuid.to_string(),
        network.state.clone(),
        network.subnet.clone(),
        or_dash(network.location.as_deref()),
        or_dash(network.segment.as_deref()),
        network.members.len().to_string(),
        hosts.to_string(),
        network.account.to_string(),
        network.name.clone(),
    ]
}

fn shown(network: &Network) -> String {
    let mtu = network.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    let (location, segment) = (or_dash(network.location.as_deref()), or_dash(network.segment.as_deref()));
    let Network { uuid, name, state, subnet, account, .. } = network;
    let head = format!(
        "network   {uuid}  {name}\naccount   {account}\nstate     {state}\nsubnet    {subnet}\nlocation  {location}\n\
         segment   {segment}{mtu}\n"
    );
    let member = |member: &NetworkMember| {
        let NetworkMember { membership, server, address, adapter, mac, state } = member;
        [membership.to_string(), server.to_string(), address.clone(), adapter.clone(), mac.clone(), state.clone()]
    };
    let host = |host: &NetworkHost| {
        let should = if host.absent { "absent" } else { "present" };
        let gone = if host.gone { "proved" } else { "-" };
        [
            host.host.clone(),
            should.to_owned(),
            host.wanted.clone(),
            or_dash(host.accepted.as_deref()),
            or_dash(host.reached.as_deref()),
            gone.to_owned(),
            or_dash(host.fault.as_deref()),
        ]
    };
    let members = table(
        ["MEMBERSHIP", "SERVER", "ADDRESS", "ADAPTER", "MAC", "STATE"],
        &network.members.iter().map(member).collect::<Vec<_>>(),
    );
    let hosts = table(
        ["HOST", "SHOULD BE", "WANTED", "HELD", "REACHED", "GONE", "FAULT"],
        &network.hosts.iter().map(host).collect::<Vec<_>>(),
    );
    format!("{head}\n{members}\n{hosts}")
}
