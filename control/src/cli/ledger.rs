//! `csp-control ledger`: the wallets' movements, recomputed.

use super::{
    CommandError, LedgerCommand,
    client::Client,
    text::{say, say_json},
};
use crate::operator::wire::LedgerVerified;

/// Runs one command.
pub(super) fn run(client: &Client<'_>, command: LedgerCommand, json: bool) -> Result<(), CommandError> {
    match command {
        LedgerCommand::Verify => verify(client, json),
    }
}

/// Prints every difference with its place; exit code 0 when there is none.
fn verify(client: &Client<'_>, json: bool) -> Result<(), CommandError> {
    let verified: LedgerVerified = client.get_patiently("/ledger/verify")?;
    if json {
        say_json(&verified)?;
    } else {
        say(&verified_text(&verified))?;
    }
    match verified.differences.len() {
        0 => Ok(()),
        count => Err(CommandError::Ledger(count)),
    }
}

fn verified_text(verified: &LedgerVerified) -> String {
    let one = |d: &crate::operator::wire::LedgerDifference| format!("{}  {}\n  {}\n", d.kind, d.place, d.what);
    let mut text: String = verified.differences.iter().map(one).collect();
    text.extend(verified.books.iter().map(|book| format!("book {}: {} USD\n", book.book, book.sum)));
    let LedgerVerified { transfers, wallets, services, periods, .. } = verified;
    let sum =
        format!("Recomputed {wallets} wallets from {transfers} transfers, {services} services with {periods} periods");
    match verified.differences.len() {
        0 => text + &format!("{sum}: no difference.\n"),
        count => text + &format!("{sum}: {count} differences.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::wire::{BookSum, LedgerDifference};

    #[test]
    fn each_difference_stands_with_its_place() {
        let differences = vec![LedgerDifference {
            kind: "running_balance".to_owned(),
            place: "account a, transfer t of 2026-06-10 12:00:00, topup/x".to_owned(),
            what: "the wallet held 0.00 and moved 5.00; the balance after it is stored as 6.00".to_owned(),
        }];
        let books = vec![BookSum { book: "topups".to_owned(), sum: "-5.00".to_owned() }];
        let mut verified = LedgerVerified { transfers: 1, wallets: 1, services: 0, periods: 0, books, differences };
        insta::assert_snapshot!(verified_text(&verified), @r"
        running_balance  account a, transfer t of 2026-06-10 12:00:00, topup/x
          the wallet held 0.00 and moved 5.00; the balance after it is stored as 6.00
        book topups: -5.00 USD
        Recomputed 1 wallets from 1 transfers, 0 services with 0 periods: 1 differences.
        ");
        verified.differences.clear();
        assert!(verified_text(&verified).ends_with("0 periods: no difference.\n"));
    }
}
