//! `scheduler`, `price`, `mail`, `server lock`: the life of services, as far as an operator has a word in it.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use csp_shared::id::{LeaseId, MailId, ServerId};
use serde_json::json;

use super::{
    CommandError,
    client::{Client, ClientError},
    text::{or_dash, say, say_json, table},
};
use crate::{
    domain::time::{BadTime, Time},
    operator::wire::billing::{
        AnnouncePrice, Announced, FixPrice, LockServer, Locked, Mail, ResumeScheduler, Scheduler, ServerPrice,
    },
};

/// `scheduler`
#[derive(Debug, Subcommand)]
pub(super) enum SchedulerCommand {
    /// Show whether services are billed; exit code 1 when the clock had jumped and nothing is
    Status,
    /// Believe the clock, and bill again what fell due meanwhile
    Resume {
        /// What time it is by another clock, UTC; wanted where the machine's shows another one than csp counted
        #[arg(long, value_name = "YYYY-MM-DD HH:MM", value_parser = to_the_minute)]
        it_is: Option<Time>,
    },
}

/// `server lock`, `server unlock`
#[derive(Debug, Args)]
pub(super) struct LockArguments {
    /// Which
    server: ServerId,
    /// Abuse: nothing of it renews or is deleted. Operator: your own reasons
    #[arg(long)]
    reason: Reason,
    /// For operators
    #[arg(long)]
    note: Option<String>,
}

/// Why a server is locked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reason {
    /// It does harm
    Abuse,
    /// The operator's own reasons
    Operator,
}

impl LockArguments {
    pub(super) fn send(self, client: &Client<'_>, what: &str) -> Result<Locked, ClientError> {
        let reason = match self.reason {
            Reason::Abuse => "abuse",
            Reason::Operator => "operator",
        };
        let asked = LockServer { reason: reason.to_owned(), note: self.note };
        client.post(&format!("/servers/{}/{what}", self.server), &asked)
    }
}

pub(super) fn locked(done: &Locked) -> String {
    let first = if done.changed { "Done." } else { "It was so already." };
    let locks: Vec<&str> = done.locks.iter().map(|lock| lock.reason.as_str()).collect();
    match locks.as_slice() {
        [] => format!("{first} The server is not locked."),
        locks => format!("{first} The server is locked: {}.", locks.join(", ")),
    }
}

/// `price`
#[derive(Debug, Subcommand)]
pub(super) enum PriceCommand {
    /// Announce another price and tell the owners; a rise begins 30 days later at the earliest
    #[command(group(ArgGroup::new("whom").required(true).args(["package", "server", "pool", "ip"])))]
    Announce {
        /// USD a month, as 25 or 25.50
        #[arg(allow_negative_numbers = true)]
        price: String,
        /// For all servers of this package
        #[arg(long)]
        package: Option<String>,
        /// For one server
        #[arg(long)]
        server: Option<ServerId>,
        /// For all extra addresses of this pool
        #[arg(long)]
        pool: Option<String>,
        /// For one extra address, by its uuid
        #[arg(long)]
        ip: Option<LeaseId>,
        /// From when on, UTC: 2027-01-01 or "2027-01-01 12:00:00" [default: as soon as it may]
        #[arg(long = "from", value_name = "TIME")]
        effective_at: Option<Time>,
    },
    /// Promise one server its price: announcements pass it by
    Fix {
        /// Which
        server: ServerId,
        /// USD a month; not more than it is [default: what it is]
        #[arg(allow_negative_numbers = true)]
        price: Option<String>,
    },
    /// Let a fixed price go with announcements again
    Release {
        /// Which
        server: ServerId,
    },
}

/// `mail`
#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Show letters that no mail server took
    List,
    /// Try a letter again from the start, to the address that its account has now
    #[command(group(ArgGroup::new("which").required(true).args(["letter", "all"])))]
    Retry {
        /// Which
        letter: Option<MailId>,
        /// All that were given up
        #[arg(long)]
        all: bool,
    },
    /// Note that you told its recipient in another way
    Told {
        /// Which
        letter: MailId,
    },
}

pub(super) fn scheduler(client: &Client<'_>, command: &SchedulerCommand, json: bool) -> Result<(), CommandError> {
    let shown: Scheduler = match command {
        SchedulerCommand::Status => client.get("/scheduler")?,
        SchedulerCommand::Resume { it_is } => {
            let it_is = it_is.map(|time| time.to_string());
            client.post("/scheduler/resume", &ResumeScheduler { it_is })?
        }
    };
    if json {
        say_json(&shown)?
    } else {
        say(&scheduler_text(&shown))?
    }
    if shown.state == "running" { Ok(()) } else { Err(CommandError::SchedulerStopped) }
}

/// A time as people read it off a clock, with or without seconds.
fn to_the_minute(text: &str) -> Result<Time, BadTime> {
    let whole = if text.len() == "2026-06-10 12:00".len() { format!("{text}:00") } else { text.to_owned() };
    // A day alone would be its midnight.
    if whole.contains(' ') { whole.parse() } else { Err(BadTime) }
}

fn scheduler_text(shown: &Scheduler) -> String {
    let Scheduler { due, letters_waiting, letters_given_up, .. } = shown;
    let (now, clock) = (&shown.now, &shown.clock_shows);
    let state = match (&shown.stopped_at, shown.jumped_seconds.unwrap_or_default()) {
        (Some(at), by) => format!(
            "Stopped at {at} UTC: the machine's clock had jumped {} by {} s.\n\
             It shows {clock} UTC; as csp counted since, it is {now} UTC, and the newest transfer is of {} UTC.\n\
             Look at another clock. If the machine's is wrong, set it right. Then, with the time by the other one (UTC):\n\
             csp-control scheduler resume --it-is 'YYYY-MM-DD HH:MM'\n",
            if by < 0 { "back" } else { "ahead" },
            by.unsigned_abs(),
            or_dash(shown.ledger_at.as_deref())
        ),
        (None, _) => format!("Running; it is {now} UTC.\n"),
    };
    format!("{state}Services due: {due}. Letters waiting: {letters_waiting}, given up: {letters_given_up}.")
}

pub(super) fn price(client: &Client<'_>, command: PriceCommand, json: bool) -> Result<(), CommandError> {
    let shown: ServerPrice = match command {
        PriceCommand::Announce { price, package, server, pool, ip, effective_at } => {
            let what = if pool.is_some() || ip.is_some() { "extra addresses" } else { "servers" };
            let effective_at = effective_at.map(|at| at.to_string());
            let asked = AnnouncePrice { server_uuid: server, package, ip_uuid: ip, pool, price, effective_at };
            let done: Announced = client.post_patiently("/prices", &asked)?;
            return if json { say_json(&done) } else { say(&announced(&done, what)) };
        }
        PriceCommand::Fix { server, price } => {
            client.post(&format!("/servers/{server}/price/fix"), &FixPrice { price })?
        }
        PriceCommand::Release { server } => client.post(&format!("/servers/{server}/price/release"), &json!({}))?,
    };
    if json {
        return say_json(&shown);
    }
    let how = if shown.fixed { "fixed" } else { "not fixed" };
    say(&format!("The price is {} USD a month, {how}.", shown.price))
}

fn announced(done: &Announced, what: &str) -> String {
    let passed = done.passed_by.iter().map(|one| format!("passed by: {}  {}\n", one.server, one.reason));
    let passed: String = passed.collect();
    let begins = match (&done.first_at, &done.effective_at) {
        (Some(first), Some(last)) if first != last => format!("between {first} and {last} UTC, each as soon as it may"),
        (_, Some(at)) => format!("at {at} UTC"),
        (_, None) if done.passed_by.is_empty() => return format!("No {what} of it are in use: nobody was told."),
        (_, None) => return format!("{passed}Nobody was told: each keeps its price, for the reason above."),
    };
    let of = match done.announced {
        1 => format!("the owner of one of the {what}"),
        many => format!("the owners of {many} {what}"),
    };
    format!("{passed}Announced to {of}; it begins {begins}.")
}

pub(super) fn mail(client: &Client<'_>, command: &MailCommand, json: bool) -> Result<(), CommandError> {
    let letters: Vec<Mail> = match command {
        MailCommand::List => client.get("/mails")?,
        MailCommand::Retry { letter: Some(letter), .. } => {
            vec![client.post(&format!("/mails/{letter}/retry"), &json!({}))?]
        }
        MailCommand::Retry { letter: None, .. } => client.post("/mails/retry", &json!({}))?,
        MailCommand::Told { letter } => vec![client.post(&format!("/mails/{letter}/told"), &json!({}))?],
    };
    if json {
        return say_json(&letters);
    }
    if letters.is_empty() {
        return say(match command {
            MailCommand::List => "No letter waits, and none was given up.",
            _ => "No letter was given up: nothing is tried again.",
        });
    }
    let row = |m: &Mail| {
        [
            m.uuid.to_string(),
            m.state.clone(),
            m.tries.to_string(),
            m.recipient.clone(),
            m.subject.clone(),
            or_dash(m.last_error.as_deref()),
        ]
    };
    say(&table(["LETTER", "STATE", "TRIES", "TO", "ABOUT", "WHY"], &letters.iter().map(row).collect::<Vec<_>>()))
}
