//! `csp-control person`: who may sign up.

use clap::Subcommand;
use csp_shared::id::{AccountId, PersonId};

use super::{
    CommandError,
    client::Client,
    text::{say, say_json, table},
};
use crate::operator::wire::people::{Approved, CodeOff, Invite, Person, Told};

#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// Write an invitation; its link opens for 7 days
    Invite {
        /// Where the letter goes
        email: String,
        /// To sign in for an account that is there [default: for one of their own]
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// Ask somebody for no code any more who lost authenticator and recovery codes, and tell them; be sure who asks
    CodeOff {
        /// What they sign in with
        email: String,
    },
    /// Show who signed up and waits for approval
    List,
    /// Open an account for somebody who waits, and tell them
    Approve {
        /// Who; `person list` shows them
        person: PersonId,
    },
    /// Forget somebody who waits, and tell them
    Refuse {
        /// Who; `person list` shows them
        person: PersonId,
    },
}

/// Runs one command.
pub(super) fn run(client: &Client<'_>, command: PersonCommand, json: bool) -> Result<(), CommandError> {
    let nothing = serde_json::json!({});
    match command {
        PersonCommand::Invite { email, account } => {
            let told: Told = client.post("/people/invite", &Invite { email, account })?;
            if json { say_json(&told) } else { say(&format!("An invitation is on its way to {}.", told.email)) }
        }
        PersonCommand::CodeOff { email } => {
            let told: Told = client.post("/people/code-off", &CodeOff { email })?;
            if json { say_json(&told) } else { say(&format!("{} signs in with the password alone.", told.email)) }
        }
        PersonCommand::List => {
            let people: Vec<Person> = client.get("/people")?;
            let row = |p: &Person| [p.uuid.to_string(), p.created_at.clone(), p.email.clone(), p.name.clone()];
            let rows: Vec<_> = people.iter().map(row).collect();
            if json { say_json(&people) } else { say(&table(["PERSON", "SINCE", "EMAIL", "NAME"], &rows)) }
        }
        PersonCommand::Approve { person } => {
            let approved: Approved = client.post(&format!("/people/{person}/approve"), &nothing)?;
            if json { say_json(&approved) } else { say(&approved.account.to_string()) }
        }
        PersonCommand::Refuse { person } => {
            let refused: Option<serde_json::Value> = client.post(&format!("/people/{person}/refuse"), &nothing)?;
            if json { say_json(&refused) } else { say("Refused.") }
        }
    }
}
