//! A line for each transfer, for a spreadsheet.

use super::super::verify::{Entry, Side, cents};
use crate::domain::csv::{self, Cell};

pub(super) fn head() -> String {
    csv::head(&[
        "transfer",
        "time",
        "from",
        "to",
        "amount",
        "currency",
        "cause",
        "cause_key",
        "server",
        "description",
        "balance_after",
    ])
}

pub(super) fn line(entry: &Entry) -> String {
    let side = |side: &Side| match side {
        Side::Wallet(account) => format!("wallet:{account}"),
        Side::Book(name) => format!("book:{name}"),
        Side::None => "nobody".to_owned(),
        Side::Both => "both".to_owned(),
    };
    let plain = |text: String| Cell::Plain(text);
    csv::line(&[
        plain(entry.transfer.to_string()),
        plain(entry.dated.to_string()),
        Cell::Text(side(&entry.from)),
        Cell::Text(side(&entry.to)),
        plain(cents(entry.amount.into())),
        plain("USD".to_owned()),
        Cell::Text(entry.kind.clone()),
        // References and descriptions were written by others.
        Cell::Text(entry.key.clone()),
        plain(entry.server.map_or_else(String::new, |(server, _)| server.to_string())),
        Cell::Text(entry.description.clone()),
        plain(entry.balance_after.map_or_else(String::new, |balance| cents(balance.into()))),
    ])
}
