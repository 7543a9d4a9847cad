//! What each request was to charge and to give back, worked out again: by the same rules, from the lines as they were when it
//! was accepted, or when it was given up.

use std::{collections::BTreeMap, ops::Deref};

use csp_shared::id::{ActionId, LeaseId, ServerId};

use super::{
    Difference, DifferenceKind, cents,
    credits::{has_whole, left},
    lines::amount,
    rows::{ActionRow, CreditRow, LineRow, ServiceRows},
};
use crate::domain::{
    billing::{
        destroy::EndCredit,
        extra_ip,
        line::{Line, LineId, Period, Thing},
        package,
        proration::Span,
        quote::{Basis, Charge, Credit},
    },
    money::Cents,
    time::Time,
};

/// What a request comes to.
#[derive(Default)]
struct Due {
    charges: Vec<Charge>,
    credits: Vec<Credit>,
    /// When its credits were fixed.
    at: Option<Time>,
}

/// A service's rows, and the place of each request among the others.
struct Known<'a> {
    rows: &'a ServiceRows,
    order: BTreeMap<ActionId, usize>,
}

impl Known<'_> {
    fn order(&self, action: ActionId) -> Option<usize> {
        self.order.get(&action).copied()
    }
}

impl Deref for Known<'_> {
    type Target = ServiceRows;

    fn deref(&self) -> &ServiceRows {
        self.rows
    }
}

/// Holds all requests against their lines and credits.
pub(super) fn check_promises(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    let order = rows.actions.iter().enumerate().map(|(place, action)| (action.id, place)).collect();
    let rows = &Known { rows, order };
    let carried = rows.carried();
    let is_kept = |action: &&ActionRow| {
        let is_end = action.command == "destroy" && rows.end_credit.as_deref() == Some("carried");
        let is_end = is_end && rows.may_carry(action.asked);
        carried.is_none_or(|until| action.asked > until) && !is_end
    };
    for action in rows.actions.iter().filter(is_kept) {
        let place = format!("server {server}, action {} ({})", action.id, action.command);
        let mut tell = |what: String| found.push(Difference::new(DifferenceKind::Promise, &place, what));
        match due(action, rows) {
            Ok(due) => {
                charges(action, rows, &due.charges, &mut tell);
                credits(action, rows, &due, &mut tell);
            }
            Err(what) => tell(what),
        }
        whole(action, rows, &mut tell);
    }
    for (period, line) in rows.lines() {
        let place = || format!("server {server}, period {}, {} line", period.ordinal, line.thing);
        if line.action.is_some_and(|action| rows.order(action).is_none()) {
            let what = "the request that it was bought by is none of this server's";
            found.push(Difference::new(DifferenceKind::LineCause, place(), what));
        }
        if line.credits.iter().any(|credit| credit.action.is_none() && !rows.may_carry(credit.at)) {
            let what = "something came back for it that no request explains, later than the books may hold such";
            found.push(Difference::new(DifferenceKind::Promise, place(), what));
        }
        if line.credits.iter().filter_map(|credit| credit.action).any(|action| rows.order(action).is_none()) {
            let what = "something came back for it by a request that is none of this server's";
            found.push(Difference::new(DifferenceKind::Promise, place(), what));
        }
    }
}

/// What a request is to charge and give back.
fn due(action: &ActionRow, rows: &Known<'_>) -> Result<Due, String> {
    let lease = || action.lease.ok_or_else(|| "nothing says which address it is about".to_owned());
    let is_undone = action.is_given_up();
    let withdrawn = |lease: LeaseId| match action.finished {
        Some(ended) => extra_ip::withdraw(&at_its_end(action, rows, ended), lease, ended).credits,
        None => Vec::new(),
    };
    let now = action.asked;
    Ok(match action.command.as_str() {
        "change_package" => {
            let missing = || "nothing says what it changed".to_owned();
            let ((before, after), last) = action.prices.zip(action.period).ok_or_else(missing)?;
            let (before, after) = (amount(before), amount(after));
            let ahead = |period: &Period| i64::from(period.ordinal) > last;
            let paid: Vec<Period> = at_its_start(action, rows).into_iter().filter(|period| !ahead(period)).collect();
            let quote = package::change(&paid, before, after, now);
            let Some(ended) = action.finished.filter(|_| is_undone) else {
                return Ok(Due { charges: quote.charges, credits: quote.credits, at: Some(now) });
            };
            let renewed: Vec<Period> = at_its_end(action, rows, ended).into_iter().filter(ahead).collect();
            let credits = package::change(&renewed, after, before, ended).credits;
            Due { charges: quote.charges, credits, at: Some(ended) }
        }
        "add_extra_ip" => {
            let (lease, paid) = (lease()?, at_its_start(action, rows));
            let charges = at_a_price(action, rows, |price| extra_ip::add(&paid, lease, price, now).charges);
            let credits = if is_undone { withdrawn(lease) } else { Vec::new() };
            Due { charges, credits, at: action.finished }
        }
        "move_extra_ip" if action.is_own => {
            let is_kept = action.is_open() || action.let_go.is_some();
            let paid = at_its_start(action, rows);
            let credits = if is_kept { extra_ip::withdraw(&paid, lease()?, now).credits } else { Vec::new() };
            Due { credits, at: Some(now), ..Due::default() }
        }
        "move_extra_ip" => {
            let (lease, paid) = (lease()?, at_its_start(action, rows));
            let charges =
                at_a_price(action, rows, |price| extra_ip::move_to(&[], &paid, lease, price, now).target.charges);
            let credits = if is_undone && came_back(action, rows) { withdrawn(lease) } else { Vec::new() };
            Due { charges, credits, at: action.finished }
        }
        "remove_extra_ip" => Due { credits: removed(action, lease()?, rows), at: Some(now), ..Due::default() },
        "destroy" if rows.anchor.is_some() => {
            let Some(by) = rows.end_credit.as_deref().and_then(EndCredit::parse) else {
                return Err("nothing says by what its time is given back".to_owned());
            };
            let added: Vec<(LeaseId, Time)> = rows.lines().filter_map(|(_, line)| line.lease.zip(line.added)).collect();
            let credits = by.credit(&at_its_start(action, rows), &added, now).credits;
            Due { credits, at: Some(now), ..Due::default() }
        }
        _ => Due::default(),
    })
}

/// What the removal of an address gives back, by what it says of itself.
fn removed(action: &ActionRow, lease: LeaseId, rows: &Known<'_>) -> Vec<Credit> {
    let (paid, now) = (at_its_start(action, rows), action.asked);
    let lines = || rows.lines().filter(|(_, line)| line.lease == Some(lease));
    let added = lines().find_map(|(_, line)| line.added).unwrap_or(now);
    let basis = own(action, rows).next().and_then(|(_, credit)| Basis::parse(&credit.basis));
    match basis {
        Some(Basis::Relief) => extra_ip::withdraw(&paid, lease, now).credits,
        Some(Basis::Locked) => {
            let mut credits = extra_ip::remove(&paid, lease, added, now).credits;
            credits.iter_mut().for_each(|credit| credit.amount = Cents::ZERO);
            credits
        }
        _ => extra_ip::remove(&paid, lease, added, now).credits,
    }
}

/// A request's own lines.
fn bought<'a>(action: &'a ActionRow, rows: &'a Known<'_>) -> impl Iterator<Item = (i64, &'a LineRow)> {
    let mut lines: Vec<_> = rows.lines().map(|(period, line)| (period.ordinal, line)).collect();
    lines.sort_by_key(|(_, line)| line.id);
    lines.into_iter().filter(|(_, line)| line.action == Some(action.id))
}

/// A request's own credits, but for lines that came back whole.
fn own<'a>(action: &'a ActionRow, rows: &'a Known<'_>) -> impl Iterator<Item = (&'a LineRow, &'a CreditRow)> {
    let all = rows.lines().flat_map(|(_, line)| line.credits.iter().map(move |credit| (line, credit)));
    all.filter(|(_, credit)| credit.action == Some(action.id) && credit.basis != Basis::Whole.as_str())
}

/// What an address costs stands in the lines alone: the charges at the price, among those that its lines name, at which they
/// are what was charged; those at the first one where they are at none.
fn at_a_price(action: &ActionRow, rows: &Known<'_>, charges: impl Fn(Cents) -> Vec<Charge>) -> Vec<Charge> {
    let mut prices: Vec<i64> = bought(action, rows).map(|(_, line)| line.price).collect();
    prices.dedup();
    let all: Vec<Vec<Charge>> = prices.into_iter().map(|price| charges(amount(price))).collect();
    let fitting = all.iter().position(|charges| is_charged(action, rows, charges));
    let first = all.into_iter().nth(fitting.unwrap_or(0));
    first.unwrap_or_else(|| charges(Cents::ZERO))
}

fn is_charged(action: &ActionRow, rows: &Known<'_>, charges: &[Charge]) -> bool {
    let charged = bought(action, rows)
        .map(|(ordinal, line)| (ordinal, thing(line), line.price, line.net_price, line.from, line.list, line.net));
    let due = charges.iter().map(|charge| {
        let amounts = [charge.price, charge.net_price, charge.list, charge.net].map(Cents::get);
        let [price, net_price, list, net] = amounts;
        (i64::from(charge.ordinal), charge.thing, price, net_price, charge.from, list, net)
    });
    charged.eq(due)
}

fn charges(action: &ActionRow, rows: &Known<'_>, due: &[Charge], tell: &mut impl FnMut(String)) {
    if !is_charged(action, rows, due) {
        let sum: i128 = bought(action, rows).map(|(_, line)| i128::from(line.net)).sum();
        let due: i128 = due.iter().map(|charge| i128::from(charge.net.get())).sum();
        tell(format!("its lines charge {}; by the lines of then it is {}, line by line", cents(sum), cents(due)));
    }
}

fn credits(action: &ActionRow, rows: &Known<'_>, due: &Due, tell: &mut impl FnMut(String)) {
    let mut given: Vec<(i64, i64, i64)> =
        own(action, rows).map(|(line, credit)| (line.id, credit.amount + credit.set_off, credit.kept)).collect();
    let mut wanted: Vec<(i64, i64, i64)> =
        due.credits.iter().map(|credit| (credit.line.0, credit.amount.get(), credit.kept.get())).collect();
    given.sort_unstable();
    wanted.sort_unstable();
    if given != wanted {
        let sum = |of: &[(i64, i64, i64)]| cents(of.iter().map(|(_, amount, _)| i128::from(*amount)).sum());
        let (given, wanted) = (sum(&given), sum(&wanted));
        tell(format!("it gives back {given}; by the lines of then it is {wanted}, line by line"));
    }
    let ended = action.let_go.filter(|_| action.is_own).or(action.finished);
    let removal = action.command == "remove_extra_ip";
    let first = own(action, rows).next().map(|(_, credit)| credit.basis.clone());
    for (line, credit) in own(action, rows) {
        if due.at.is_some_and(|at| at != credit.at) {
            tell(format!("its credit on the line of {} is of {}, and not of its own time", line.at, credit.at));
        }
        if credit.paid != ended {
            tell(format!("its credit on the line of {} was not paid when it ended", line.at));
        }
        if Some(&credit.basis) != first.as_ref() || (!removal && credit.basis != Basis::Time.as_str()) {
            tell(format!("its credit on the line of {} says that it comes about by `{}`", line.at, credit.basis));
        }
    }
}

/// What was bought by a request comes back whole when that is given up, and only then.
fn whole(action: &ActionRow, rows: &Known<'_>, tell: &mut impl FnMut(String)) {
    // A move whose target was removed after the address had come to it was done as far as money goes.
    let is_given_up = action.is_given_up() && (action.let_go.is_none() || came_back(action, rows));
    if bought(action, rows).any(|(_, line)| has_whole(line, Some(action.id)) != is_given_up) {
        let what =
            if is_given_up { "was not done, and not all that it paid" } else { "was not given up, and what it paid" };
        tell(format!("it {what} came back"));
    }
}

fn came_back(action: &ActionRow, rows: &Known<'_>) -> bool {
    bought(action, rows).any(|(_, line)| has_whole(line, Some(action.id)))
}

fn thing(line: &LineRow) -> Thing {
    line.lease.map_or(Thing::Package, Thing::ExtraIp)
}

/// What was paid when a request was accepted.
fn at_its_start(action: &ActionRow, rows: &Known<'_>) -> Vec<Period> {
    let (now, own) = (action.asked, rows.order(action.id));
    let first = bought(action, rows).map(|(_, line)| line.id).min().unwrap_or(i64::MAX);
    let was_there = |line: &LineRow| match line.action {
        Some(by) => rows.order(by) < own,
        None => line.placed <= now && line.id < first,
    };
    paid(rows, now, was_there, |credit| credit.action.is_none_or(|by| rows.order(by) < own))
}

/// What was paid when a request was given up, and its own lines had come back.
fn at_its_end(action: &ActionRow, rows: &Known<'_>, ended: Time) -> Vec<Period> {
    let own = rows.order(action.id);
    let was_there = |line: &LineRow| match line.action {
        Some(by) => rows.order(by) <= own || line.placed < ended,
        None => line.placed <= ended,
    };
    let was_given = |credit: &CreditRow| match credit.action {
        None => true,
        Some(by) if by == action.id => credit.basis == Basis::Whole.as_str(),
        Some(by) => rows.order(by) < own || credit.at < ended,
    };
    paid(rows, ended, was_there, was_given)
}

/// The periods of a service as they were.
fn paid(
    rows: &Known<'_>,
    now: Time,
    was_there: impl Fn(&LineRow) -> bool,
    was_given: impl Fn(&CreditRow) -> bool,
) -> Vec<Period> {
    let had_begun = rows.anchor.is_some_and(|anchor| anchor <= now);
    let mut periods = Vec::new();
    for period in &rows.periods {
        let span = period.span.filter(|_| had_begun).and_then(|(from, to)| Span::new(from, to));
        let lines = period.lines.iter().filter(|line| was_there(line)).map(|line| {
            let left = left(line, &was_given);
            Line {
                id: LineId(line.id),
                thing: thing(line),
                price: amount(line.price),
                net_price: amount(line.net_price),
                kept: amount(left.kept),
                from: line.from,
                net: amount(line.net),
                credited: amount(left.credited),
                ended_at: left.ended,
            }
        });
        let lines: Vec<Line> = lines.collect();
        if !lines.is_empty() {
            periods.push(Period { ordinal: u32::try_from(period.ordinal).unwrap_or(u32::MAX), span, lines });
        }
    }
    periods
}
