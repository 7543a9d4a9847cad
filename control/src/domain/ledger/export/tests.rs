//! What other programs read, and that no text of others' is run by them.

use csp_shared::id::{AccountId, TransferId};
use uuid::Uuid;

use super::{super::verify::Side, *};

const ADA: AccountId = AccountId(Uuid::from_u128(0xADA));

fn paid(number: u128, amount: i64, after: i64, at: i64, description: &str) -> Entry {
    let book = Side::Book(if amount > 0 { "topups" } else { "revenue" }.to_owned());
    let (from, to) = if amount > 0 { (book, Side::Wallet(ADA)) } else { (Side::Wallet(ADA), book) };
    Entry {
        transfer: TransferId(Uuid::from_u128(number)),
        from,
        to,
        amount: amount.abs(),
        kind: "topup".to_owned(),
        key: "topup/=1+1".to_owned(),
        server: None,
        balance_after: Some(after),
        description: description.to_owned(),
        told: None,
        at: Time(1_781_092_800 + at),
        dated: Time(1_781_092_800 + at),
        is_marked: false,
    }
}

fn exported(format: Format, range: Range) -> String {
    let mut export = Export::new(format, range);
    let mut text = export.head();
    text += &export.take(&paid(1, 5000, 5000, 0, "=cmd|' /C calc'!A0"));
    text += &export.take(&paid(2, -695, 4305, 86_400, "say \"hi\"\\\n2026-01-01 open Assets:Evil"));
    text += &export.take(&paid(3, -100, 4205, 172_800, "later"));
    text + &export.end(&[(ADA, 4205), (AccountId(Uuid::nil()), 0)])
}

#[test]
fn beancount_has_a_transaction_for_each_transfer_and_ends_with_what_the_accounts_say() {
    insta::assert_snapshot!(exported(Format::Beancount, Range::default()), @r#"
    option "title" "csp ledger"
    option "operating_currency" "USD"
    1970-01-01 open Income:Revenue USD
    1970-01-01 open Assets:TopUps USD
    1970-01-01 open Expenses:Promotions USD
    1970-01-01 open Assets:Receivables USD
    1970-01-01 open Liabilities:Wallets:00000000-0000-0000-0000-000000000ada USD

    2026-06-10 * "topup" "=cmd|' /C calc'!A0"
      transfer: "00000000-0000-0000-0000-000000000001"
      time: "12:00:00"
      cause: "topup/=1+1"
      Assets:TopUps  50.00 USD
      Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  -50.00 USD

    2026-06-11 * "topup" "say \"hi\"\\ 2026-01-01 open Assets:Evil"
      transfer: "00000000-0000-0000-0000-000000000002"
      time: "12:00:00"
      cause: "topup/=1+1"
      Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  6.95 USD
      Income:Revenue  -6.95 USD

    2026-06-12 * "topup" "later"
      transfer: "00000000-0000-0000-0000-000000000003"
      time: "12:00:00"
      cause: "topup/=1+1"
      Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  1.00 USD
      Income:Revenue  -1.00 USD

    2026-06-13 balance Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  -42.05 USD
    2026-06-13 balance Assets:TopUps  50.00 USD
    2026-06-13 balance Income:Revenue  -7.95 USD
    "#);
}

#[test]
fn a_range_begins_with_what_was_there_and_ends_with_what_is_there_then() {
    let at = |days: i64| Some(Time(1_781_049_600 + days * 86_400));
    let range = Range { from: at(1), until: at(2) };
    insta::assert_snapshot!(exported(Format::Beancount, range), @r#"
    option "title" "csp ledger"
    option "operating_currency" "USD"
    1970-01-01 open Income:Revenue USD
    1970-01-01 open Assets:TopUps USD
    1970-01-01 open Expenses:Promotions USD
    1970-01-01 open Assets:Receivables USD
    1970-01-01 open Liabilities:Wallets:00000000-0000-0000-0000-000000000ada USD

    2026-06-11 * "what was there before"
      Assets:TopUps  50.00 USD
      Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  -50.00 USD

    2026-06-11 * "topup" "say \"hi\"\\ 2026-01-01 open Assets:Evil"
      transfer: "00000000-0000-0000-0000-000000000002"
      time: "12:00:00"
      cause: "topup/=1+1"
      Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  6.95 USD
      Income:Revenue  -6.95 USD

    2026-06-12 balance Assets:TopUps  50.00 USD
    2026-06-12 balance Income:Revenue  -6.95 USD
    2026-06-12 balance Liabilities:Wallets:00000000-0000-0000-0000-000000000ada  -43.05 USD
    "#);
    assert_eq!(exported(Format::Csv, range).lines().count(), 3, "the head, and a description of two lines");
}

#[test]
fn no_cell_of_the_csv_is_run_as_a_formula() {
    let csv = exported(Format::Csv, Range::default());
    assert!(csv.contains(",'=cmd|' /C calc'!A0,"), "{csv}");
    assert!(csv.contains("\"say \"\"hi\"\"\\\n2026-01-01 open Assets:Evil\""), "{csv}");
    assert_eq!(csv.lines().next().map(|head| head.split(',').count()), Some(11));
}
