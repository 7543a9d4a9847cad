//! Rows as they should be, then each of them wrong in one way: the difference must be told, at its place, once.

use csp_shared::id::{AccountId, ActionId, LeaseId, ServerId, TransferId};
use proptest::prelude::*;
use uuid::Uuid;

use super::{DifferenceKind as Kind, *};
use crate::domain::{
    ledger::{Book, Cause},
    period::months_after,
    time::Time,
};

const ADA: AccountId = AccountId(Uuid::from_u128(1));
const EVE: AccountId = AccountId(Uuid::from_u128(2));
const LEASE: LeaseId = LeaseId(Uuid::from_u128(20));
const OTHER: LeaseId = LeaseId(Uuid::from_u128(21));
const WEB: ServerId = ServerId(Uuid::from_u128(10));

fn id(number: u128) -> TransferId {
    TransferId(Uuid::from_u128(number))
}

fn book(book: Book) -> Side {
    Side::Book(book.as_str().to_owned())
}

fn entry(number: u128, from: Side, to: Side, amount: i64, cause: &Cause, after: i64) -> Entry {
    let about_server = matches!(cause, Cause::Order(_) | Cause::OrderReversal(_));
    Entry {
        transfer: id(number),
        from,
        to,
        amount,
        kind: cause.kind().as_str().to_owned(),
        key: cause.to_string(),
        server: about_server.then_some((WEB, ADA)),
        balance_after: Some(after),
        description: String::new(),
        told: cause.is_told().then(|| cause.to_string()),
        at: Time(1_781_092_800),
        dated: Time(1_781_092_800),
        is_marked: false,
    }
}

/// A payment of 50.00, an order of 6.95, a dispute of the whole payment, and 10.00 that settle a part of what is owed.
fn history() -> Vec<Entry> {
    let wallet = || Side::Wallet(ADA);
    let reference = || "bank/1".to_owned();
    vec![
        entry(1, book(Book::TopUps), wallet(), 5000, &Cause::TopUp { reference: reference() }, 5000),
        entry(2, wallet(), book(Book::Revenue), 695, &Cause::Order(WEB), 4305),
        entry(3, book(Book::Receivables), wallet(), 695, &Cause::Claim { reference: reference() }, 5000),
        entry(4, wallet(), book(Book::TopUps), 5000, &Cause::Dispute { reference: reference() }, 0),
        entry(5, book(Book::TopUps), wallet(), 400, &Cause::TopUp { reference: "bank/2".to_owned() }, 400),
        entry(6, wallet(), book(Book::Receivables), 400, &Cause::Settlement(id(5)), 0),
    ]
}

fn shift(entries: &mut [Entry], by: i64) {
    entries.iter_mut().for_each(|entry| entry.balance_after = entry.balance_after.map(|after| after + by));
}

fn sums() -> Sums {
    Sums { wallets: vec![(ADA, 0, 295), (EVE, 0, 0)] }
}

fn found(entries: &[Entry], sums: &Sums) -> Vec<Difference> {
    let mut wallets = Wallets::default();
    entries.iter().for_each(|entry| wallets.take(entry));
    assert_eq!(wallets.entries(), entries.len() as u64);
    wallets.end(sums)
}

#[test]
fn a_ledger_that_agrees_with_itself_has_no_difference() {
    assert_eq!(found(&history(), &sums()), []);
    assert_eq!(found(&[], &Sums { wallets: vec![(ADA, 0, 0)] }), []);
}

#[test]
fn a_transfer_is_as_old_as_its_id_or_as_the_one_before_and_after_a_mark_as_its_id_alone() {
    let drawn = |at: i64| {
        let seconds = u64::try_from(at).unwrap();
        TransferId(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)))
    };
    // What the ids say, what the rows say, whether the second is marked; then which is wrong.
    let table = [
        ([10, 20, 30], [10, 20, 30], false, None),
        ([10, 90, 30], [10, 90, 90], false, None),
        ([10, 90, 30], [10, 90, 30], false, Some(2)),
        ([10, 90, 30], [10, 90, 30], true, None),
        ([10, 90, 30], [10, 90, 90], true, Some(2)),
        ([10, 20, 30], [10, 21, 30], false, Some(1)),
        ([10, 20, 30], [10, 20, 20], false, Some(2)),
    ];
    for (ids, at, second_is_marked, wrong) in table {
        let mut entries = history();
        entries.truncate(3);
        for (index, entry) in entries.iter_mut().enumerate() {
            (entry.transfer, entry.at) = (drawn(ids[index]), Time(at[index]));
            entry.is_marked = index == 1 && second_is_marked;
        }
        let told = found(&entries, &Sums { wallets: vec![(ADA, 5000, -695)] });
        let times: Vec<_> = told.iter().filter(|told| told.kind == Kind::Time).map(|told| told.what.clone()).collect();
        let wanted: Vec<_> =
            wrong.map(|index: usize| format!("its id was drawn at {}", Time(ids[index]))).into_iter().collect();
        assert_eq!(times, wanted, "{ids:?} {at:?} {second_is_marked}");
    }
}

#[test]
fn each_wrong_row_is_told_with_its_place() {
    type Spoil = fn(&mut Vec<Entry>);
    let table: [(&str, Spoil, &[Kind], &str); 13] = [
        ("a balance", |e| e[1].balance_after = Some(4306), &[Kind::Running], "order/"),
        ("all balances from there", |e| shift(&mut e[1..], 1), &[Kind::Running], "of 2026"),
        ("an amount", |e| e[4].amount = 401, &[Kind::Running, Kind::Balance, Kind::Books], "topup/bank/2"),
        ("a negative amount", |e| e[0].amount = -5000, &[Kind::Amount, Kind::Running, Kind::Negative], "topup/bank/1"),
        ("a lost row", |e| drop(e.remove(0)), &[Kind::Running, Kind::Negative], "order/"),
        ("another's money", |e| e[1].from = Side::Wallet(EVE), &[Kind::Running, Kind::Negative], "account 0"),
        ("a key", |e| e[0].key = "gift/1".to_owned(), &[Kind::CauseKey], "gift/1"),
        ("a kind", |e| e[0].kind = "order".to_owned(), &[Kind::CauseMisfit], "topup/"),
        ("a book", |e| e[1].to = book(Book::Promotions), &[Kind::CauseMisfit], "order/"),
        ("an unknown book", |e| e[1].to = Side::Book("pocket".to_owned()), &[Kind::CauseMisfit, Kind::Books], "order/"),
        ("a server", |e| e[1].server = None, &[Kind::CauseMisfit], "order/"),
        ("a server where none is", |e| e[0].server = Some((WEB, ADA)), &[Kind::CauseMisfit], "topup/"),
        ("a stranger's server", |e| e[1].server = Some((WEB, EVE)), &[Kind::CauseMisfit], "order/"),
    ];
    for (name, spoil, kinds, place) in table {
        let mut entries = history();
        spoil(&mut entries);
        let told = found(&entries, &sums());
        for kind in kinds {
            assert!(told.iter().any(|difference| difference.kind == *kind), "{name}: {told:?}");
        }
        assert!(told[0].place.contains(place), "{name}: {told:?}");
    }
}

#[test]
fn a_balance_that_is_off_from_some_row_on_is_told_once_where_it_begins() {
    let mut entries = history();
    shift(&mut entries[2..], 100);
    let told = found(&entries, &sums());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].place.contains("claim/") && told[0].what.contains("held 43.05 and moved 6.95"), "{told:?}");
}

#[test]
fn what_an_account_says_it_holds_or_owes_is_held_against_its_transfers() {
    for (balance, owed, kind) in [(1, 295, Kind::Balance), (0, 294, Kind::Owed)] {
        let told = found(&history(), &Sums { wallets: vec![(ADA, balance, owed)] });
        assert_eq!(told[0].kind, kind, "{told:?}");
    }
    let told = found(&history(), &Sums { wallets: vec![(EVE, 0, 0)] });
    assert!(told[0].what.contains("no such account"), "{told:?}");
}

fn month(ordinal: i64) -> (Time, Time) {
    let ordinal = u32::try_from(ordinal).unwrap();
    (months_after(Time(0), ordinal), months_after(Time(0), ordinal + 1))
}

const CHANGE: ActionId = ActionId(Uuid::from_u128(5));

fn action(id: u128, command: &str, at: Time) -> ActionRow {
    ActionRow {
        id: ActionId(Uuid::from_u128(id)),
        command: command.to_owned(),
        status: "done".to_owned(),
        asked: at,
        finished: Some(at),
        is_own: true,
        lease: None,
        let_go: None,
        prices: None,
        period: None,
    }
}

/// Two periods with an address; in the first second of the first one the package became 0.45 cheaper.
fn service() -> ServiceRows {
    let line = |line, thing: &str, net: i64, transfer| LineRow {
        id: line,
        thing: thing.to_owned(),
        lease: (thing == "extra_ip").then_some(LEASE),
        price: net,
        net_price: net,
        kept: net,
        from: None,
        ended: None,
        at: Time(0),
        placed: Time(0),
        action: None,
        added: Some(Time(-1)),
        credits: Vec::new(),
        list: net,
        net,
        credited: 0,
        transfer,
    };
    let posting =
        |number, key: &str, is_debit, amount| Posting { transfer: id(number), key: key.to_owned(), is_debit, amount };
    let credit = CreditRow {
        action: Some(CHANGE),
        basis: "time".to_owned(),
        amount: 45,
        set_off: 0,
        kept: 650,
        at: Time(0),
        paid: Some(Time(0)),
    };
    let less = LineRow { kept: 650, credited: 45, credits: vec![credit], ..line(1, "package", 695, Some(id(1))) };
    let period = |ordinal: i64, lines| PeriodRow { ordinal, span: Some(month(ordinal)), lines };
    ServiceRows {
        anchor: Some(Time(0)),
        paid_until: Some(month(1).1),
        has_ended: false,
        periods: vec![
            period(0, vec![less, line(2, "extra_ip", 0, None)]),
            period(1, vec![line(3, "package", 600, Some(id(2))), line(4, "extra_ip", 95, Some(id(2)))]),
        ],
        postings: vec![
            posting(1, &Cause::Order(WEB).to_string(), true, 695),
            posting(2, &Cause::Order(WEB).to_string(), true, 695),
            posting(3, &Cause::ChangeCredit(CHANGE).to_string(), false, 45),
            posting(4, "correction/ticket-1", false, 77),
            posting(5, "goodwill/ticket-2", false, 50),
        ],
        inside: Vec::new(),
        prices: [(None, 695), (None, 600), (Some(LEASE), 0), (Some(LEASE), 95)].into(),
        promo: None,
        actions: vec![
            ActionRow { lease: Some(LEASE), ..action(4, "add_extra_ip", Time(-1)) },
            ActionRow { prices: Some((695, 650)), period: Some(1), ..action(5, "change_package", Time(0)) },
        ],
        end_credit: None,
        carried_until: None,
    }
}

#[test]
fn a_service_whose_lines_and_transfers_agree_has_no_difference() {
    assert_eq!(check_service(WEB, &service()), []);
    let left_out = ServiceRows {
        paid_until: Some(month(7).1),
        periods: vec![
            service().periods.remove(0),
            PeriodRow { ordinal: 7, span: Some(month(7)), ..service().periods.remove(1) },
        ],
        ..service()
    };
    assert_eq!(check_service(WEB, &left_out), [], "months in which nothing was owed");
    let mut waiting = ServiceRows { postings: service().postings[..2].to_vec(), ..service() };
    (waiting.actions[1].status, waiting.actions[1].finished) = ("running".to_owned(), None);
    let line = &mut waiting.periods[0].lines[0];
    (line.kept, line.credited, line.credits[0].paid) = (695, 0, None);
    let mut unstarted = ServiceRows { anchor: None, paid_until: None, ..waiting.clone() };
    unstarted.postings.truncate(1);
    unstarted.actions.truncate(1);
    unstarted.periods.truncate(1);
    unstarted.periods[0].span = None;
    unstarted.periods[0].lines[0].credits.clear();
    assert_eq!(check_service(WEB, &unstarted), []);
    assert_eq!(check_service(WEB, &waiting), [], "a credit that is fixed comes when its action is done");
}

#[test]
fn each_wrong_line_or_period_is_told_with_its_place() {
    type Spoil = fn(&mut ServiceRows);
    let table: [(&str, Spoil, Kind, &str); 19] = [
        ("no package", |s| drop(s.periods[0].lines.remove(0)), Kind::PeriodUnpaid, "period 0"),
        ("no line", |s| s.periods[1].lines.clear(), Kind::PeriodUnpaid, "period 1"),
        (
            "a second late",
            |s| s.periods[1].span = Some((month(1).0.plus(1), month(1).1)),
            Kind::PeriodOrder,
            "period 1",
        ),
        ("another month", |s| s.periods[1].ordinal = 2, Kind::PeriodOrder, "period 2"),
        (
            "the same month",
            |s| s.periods[1] = PeriodRow { ordinal: 0, span: Some(month(0)), ..s.periods[1].clone() },
            Kind::PeriodOrder,
            "period 0",
        ),
        ("not begun", |s| s.periods[0].span = None, Kind::PeriodOrder, "period 0"),
        ("paid until", |s| s.paid_until = Some(Time(300)), Kind::PeriodOrder, "server"),
        ("no transfer", |s| s.periods[0].lines[0].transfer = None, Kind::LineTransfer, "period 0, package"),
        ("a foreign transfer", |s| s.periods[0].lines[0].transfer = Some(id(9)), Kind::LineTransfer, "period 0"),
        ("a credit as payment", |s| s.periods[0].lines[0].transfer = Some(id(3)), Kind::LineTransfer, "period 0"),
        ("more back than paid", |s| s.periods[1].lines[0].credited = 601, Kind::LineCredit, "period 1, package"),
        ("a cent too much", |s| s.periods[1].lines[1].net = 96, Kind::ChargeLines, "transfer"),
        ("a cent not given", |s| s.postings[2].amount = 44, Kind::Credits, "action"),
        ("a credit changed", |s| s.periods[0].lines[0].credits[0].amount = 44, Kind::Promise, "change_package"),
        ("a credit gone", |s| s.periods[0].lines[0].credits.clear(), Kind::Promise, "change_package"),
        ("more in use", |s| s.periods[0].lines[0].kept = 651, Kind::LineUse, "period 0, package"),
        ("an address of another", |s| s.periods[1].lines[1].lease = Some(OTHER), Kind::LineCause, "period 1"),
        ("an address not paid", |s| drop(s.periods[1].lines.pop()), Kind::LineCause, "period 1"),
        (
            "a request of another",
            |s| s.periods[1].lines[1].action = Some(ActionId(Uuid::max())),
            Kind::LineCause,
            "period 1",
        ),
    ];
    for (name, spoil, kind, place) in table {
        let mut rows = service();
        spoil(&mut rows);
        let told = check_service(WEB, &rows);
        let one = told.iter().find(|difference| difference.kind == kind);
        assert!(one.is_some_and(|difference| difference.place.contains(place)), "{name}: {told:?}");
    }
    let mut ended = ServiceRows { has_ended: true, paid_until: None, ..service() };
    assert_eq!(check_service(WEB, &ended).first().map(|found| found.kind), Some(Kind::Service));
    ended.actions.push(action(6, "destroy", Time(9)));
    ended.end_credit = Some("none".to_owned());
    assert_eq!(check_service(WEB, &ended), [], "what is over is paid until whenever it was");
}

proptest! {
    /// Any payments and orders that never overdraw, with one amount changed in one row: it is always found.
    #[test]
    fn one_changed_cent_anywhere_is_found(
        moves in prop::collection::vec((any::<bool>(), 1i64..10_000), 1..60),
        at in any::<prop::sample::Index>(),
        by in prop_oneof![-3i64..0, 1i64..4],
    ) {
        let mut balance = 0;
        let mut entries = Vec::new();
        for (number, (is_in, amount)) in moves.into_iter().enumerate() {
            let reference = number.to_string();
            let is_in = is_in || balance < amount;
            balance += if is_in { amount } else { -amount };
            let (cause, from, to) = match is_in {
                true => (Cause::TopUp { reference }, book(Book::TopUps), Side::Wallet(ADA)),
                false => (Cause::Refund { reference }, Side::Wallet(ADA), book(Book::TopUps)),
            };
            entries.push(entry(number as u128, from, to, amount, &cause, balance));
        }
        let sums = Sums { wallets: vec![(ADA, balance, 0)] };
        prop_assert_eq!(found(&entries, &sums), []);
        let row = at.get(&entries).clone();
        let place = entries.iter().position(|entry| entry.transfer == row.transfer).unwrap();
        let mut amounts = entries.clone();
        amounts[place].amount += by;
        prop_assert!(!found(&amounts, &sums).is_empty());
        let mut balances = entries;
        shift(&mut balances[place..=place], by);
        prop_assert!(!found(&balances, &sums).is_empty());
    }
}
