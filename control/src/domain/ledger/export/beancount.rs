//! Plain-text accounting. A wallet is what the provider owes its customer, a liability; what was paid in and what is owed
//! after disputes are assets, promotions an expense, what was sold income. So whoever gives in the ledger is debited here.
//!
//! Beancount computes every sum anew and holds it against what the accounts say: the file ends with an assertion for
//! each wallet.

use std::collections::{BTreeMap, HashSet};

use csp_shared::id::AccountId;

use super::{
    super::verify::{Entry, Side, cents},
    Part, Range,
};
use crate::domain::{
    ledger::Book,
    time::{DAY, Time},
};

/// The export's state: who is open, and what everybody holds, as Beancount signs it.
#[derive(Debug)]
pub struct Beancount {
    range: Range,
    open: HashSet<String>,
    sums: BTreeMap<String, i128>,
    wallets: BTreeMap<AccountId, String>,
    opening_is_written: bool,
    last: Time,
}

impl Beancount {
    pub(super) fn new(range: Range) -> Self {
        Self {
            range,
            open: HashSet::new(),
            sums: BTreeMap::new(),
            wallets: BTreeMap::new(),
            opening_is_written: range.from.is_none(),
            last: range.from.unwrap_or(Time(0)),
        }
    }

    pub(super) fn head(&self) -> String {
        let mut text = "option \"title\" \"csp ledger\"\noption \"operating_currency\" \"USD\"\n".to_owned();
        let books = Book::ALL.map(|book| name(&Side::Book(book.as_str().to_owned())));
        for account in &books {
            text += &format!("1970-01-01 open {account} USD\n");
        }
        text
    }

    pub(super) fn take(&mut self, entry: &Entry) -> String {
        let (from, to) = (name(&entry.from), name(&entry.to));
        let part = self.range.part(entry.dated);
        if part == Part::After {
            return String::new();
        }
        let mut text = String::new();
        if part == Part::Inside {
            text += &self.opening();
            text += &self.opened(&entry.from, &from);
            text += &self.opened(&entry.to, &to);
            text += &transaction(entry, &from, &to);
            self.last = self.last.max(entry.dated);
        } else {
            text += &self.opened(&entry.from, &from);
            text += &self.opened(&entry.to, &to);
        }
        *self.sums.entry(from).or_default() += i128::from(entry.amount);
        *self.sums.entry(to).or_default() -= i128::from(entry.amount);
        text
    }

    /// An `open` for a wallet that is met for the first time.
    fn opened(&mut self, side: &Side, name: &str) -> String {
        let Side::Wallet(account) = side else { return String::new() };
        self.wallets.insert(*account, name.to_owned());
        if self.open.insert(name.to_owned()) { format!("1970-01-01 open {name} USD\n") } else { String::new() }
    }

    /// What was there when the range began, as one transaction.
    fn opening(&mut self) -> String {
        let (false, Some(from)) = (self.opening_is_written, self.range.from) else { return String::new() };
        self.opening_is_written = true;
        let there: Vec<_> = self.sums.iter().filter(|(_, sum)| **sum != 0).collect();
        if there.is_empty() {
            return String::new();
        }
        // Wallets and books mirror each other, so this adds up to nothing: Beancount says so if it does not.
        let line = |(account, sum): &(&String, &i128)| format!("  {account}  {} USD\n", cents(**sum));
        let lines: String = there.iter().map(line).collect();
        format!("\n{} * \"what was there before\"\n{lines}", day(from))
    }

    pub(super) fn end(&mut self, balances: &[(AccountId, i64)]) -> String {
        // A balance is asserted for the beginning of a day.
        let date = day(self.last.plus(DAY));
        let mut text = self.opening() + "\n";
        if self.range.until.is_none() {
            let known = balances
                .iter()
                .filter_map(|(account, balance)| self.wallets.get(account).map(|name| (name, -i128::from(*balance))));
            text.extend(known.map(|(name, balance)| format!("{date} balance {name}  {} USD\n", cents(balance))));
        }
        let books = self.sums.iter().filter(|(name, _)| self.range.until.is_some() || !self.open.contains(*name));
        text.extend(books.map(|(name, sum)| format!("{date} balance {name}  {} USD\n", cents(*sum))));
        text
    }
}

fn name(side: &Side) -> String {
    match side {
        Side::Wallet(account) => format!("Liabilities:Wallets:{account}"),
        Side::Book(book) => match Book::parse(book) {
            Some(Book::Revenue) => "Income:Revenue".to_owned(),
            Some(Book::TopUps) => "Assets:TopUps".to_owned(),
            Some(Book::Promotions) => "Expenses:Promotions".to_owned(),
            Some(Book::Receivables) => "Assets:Receivables".to_owned(),
            // A book that was never there is told by Beancount as an account that was never opened.
            None => "Equity:Unknown".to_owned(),
        },
        Side::None | Side::Both => "Equity:Unknown".to_owned(),
    }
}

fn transaction(entry: &Entry, from: &str, to: &str) -> String {
    let amount = cents(entry.amount.into());
    let clock: String = entry.dated.to_string().chars().skip(11).collect();
    let server = entry.server.map_or_else(String::new, |(server, _)| format!("  server: \"{server}\"\n"));
    format!(
        "\n{date} * {kind} {description}\n  transfer: \"{id}\"\n  time: \"{clock}\"\n  cause: {key}\n{server}  \
         {from}  {amount} USD\n  {to}  -{amount} USD\n",
        date = day(entry.dated),
        kind = quoted(&entry.kind),
        description = quoted(&entry.description),
        id = entry.transfer,
        key = quoted(&entry.key),
    )
}

/// `2026-06-10`
fn day(at: Time) -> String {
    at.to_string().chars().take(10).collect()
}

/// A string of Beancount on one line: what would end it is escaped, what cannot be seen is left out.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
