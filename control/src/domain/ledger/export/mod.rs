//! The ledger for other programs, one transfer after the other: a sink takes each and answers its text. Pure, and as
//! small as its wallets, so a ledger of any length goes through.

mod beancount;
mod csv;

use csp_shared::id::AccountId;

use super::verify::Entry;
use crate::domain::time::Time;

/// Which program reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, for spreadsheets.
    Csv,
    /// <https://beancount.github.io/docs/beancount_language_syntax.html>
    Beancount,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Beancount];

    /// As it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Beancount => "beancount",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// For the header of an answer.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Beancount => "text/plain; charset=utf-8",
        }
    }
}

/// From which second on and before which one; a missing end is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// From this second on.
    pub from: Option<Time>,
    /// Before this second.
    pub until: Option<Time>,
}

/// Where a transfer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Before,
    Inside,
    After,
}

impl Range {
    fn part(&self, at: Time) -> Part {
        match (self.from, self.until) {
            (Some(from), _) if at < from => Part::Before,
            (_, Some(until)) if at >= until => Part::After,
            _ => Part::Inside,
        }
    }
}

/// An export under way.
#[derive(Debug)]
pub enum Export {
    /// To a spreadsheet.
    Csv(Range),
    /// To Beancount.
    Beancount(Box<beancount::Beancount>),
}

impl Export {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(format: Format, range: Range) -> Self {
        match format {
            Format::Csv => Self::Csv(range),
            Format::Beancount => Self::Beancount(Box::new(beancount::Beancount::new(range))),
        }
    }

    /// What stands before the first transfer.
    #[must_use]
    pub fn head(&self) -> String {
        match self {
            Self::Csv(_) => csv::head(),
            Self::Beancount(export) => export.head(),
        }
    }

    /// The next transfer, as it was posted after the one before; empty when nothing is to be written of it.
    #[must_use]
    pub fn take(&mut self, entry: &Entry) -> String {
        match self {
            Self::Csv(range) if range.part(entry.dated) == Part::Inside => csv::line(entry),
            Self::Csv(_) => String::new(),
            Self::Beancount(export) => export.take(entry),
        }
    }

    /// What stands after the last one. `balances` are what the accounts say that their wallets hold; an export that
    /// reaches to the end asserts them.
    #[must_use]
    pub fn end(&mut self, balances: &[(AccountId, i64)]) -> String {
        match self {
            Self::Csv(_) => String::new(),
            Self::Beancount(export) => export.end(balances),
        }
    }
}

#[cfg(test)]
mod tests;
