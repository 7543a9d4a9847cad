//! One service: its periods, the lines that were paid for each, and the transfers that those lines stand for.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::id::{LeaseId, ServerId, TransferId};

use super::{Difference, DifferenceKind, cents, discounts::check_discounts, lines::check_line};
use crate::domain::{
    ledger::{Book, Cause, CauseKind, Flow},
    period::months_after,
    time::Time,
};

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
    /// Credits that were fixed, and wait for their action's end.
    pub pending: i64,
    /// Every price that the books know: of the package, or of an address. In cents.
    pub prices: BTreeSet<(Option<LeaseId>, i64)>,
    /// The promo code that its order used, as it was then.
    pub promo: Option<PromoRow>,
    /// When something was asked for that can end a line, or ended itself.
    pub moments: BTreeSet<Time>,
    /// When another package was asked for, or was not had in the end.
    pub resized: BTreeSet<Time>,
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
    /// It was bought by a request of its own, and not with its period.
    pub by_action: bool,
    /// What of it was given back before something is given up.
    pub set_off: i64,
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

/// Whether a posting pays for lines or gives back what lines cost; nothing for what no line knows of, a gift or a
/// correction for example.
fn concerns_lines(posting: &Posting) -> bool {
    posting.key.parse::<Cause>().is_ok_and(|cause| {
        let with_revenue = matches!(cause.flow(), Flow::In(Book::Revenue) | Flow::Out(Book::Revenue));
        with_revenue && cause.kind() != CauseKind::Correction
    })
}

/// Whether it takes back what was given for lines before: no charge, though the wallet gave.
fn is_taken_back(posting: &Posting) -> bool {
    let cause = posting.key.parse::<Cause>();
    posting.is_debit && cause.is_ok_and(|cause| cause.kind() == CauseKind::Reversal)
}

/// Holds a service's periods, lines and transfers against each other.
#[must_use]
pub fn check_service(server: ServerId, rows: &ServiceRows) -> Vec<Difference> {
    let mut found = Vec::new();
    periods(server, rows, &mut found);
    let is_charge = |posting: &&Posting| posting.is_debit && concerns_lines(posting) && !is_taken_back(posting);
    let charges: BTreeMap<TransferId, &Posting> =
        rows.postings.iter().filter(is_charge).map(|posting| (posting.transfer, posting)).collect();
    let mut paid: BTreeMap<TransferId, i128> = BTreeMap::new();
    let mut credited: i128 = 0;
    for (period, line) in rows.periods.iter().flat_map(|period| period.lines.iter().map(move |line| (period, line))) {
        let mut tell = |kind, what: String| {
            let place = format!("server {server}, period {}, {} line", period.ordinal, line.thing);
            found.push(Difference::new(kind, place, what));
        };
        if line.credited < 0 || line.credited > line.net || line.net > line.list {
            let (list, net, back) = (cents(line.list.into()), cents(line.net.into()), cents(line.credited.into()));
            tell(DifferenceKind::LineCredit, format!("its price is {list}, {net} were paid, {back} were given back"));
        }
        for (kind, what) in check_line(line, period, rows) {
            tell(kind, what);
        }
        credited += i128::from(line.credited);
        match line.transfer {
            Some(transfer) if charges.contains_key(&transfer) => {
                *paid.entry(transfer).or_default() += i128::from(line.net)
            }
            Some(transfer) => {
                tell(
                    DifferenceKind::LineTransfer,
                    format!("transfer {transfer}, which paid it, charged nothing for this server"),
                );
            }
            None if line.net != 0 => {
                tell(
                    DifferenceKind::LineTransfer,
                    format!("{} were paid, and no transfer did", cents(line.net.into())),
                );
            }
            None => {}
        }
    }
    for (transfer, charge) in &charges {
        let lines = paid.get(transfer).copied().unwrap_or_default();
        if lines != i128::from(charge.amount) {
            let what = format!("it charged {}, and its lines come to {}", cents(charge.amount.into()), cents(lines));
            let place = format!("server {server}, transfer {transfer}, {}", charge.key);
            found.push(Difference::new(DifferenceKind::ChargeLines, place, what));
        }
    }
    credits(server, rows, credited, &mut found);
    check_discounts(server, rows, &mut found);
    found
}

/// Each period has what was sold in it, is the month that its ordinal says, and the last one ends when the service is
/// paid until.
fn periods(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    for (at, period) in rows.periods.iter().enumerate() {
        let place = format!("server {server}, period {}", period.ordinal);
        if !period.lines.iter().any(|line| line.thing == "package") {
            let what = "no line of it is for the package";
            found.push(Difference::new(DifferenceKind::PeriodUnpaid, &place, what));
        }
        let mut tell = |what: String| found.push(Difference::new(DifferenceKind::PeriodOrder, &place, what));
        let before = at.checked_sub(1).and_then(|before| rows.periods.get(before));
        if before.is_some_and(|before| before.ordinal >= period.ordinal) || (at == 0 && period.ordinal != 0) {
            tell("it is not in its place among the server's periods".to_owned());
        }
        let month = rows.anchor.zip(u32::try_from(period.ordinal).ok());
        let month = month.map(|(anchor, ordinal)| (months_after(anchor, ordinal), months_after(anchor, ordinal + 1)));
        if period.span != month {
            tell(format!("it is {}, and by the server's anchor it is {}", shown(period.span), shown(month)));
        }
    }
    let end = rows.periods.last().and_then(|period| period.span).map(|(_, to)| to);
    if !rows.has_ended && end != rows.paid_until {
        let shown = |at: Option<Time>| at.map_or_else(|| "no time yet".to_owned(), |at| at.to_string());
        let what = format!("it is paid until {}, and its last period ends at {}", shown(rows.paid_until), shown(end));
        found.push(Difference::new(DifferenceKind::PeriodOrder, format!("server {server}"), what));
    }
}

fn shown(span: Option<(Time, Time)>) -> String {
    span.map_or_else(|| "not begun".to_owned(), |(from, to)| format!("from {from} to {to}"))
}

/// What went back into the wallet is what the lines say was given back, but for what is still to come.
fn credits(server: ServerId, rows: &ServiceRows, credited: i128, found: &mut Vec<Difference>) {
    let sum = |of: &dyn Fn(&Posting) -> bool| -> i128 {
        rows.postings.iter().filter(|posting| of(posting)).map(|posting| i128::from(posting.amount)).sum()
    };
    let posted = sum(&|posting| !posting.is_debit && concerns_lines(posting)) - sum(&is_taken_back);
    let pending = i128::from(rows.pending);
    if credited != posted && credited != posted + pending {
        let waiting = if pending == 0 { String::new() } else { format!(", {} more are to come", cents(pending)) };
        let what = format!("its lines gave back {}, its transfers {}{waiting}", cents(credited), cents(posted));
        found.push(Difference::new(DifferenceKind::Credits, format!("server {server}"), what));
    }
}
