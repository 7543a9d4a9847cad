//! Tells why each cent of an account or a server moved, a part of the list at a time.

use csp_shared::id::{AccountId, ServerId, TransferId};
use uuid::Uuid;

use crate::{
    domain::{
        ledger::{
            Cause,
            explain::{Around, details, why_key},
            verify::Entry,
        },
        payment::{Outcome, Reference},
        server::ServiceStatus,
        time::Time,
    },
    store::{Account, Billed, Read, StoreError, Whose},
};

/// Transfers in a part.
pub const PART: u32 = 500;

/// Who is explained.
#[derive(Clone, Debug)]
pub enum Explained {
    /// A customer.
    Account(Account),
    /// A server, with its owner and how its service is seen.
    Server(Box<Billed>),
}

/// One transfer, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As it is stored.
    pub entry: Entry,
    /// Why, in a sentence.
    pub why: String,
    /// What else is known, a sentence each.
    pub details: Vec<String>,
}

/// A part of the list.
#[derive(Clone, Debug)]
pub struct Part {
    /// Who is explained.
    pub whose: Explained,
    /// Oldest first.
    pub lines: Vec<Line>,
    /// There is more after the last of them.
    pub more: bool,
}

/// The transfers of an account or a server after one of them, oldest first; nothing when the id is of neither.
///
/// # Errors
/// When the store cannot be read.
pub fn explain_ledger(read: &Read<'_>, id: Uuid, after: Option<TransferId>) -> Result<Option<Part>, StoreError> {
    let (explained, whose) = match read.account_get(AccountId(id))? {
        Some(account) => (Explained::Account(account), Whose::Account(AccountId(id))),
        None => match read.billed_get(ServerId(id))? {
            Some(server) => (Explained::Server(Box::new(server)), Whose::Server(ServerId(id))),
            None => return Ok(None),
        },
    };
    let place = after.map(|after| read.ledger_place(after)).transpose()?.flatten().unwrap_or_default();
    let rows = read.ledger_of(whose, place, PART)?;
    let more = u32::try_from(rows.len()) == Ok(PART);
    let lines = rows.into_iter().map(|(entry, hostname)| line(read, entry, hostname.as_deref()));
    Ok(Some(Part { whose: explained, lines: lines.collect::<Result<_, _>>()?, more }))
}

fn line(read: &Read<'_>, entry: Entry, hostname: Option<&str>) -> Result<Line, StoreError> {
    let mut around = match entry.server {
        Some((server, _)) => read.ledger_around(server, entry.transfer)?,
        None => Around::default(),
    };
    if let Some(action) = entry.key.parse::<Cause>().ok().and_then(|cause| cause.action()) {
        around.asked = read.ledger_asked(&action.to_string())?;
    }
    let mut told: Vec<String> = payment(read, &entry)?.into_iter().collect();
    told.append(&mut details(&entry, hostname, &around));
    Ok(Line { why: why_key(&entry.key), details: told, entry })
}

/// Which payment it belongs to, where its cause names something else.
fn payment(read: &Read<'_>, entry: &Entry) -> Result<Option<String>, StoreError> {
    let found = |reference: &str| Reference::parse(reference).ok();
    Ok(match entry.key.parse() {
        Ok(Cause::Settlement(came_in)) => {
            read.transfer_key(came_in)?.map(|key| format!("what came in: {}", why_key(&key)))
        }
        Ok(Cause::Refund { reference }) => match found(&reference) {
            Some(reference) => read.refund_get(&reference)?.map(|(payment, _)| format!("of payment {payment}")),
            None => None,
        },
        Ok(Cause::Dispute { reference } | Cause::Claim { reference } | Cause::DisputeWon { reference }) => {
            let dispute = found(&reference).map(|reference| read.dispute_get(&reference)).transpose()?.flatten();
            dispute.map(|dispute| {
                let end = dispute.outcome.map_or("open", Outcome::as_str);
                format!(
                    "of payment {}, {} USD disputed at {}, {end}",
                    dispute.payment, dispute.amount, dispute.opened_at
                )
            })
        }
        _ => None,
    })
}

impl Explained {
    /// What is to be known of them first, a sentence each.
    #[must_use]
    pub fn facts(&self, now: Time) -> Vec<String> {
        match self {
            Self::Account(account) => account_facts(account),
            Self::Server(server) => server_facts(server, now),
        }
    }
}

fn account_facts(account: &Account) -> Vec<String> {
    let email = account.email.as_ref().map_or_else(String::new, |email| format!(", {email}"));
    let mut facts = vec![
        format!("account {}: {}{email}, since {}", account.id, account.name, account.created_at),
        format!("in the wallet: {} USD", account.balance),
    ];
    facts.extend(account.locks().iter().map(|lock| format!("orders nothing: {lock}")));
    facts
}

fn server_facts(server: &Billed, now: Time) -> Vec<String> {
    let shown = |at: Option<Time>| at.map_or_else(|| "not yet".to_owned(), |at| at.to_string());
    let renewal = server.renewal(now).total;
    let mut facts = vec![
        format!("server {}: {}, {}, of account {}", server.id, server.hostname, server.package, server.account),
        format!("service {}; first online: {}", server.service.as_str(), shown(server.anchor)),
    ];
    // Of what has ended there is no next period, and nothing is paid any more.
    if matches!(server.service, ServiceStatus::Failed | ServiceStatus::Destroyed) {
        facts.extend(server.paid_until.map(|until| format!("its paid time went until {until} when it ended")));
        return facts;
    }
    facts.push(format!("paid until: {}", shown(server.paid_until)));
    if server.paid_until.is_some() {
        let automatic = if server.auto_renew { "renewed by itself" } else { "not renewed by itself" };
        facts.push(format!("its next period costs {renewal} USD, {automatic}"));
    }
    facts.extend(server.locks.0.iter().map(|(lock, since)| format!("locked since {since}: {}", lock.as_str())));
    facts
}
