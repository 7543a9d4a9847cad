//! Wallets and books, from transfers in the order in which they were posted.

use std::collections::{BTreeMap, HashMap};

use csp_shared::id::{AccountId, ServerId, TransferId};

use super::{Difference, DifferenceKind, cents, time};
use crate::domain::{
    ledger::{Book, Cause, Flow, Subject},
    time::Time,
};

/// A side of a transfer, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// A customer's wallet.
    Wallet(AccountId),
    /// A book of the provider, by its name.
    Book(String),
    /// Nobody, or an account that is not there: no such row can be written, so somebody changed it.
    None,
    /// A wallet and a book at once; likewise.
    Both,
}

/// A transfer, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub transfer: TransferId,
    /// Gave.
    pub from: Side,
    /// Took.
    pub to: Side,
    /// Cents.
    pub amount: i64,
    /// Its kind.
    pub kind: String,
    /// Its cause's key.
    pub key: String,
    /// The service that it is about, and whose that is.
    pub server: Option<(ServerId, AccountId)>,
    /// What the wallet is said to have held then; none where no wallet takes part.
    pub balance_after: Option<i64>,
    /// For the customer's list.
    pub description: String,
    /// Its cause's key once more, where that was told from outside.
    pub told: Option<String>,
    /// When.
    pub at: Time,
    /// The same, or when an operator said that the clock had been ahead, where that is earlier: in the order in which transfers
    /// were posted this never goes back.
    pub dated: Time,
    /// An operator said that it was posted by a clock that was ahead: what follows may be older.
    pub is_marked: bool,
}

impl Entry {
    /// Whose wallet takes part in it, and by how many cents it moves.
    #[must_use]
    pub fn movement(&self) -> Option<(AccountId, i128)> {
        match (&self.from, &self.to) {
            (_, Side::Wallet(account)) => Some((*account, self.amount.into())),
            (Side::Wallet(account), _) => Some((*account, -i128::from(self.amount))),
            _ => None,
        }
    }
}

/// What the store says at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// What each wallet holds, and what its owner owes.
    pub wallets: Vec<(AccountId, i64, i64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wallet {
    /// What its transfers come to.
    sum: i128,
    owed: i128,
    /// By how much the last stored balance is off. A wrong row makes every later one wrong by the same, which is told once.
    off: i128,
}

/// All wallets and books, so far.
#[derive(Debug, Default)]
pub struct Wallets {
    wallets: HashMap<AccountId, Wallet>,
    /// What each book took, less what it gave.
    books: BTreeMap<String, i128>,
    entries: u64,
    /// When the last one was posted; nothing after a mark.
    before: Option<Time>,
    found: Vec<Difference>,
}

impl Wallets {
    /// How many transfers were looked at.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many wallets took part in them.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.wallets.len()
    }

    /// What each book took, less what it gave.
    #[must_use]
    pub fn books(&self) -> Vec<(String, i128)> {
        self.books.iter().map(|(book, sum)| (book.clone(), *sum)).collect()
    }

    /// The next transfer.
    pub fn take(&mut self, entry: &Entry) {
        self.entries += 1;
        if entry.amount <= 0 {
            self.tell(DifferenceKind::Amount, entry, format!("it moves {}", cents(entry.amount.into())));
        }
        for (side, sign) in [(&entry.from, -1), (&entry.to, 1)] {
            let moved = i128::from(entry.amount) * sign;
            match side {
                Side::Book(name) => *self.books.entry(name.clone()).or_default() += moved,
                Side::Wallet(account) => self.move_wallet(*account, moved, entry),
                Side::None => self.tell(DifferenceKind::Sides, entry, "a side of it is nobody's"),
                Side::Both => self.tell(DifferenceKind::Sides, entry, "a side of it is a wallet and a book at once"),
            }
        }
        match (&entry.from, &entry.to) {
            (Side::Wallet(_), Side::Wallet(_)) => {
                self.tell(DifferenceKind::Sides, entry, "two wallets take part in it");
            }
            (Side::Book(_), Side::Book(_)) if entry.balance_after.is_some() => {
                self.tell(DifferenceKind::Sides, entry, "no wallet takes part in it, and it has a balance");
            }
            _ => {}
        }
        if !time::fits(entry.transfer, entry.at, self.before) {
            let drawn = time::drawn_at(entry.transfer).unwrap_or(entry.at);
            self.tell(DifferenceKind::Time, entry, format!("its id was drawn at {drawn}"));
        }
        self.before = (!entry.is_marked).then_some(entry.at);
        self.cause(entry);
    }

    fn move_wallet(&mut self, account: AccountId, moved: i128, entry: &Entry) {
        let wallet = self.wallets.entry(account).or_default();
        let before = wallet.sum + wallet.off;
        wallet.sum += moved;
        if [&entry.from, &entry.to].into_iter().any(|side| *side == receivables()) {
            wallet.owed += moved;
        }
        let (sum, stored) = (wallet.sum, entry.balance_after.map_or(-1, i128::from));
        let off = stored - sum;
        let is_new = off != 0 && off != wallet.off;
        wallet.off = off;
        if is_new {
            let (before, moved, stored) = (cents(before), cents(moved), cents(stored));
            let what =
                format!("the wallet held {before} and moved {moved}; the balance after it is stored as {stored}");
            self.tell(DifferenceKind::Running, entry, what);
        }
        if sum < 0 || stored < 0 {
            self.tell(DifferenceKind::Negative, entry, format!("the wallet is at {}", cents(sum.min(stored))));
        }
    }

    /// Holds the row against what its cause fixes.
    fn cause(&mut self, entry: &Entry) {
        let Ok(cause) = entry.key.parse::<Cause>() else {
            return self.tell(DifferenceKind::CauseKey, entry, "no cause has such a key");
        };
        if entry.told.as_ref() != Some(&entry.key).filter(|_| cause.is_told()) {
            let told = entry.told.as_deref().unwrap_or("nothing");
            self.tell(DifferenceKind::CauseKey, entry, format!("what was told from outside was {told}"));
        }
        let mut misfits = Vec::new();
        if entry.kind != cause.kind().as_str() {
            misfits.push(format!("its kind is `{}`, its cause's is `{}`", entry.kind, cause.kind().as_str()));
        }
        if !flows(cause.flow(), entry) {
            misfits.push(format!("it goes from {} to {}, its cause does not", named(&entry.from), named(&entry.to)));
        }
        let server = entry.server.map(|(server, _)| server);
        let fits = match cause.subject() {
            Subject::Server(wanted) => server == Some(wanted),
            Subject::SomeServer => server.is_some(),
            Subject::Nothing => server.is_none(),
            Subject::Any => true,
        };
        if !fits {
            let about = server.map_or_else(|| "no server".to_owned(), |server| format!("server {server}"));
            misfits.push(format!("it is about {about}, its cause is not"));
        }
        if let Some((server, owner)) = entry.server
            && wallet_of(entry).is_some_and(|account| account != owner)
        {
            misfits.push(format!("server {server} is account {owner}'s"));
        }
        for what in misfits {
            self.tell(DifferenceKind::CauseMisfit, entry, what);
        }
    }

    /// Holds the sums against what the store says, and against each other.
    #[must_use]
    pub fn end(mut self, sums: &Sums) -> Vec<Difference> {
        let mut held: i128 = 0;
        for (account, balance, owed) in &sums.wallets {
            let wallet = self.wallets.remove(account).unwrap_or_default();
            held += i128::from(*balance);
            let pairs = [
                (DifferenceKind::Balance, "holds", i128::from(*balance), wallet.sum),
                (DifferenceKind::Owed, "owes", i128::from(*owed), wallet.owed),
            ];
            for (kind, verb, stored, computed) in pairs {
                if stored != computed {
                    let what = format!("it {verb} {}, and its transfers come to {}", cents(stored), cents(computed));
                    self.found.push(Difference::new(kind, format!("account {account}"), what));
                }
            }
        }
        for account in self.wallets.keys() {
            let what = "transfers moved its wallet, and there is no such account";
            self.found.push(Difference::new(DifferenceKind::Balance, format!("account {account}"), what));
        }
        let books: i128 = self.books.values().sum();
        if books != -held {
            let what = format!("the wallets hold {}, and the books come to {}", cents(held), cents(books));
            self.found.push(Difference::new(DifferenceKind::Books, "all wallets and books", what));
        }
        for name in self.books.keys().filter(|name| Book::parse(name).is_none()) {
            let what = "there is no such book";
            self.found.push(Difference::new(DifferenceKind::Books, format!("book {name}"), what));
        }
        self.found
    }

    fn tell(&mut self, kind: DifferenceKind, entry: &Entry, what: impl Into<String>) {
        let account = wallet_of(entry).map_or_else(String::new, |account| format!("account {account}, "));
        let place = format!("{account}transfer {} of {}, {}", entry.transfer, entry.at, entry.key);
        self.found.push(Difference::new(kind, place, what));
    }
}

fn receivables() -> Side {
    Side::Book(Book::Receivables.as_str().to_owned())
}

fn wallet_of(entry: &Entry) -> Option<AccountId> {
    [&entry.from, &entry.to].into_iter().find_map(|side| match side {
        Side::Wallet(account) => Some(*account),
        Side::Book(_) | Side::None | Side::Both => None,
    })
}

fn flows(flow: Flow, entry: &Entry) -> bool {
    let is = |side: &Side, book: Book| *side == Side::Book(book.as_str().to_owned());
    match flow {
        Flow::In(book) => is(&entry.from, book) && wallet_of(entry).is_some(),
        Flow::Out(book) => is(&entry.to, book) && wallet_of(entry).is_some(),
        Flow::Inside(from, to) => is(&entry.from, from) && is(&entry.to, to),
        Flow::Either => wallet_of(entry).is_some(),
    }
}

fn named(side: &Side) -> String {
    match side {
        Side::Wallet(_) => "the wallet".to_owned(),
        Side::Book(name) => name.clone(),
        Side::None => "nobody".to_owned(),
        Side::Both => "a wallet and a book".to_owned(),
    }
}
