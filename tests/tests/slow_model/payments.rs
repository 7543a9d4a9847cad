//! What is asked about money that comes in and goes back.

use serde_json::json;

use super::{
    money::Money,
    world::{CUSTOMERS, World},
};

impl World {
    pub(super) async fn top_up(&mut self) {
        let (mut owner, mut amount, mut reference) =
            (self.chance.below(CUSTOMERS), self.amount(5_000), self.reference());
        // Who owes pays more often.
        let owes = self.model.wallets.iter().position(|wallet| wallet.owed > Money::NONE);
        if let Some(owes) = owes.filter(|_| self.chance.below(2) == 0) {
            owner = owes;
        }
        // Some are told twice, and some of those with another amount.
        let known: Vec<String> = self.model.payments.keys().cloned().collect();
        if let Some(again) = self.chance.one(&known).filter(|_| self.number.is_multiple_of(4)) {
            reference.clone_from(again);
            if self.number.is_multiple_of(8) {
                amount = self.model.payments[again].amount;
            }
        }
        let body = json!({"amount": amount.text(), "reference": reference});
        let reply = self.operate(&format!("/accounts/{}/credits", self.customers[owner].account), body).await;
        self.note(format!("customer {owner} pays {} as {reference}: {}", amount.text(), reply.status));
        let expected = self.model.credit(owner, amount, &reference);
        self.agree(&reply, expected);
    }

    pub(super) async fn goodwill_or_correction(&mut self) {
        let (owner, amount, reference) = (self.chance.below(CUSTOMERS), self.amount(900), self.reference());
        let account = self.customers[owner].account;
        let kind = self.chance.below(3);
        let (path, body) = match kind {
            0 => ("goodwill", json!({"amount": amount.text(), "reference": reference})),
            kind => {
                let direction = if kind == 1 { "credit" } else { "debit" };
                let (amount, note) = (amount.text(), "n");
                ("corrections", json!({"direction": direction, "amount": amount, "reference": reference, "note": note}))
            }
        };
        let reply = self.operate(&format!("/accounts/{account}/{path}"), body).await;
        self.note(format!("{path} {kind} of {} for customer {owner}: {}", amount.text(), reply.status));
        let expected = match kind {
            0 => {
                self.model.give(owner, amount);
                Ok(())
            }
            kind => self.model.correct(owner, amount, kind == 1),
        };
        self.agree(&reply, expected);
    }

    pub(super) async fn refund_or_dispute(&mut self) {
        let known: Vec<String> = self.model.payments.keys().cloned().collect();
        let Some(payment) = self.chance.one(&known).cloned() else { return };
        let (is_refund, reference) = (self.chance.below(2) == 0, self.reference());
        let amount = match self.chance.below(2) {
            0 => self.model.payments[&payment].amount,
            _ => self.amount(3_000),
        };
        let path = if is_refund { "/refunds" } else { "/disputes" };
        let body = json!({"payment": payment, "reference": reference, "amount": amount.text()});
        let reply = self.operate(path, body).await;
        self.note(format!("{path} {reference} of {} of {payment}: {}", amount.text(), reply.status));
        let expected = match is_refund {
            true => self.model.refund(&payment, amount),
            false => self.model.dispute(&payment, &reference, amount),
        };
        self.agree(&reply, expected);
    }

    pub(super) async fn close_dispute(&mut self) {
        let open = self.model.disputes.iter().filter(|(_, dispute)| dispute.is_open);
        let open: Vec<String> = open.map(|(reference, _)| reference.clone()).collect();
        let Some(reference) = self.chance.one(&open).cloned() else { return };
        let won = self.chance.below(2) == 0;
        let outcome = if won { "won" } else { "lost" };
        let reply = self.operate("/disputes/close", json!({"reference": reference, "outcome": outcome})).await;
        self.note(format!("dispute {reference} is {outcome}: {}", reply.status));
        self.model.close(&reference, won);
        self.agree(&reply, Ok(()));
    }
}
