//! The operator's commands: what was typed becomes a request, and the answer lines for people or JSON for programs.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    path::Path,
};

use csp_shared::id::AccountId;
use serde::Serialize;

use super::{
    AccountCommand, Command, CommandError, KeyCommand, ServerCommand, SmtpState, SshKeyCommand,
    client::Client,
    text::{or_dash, say, say_json, table},
};
use crate::{
    config::Config,
    operator::{catalog_file, wire},
};

/// Longest file that a command reads, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How answers are shown.
struct Output {
    json: bool,
}

impl Output {
    fn show<A: Serialize>(&self, answer: &A, text: impl FnOnce(&A) -> String) -> Result<(), CommandError> {
        if self.json { say_json(answer) } else { say(&text(answer)) }
    }
}

/// Runs one command.
pub(super) fn run(command: Command, config: &Config, json: bool) -> Result<(), CommandError> {
    let client = Client::new(&config.operator.socket);
    let output = Output { json };
    match command {
        // `cli::run` has handled these two.
        Command::Init(_) | Command::Serve => Ok(()),
        Command::Apply { catalog, dry_run } => apply(&client, &output, &catalog, dry_run),
        Command::Account(command) => account(&client, &output, command),
        Command::Credit { account, amount, reference, note } => {
            let path = format!("/accounts/{account}/credits");
            output.show(&super::payments::credit(&client, &path, amount, reference, note)?, super::payments::credited)
        }
        Command::Goodwill { account, amount, reference, note } => {
            let path = format!("/accounts/{account}/goodwill");
            output.show(&super::payments::credit(&client, &path, amount, reference, note)?, super::payments::credited)
        }
        Command::Correct(correction) => output.show(&correction.send(&client)?, super::payments::moved),
        Command::Refund(refund) => output.show(&refund.send(&client, "/refunds")?, super::payments::moved),
        Command::Dispute(command) => super::payments::dispute(&client, command, json),
        Command::Key(command) => key(&client, &output, command),
        Command::Person(command) => super::people::run(&client, command, json),
        Command::OperatorToken(command) => super::tokens::run(&client, command, json),
        Command::SshKey(SshKeyCommand::Add { account, label, keyfile }) => {
            ssh_key_add(&client, &output, account, label, &keyfile)
        }
        Command::Host(command) => super::hosts::run(&client, command, json),
        Command::Address(command) => super::addresses::run(&client, &command, json),
        Command::Orphan(command) => super::hosts::orphans(&client, &command, json),
        Command::Server(command) => server(&client, &output, command),
        Command::Network(command) => super::networks::run(&client, &command, json),
        Command::Scheduler(command) => super::billing::scheduler(&client, &command, json),
        Command::Price(command) => super::billing::price(&client, command, json),
        Command::Mail(command) => super::billing::mail(&client, &command, json),
        Command::Notice(command) => super::notices::run(&client, command, json),
        Command::Audit => super::audit::run(&client, json),
        Command::Ledger(command) => super::ledger::run(&client, command, json),
    }
}

fn apply(client: &Client<'_>, output: &Output, file: &Path, dry_run: bool) -> Result<(), CommandError> {
    let catalog = catalog_file::read(&read(file)?, &file.display().to_string()).map_err(CommandError::Catalog)?;
    let applied: wire::Applied = client.post("/catalog", &wire::Apply { catalog, dry_run })?;
    output.show(&applied, |applied| {
        if applied.changes.is_empty() {
            return "The catalog is as the file says: nothing to change.".to_owned();
        }
        let lines = applied.changes.iter().map(|c| format!("{} {} {}  {}", c.change, c.kind, c.key, c.detail));
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        let end = if applied.applied { "Done." } else { "Nothing was changed (dry run)." };
        format!("{}\n{end}", lines.join("\n"))
    })
}

fn account(client: &Client<'_>, output: &Output, command: AccountCommand) -> Result<(), CommandError> {
    match command {
        AccountCommand::Create { name, email } => {
            let account: wire::Account = client.post("/accounts", &wire::NewAccount { name, email })?;
            output.show(&account, |account| account.uuid.to_string())
        }
        AccountCommand::List => {
            let accounts: Vec<wire::Account> = client.get("/accounts")?;
            output.show(&accounts, |accounts| {
                let row = |a: &wire::Account| {
                    let (owed, locks) = (a.owed.clone(), or_dash(Some(&a.locks.join(" "))));
                    [a.uuid.to_string(), a.balance.clone(), owed, locks, a.name.clone(), or_dash(a.email.as_deref())]
                };
                table(
                    ["ACCOUNT", "BALANCE", "OWED", "LOCKS", "NAME", "EMAIL"],
                    &accounts.iter().map(row).collect::<Vec<_>>(),
                )
            })
        }
        AccountCommand::Set { account, email } => {
            let set: wire::AccountSet =
                client.post(&format!("/accounts/{account}/set"), &wire::SetAccount { email })?;
            output.show(&set, account_set)
        }
        AccountCommand::Limits { account, choices } => {
            let path = format!("/accounts/{account}/limits");
            let limits: BTreeMap<String, _> =
                choices.given().map(|(limit, choice)| (limit.as_str().into(), choice)).collect();
            let shown: Vec<wire::AccountLimit> = match limits.is_empty() {
                true => client.get(&path)?,
                false => client.post(&path, &wire::SetLimits { limits })?,
            };
            output.show(&shown, |shown| {
                let row = |l: &wire::AccountLimit| [l.name.clone(), l.max.to_string(), l.used.to_string()];
                table(["LIMIT", "MAX", "USED"], &shown.iter().map(row).collect::<Vec<_>>())
            })
        }
    }
}

fn account_set(set: &wire::AccountSet) -> String {
    let (account, email) = (set.account.uuid, or_dash(set.account.email.as_deref()));
    match (set.changed, set.letters) {
        (false, _) => format!("It was so already: letters to account {account} go to {email}."),
        (true, 0) => format!("Letters to account {account} go to {email} from now on."),
        (true, letters) => {
            format!("Letters to account {account} go to {email} from now on, {letters} that waited among them.")
        }
    }
}

fn key(client: &Client<'_>, output: &Output, command: KeyCommand) -> Result<(), CommandError> {
    match command {
        KeyCommand::Create { account, label, scopes, expires_at, networks } => {
            let new = wire::NewKey { label, scopes, networks, expires_at };
            let key: wire::Key = client.post(&format!("/accounts/{account}/keys"), &new)?;
            // The key alone on its line: it is copied from here, and shown nowhere again.
            output.show(&key, |key| key.key.reveal().to_owned())
        }
        KeyCommand::List { account } => {
            let keys: Vec<wire::KeyShow> = client.get(&format!("/accounts/{account}/keys"))?;
            output.show(&keys, |keys| {
                let head = ["KEY", "STATE", "PREVIEW", "SCOPES", "NETWORKS", "EXPIRES", "LAST USED", "FROM", "LABEL"];
                table(head, &keys.iter().map(key_row).collect::<Vec<_>>())
            })
        }
        KeyCommand::Revoke { key } => {
            let key: wire::KeyShow = client.post(&format!("/keys/{key}/revoke"), &serde_json::json!({}))?;
            output.show(&key, |key| format!("Revoked {} ({}).", key.preview, key.label))
        }
    }
}

fn key_row(key: &wire::KeyShow) -> [String; 9] {
    [
        key.uuid.to_string(),
        key.state.clone(),
        key.preview.clone(),
        key.scopes.join(","),
        or_dash(Some(&key.networks.join(","))),
        or_dash(key.expires_at.as_deref()),
        or_dash(key.last_used_at.as_deref()),
        or_dash(key.last_used_from.as_deref()),
        key.label.clone(),
    ]
}

fn ssh_key_add(
    client: &Client<'_>,
    output: &Output,
    account: AccountId,
    label: String,
    file: &Path,
) -> Result<(), CommandError> {
    let new = wire::NewSshKey { label, public_key: read(file)? };
    let key: wire::SshKey = client.post(&format!("/accounts/{account}/ssh-keys"), &new)?;
    output.show(&key, |key| format!("{}  {}  {}", key.uuid, key.fingerprint, key.label))
}

fn server(client: &Client<'_>, output: &Output, command: ServerCommand) -> Result<(), CommandError> {
    match command {
        ServerCommand::List { account } => {
            let path = account.map_or("/servers".to_owned(), |account| format!("/servers?account={account}"));
            let servers: Vec<wire::Server> = client.get(&path)?;
            output.show(&servers, |servers| {
                let head = ["SERVER", "HOSTNAME", "PACKAGE", "SERVICE", "STATUS", "HOST", "ADDRESSES"];
                table(head, &servers.iter().map(server_row).collect::<Vec<_>>())
            })
        }
        ServerCommand::Show { server } => {
            let show: wire::ServerShow = client.get(&format!("/servers/{server}"))?;
            output.show(&show, show_text)
        }
        ServerCommand::Lock(lock) => output.show(&lock.send(client, "lock")?, super::billing::locked),
        ServerCommand::Unlock(lock) => output.show(&lock.send(client, "unlock")?, super::billing::locked),
        ServerCommand::ExtraIps { server, max } => super::addresses::allow(client, server, max, output.json),
        ServerCommand::Smtp { server, state } => {
            let asked = wire::SetSmtp { open: state == SmtpState::Open };
            let said: wire::SmtpSays = client.post(&format!("/servers/{server}/smtp"), &asked)?;
            output.show(&said, |said| {
                let first = if said.changed { "Done." } else { "It was so already." };
                format!("{first} Mail to other servers {}.", if said.open { "leaves" } else { "does not leave" })
            })
        }
    }
}

fn server_row(server: &wire::Server) -> [String; 7] {
    [
        server.uuid.to_string(),
        server.hostname.clone(),
        server.package.clone(),
        server.service_status.clone(),
        server.status.clone(),
        server.host.clone(),
        server.ips.join(" "),
    ]
}

/// Two parts under their own names, so that nobody takes a wish for a fact. JSON is also the readable form of what has
/// no columns.
fn show_text(show: &wire::ServerShow) -> String {
    let report = show.last_report.as_ref().map_or_else(|| "never".to_owned(), pretty);
    format!("database says:\n{}\n\nlast report of the host:\n{report}", pretty(&show.database))
}

fn pretty<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A file, or standard input for `-`.
fn read(file: &Path) -> Result<String, CommandError> {
    let fault = |source: io::Error| CommandError::Read { file: file.to_owned(), source };
    let source: Box<dyn io::Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(std::fs::File::open(file).map_err(fault)?),
    };
    let mut text = String::new();
    source.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(fault)?;
    Ok(text)
}
