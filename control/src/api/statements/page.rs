//! A statement as a page to print. One document without a script, a font or a picture: nothing is loaded from anywhere,
//! and its policy allows nothing but its own style.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{
    service::read_statement::Statement,
    store::{Account, TransferRow},
};

const STYLE: &str = "body{font:11pt/1.4 sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#111;background:#fff}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid #ccc;\
    vertical-align:top}td:first-child{white-space:nowrap}small{color:#555}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
    thead{display:table-header-group}tr{break-inside:avoid}@page{margin:15mm}\
    @media screen and (max-width:45em){body{font-size:9.5pt;margin:1em auto;padding:0 .5em}th,td{padding:.3em .25em;overflow-wrap:anywhere}\
    td:first-child{white-space:normal}}";

/// What a browser may do with the page: show it.
pub(super) fn policy() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page.
pub(super) fn html(account: &Account, statement: &Statement) -> String {
    let summary = &statement.summary;
    let title = format!("Statement {}", summary.month);
    let standing = if summary.is_final { "" } else { " (the month is not over)" };
    let rows: String = statement.lines.iter().map(row).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>{name}<br>Account {account}<br>All times UTC, all amounts USD{standing}</p>\n\
         <table><thead><tr><th>Date</th><th>Description</th><th>Server</th><th class=\"n\">Amount</th>\
         <th class=\"n\">Balance</th></tr></thead><tbody>\n\
         <tr><td></td><td>Opening balance</td><td></td><td></td><td class=\"n\">{opening}</td></tr>\n{rows}\
         <tr><td></td><td>Closing balance</td><td></td><td></td><td class=\"n\">{closing}</td></tr>\n</tbody></table>\n\
         <p>Credits {credits}, debits {debits}.</p>\n</body></html>\n",
        name = escaped(&account.name),
        account = account.id,
        opening = summary.opening,
        closing = summary.closing,
        credits = summary.moved.credits,
        debits = summary.moved.debits,
    )
}

fn row(row: &TransferRow) -> String {
    let sign = if row.is_credit { "" } else { "\u{2212}" };
    let name = row.hostname.as_deref().map(escaped).unwrap_or_default();
    let server = row.server.map(|server| format!("{name}<br><small>{server}</small>")).unwrap_or_default();
    format!(
        "<tr><td>{}</td><td>{}</td><td>{server}</td><td class=\"n\">{sign}{}</td><td class=\"n\">{}</td></tr>\n",
        row.created_at,
        escaped(&row.description),
        row.amount,
        row.balance_after
    )
}

/// A text between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
