//! A statement as a table for a spreadsheet: what leaves the wallet is negative, so the column adds up to the difference
//! of the balances.

use crate::{
    domain::csv::{Cell, head, line},
    service::read_statement::Statement,
    store::TransferRow,
};

const COLUMNS: [&str; 7] = ["date", "cause", "amount", "balance", "description", "server_uuid", "transaction_uuid"];

/// The table.
pub(super) fn csv(statement: &Statement) -> String {
    let summary = &statement.summary;
    let (from, until) = summary.month.span();
    let mut text = head(&COLUMNS);
    text.push_str(&balance(&from.to_string(), "Opening balance", &summary.opening.to_string()));
    text.extend(statement.lines.iter().map(row));
    let end = if summary.is_final { until.plus(-1).to_string() } else { String::new() };
    text + &balance(&end, "Closing balance", &summary.closing.to_string())
}

fn row(row: &TransferRow) -> String {
    let sign = if row.is_credit { "" } else { "-" };
    line(&[
        Cell::Plain(row.created_at.to_string()),
        Cell::Plain(row.kind.as_str().to_owned()),
        Cell::Plain(format!("{sign}{}", row.amount)),
        Cell::Plain(row.balance_after.to_string()),
        Cell::Text(row.description.clone()),
        Cell::Plain(row.server.map(|server| server.to_string()).unwrap_or_default()),
        Cell::Plain(row.id.to_string()),
    ])
}

fn balance(at: &str, name: &str, amount: &str) -> String {
    let plain = |text: &str| Cell::Plain(text.to_owned());
    line(&[plain(at), plain(""), plain(""), plain(amount), plain(name), plain(""), plain("")])
}
