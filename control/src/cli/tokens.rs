//! `csp-control operator-token`: what opens the operator API to other machines.

use clap::Subcommand;
use csp_shared::id::OperatorTokenId;

use super::{
    CommandError,
    client::Client,
    text::{or_dash, say, say_json, table},
};
use crate::operator::wire::tokens::{NewToken, Token, TokenShow};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and show it this once
    Create {
        /// For people: which machine has it
        label: String,
        /// What it may do: credits, refunds, disputes, accounts, ledger
        #[arg(long = "scope", value_name = "SCOPE,...", value_delimiter = ',', required = true, num_args = 1..)]
        scopes: Vec<String>,
        /// Until when it works, UTC: 2027-01-01 or "2027-01-01 12:00:00" [default: without end]
        #[arg(long = "expires", value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Show all tokens
    List,
    /// End a token: the next request with it is refused
    Revoke {
        /// Which; `operator-token list` shows them
        token: OperatorTokenId,
    },
}

/// Runs one command.
pub(super) fn run(client: &Client<'_>, command: TokenCommand, json: bool) -> Result<(), CommandError> {
    match command {
        TokenCommand::Create { label, scopes, expires_at } => {
            let token: Token = client.post("/tokens", &NewToken { label, scopes, expires_at })?;
            // The token alone on its line: it is copied from here, and shown nowhere again.
            if json { say_json(&token) } else { say(token.token.reveal()) }
        }
        TokenCommand::List => {
            let tokens: Vec<TokenShow> = client.get("/tokens")?;
            let head = ["TOKEN", "STATE", "PREVIEW", "SCOPES", "EXPIRES", "LABEL"];
            if json { say_json(&tokens) } else { say(&table(head, &tokens.iter().map(row).collect::<Vec<_>>())) }
        }
        TokenCommand::Revoke { token } => {
            let token: TokenShow = client.post(&format!("/tokens/{token}/revoke"), &serde_json::json!({}))?;
            if json { say_json(&token) } else { say(&format!("Revoked {} ({}).", token.preview, token.label)) }
        }
    }
}

fn row(token: &TokenShow) -> [String; 6] {
    [
        token.uuid.to_string(),
        token.state.clone(),
        token.preview.clone(),
        token.scopes.join(","),
        or_dash(token.expires_at.as_deref()),
        token.label.clone(),
    ]
}
