//! `notice`: what the provider has to say to customers.

use clap::{Args, Subcommand, ValueEnum};
use csp_shared::id::{AccountId, NoticeId};

use super::{
    CommandError,
    client::Client,
    text::{or_dash, say, say_json, table},
};
use crate::operator::wire::notices::{NewNotice, Notice};

/// `notice`
#[derive(Debug, Subcommand)]
pub(super) enum NoticeCommand {
    /// Publish a notice: to everybody, or to a location's customers or one account
    Add(AddArguments),
    /// Show all notices, newest first
    List,
    /// End a notice: it is shown no more
    End {
        /// Which; `notice list` shows them
        notice: NoticeId,
    },
}

/// What it is about.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// Worth knowing
    Info,
    /// Work that was planned
    Maintenance,
    /// Something is out of order
    Incident,
}

/// `notice add`
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// What it is about
    kind: Kind,
    /// In a few words
    title: String,
    /// In full, plain text
    #[arg(long)]
    text: String,
    /// For those with servers in this location alone
    #[arg(long, value_name = "SLUG", conflicts_with = "account")]
    location: Option<String>,
    /// For this account alone
    #[arg(long)]
    account: Option<AccountId>,
    /// When what it speaks of begins, UTC: 2027-01-01 or "2027-01-01 12:00:00" [default: now]
    #[arg(long = "starts", value_name = "TIME")]
    starts_at: Option<String>,
    /// When it ends, UTC [default: by `notice end`]
    #[arg(long = "ends", value_name = "TIME")]
    ends_at: Option<String>,
}

impl AddArguments {
    fn into_wire(self) -> NewNotice {
        let kind = match self.kind {
            Kind::Info => "info",
            Kind::Maintenance => "maintenance",
            Kind::Incident => "incident",
        };
        NewNotice {
            kind: kind.to_owned(),
            title: self.title,
            text: self.text,
            account: self.account,
            location: self.location,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
        }
    }
}

pub(super) fn run(client: &Client<'_>, command: NoticeCommand, json: bool) -> Result<(), CommandError> {
    match command {
        NoticeCommand::Add(arguments) => {
            let notice: Notice = client.post("/notices", &arguments.into_wire())?;
            if json { say_json(&notice) } else { say(&notice.uuid.to_string()) }
        }
        NoticeCommand::List => {
            let notices: Vec<Notice> = client.get("/notices")?;
            let head = ["NOTICE", "STATE", "KIND", "FOR", "STARTS", "ENDS", "TITLE"];
            let rows = || notices.iter().map(row).collect::<Vec<_>>();
            if json { say_json(&notices) } else { say(&table(head, &rows())) }
        }
        NoticeCommand::End { notice } => {
            let notice: Notice = client.post(&format!("/notices/{notice}/end"), &serde_json::json!({}))?;
            if json { say_json(&notice) } else { say(&format!("Ended: {}", notice.title)) }
        }
    }
}

fn row(notice: &Notice) -> [String; 7] {
    let account = notice.account.map(|account| account.to_string());
    let whom = account.or_else(|| notice.location.clone()).unwrap_or_else(|| "everybody".to_owned());
    let ends = or_dash(notice.ends_at.as_deref());
    let (state, kind, title) = (notice.state.clone(), notice.kind.clone(), notice.title.clone());
    [notice.uuid.to_string(), state, kind, whom, notice.starts_at.clone(), ends, title]
}
