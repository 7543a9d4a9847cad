//! `csp-control ledger`: the wallets' movements recomputed, explained, and written out.

use clap::{Subcommand, ValueEnum};
use csp_shared::id::ServerId;

use super::{
    CommandError,
    client::Client,
    text::{copy, say, say_json},
};
use crate::{
    domain::{ledger::verify::cents, money::Cents},
    operator::wire::ledger::{Difference, Explained, ExplainedLine, Verified},
};

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Recompute every wallet from the first transfer; exit code 1 when something differs
    Verify,
    /// Say in words why each cent of an account or a server moved
    Explain {
        /// An account's or a server's id; both are written alike
        #[arg(value_name = "ACCOUNT|SERVER")]
        id: ServerId,
    },
    /// Write the ledger out for another program
    Export {
        /// For which
        #[arg(long, value_enum)]
        format: Program,
        /// From when on, UTC: 2026-06-01 or "2026-06-01 12:00:00" [default: the beginning]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when, that day or second included [default: the end]
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
}

/// What reads an export.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Program {
    /// Spreadsheets
    Csv,
    /// Beancount, which adds everything up anew
    Beancount,
}

/// Runs one command.
pub(super) fn run(client: &Client<'_>, command: LedgerCommand, json: bool) -> Result<(), CommandError> {
    match command {
        LedgerCommand::Verify => verify(client, json),
        LedgerCommand::Explain { id } => explain(client, id, json),
        LedgerCommand::Export { format, from, to } => {
            let format = match format {
                Program::Csv => "csv",
                Program::Beancount => "beancount",
            };
            let end = |name: &str, at: Option<String>| at.map(|at| format!("&{name}={}", escaped(&at)));
            let ends: String = [end("from", from), end("to", to)].into_iter().flatten().collect();
            client.copy(&format!("/ledger/export?format={format}{ends}"), copy)?.map_err(CommandError::Print)
        }
    }
}

/// A text as a value in a query (RFC 3986, 2.1).
fn escaped(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

/// Prints the list part by part: the longest history needs no more memory than a part of it. JSON is a list of parts.
fn explain(client: &Client<'_>, id: ServerId, json: bool) -> Result<(), CommandError> {
    let (mut after, mut sums, mut parts) = (String::new(), Sums::default(), Vec::new());
    loop {
        let part: Explained = client.get(&format!("/ledger/explain/{id}{after}"))?;
        let (is_first, more) = (after.is_empty(), part.more);
        after = part.lines.last().map_or(after, |line| format!("?after={}", line.transfer));
        if json {
            parts.push(part);
        } else {
            if is_first {
                say(&(part.facts.join("\n") + "\n"))?;
            }
            say(&part.lines.iter().map(|line| explained(line, &mut sums)).collect::<String>())?;
        }
        if !more {
            return if json { say_json(&parts) } else { say(&sums.text()) };
        }
    }
}

/// What was added up on the way.
#[derive(Debug, Default)]
struct Sums {
    came_in: i128,
    went_out: i128,
}

impl Sums {
    fn text(&self) -> String {
        let Self { came_in, went_out } = *self;
        format!(
            "\nInto the wallet {}, out of it {}: {} USD.\n",
            cents(came_in),
            cents(went_out),
            cents(came_in - went_out)
        )
    }
}

/// One transfer: when, how much, what is left, why; and below it what else is known.
fn explained(line: &ExplainedLine, sums: &mut Sums) -> String {
    let amount = line.amount.parse::<Cents>().map_or(0, |amount| i128::from(amount.get()));
    match &line.moved {
        Some(moved) if moved.starts_with('-') => sums.went_out += amount,
        Some(_) => sums.came_in += amount,
        None => {}
    }
    let moved = line.moved.clone().unwrap_or_else(|| format!("({})", line.amount));
    let balance = line.balance.as_deref().unwrap_or_default();
    let head = format!("\n{}  {moved:>10}  {balance:>10}  {}\n", line.at, line.why);
    let ids = format!("transfer {}, cause {}", line.transfer, line.key);
    let below = line.details.iter().chain([&ids]).map(|detail| format!("    {detail}\n"));
    head + &below.collect::<String>()
}

/// Prints every difference with its place; exit code 0 when there is none.
fn verify(client: &Client<'_>, json: bool) -> Result<(), CommandError> {
    let verified: Verified = client.get_patiently("/ledger/verify")?;
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

fn verified_text(verified: &Verified) -> String {
    let one = |d: &Difference| format!("{}  {}\n  {}\n", d.kind, d.place, d.what);
    let mut text: String = verified.differences.iter().map(one).collect();
    text.extend(verified.books.iter().map(|book| format!("book {}: {} USD\n", book.book, book.sum)));
    let Verified { transfers, wallets, services, periods, .. } = verified;
    let sum =
        format!("Recomputed {wallets} wallets from {transfers} transfers, {services} services with {periods} periods");
    match verified.differences.len() {
        0 => text + &format!("{sum}: no difference.\n"),
        count => text + &format!("{sum}: {count} differences.\n"),
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::id::TransferId;
    use uuid::Uuid;

    use super::*;
    use crate::operator::wire::ledger::BookSum;

    #[test]
    fn each_difference_stands_with_its_place() {
        let differences = vec![Difference {
            kind: "running_balance".to_owned(),
            place: "account a, transfer t of 2026-06-10 12:00:00, topup/x".to_owned(),
            what: "the wallet held 0.00 and moved 5.00; the balance after it is stored as 6.00".to_owned(),
        }];
        let books = vec![BookSum { book: "topups".to_owned(), sum: "-5.00".to_owned() }];
        let mut verified = Verified { transfers: 1, wallets: 1, services: 0, periods: 0, books, differences };
        insta::assert_snapshot!(verified_text(&verified), @r"
        running_balance  account a, transfer t of 2026-06-10 12:00:00, topup/x
          the wallet held 0.00 and moved 5.00; the balance after it is stored as 6.00
        book topups: -5.00 USD
        Recomputed 1 wallets from 1 transfers, 0 services with 0 periods: 1 differences.
        ");
        verified.differences.clear();
        assert!(verified_text(&verified).ends_with("0 periods: no difference.\n"));
    }

    #[test]
    fn an_explanation_reads_as_a_list_with_its_sums() {
        let line = ExplainedLine {
            transfer: TransferId(Uuid::from_u128(1)),
            at: "2026-06-10 12:00:00".to_owned(),
            moved: Some("-6.95".to_owned()),
            amount: "6.95".to_owned(),
            balance: Some("43.05".to_owned()),
            cause: "order".to_owned(),
            key: "order/x".to_owned(),
            why: "the server was ordered: its first period".to_owned(),
            details: vec!["server web (x)".to_owned()],
        };
        let mut sums = Sums::default();
        let mut text = explained(&line, &mut sums);
        let came_in = ExplainedLine { moved: Some("+10.00".to_owned()), amount: "10.00".to_owned(), ..line.clone() };
        text += &explained(&came_in, &mut sums);
        text += &explained(&ExplainedLine { moved: None, balance: None, ..line }, &mut sums);
        insta::assert_snapshot!(text + &sums.text(), @r"

        2026-06-10 12:00:00       -6.95       43.05  the server was ordered: its first period
            server web (x)
            transfer 00000000-0000-0000-0000-000000000001, cause order/x

        2026-06-10 12:00:00      +10.00       43.05  the server was ordered: its first period
            server web (x)
            transfer 00000000-0000-0000-0000-000000000001, cause order/x

        2026-06-10 12:00:00      (6.95)              the server was ordered: its first period
            server web (x)
            transfer 00000000-0000-0000-0000-000000000001, cause order/x

        Into the wallet 10.00, out of it 6.95: 3.05 USD.
        ");
    }

    #[test]
    fn what_is_typed_stays_one_value_of_the_query() {
        assert_eq!(escaped("2026-06-01 12:00:00&format=csv"), "2026%2D06%2D01%2012%3A00%3A00%26format%3Dcsv");
    }
}
