//! What Stripe tells, read once: the few fields that decide anything, out of objects with hundreds.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::domain::{
    payment::Outcome,
    top_up::{Disputed, Refunded, ToldSession},
};

/// A word of Stripe's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A page was paid.
    Paid(ToldSession),
    /// A page was left with a payment that takes days.
    Pending(ToldSession),
    /// Such a payment came to nothing.
    Failed(ToldSession),
    /// Nobody paid.
    Expired(ToldSession),
    /// So much of a payment went back, in all.
    Refunded(Refunded),
    /// A payment is disputed, and its money was taken back.
    Disputed(Disputed),
    /// A dispute ended.
    DisputeClosed(Disputed, Outcome),
    /// Anything else.
    Other(String),
}

/// A word that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the event cannot be read: {0}")]
pub struct Unreadable(String);

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    payment_status: Option<String>,
    payment_intent: Option<Id>,
    amount_total: Option<i64>,
    currency: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    top_up: Option<String>,
    account: Option<String>,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    payment_intent: Option<Id>,
    amount_refunded: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Dispute {
    id: String,
    payment_intent: Option<Id>,
    amount: i64,
    currency: String,
    status: String,
}

/// An id, or the whole object that it names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Alone(String),
    Whole { id: String },
}

impl Id {
    fn into_text(self) -> String {
        match self {
            Self::Alone(id) | Self::Whole { id } => id,
        }
    }
}

impl From<Session> for ToldSession {
    fn from(told: Session) -> Self {
        Self {
            session: told.id,
            payment: told.payment_intent.map(Id::into_text),
            amount: told.amount_total,
            currency: told.currency,
            top_up: told.metadata.top_up,
            account: told.metadata.account,
        }
    }
}

/// Reads a word whose signature is right.
///
/// # Errors
/// When it is not what Stripe sends.
pub fn read(body: &[u8]) -> Result<Event, Unreadable> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|why| Unreadable(why.to_string()))?;
    let object = envelope.data.object;
    Ok(match envelope.kind.as_str() {
        "checkout.session.completed" => {
            let session: Session = part(object)?;
            // A card is paid at once. A bank transfer is not, and another word will say what came of it.
            let is_paid = session.payment_status.as_deref() == Some("paid");
            if is_paid { Event::Paid(session.into()) } else { Event::Pending(session.into()) }
        }
        "checkout.session.async_payment_succeeded" => Event::Paid(part::<Session>(object)?.into()),
        "checkout.session.async_payment_failed" => Event::Failed(part::<Session>(object)?.into()),
        "checkout.session.expired" => Event::Expired(part::<Session>(object)?.into()),
        "charge.refunded" => {
            let charge: Charge = part(object)?;
            let payment = payment(charge.payment_intent)?;
            let (charge, amount, currency) = (charge.id, charge.amount_refunded, charge.currency);
            Event::Refunded(Refunded { charge, payment, amount, currency })
        }
        "charge.dispute.created" | "charge.dispute.funds_withdrawn" => match part::<Dispute>(object)? {
            // A question of the bank's: no money moves, unless a dispute comes of it, which is told again.
            asked if asked.status.starts_with("warning") => Event::Other(envelope.kind),
            dispute => Event::Disputed(dispute.told()?),
        },
        "charge.dispute.closed" => {
            let dispute: Dispute = part(object)?;
            match Outcome::parse(&dispute.status) {
                Some(outcome) => Event::DisputeClosed(dispute.told()?, outcome),
                None => Event::Other(envelope.kind),
            }
        }
        _ => Event::Other(envelope.kind),
    })
}

impl Dispute {
    fn told(self) -> Result<Disputed, Unreadable> {
        let payment = payment(self.payment_intent)?;
        Ok(Disputed { dispute: self.id, payment, amount: self.amount, currency: self.currency })
    }
}

fn part<T: DeserializeOwned>(object: Value) -> Result<T, Unreadable> {
    serde_json::from_value(object).map_err(|why| Unreadable(why.to_string()))
}

fn payment(id: Option<Id>) -> Result<String, Unreadable> {
    id.map(Id::into_text).ok_or_else(|| Unreadable("it names no payment".to_owned()))
}
