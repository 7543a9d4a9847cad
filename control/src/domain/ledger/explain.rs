//! Causes in words, for whoever asks why a cent moved.

use super::{Cause, CauseKind};

/// Why money moved, in a sentence without its amount.
#[must_use]
pub fn why(cause: &Cause) -> String {
    match cause {
        Cause::Order(_) => "the server was ordered: its first period".to_owned(),
        Cause::Renewal(_, period) => format!("the server is paid for its period {period}, counted from 0"),
        Cause::Discount(_, period) => format!("a promotion pays a part of period {period}, counted from 0"),
        Cause::DiscountReversal(_) => "the order did not run: what a promotion paid goes back".to_owned(),
        Cause::OrderReversal(_) => "the order did not run: exactly what it took goes back".to_owned(),
        Cause::DestroyCredit(action) => format!("the server was destroyed (action {action}): unused periods go back"),
        Cause::TopUp { reference } => format!("payment {reference} came in"),
        Cause::Refund { reference } => format!("a payment went back to whoever paid, as refund {reference}"),
        Cause::Dispute { reference } => format!("a payment is disputed and taken back, as dispute {reference}"),
        Cause::Claim { reference } => {
            format!("of what dispute {reference} takes, this is not in the wallet: it is owed from now on")
        }
        Cause::DisputeWon { reference } => format!("dispute {reference} was won: what it took comes back"),
        Cause::Settlement(came_in) => format!("of what came in as transfer {came_in}, this pays what is owed"),
        Cause::Goodwill { reference } => format!("a gift of the provider, {reference}"),
        Cause::Correction { reference } => format!("put right by the provider, {reference}"),
    }
}

/// The same for a key as it is stored; a key that no cause has is told as it stands.
#[must_use]
pub fn why_key(kind: CauseKind, key: &str) -> String {
    key.parse().map_or_else(|_| format!("{}: {key}", kind.as_str()), |cause| why(&cause))
}
