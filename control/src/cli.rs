//! The command line: `init`, `serve`, and the operator's commands, which are clients of the operator API.

mod addresses;
mod audit;
mod billing;
mod client;
mod hosts;
mod init;
mod ledger;
mod networks;
mod notices;
mod operate;
mod payments;
mod people;
mod serve;
mod text;
mod tokens;
mod watchdog;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use csp_shared::id::{AccountId, ApiKeyId, ServerId};

use crate::{
    config::{Config, DEFAULT_FILE},
    domain::limits::Limit,
    operator::wire::LimitChoice,
};

/// The control plane of csp.
#[derive(Debug, Parser)]
#[command(name = "csp-control", version, about = "The control plane: customer API, wallet, hosts")]
struct Arguments {
    /// The configuration; commands read the operator socket's place from it.
    #[arg(long, global = true, default_value = DEFAULT_FILE, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write configuration, keys and database, and say what comes next
    Init(InitArguments),
    /// Run the control plane
    Serve,
    /// Show how a catalog differs from what is sold, and bring it about
    Apply {
        /// The catalog, TOML
        catalog: PathBuf,
        /// Show the difference alone
        #[arg(long)]
        dry_run: bool,
    },
    /// Customers' accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Put money that came in into a wallet
    Credit {
        /// Whose
        account: AccountId,
        /// USD, as 25 or 25.50
        // A negative amount is refused by name, and not as an option that does not exist.
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// The payment's id at whoever took it; the same one credits once
        #[arg(long)]
        reference: String,
        /// For the customer's list of transactions
        #[arg(long)]
        note: Option<String>,
    },
    /// Give the provider's own money
    Goodwill {
        /// Whom
        account: AccountId,
        /// USD, as 25 or 25.50
        // A negative amount is refused by name, and not as an option that does not exist.
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// A ticket's number, for example; the same one gives once
        #[arg(long)]
        reference: String,
        /// For the customer's list of transactions
        #[arg(long)]
        note: Option<String>,
    },
    /// Put a wallet right by one more transfer
    Correct(payments::CorrectArguments),
    /// Tell of a payment that was given back where it was taken
    Refund(payments::ReturnArguments),
    /// Payments that are disputed
    #[command(subcommand)]
    Dispute(payments::DisputeCommand),
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Invite people, and decide who may sign up
    #[command(subcommand)]
    Person(people::PersonCommand),
    /// Tokens of other machines for the operator API
    #[command(subcommand)]
    OperatorToken(tokens::TokenCommand),
    /// Customers' public SSH keys
    #[command(subcommand)]
    SshKey(SshKeyCommand),
    /// Machines that run guests
    #[command(subcommand)]
    Host(hosts::HostCommand),
    /// What hosts have that no spec explains; it is never touched
    #[command(subcommand)]
    Orphan(hosts::OrphanCommand),
    /// Public addresses that are set aside, since another machine answered for them
    #[command(subcommand)]
    Address(addresses::AddressCommand),
    /// Customers' servers
    #[command(subcommand)]
    Server(ServerCommand),
    /// Customers' private networks
    #[command(subcommand)]
    Network(networks::NetworkCommand),
    /// What the provider has to say to customers
    #[command(subcommand)]
    Notice(notices::NoticeCommand),
    /// Renewals, reminders, suspensions and deletions by the clock
    #[command(subcommand)]
    Scheduler(billing::SchedulerCommand),
    /// What servers cost from when on
    #[command(subcommand)]
    Price(billing::PriceCommand),
    /// Letters to customers that no mail server took
    #[command(subcommand)]
    Mail(billing::MailCommand),
    /// Compare the store with what is on the hosts; exit code 1 when something differs
    Audit,
    /// Where every cent went
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
}

/// What `init` may be told; the rest is edited in the file that it writes.
#[derive(Debug, Args)]
struct InitArguments {
    /// Put everything under this folder, rather than in /etc, /var/lib and /run
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How customers reach the API
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    public_url: String,
    /// Where the API listens: ADDRESS:PORT or fd:NAME
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "LISTEN")]
    api_listen: String,
    /// Where hosts connect: ADDRESS:PORT or fd:NAME
    #[arg(long, default_value = "0.0.0.0:7443", value_name = "LISTEN")]
    fleet_listen: String,
    /// How hosts reach it: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// Open an account
    Create {
        /// For people
        #[arg(long)]
        name: String,
        /// Where to write to
        #[arg(long)]
        email: Option<String>,
    },
    /// Show all accounts
    List,
    /// Give an account another mail address; letters that wait go there, and the one before is told
    Set {
        /// Whose
        account: AccountId,
        /// Where to write to, as ada@example.com
        #[arg(long)]
        email: String,
    },
    /// Show how many of each thing an account may have, or give it numbers of its own
    Limits {
        /// Whose
        account: AccountId,
        #[command(flatten)]
        choices: LimitArguments,
    },
}

/// A number, or `usual` for what the configuration says. With none of them, the limits are shown.
#[derive(Debug, Args)]
struct LimitArguments {
    /// Servers that are paid for
    #[arg(long, value_name = "N|usual")]
    servers: Option<LimitChoice>,
    /// Management links that work
    #[arg(long, value_name = "N|usual")]
    share_links: Option<LimitChoice>,
    /// Private networks
    #[arg(long, value_name = "N|usual")]
    private_networks: Option<LimitChoice>,
    /// Public SSH keys
    #[arg(long, value_name = "N|usual")]
    ssh_keys: Option<LimitChoice>,
    /// API keys that work
    #[arg(long, value_name = "N|usual")]
    api_keys: Option<LimitChoice>,
}

impl LimitArguments {
    /// Those that were given, by name.
    fn given(&self) -> impl Iterator<Item = (Limit, LimitChoice)> {
        let given = |limit| match limit {
            Limit::Servers => self.servers,
            Limit::ShareLinks => self.share_links,
            Limit::PrivateNetworks => self.private_networks,
            Limit::SshKeys => self.ssh_keys,
            Limit::ApiKeys => self.api_keys,
        };
        Limit::ALL.into_iter().filter_map(move |limit| Some((limit, given(limit)?)))
    }
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make an API key and show it this once
    Create {
        /// Whose
        account: AccountId,
        /// For people
        #[arg(long)]
        label: Option<String>,
        /// What it may do: read, write, console, billing [default: everything]
        #[arg(long = "scope", value_name = "SCOPE,...", value_delimiter = ',')]
        scopes: Vec<String>,
        /// Until when it works, UTC: 2027-01-01 or "2027-01-01 12:00:00" [default: without end]
        #[arg(long = "expires", value_name = "TIME")]
        expires_at: Option<String>,
        /// From where it may be used: 203.0.113.0/24, 2001:db8::/32 [default: everywhere]
        #[arg(long = "network", value_name = "NETWORK,...", value_delimiter = ',')]
        networks: Vec<String>,
    },
    /// Show an account's keys, and when each was used last
    List {
        /// Whose
        account: AccountId,
    },
    /// End a key: the next request with it is refused, its consoles close
    Revoke {
        /// Which; `key list` shows them
        key: ApiKeyId,
    },
}

#[derive(Debug, Subcommand)]
enum SshKeyCommand {
    /// Add a public key to an account
    Add {
        /// Whose
        account: AccountId,
        /// For people
        #[arg(long)]
        label: String,
        /// A .pub file; - reads standard input
        keyfile: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Show servers
    List {
        /// Of this account alone
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// Show what the database says about a server, and what its host last reported
    Show {
        /// Which
        server: ServerId,
    },
    /// Power a server off over its owner's wish, for a reason; each reason is lifted on its own
    Lock(billing::LockArguments),
    /// Lift a reason
    Unlock(billing::LockArguments),
    /// Let a server's guest hand mail to other servers (TCP port 25), or no longer; closed until it is opened
    Smtp {
        /// Which
        server: ServerId,
        /// What it is to be
        state: SmtpState,
    },
    /// Say how many extra addresses a server may have; without a number, as its package says
    ExtraIps {
        /// Which
        server: ServerId,
        /// So many, at most 64
        #[arg(long)]
        max: Option<u32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SmtpState {
    /// Mail leaves
    Open,
    /// Mail does not leave
    Closed,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    #[error(transparent)]
    Init(#[from] init::InitError),
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    #[error(transparent)]
    Client(#[from] client::ClientError),
    #[error("the catalog cannot be used: {0}")]
    Catalog(crate::config::toml_text::TomlFault),
    #[error("cannot read {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{0} {noun}, told above with its cure", noun = if *.0 == 1 { "difference" } else { "differences, each" })]
    Differences(usize),
    #[error("the ledger contradicts itself in {0} places, told above: keep a copy of the database and report it")]
    Ledger(usize),
    #[error("billing stands still because the clock jumped; look at the clock, then `csp-control scheduler resume`")]
    SchedulerStopped,
    #[error("nothing was changed: type the name `{0}` when asked, or say --yes")]
    Unconfirmed(String),
    #[error("cannot read what was typed")]
    Ask(#[source] std::io::Error),
    #[error("cannot write to standard output")]
    Print(#[source] std::io::Error),
}

/// Runs the program. A fault is one line on standard error, and the exit code is not zero.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            text::complain(&fault);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), CommandError> {
    let Arguments { config, json, command } = arguments;
    match command {
        // It would write to the usual places, in spite of what was said.
        Command::Init(_) if config != Path::new(DEFAULT_FILE) => Err(init::InitError::OtherFile(config))?,
        Command::Init(choices) => Ok(init::run(&choices)?),
        Command::Serve => Ok(serve::run(&config)?),
        command => operate::run(command, &Config::load(&config)?, json),
    }
}
