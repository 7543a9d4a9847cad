//! The wallet's history: filtered, in parts, and by months that add up.

use csp_control::domain::time::{DAY, Time};
use csp_tests::test_control::{NOON, Reply, TestControl, TestCustomer};
use serde_json::{Value, json};

async fn get(control: &TestControl, customer: &TestCustomer, path: &str) -> Reply {
    control.api("GET", path).by(customer).send().await
}

/// Payments of 1.00, 2.00, … on the days after [`NOON`], one a day, then an order.
async fn busy(control: &TestControl) -> TestCustomer {
    let customer = control.customer("ada", "0").await;
    for day in 0..30 {
        control.clock.set(NOON.plus(day * DAY));
        control.top_up(customer.account, &format!("{}", day + 1), &format!("bank/{day}")).await;
    }
    let _host = control.host("host-1").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    assert_eq!(control.api("POST", "/servers").by(&customer).json(&order).send().await.status.as_u16(), 200);
    customer
}

fn amounts(reply: &Reply) -> Vec<f64> {
    amounts_of(reply, "amount")
}

fn amounts_of(reply: &Reply, field: &str) -> Vec<f64> {
    reply.data().as_array().unwrap().iter().map(|row| row[field].as_f64().unwrap()).collect()
}

#[tokio::test]
async fn transactions_are_found_by_time_cause_and_server() {
    let control = TestControl::start().await;
    let customer = busy(&control).await;
    let all = get(&control, &customer, "/transactions?limit=100").await;
    assert_eq!((amounts(&all).len(), &all.json["total"], &all.json["next_cursor"]), (31, &json!(31), &Value::Null));
    let server = all.data()[0]["server_uuid"].as_str().unwrap().to_owned();
    let table = [
        ("from=2026-06-12&to=2026-06-13".to_owned(), vec![4.0, 3.0]),
        ("from=2026-06-12%2012:00:00&to=2026-06-12%2012:00:00".to_owned(), vec![3.0]),
        ("from=2026-06-12%2012:00:01&to=2026-06-13%2011:59:59".to_owned(), vec![]),
        ("cause=order".to_owned(), vec![6.95]),
        (format!("server_uuid={server}"), vec![6.95]),
        (format!("server_uuid={server}&cause=topup"), vec![]),
        ("cause=topup&limit=2&offset=1".to_owned(), vec![29.0, 28.0]),
        ("to=2026-06-10".to_owned(), vec![1.0]),
    ];
    for (query, wanted) in table {
        let reply = get(&control, &customer, &format!("/transactions?{query}")).await;
        assert_eq!(amounts(&reply), wanted, "{query}: {}", reply.text);
    }
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-06-13&to=2026-06-12", "to"),
        ("cause=theft", "cause"),
        ("server_uuid=1", "server_uuid"),
        ("cursor=1", "cursor"),
        ("cursor=0192f0c1-0000-7000-8000-000000000001", "cursor"),
        ("colour=red", "colour"),
    ] {
        let reply = get(&control, &customer, &format!("/transactions?{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_follows_the_list_whatever_comes_in_meanwhile() {
    let control = TestControl::start().await;
    let customer = busy(&control).await;
    let mut seen = Vec::new();
    let mut path = "/transactions?limit=7&cause=topup".to_owned();
    loop {
        let part = get(&control, &customer, &path).await;
        seen.extend(amounts(&part));
        control.top_up(customer.account, "0.01", &format!("meanwhile/{}", seen.len())).await;
        let Some(next) = part.json["next_cursor"].as_str() else { break };
        path = format!("/transactions?limit=7&cause=topup&cursor={next}");
    }
    assert_eq!(seen, (1..=30).rev().map(f64::from).collect::<Vec<_>>());
    let stranger = control.customer("eve", "5").await;
    let next = get(&control, &customer, "/transactions?limit=1").await.json["next_cursor"].as_str().unwrap().to_owned();
    let foreign = get(&control, &stranger, &format!("/transactions?cursor={next}")).await;
    assert_eq!((foreign.status.as_u16(), foreign.fields()), (422, vec!["cursor"]));
    let both = get(&control, &customer, &format!("/transactions?cursor={next}&offset=1")).await;
    assert_eq!(both.fields(), ["offset"]);
}

#[tokio::test]
async fn each_month_opens_as_the_one_before_closed_and_adds_up() {
    let control = TestControl::start().await;
    let customer = busy(&control).await;
    let list = get(&control, &customer, "/statements").await;
    let months: Vec<&Value> = list.data().as_array().unwrap().iter().map(|month| &month["month"]).collect();
    assert_eq!(months, [&json!("2026-07"), &json!("2026-06")]);
    let (july, june) = (&list.data()[0], &list.data()[1]);
    assert_eq!(
        (&june["opening_balance"], &june["credits"], &june["closing_balance"]),
        (&json!(0.0), &json!(231.0), &json!(231.0))
    );
    assert_eq!((&june["final"], &july["final"]), (&json!(true), &json!(false)));
    assert_eq!((&july["opening_balance"], &july["debits"]), (&json!(231.0), &json!(6.95)));
    assert_eq!(july["closing_balance"], json!(458.05));
    let balance = get(&control, &customer, "/balance").await;
    assert_eq!(balance.data()["balance"], july["closing_balance"]);

    let shown = get(&control, &customer, "/statements/2026-06").await;
    let lines = shown.data()["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["amount"], &lines[20]["balance_after"]), (21, &json!(1.0), &json!(231.0)));
    for month in ["2026-05", "2026-08", "2026-6", "2027-13", "nonsense"] {
        let none = get(&control, &customer, &format!("/statements/{month}")).await;
        assert_eq!(none.status.as_u16(), 404, "{month}");
        assert!(none.json["message"].as_str().unwrap().contains(month), "{month}: {}", none.text);
    }
    let wrong = get(&control, &customer, "/statements/2026-06?format=pdf").await;
    assert_eq!((wrong.status.as_u16(), wrong.fields()), (422, vec!["format"]));
}

#[tokio::test]
async fn a_statement_as_a_table_is_safe_to_open_and_adds_up() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "10").await;
    let gift = json!({"amount": "2.00", "reference": "t", "note": "=HYPERLINK(\"http://x\",\"you, won\")"});
    let path = format!("/accounts/{}/goodwill", customer.account);
    assert_eq!(control.operator("POST", &path).json(&gift).send().await.status.as_u16(), 200);
    control.clock.set(Time(NOON.0 + 40 * DAY));
    let csv = get(&control, &customer, "/statements/2026-06?format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"statement-2026-06.csv\"");
    let lines: Vec<&str> = csv.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1], "2026-06-01 00:00:00,,,0.00,Opening balance,,");
    assert!(lines[3].contains(",2.00,12.00,\"'=HYPERLINK(\"\"http://x\"\",\"\"you, won\"\")\","), "{}", lines[3]);
    assert_eq!(lines[4], "2026-06-30 23:59:59,,,12.00,Closing balance,,");
}

#[tokio::test]
async fn a_statement_to_print_runs_nothing_and_escapes_what_others_wrote() {
    let control = TestControl::start().await;
    let customer = control.customer("Ada & <b>Sons</b>", "10").await;
    let gift = json!({"amount": "2.00", "reference": "t", "note": "<script>alert(1)</script>"});
    let path = format!("/accounts/{}/goodwill", customer.account);
    assert_eq!(control.operator("POST", &path).json(&gift).send().await.status.as_u16(), 200);
    let page = get(&control, &customer, "/statements/2026-06?format=html").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text.contains("Ada &amp; &lt;b&gt;Sons&lt;/b&gt;") && !page.text.contains("<script"), "{}", page.text);
    assert!(page.text.contains("Opening balance") && page.text.contains("12.00"), "{}", page.text);
}

/// What the API says of a month that must not change any more.
async fn month(control: &TestControl, customer: &TestCustomer, month: &str) -> Value {
    let shown = get(control, customer, &format!("/statements/{month}")).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let mut shown = shown.data().clone();
    let _ = shown.as_object_mut().unwrap().remove("final");
    shown
}

#[tokio::test]
async fn a_clock_that_is_set_back_over_a_months_end_adds_nothing_to_the_month_that_was_over() {
    let control = TestControl::start().await;
    control.clock.set("2026-06-30 23:00:00".parse().unwrap());
    let customer = control.customer("ada", "20").await;
    control.bill().await;
    control.clock.set("2026-07-01 00:05:00".parse().unwrap());
    control.bill().await;
    control.top_up(customer.account, "1", "bank/july").await;
    let june = month(&control, &customer, "2026-06").await;
    for (back, is_believed) in [(-300, true), (-2000, false), (-30 * DAY, false)] {
        control.clock.jump(back);
        assert_eq!(control.bill().await.stopped.is_none(), is_believed, "{back}");
        control.top_up(customer.account, "2", &format!("bank/{back}")).await;
        assert_eq!(month(&control, &customer, "2026-06").await, june, "{back}");
    }
    let resume = |body: Value| control.operator("POST", "/scheduler/resume").json(&body).send();
    assert_eq!(resume(json!({})).await.status, 409, "the ledger is ahead of it");
    let before = "2026-06-30 23:59:00".parse::<Time>().unwrap();
    control.clock.jump(before.0 - control.app.clock.shown().0);
    // A little ahead: the clock catches up, so time waits for it.
    let resumed = resume(json!({})).await;
    let told = |field: &str| resumed.data()[field].clone();
    let july = json!("2026-07-01 00:05:00");
    assert_eq!((told("state"), told("ledger_at"), told("now")), (json!("running"), july.clone(), july));
    control.top_up(customer.account, "3", "bank/resumed").await;
    control.clock.set("2026-07-01 00:06:00".parse().unwrap());
    control.top_up(customer.account, "4", "bank/later").await;
    assert_eq!(month(&control, &customer, "2026-06").await, june);
    let july = get(&control, &customer, "/transactions?from=2026-07-01").await;
    assert_eq!(amounts(&july), [4.0, 3.0, 2.0, 2.0, 2.0, 1.0]);
    assert_eq!(control.operator("GET", "/ledger/verify").send().await.data()["differences"], json!([]));
}

/// Only an operator makes it believed.
#[tokio::test]
async fn what_was_posted_by_a_clock_a_year_ahead_belongs_to_the_month_in_which_it_was_posted() {
    // Spent in the same month from money that came in next year by its time; and not spent at all.
    for spends in [true, false] {
        let control = TestControl::start().await;
        let customer = control.customer("ada", "0").await;
        let _host = control.host("host-1").await;
        let resume = |body: Value| control.operator("POST", "/scheduler/resume").json(&body).send();
        control.bill().await;
        control.clock.jump(365 * DAY);
        assert!(control.bill().await.stopped.is_some());
        assert_eq!(resume(json!({"it_is": "2027-06-10 12:00:00"})).await.data()["state"], "running");
        control.top_up(customer.account, "10", "bank/ahead").await;
        let late = control.customer("eve", "5").await;
        control.clock.jump(-365 * DAY);
        assert!(control.bill().await.stopped.is_some());
        let unsaid = resume(json!({})).await;
        assert_eq!(unsaid.status, 409, "either could be wrong: {}", unsaid.text);
        for told in ["2026-06-10 12:00:00", "2027-06-10 12:00:00 UTC (2 are of a later time", "--it-is"] {
            assert!(unsaid.text.contains(told), "{}", unsaid.text);
        }
        assert_eq!(resume(json!({"it_is": "2026-06-10 12:03:00"})).await.data()["state"], "running");
        let list = get(&control, &customer, "/statements").await;
        assert_eq!(amounts_of(&list, "closing_balance"), [10.0], "what the wallet holds");
        let list = get(&control, &late, "/statements").await;
        assert_eq!(amounts_of(&list, "closing_balance"), [5.0], "also of who was a customer of next year");
        if spends {
            control.order(&customer, "starter", "web1").await;
        }
        let left = if spends { 3.05 } else { 10.0 };
        let june = month(&control, &customer, "2026-06").await;
        assert_eq!((&june["opening_balance"], &june["closing_balance"]), (&json!(0.0), &json!(left)));
        control.clock.advance(25 * DAY);
        control.bill().await;
        let list = get(&control, &customer, "/statements").await;
        assert_eq!(amounts_of(&list, "closing_balance"), [left, left]);
        assert_eq!(month(&control, &customer, "2026-06").await, june);
        assert_eq!(control.operator("GET", "/ledger/verify").send().await.data()["differences"], json!([]));
    }
}

#[tokio::test]
async fn a_program_that_begins_by_a_clock_far_behind_its_ledger_goes_on_from_the_ledger() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    control.bill().await;
    control.clock.advance(2 * DAY);
    control.bill().await;
    control.top_up(customer.account, "10", "bank/newest").await;
    control.clock.jump(-2 * DAY);
    let control = control.restarted();
    assert_eq!(control.bill().await.stopped, Some(-2 * DAY));
    assert_eq!(control.app.now(), NOON.plus(2 * DAY));
    let control = control.restarted();
    control.clock.advance(60);
    assert_eq!(control.app.now(), NOON.plus(2 * DAY + 60), "and so does the next one");
    // The clock was wrong, and is set right: nothing has to be said of the ledger.
    control.clock.jump(2 * DAY);
    let resumed = control.operator("POST", "/scheduler/resume").json(&json!({})).send().await;
    assert_eq!(resumed.data()["state"], "running");
    assert_eq!(control.bill().await.stopped, None);
}

#[tokio::test]
async fn a_month_that_was_over_stays_over_by_a_clock_that_was_set_back() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    control.clock.advance(35 * DAY);
    control.top_up(customer.account, "1", "bank/july").await;
    let seen = get(&control, &customer, "/statements").await;
    control.clock.jump(-20 * DAY);
    assert_eq!(get(&control, &customer, "/statements").await.data(), seen.data());
    let control = control.restarted();
    assert_eq!(get(&control, &customer, "/statements").await.data(), seen.data());
}
