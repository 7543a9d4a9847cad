//! One paid line by itself, and what else the books know of it: the time that it is for, the price that was known then, and
//! the promo code.

use super::{
    DifferenceKind, cents,
    rows::{LineRow, PeriodRow, PromoRow, ServiceRows},
    time::drawn_at,
};
use crate::domain::{
    billing::{
        promo::{Discount, Duration, Terms},
        proration::{Span, rest},
    },
    money::Cents,
};

/// What is wrong, by kind.
type Told = Vec<(DifferenceKind, String)>;

/// Holds a line against what is known of its service.
pub(super) fn check_line(line: &LineRow, period: &PeriodRow, rows: &ServiceRows) -> Told {
    let mut told = Vec::new();
    share(line, period, &mut told);
    begins(line, period, &mut told);
    if line.action.is_none() {
        price(line, rows, &mut told);
    }
    promotion(line, period, rows, &mut told);
    told
}

pub(super) fn amount(cents: i64) -> Cents {
    // What no amount can be is told of elsewhere.
    Cents::new(cents).unwrap_or_default()
}

fn span(period: &PeriodRow) -> Option<Span> {
    period.span.and_then(|(from, to)| Span::new(from, to))
}

/// What a line charged is the share of its prices that falls on its time.
fn share(line: &LineRow, period: &PeriodRow, told: &mut Told) {
    let part = |price: i64| match (line.from, span(period)) {
        (Some(from), Some(span)) => rest(amount(price), span, from).get(),
        _ => price,
    };
    let (list, net) = (part(line.price), part(line.net_price));
    if (list, net) != (line.list, line.net) {
        let [price, net_price, list, net, was, paid] =
            [line.price, line.net_price, list, net, line.list, line.net].map(|amount| cents(amount.into()));
        let what = format!(
            "a whole period of it is {price}, and {net_price} after a promotion: its time comes to {list} and {net}, and \
             it charged {was} and {paid}"
        );
        told.push((DifferenceKind::LinePrice, what));
    }
}

/// A line that is for a part of its period begins when it was written; and it was written when its transfer was posted.
fn begins(line: &LineRow, period: &PeriodRow, told: &mut Told) {
    let mut tell = |what: String| told.push((DifferenceKind::LineTime, what));
    match (line.from, span(period)) {
        (Some(from), Some(span)) if from != line.at || from <= span.from() || from >= span.to() => {
            tell(format!("it is for the time from {from} on, and was written at {}", line.at));
        }
        (Some(from), None) => tell(format!("it is for the time from {from} on, and its period has not begun")),
        (None, Some(span)) if line.action.is_some() && line.at > span.from() => {
            tell(format!("it is for its whole period, which had begun when it was written at {}", line.at));
        }
        _ => {}
    }
    if let Some(drawn) = line.transfer.and_then(drawn_at).filter(|drawn| *drawn != line.at) {
        tell(format!("it was written at {}, and the transfer that paid it at {drawn}", line.at));
    }
}

/// A whole period costs what the books knew as the price of that thing at some time.
fn price(line: &LineRow, rows: &ServiceRows, told: &mut Told) {
    let by_lines = rows.periods.iter().flat_map(|period| &period.lines);
    let mut by_lines =
        by_lines.filter(|other| other.action.is_some() && line.lease.is_some() && other.lease == line.lease);
    let is_known = rows.prices.contains(&(line.lease, line.price));
    if !is_known && !by_lines.any(|other| other.price == line.price) {
        let what = format!("its price {} was never sold or announced", cents(line.price.into()));
        told.push((DifferenceKind::Price, what));
    }
}

/// What was taken off is what the code gave, and only off a whole period of the package.
fn promotion(line: &LineRow, period: &PeriodRow, rows: &ServiceRows, told: &mut Told) {
    let is_for = line.thing == "package" && line.action.is_none();
    let terms = rows.promo.as_ref().filter(|_| is_for).and_then(terms);
    let ordinal = u32::try_from(period.ordinal).unwrap_or(u32::MAX);
    let gives = terms.map_or(0, |terms| terms.off(amount(line.price), ordinal).get());
    let taken = line.price.saturating_sub(line.net_price);
    let may_lapse = period.ordinal > 0 && rows.promo.as_ref().is_some_and(|promo| promo.may_lapse);
    if gives != taken && !(may_lapse && taken == 0) {
        let (gives, taken) = (cents(gives.into()), cents(taken.into()));
        let what = match rows.promo {
            Some(_) => format!("the promo code of its order gives {gives} off it, and {taken} were taken off"),
            None => format!("{taken} were taken off, and its order used no promo code"),
        };
        told.push((DifferenceKind::PromoUse, what));
    }
}

fn terms(row: &PromoRow) -> Option<Terms> {
    let discount = match (row.percent, row.amount) {
        (Some(percent), None) => Discount::Percent(u8::try_from(percent).ok()?),
        (None, Some(amount)) => Discount::Amount(Cents::new(amount).ok()?),
        _ => return None,
    };
    Some(Terms { discount, duration: Duration::parse(&row.duration)? })
}
