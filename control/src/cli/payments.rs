//! `credit`, `goodwill`, `correct`, `refund`, `dispute`: what a person types of what a payment provider's webhook sends.

use clap::{Args, Subcommand, ValueEnum};
use csp_shared::id::{AccountId, ServerId};

use super::{
    CommandError,
    client::{Client, ClientError},
    text::{or_dash, say, say_json, table},
};
use crate::operator::wire::payments::{CloseDispute, Correction, Credit, Credited, Dispute, Moved, Return};

/// Which way a correction goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Direction {
    /// Into the wallet
    Credit,
    /// Out of it
    Debit,
}

/// `correct`
#[derive(Debug, Args)]
pub(super) struct CorrectArguments {
    /// Whose wallet
    account: AccountId,
    /// Into the wallet, or out of it
    direction: Direction,
    /// USD, as 25 or 25.50
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// A ticket's number, for example; the same one corrects once
    #[arg(long)]
    reference: String,
    /// Why, for the customer's list of transactions
    #[arg(long)]
    note: String,
    /// What was booked wrongly: revenue, topups or promotions
    #[arg(long, default_value = "revenue")]
    book: String,
    /// The server that it is about
    #[arg(long)]
    server: Option<ServerId>,
}

impl CorrectArguments {
    pub(super) fn send(self, client: &Client<'_>) -> Result<Moved, ClientError> {
        let direction = match self.direction {
            Direction::Credit => "credit",
            Direction::Debit => "debit",
        };
        let correction = Correction {
            direction: direction.to_owned(),
            amount: self.amount,
            book: Some(self.book),
            reference: self.reference,
            note: self.note,
            server_uuid: self.server,
        };
        client.post(&format!("/accounts/{}/corrections", self.account), &correction)
    }
}

/// `refund`, `dispute open`
#[derive(Debug, Args)]
pub(super) struct ReturnArguments {
    /// The payment's id, as it was credited
    payment: String,
    /// The refund's or dispute's own id at whoever took the payment; the same one moves money once
    #[arg(long)]
    reference: String,
    /// USD; left out: all that is left of the payment
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
}

impl ReturnArguments {
    pub(super) fn send(self, client: &Client<'_>, path: &str) -> Result<Moved, ClientError> {
        client.post(path, &Return { payment: self.payment, reference: self.reference, amount: self.amount })
    }
}

/// `dispute`
#[derive(Debug, Subcommand)]
pub(super) enum DisputeCommand {
    /// Take a disputed payment back; its account orders nothing until it is closed and nothing is owed
    Open(ReturnArguments),
    /// Say how a dispute ended
    Close {
        /// The dispute's id
        reference: String,
        /// Won: what it took comes back. Lost: what is owed stays owed
        outcome: End,
    },
    /// Show all disputes
    List,
}

/// How a dispute ended.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum End {
    /// For the provider
    Won,
    /// For the customer
    Lost,
}

pub(super) fn credit(
    client: &Client<'_>,
    path: &str,
    amount: String,
    reference: String,
    note: Option<String>,
) -> Result<Credited, ClientError> {
    client.post(path, &Credit { amount, reference, note })
}

pub(super) fn dispute(client: &Client<'_>, command: DisputeCommand, json: bool) -> Result<(), CommandError> {
    let is_lost = matches!(command, DisputeCommand::Close { outcome: End::Lost, .. });
    let done = match command {
        DisputeCommand::List => return list(client, json),
        DisputeCommand::Open(new) => new.send(client, "/disputes")?,
        DisputeCommand::Close { reference, outcome } => {
            let outcome = match outcome {
                End::Won => "won",
                End::Lost => "lost",
            };
            client.post("/disputes/close", &CloseDispute { reference, outcome: outcome.to_owned() })?
        }
    };
    match (json, is_lost && done.done) {
        (true, _) => say_json(&done),
        (false, true) => {
            let Moved { amount, balance, owed, .. } = &done;
            say(&format!("Lost: the {amount} USD that the dispute took stay taken. {}", standing(balance, owed)))
        }
        (false, false) => say(&moved(&done)),
    }
}

fn list(client: &Client<'_>, json: bool) -> Result<(), CommandError> {
    let disputes: Vec<Dispute> = client.get("/disputes")?;
    if json {
        return say_json(&disputes);
    }
    let row = |d: &Dispute| {
        let (opened, closed) = (d.opened_at.clone(), or_dash(d.closed_at.as_deref()));
        [
            d.reference.clone(),
            d.status.clone(),
            d.amount.clone(),
            d.payment.clone(),
            d.account.to_string(),
            opened,
            closed,
        ]
    };
    let head = ["DISPUTE", "STATUS", "AMOUNT", "PAYMENT", "ACCOUNT", "OPENED", "CLOSED"];
    say(&table(head, &disputes.iter().map(row).collect::<Vec<_>>()))
}

pub(super) fn credited(c: &Credited) -> String {
    let first = match c.credited {
        true => format!("Credited {} USD{}.", c.amount, settled(&c.settled)),
        false => format!("This reference was credited before, {} USD: nothing moved.", c.amount),
    };
    format!("{first} {}", standing(&c.balance, &c.owed))
}

pub(super) fn moved(m: &Moved) -> String {
    let first = match m.done {
        true => format!("Done: {} USD{}.", m.amount, settled(&m.settled)),
        false => format!("This was done before, {} USD: nothing moved.", m.amount),
    };
    format!("{first} {}", standing(&m.balance, &m.owed))
}

/// What of an amount did not stay in the wallet.
fn settled(amount: &str) -> String {
    if amount == "0.00" { String::new() } else { format!(", of which {amount} USD paid what was owed") }
}

fn standing(balance: &str, owed: &str) -> String {
    match owed {
        "0.00" => format!("The balance is {balance} USD."),
        owed => format!("The balance is {balance} USD, and {owed} USD are owed."),
    }
}
