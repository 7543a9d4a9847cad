//! Payments that went back: refunds and disputes, each held against the transfers that moved it and the payment that it is of.

use std::collections::{BTreeMap, HashMap};

use csp_shared::id::{AccountId, TransferId};

use super::{Difference, DifferenceKind, Entry, cents, time::drawn_at};
use crate::domain::{ledger::Cause, time::Time};

/// The rows that say what belongs to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentRows {
    /// All refunds.
    pub refunds: Vec<RefundRow>,
    /// All disputes.
    pub disputes: Vec<DisputeRow>,
    /// Keys that were told from outside and whose transfer is not there.
    pub untold: Vec<String>,
}

/// The transfer that a row calls its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidIn {
    /// Its cause's key.
    pub key: String,
    /// Into whose wallet it went.
    pub account: Option<AccountId>,
    /// Cents.
    pub amount: i64,
}

/// A refund, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    /// What moved it.
    pub transfer: TransferId,
    /// Of which payment.
    pub payment: PaidIn,
    /// Cents.
    pub amount: i64,
}

/// A dispute, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeRow {
    /// Its id at whoever took the payment.
    pub reference: String,
    /// Whose.
    pub account: AccountId,
    /// Of which payment.
    pub payment: PaidIn,
    /// Cents.
    pub amount: i64,
    /// How it ended.
    pub outcome: Option<String>,
    /// When it was told.
    pub opened_at: Time,
    /// When it ended.
    pub closed_at: Option<Time>,
}

/// A transfer that took a payment back, or gave it again.
#[derive(Clone, Debug)]
struct Moved {
    transfer: TransferId,
    account: Option<AccountId>,
    amount: i64,
    description: String,
}

/// Transfers of refunds and disputes, so far. Few payments go back.
#[derive(Debug, Default)]
pub struct WentBack {
    refunds: BTreeMap<TransferId, Moved>,
    disputes: HashMap<String, Moved>,
    claims: HashMap<String, Moved>,
    won: HashMap<String, Moved>,
}

impl WentBack {
    /// The next transfer.
    pub fn take(&mut self, entry: &Entry) {
        let account = entry.movement().map(|(account, _)| account);
        let (transfer, amount, description) = (entry.transfer, entry.amount, entry.description.clone());
        let moved = Moved { transfer, account, amount, description };
        match entry.key.parse() {
            Ok(Cause::Refund { .. }) => drop(self.refunds.insert(transfer, moved)),
            Ok(Cause::Dispute { reference }) => drop(self.disputes.insert(reference, moved)),
            Ok(Cause::Claim { reference }) => drop(self.claims.insert(reference, moved)),
            Ok(Cause::DisputeWon { reference }) => drop(self.won.insert(reference, moved)),
            _ => {}
        }
    }

    /// Holds the rows against the transfers.
    #[must_use]
    pub fn end(mut self, rows: &PaymentRows) -> Vec<Difference> {
        let (mut found, mut back) = (Vec::new(), BTreeMap::new());
        for key in &rows.untold {
            let what = "it was told from outside, and its transfer is not there";
            found.push(Difference::new(DifferenceKind::CauseKey, key, what));
        }
        for row in &rows.refunds {
            let place = format!("refund by transfer {}", row.transfer);
            let mut tell = |what: String| found.push(Difference::new(DifferenceKind::Refund, &place, what));
            add(&mut back, &row.payment, row.amount);
            match self.refunds.remove(&row.transfer) {
                None => tell("its transfer refunds nothing".to_owned()),
                Some(moved) => fits(&moved, row.amount, &row.payment, &mut tell),
            }
        }
        for (transfer, _) in self.refunds {
            let what = "nothing says of which payment it is".to_owned();
            found.push(Difference::new(DifferenceKind::Refund, format!("refund by transfer {transfer}"), what));
        }
        for row in &rows.disputes {
            let place = format!("account {}, dispute {}", row.account, row.reference);
            let mut tell = |what: String| found.push(Difference::new(DifferenceKind::Dispute, &place, what));
            let (claim, won) = (self.claims.remove(&row.reference), self.won.remove(&row.reference));
            if row.outcome.as_deref() != Some("won") {
                add(&mut back, &row.payment, row.amount);
            }
            match self.disputes.remove(&row.reference) {
                None => tell("no transfer took its payment back".to_owned()),
                Some(taken) => {
                    fits(&taken, row.amount, &row.payment, &mut tell);
                    dispute(row, &taken, claim.as_ref(), won.as_ref(), &mut tell);
                }
            }
        }
        let left = [self.disputes, self.claims, self.won].into_iter().flatten();
        for (reference, moved) in left {
            let what = format!("transfer {} is about it, and there is no such dispute", moved.transfer);
            found.push(Difference::new(DifferenceKind::Dispute, format!("dispute {reference}"), what));
        }
        for (payment, (amount, back)) in back.into_iter().filter(|(_, (amount, back))| back > amount) {
            let what = format!("{} came in by it, and {} went back", cents(amount), cents(back));
            found.push(Difference::new(DifferenceKind::Refund, format!("payment {payment}"), what));
        }
        found
    }
}

/// What of a payment went back, in all.
fn add(back: &mut BTreeMap<String, (i128, i128)>, payment: &PaidIn, amount: i64) {
    back.entry(payment.key.clone()).or_insert((payment.amount.into(), 0)).1 += i128::from(amount);
}

/// Whether what moved is what a row says, and of which payment.
fn fits(moved: &Moved, amount: i64, payment: &PaidIn, tell: &mut impl FnMut(String)) {
    if moved.amount != amount {
        tell(format!("it is of {}, and its transfer moved {}", cents(amount.into()), cents(moved.amount.into())));
    }
    match payment.key.parse() {
        Ok(Cause::TopUp { reference }) => {
            // What the customer reads names the payment.
            if payment.account != moved.account || !moved.description.contains(&reference) {
                tell(format!("it is of payment {reference}, and its transfer of another: {}", moved.description));
            }
        }
        _ => tell(format!("it is of {}, which is no payment", payment.key)),
    }
}

/// Whether a dispute ended as its transfers say, and when.
fn dispute(row: &DisputeRow, taken: &Moved, claim: Option<&Moved>, won: Option<&Moved>, tell: &mut impl FnMut(String)) {
    if claim.is_some_and(|claim| claim.amount > row.amount || claim.account != taken.account) {
        tell("more is owed for it than it is of, or by somebody else".to_owned());
    }
    if taken.account != Some(row.account) {
        tell("its transfer took from another account".to_owned());
    }
    if (row.outcome.as_deref() == Some("won")) != won.is_some() {
        let told = row.outcome.as_deref().unwrap_or("open");
        let moved = if won.is_some() { "came back" } else { "did not come back" };
        tell(format!("it is {told}, and what it took {moved}"));
    }
    if let Some(won) = won.filter(|won| won.amount != row.amount || won.account != taken.account) {
        tell(format!("it took {}, and {} came back", cents(row.amount.into()), cents(won.amount.into())));
    }
    let is_then = |moved: &Moved, at: Time| drawn_at(moved.transfer).is_none_or(|drawn| drawn == at);
    if !is_then(taken, row.opened_at) || won.is_some_and(|won| row.closed_at.is_some_and(|at| !is_then(won, at))) {
        tell("its transfers are of other times than it says".to_owned());
    }
    if row.outcome.is_some() && row.closed_at.is_none_or(|closed| closed < row.opened_at) {
        tell("it ended before it was told".to_owned());
    }
}
