//! `csp-control host`: what becomes of hosts. What cannot be undone is told first, and wants the host's name typed.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::{
    CommandError,
    client::Client,
    text::{or_dash, say, say_json, table},
};
use crate::operator::wire::{
    self,
    hosts::{HostDirected, HostLoss, HostLost, Orphan, SetHost},
};

#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// Let a host join: prints the line to paste there
    Add {
        /// Unique among hosts
        name: String,
        /// Slug of a location in the catalog
        #[arg(long)]
        location: String,
        /// Takes one dedicated server instead of many shared ones
        #[arg(long)]
        dedicated: bool,
        /// Virtual processors promised for each real one [default: 4, dedicated 1]
        #[arg(long, value_name = "N")]
        cpu_overcommit: Option<u32>,
    },
    /// Show all hosts
    List,
    /// Show what the database says about a host, how it is, and what to see to
    Show {
        /// As `host list` shows it
        name: String,
    },
    /// Change what is promised of a host from now on; what is there stays
    Set {
        /// As `host list` shows it
        name: String,
        /// Virtual processors promised for each real one
        #[arg(long, value_name = "N")]
        cpu_overcommit: u32,
    },
    /// Place nothing new on a host; what is there stays
    Drain {
        /// As `host list` shows it
        name: String,
    },
    /// Place servers on a host again; also on a lost one that came back and proved that nothing is left on it
    Undrain {
        /// As `host list` shows it
        name: String,
    },
    /// Give a host up: end its servers for their customers, and credit what they had paid ahead
    Lost(Confirmed),
    /// Say that a lost host has no power and no disks any more: what its servers held is given back
    Fenced(Confirmed),
    /// Take a host out on which nothing is left; its key opens nothing any more
    Remove(Confirmed),
}

#[derive(Debug, Subcommand)]
pub(super) enum OrphanCommand {
    /// Show them; their addresses are leased to nobody. `audit` tells what to do about each
    List,
}

/// Shows what no spec explains.
pub(super) fn orphans(client: &Client<'_>, command: &OrphanCommand, json: bool) -> Result<(), CommandError> {
    let OrphanCommand::List = command;
    show(json, &client.get::<Vec<Orphan>>("/orphans")?, |orphans| {
        let row = |o: &Orphan| {
            let addresses = [o.addresses.join(" "), o.macs.join(" ")].join(" ");
            [o.host.clone(), o.kind.clone(), o.name.clone(), or_dash(Some(addresses.trim())), o.first_seen_at.clone()]
        };
        table(["HOST", "KIND", "NAME", "ADDRESSES", "SINCE"], &orphans.iter().map(row).collect::<Vec<_>>())
    })
}

/// What is asked for twice.
#[derive(Debug, Args)]
pub(super) struct Confirmed {
    /// As `host list` shows it
    name: String,
    /// Do not ask for the name to be typed
    #[arg(long)]
    yes: bool,
}

/// Runs one command.
pub(super) fn run(client: &Client<'_>, command: HostCommand, json: bool) -> Result<(), CommandError> {
    match command {
        HostCommand::Add { name, location, dedicated, cpu_overcommit } => {
            let new = wire::NewHost { name, location, dedicated, cpu_overcommit };
            let added: wire::HostAdded = client.post("/hosts", &new)?;
            // The line alone: it is pasted from here.
            show(json, &added, |added| added.join.reveal().to_owned())
        }
        HostCommand::Show { name } => show(json, &client.get::<wire::HostShow>(&format!("/hosts/{name}"))?, host_text),
        HostCommand::List => show(json, &client.get::<Vec<wire::Host>>("/hosts")?, |hosts| {
            let head =
                ["HOST", "NAME", "LOCATION", "STATE", "LINK", "VIRT", "CPUS", "RAM", "DISK", "SERVERS", "ORPHANS"];
            table(head, &hosts.iter().map(host_row).collect::<Vec<_>>())
        }),
        HostCommand::Set { name, cpu_overcommit } => {
            let set: HostDirected = client.post(&format!("/hosts/{name}/set"), &SetHost { cpu_overcommit })?;
            show(json, &set, |host| match host.changed {
                true => {
                    format!("Host {} promises {cpu_overcommit} virtual processors for each real one now.", host.name)
                }
                false => format!("Host {} does so already: nothing changed.", host.name),
            })
        }
        HostCommand::Drain { name } => show(json, &direct(client, &name, "drain")?, directed),
        HostCommand::Undrain { name } => show(json, &direct(client, &name, "undrain")?, directed),
        HostCommand::Lost(Confirmed { name, yes }) => {
            let loss: HostLoss = client.get(&format!("/hosts/{name}/loss"))?;
            confirm(&name, yes, &what_is_lost(&name, &loss))?;
            let lost: HostLost = client.post_patiently(&format!("/hosts/{name}/lost"), &json!({}))?;
            show(json, &lost, lost_text)
        }
        HostCommand::Fenced(Confirmed { name, yes }) => {
            confirm(&name, yes, &what_is_fenced(&name))?;
            show(json, &direct(client, &name, "fenced")?, directed)
        }
        HostCommand::Remove(Confirmed { name, yes }) => {
            let what = format!(
                "Host {name} will be taken out. Its key opens nothing any more, and its name is not used again."
            );
            confirm(&name, yes, &what)?;
            show(json, &direct(client, &name, "remove")?, directed)
        }
    }
}

fn show<A: Serialize>(json: bool, answer: &A, text: impl FnOnce(&A) -> String) -> Result<(), CommandError> {
    if json { say_json(answer) } else { say(&text(answer)) }
}

fn direct(client: &Client<'_>, name: &str, what: &str) -> Result<HostDirected, CommandError> {
    Ok(client.post(&format!("/hosts/{name}/{what}"), &json!({}))?)
}

fn what_is_lost(name: &str, loss: &HostLoss) -> String {
    let HostLoss { servers, accounts, .. } = loss;
    let heard = if loss.connected { "\nIt is heard of right now: what you give up is running." } else { "" };
    format!(
        "Host {name} has {servers} servers of {accounts} accounts.{heard}\n\
         They end for their customers at once and for good: they are destroyed, all unused paid time is credited, and the \
         customers are told.\n\
         This cannot be undone. If the host comes back after all, it is told to delete them; their disks rest in its trash \
         for a while (`csp-agent trash`).\n\
         Their addresses stay held until the host came back and proved that they are gone, or `csp-control host fenced {name}`."
    )
}

fn what_is_fenced(name: &str) -> String {
    format!(
        "You say that host {name} has no power and that its disks are gone or erased, so that nothing of it will ever speak \
         again.\n\
         The addresses of its servers go to other customers after their quarantine. If it comes back nevertheless, two \
         machines use the same address.\n\
         This cannot be undone."
    )
}

/// Tells what will happen, and waits for the name; without a terminal only `--yes` will do.
fn confirm(name: &str, yes: bool, what: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(CommandError::Unconfirmed(name.to_owned()));
    }
    say(what)?;
    let mut out = io::stdout().lock();
    write!(out, "Type the host's name to go on: ").and_then(|()| out.flush()).map_err(CommandError::Print)?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).map_err(CommandError::Ask)?;
    if typed.trim() == name { Ok(()) } else { Err(CommandError::Unconfirmed(name.to_owned())) }
}

fn directed(host: &HostDirected) -> String {
    let HostDirected { name, state, changed, .. } = host;
    if *changed {
        format!("Host {name} is {state} now.")
    } else {
        format!("Host {name} is {state} already: nothing changed.")
    }
}

fn lost_text(lost: &HostLost) -> String {
    let HostLost { directed: host, ended, credited, left, held } = lost;
    let mut text = directed(host);
    if *ended > 0 || host.changed {
        text = format!("{text}\n{ended} servers ended, {credited} USD credited.");
    }
    if *left > 0 {
        text = format!("{text}\n{left} servers could not be ended; they are tried again, and the log says why.");
    }
    if *held > 0 {
        text = format!(
            "{text}\nThe addresses of {held} servers stay held until the host came back and proved that they are gone, or \
             `csp-control host fenced {}`.",
            host.name
        );
    }
    text
}

/// Under their own names, so that nobody takes a promise for a fact.
fn host_text(show: &wire::HostShow) -> String {
    let told = show.status.as_ref().map_or_else(|| "nothing yet".to_owned(), pretty);
    let at = or_dash(show.status_at.as_deref());
    let alarms = if show.alarms.is_empty() { "none".to_owned() } else { show.alarms.join(", ") };
    let disks = show.disks.iter().map(|disk| format!("\n{}: server {}", disk.fault, disk.server));
    let disks: String = disks.collect();
    format!("database says:\n{}\n\nthe host told at {at}:\n{told}\n\nalarms: {alarms}{disks}", pretty(&show.database))
}

fn pretty<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn host_row(host: &wire::Host) -> [String; 11] {
    let has =
        |value: fn(&wire::Resources) -> u64| or_dash(host.capacity.as_ref().map(|c| value(c).to_string()).as_deref());
    [
        host.uuid.to_string(),
        host.name.clone(),
        host.location.clone(),
        host.state.clone(),
        if host.connected { "up" } else { "down" }.to_owned(),
        or_dash(host.virt.as_deref()),
        has(|c| u64::from(c.cpus)),
        has(|c| c.ram_mib),
        has(|c| c.disk_gib),
        host.servers.to_string(),
        host.orphans.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_to_a_lost_host_is_told_and_twice_changes_nothing() {
        let uuid = "0192f0c1-2345-7abc-8def-0123456789ab".parse().unwrap();
        let host = |changed| HostDirected { uuid, name: "h1".to_owned(), state: "lost".to_owned(), changed };
        let lost = |changed, ended| HostLost {
            directed: host(changed),
            ended,
            credited: "12.30".to_owned(),
            left: 0,
            held: 2,
        };
        insta::assert_snapshot!(lost_text(&lost(true, 2)), @r"
        Host h1 is lost now.
        2 servers ended, 12.30 USD credited.
        The addresses of 2 servers stay held until the host came back and proved that they are gone, or `csp-control host fenced h1`.
        ");
        assert!(lost_text(&lost(false, 0)).starts_with("Host h1 is lost already: nothing changed.\nThe addresses"));
    }
}
