//! A service as it is stored, with everything that was paid for it, given back, and asked for.

use std::collections::BTreeSet;

use csp_shared::id::{ActionId, LeaseId, TransferId};

use crate::domain::time::Time;

/// Everything that was paid for a service and given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRows {
    /// From when its months are counted; none before its first period began.
    pub anchor: Option<Time>,
    /// Until when it is paid; likewise.
    pub paid_until: Option<Time>,
    /// It is over: nothing is held against `paid_until` any more.
    pub has_ended: bool,
    /// By ordinal.
    pub periods: Vec<PeriodRow>,
    /// In the order in which they were posted.
    pub postings: Vec<Posting>,
    /// Between the provider's own books: discounts.
    pub inside: Vec<Posting>,
    /// Every price that the books know: of the package, or of an address. In cents.
    pub prices: BTreeSet<(Option<LeaseId>, i64)>,
    /// The promo code that its order used, as it was then.
    pub promo: Option<PromoRow>,
    /// What was asked for that can charge something or give it back, in the order in which it was accepted; moves of an
    /// address to this server among that.
    pub actions: Vec<ActionRow>,
    /// By what the time of a server that ended was given back.
    pub end_credit: Option<String>,
    /// Until when the books may hold credits that nothing explains; none where they were explained from the first one on.
    pub carried_until: Option<Time>,
}

/// The use of a promo code, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoRow {
    /// Hundredths that it takes off.
    pub percent: Option<i64>,
    /// Or cents.
    pub amount: Option<i64>,
    /// For how long.
    pub duration: String,
    /// It is for some packages, and the server had more than one: it is not given on all of its periods, and the books do
    /// not tell on which.
    pub may_lapse: bool,
    /// It counts as a use by the owner of the server.
    pub is_owners: bool,
    /// The order gave its use back.
    pub is_released: bool,
}

/// A period, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeriodRow {
    /// Months from the anchor to its beginning. A month in which nothing was owed is left out.
    pub ordinal: i64,
    /// From when to when; none before the first period began.
    pub span: Option<(Time, Time)>,
    /// What was paid for it.
    pub lines: Vec<LineRow>,
}

/// A paid line, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Its number: a later one is of a later time.
    pub id: i64,
    /// What for: `package` or `extra_ip`.
    pub thing: String,
    /// Which address.
    pub lease: Option<LeaseId>,
    /// Cents, of a whole period at list price.
    pub price: i64,
    /// The same after a promotion.
    pub net_price: i64,
    /// What of the price is in use.
    pub kept: i64,
    /// From when on, where it is not for the whole period.
    pub from: Option<Time>,
    /// Since when nothing of it is in use.
    pub ended: Option<Time>,
    /// When it was written.
    pub at: Time,
    /// The same, or when an operator said that the clock had been ahead, where that is earlier.
    pub placed: Time,
    /// The request that it was bought by; nothing where it was bought with its period.
    pub action: Option<ActionId>,
    /// Since when somebody has its address.
    pub added: Option<Time>,
    /// Credits on it, in the order in which they were fixed.
    pub credits: Vec<CreditRow>,
    /// Cents.
    pub list: i64,
    /// What it cost in the end.
    pub net: i64,
    /// How much of that was given back.
    pub credited: i64,
    /// What paid it.
    pub transfer: Option<TransferId>,
}

/// A transfer about the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Its id.
    pub transfer: TransferId,
    /// Its cause's key.
    pub key: String,
    /// The wallet gave.
    pub is_debit: bool,
    /// Cents.
    pub amount: i64,
}

/// A credit on a line, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditRow {
    /// The request that it belongs to; nothing for what was so before such rows were kept.
    pub action: Option<ActionId>,
    /// How it comes about.
    pub basis: String,
    /// Cents that come with the action's end.
    pub amount: i64,
    /// Cents that came at once.
    pub set_off: i64,
    /// What is kept of the line's price.
    pub kept: i64,
    /// When it was fixed.
    pub at: Time,
    /// When it was paid.
    pub paid: Option<Time>,
}

/// A request, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// Its id.
    pub id: ActionId,
    /// Its command.
    pub command: String,
    /// Its status.
    pub status: String,
    /// When it was accepted.
    pub asked: Time,
    /// When it ended.
    pub finished: Option<Time>,
    /// It is this server's own, and not a move to it.
    pub is_own: bool,
    /// The address that it is about.
    pub lease: Option<LeaseId>,
    /// Of a move: when the first server had let go.
    pub let_go: Option<Time>,
    /// Of another package: monthly prices before and after, in cents.
    pub prices: Option<(i64, i64)>,
    /// Of another package: the last period that was paid when it was accepted.
    pub period: Option<i64>,
}

impl ActionRow {
    /// Neither done nor given up.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "queued" | "running")
    }

    /// It was not done, or something else came in its way.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "superseded")
    }
}

impl ServiceRows {
    /// Every line, with its period.
    pub fn lines(&self) -> impl Iterator<Item = (&PeriodRow, &LineRow)> {
        self.periods.iter().flat_map(|period| period.lines.iter().map(move |line| (period, line)))
    }

    /// Until when nothing was kept that tells how this service's credits came about. A credit of later has no such excuse.
    #[must_use]
    pub fn carried(&self) -> Option<Time> {
        let credits = self.lines().flat_map(|(_, line)| &line.credits);
        credits.filter(|credit| credit.action.is_none() && self.may_carry(credit.at)).map(|credit| credit.at).max()
    }

    /// Whether what was fixed at that time may be unexplained.
    #[must_use]
    pub fn may_carry(&self, at: Time) -> bool {
        self.carried_until.is_some_and(|until| at <= until)
    }
}
