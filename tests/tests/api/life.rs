//! Whole lives of services by an injected clock: renewals, reminders, suspension, grace, deletion, revival, locks.

use csp_control::{
    domain::{
        billing::{destroy::DestroyCredit, rules::Rules},
        time::DAY,
    },
    service::renew_service::{RenewalDue, up_to_date},
    store::Tx,
};
use csp_shared::{
    id::ServerId,
    observed::{Fault, FaultCode, Observed, Remains},
    spec::Desired,
};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

mod clock;

const HOUR: i64 = 3600;

struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
}

impl World {
    async fn with(dollars: &str, change: impl FnOnce(&mut Rules)) -> Self {
        let control = TestControl::with_settings(|settings| change(&mut settings.billing)).await;
        Self::of(control, dollars).await
    }

    async fn of(control: TestControl, dollars: &str) -> Self {
        let host = control.host("host-1").await;
        let ada = control.customer("ada", dollars).await;
        Self { control, host, ada }
    }

    /// A customer with money, at the time of the test's choice.
    async fn at(when: &str, dollars: &str) -> Self {
        let control = TestControl::start().await;
        control.begin_at(when.parse().unwrap());
        Self::of(control, dollars).await
    }

    /// A server that is online from now on.
    async fn server(&self, name: &str, code: Option<&str>) -> ServerId {
        self.order("starter", name, code).await
    }

    async fn order(&self, package: &str, name: &str, code: Option<&str>) -> ServerId {
        self.host.alive().await;
        let order = json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12", "hostname": name,
                           "promo_code": code});
        let reply = self.control.api("POST", "/servers").by(&self.ada).json(&order).send().await;
        let server = reply.data()["uuid"].as_str().unwrap().parse().unwrap();
        self.host.obey().await;
        server
    }

    async fn show(&self, server: ServerId) -> Reply {
        self.control.api("GET", &format!("/servers/{server}")).by(&self.ada).send().await
    }

    async fn told(&self, server: ServerId, field: &str) -> Value {
        self.show(server).await.data()[field].clone()
    }

    async fn post(&self, server: ServerId, what: &str, body: Value) -> Reply {
        self.control.api("POST", &format!("/servers/{server}/{what}")).by(&self.ada).json(&body).send().await
    }

    async fn operate(&self, path: &str, body: Value) -> Reply {
        self.control.operator("POST", path).json(&body).send().await
    }

    async fn keep(&self, server: ServerId, auto_renew: bool) {
        let path = format!("/servers/{server}");
        let change = json!({"auto_renew": auto_renew});
        let _ = self.control.api("PATCH", &path).by(&self.ada).json(&change).send().await.data();
    }

    async fn balance(&self) -> Value {
        self.control.api("GET", "/balance").by(&self.ada).send().await.data()["balance"].clone()
    }

    async fn days(&self, days: i64) {
        self.control.pass(days * DAY, 6 * HOUR).await;
    }

    async fn runs(&self, server: ServerId) -> bool {
        let spec = self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap();
        matches!(spec, Desired::Present(spec) if spec.should_run())
    }

    /// The reminders that were sent, in order.
    async fn reminders(&self) -> Vec<String> {
        let events = self.control.events(self.ada.account).await;
        let reminders = events.into_iter().filter(|(kind, _)| kind == "server.reminder");
        reminders.map(|(_, data)| data["reminder"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing contradicts itself, whatever happened.
    async fn verified(&self) {
        let verified = self.control.operator("GET", "/ledger/verify").send().await;
        assert_eq!(verified.data()["differences"], json!([]), "{}", verified.text);
    }
}

#[tokio::test]
async fn a_server_of_the_31st_renews_on_each_months_last_day_and_never_drifts() {
    let world = World::at("2026-01-31 10:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    let mut left = 93.05;
    for until in ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"] {
        assert_eq!(world.told(server, "billing_date").await, json!(format!("{until} 10:00:00")));
        let end: csp_control::domain::time::Time = format!("{until} 09:59:59").parse().unwrap();
        world.control.pass(end.0 - world.control.app.now().0, DAY).await;
        assert_eq!(world.balance().await, json!(left), "not a second early");
        world.control.clock.advance(1);
        world.control.bill().await;
        left = (left * 100.0 - 695.0_f64).round() / 100.0;
        assert_eq!(world.balance().await, json!(left), "{until}");
    }
    assert_eq!(world.reminders().await, [""; 0], "there was money all along");
    world.verified().await;
}

#[tokio::test]
async fn who_does_not_pay_is_told_suspended_told_again_and_deleted_in_this_order() {
    let world = World::at("2026-01-31 10:00:00", "6.95").await;
    let server = world.server("web1", None).await;
    world.days(20).await;
    assert_eq!(world.reminders().await, [""; 0]);
    world.days(7).await;
    assert_eq!(world.reminders().await, ["before_7", "before_3", "before_1"]);
    assert_eq!(world.told(server, "service_status").await, "active");
    world.days(1).await;
    let shown = world.show(server).await;
    assert_eq!((&shown.data()["service_status"], &shown.data()["status"]), (&json!("suspended"), &json!("Suspended")));
    assert_eq!(shown.data()["locks"], json!(["unpaid"]));
    assert!(!world.runs(server).await, "powered off, over its own wish");
    let refused = world.post(server, "start", json!({})).await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text.contains("its paid time is over; extend it, or top up your balance"), "{}", refused.text);
    world.days(6).await;
    assert_eq!(
        world.reminders().await,
        ["before_7", "before_3", "before_1", "suspended", "grace_3", "grace_1"],
        "each once, whatever the scheduler was asked"
    );
    assert_eq!(world.told(server, "service_status").await, "suspended");
    world.days(1).await;
    assert_eq!(world.show(server).await.status.as_u16(), 404, "deleted after the whole grace time");
    world.host.obey().await;
    assert_eq!(world.balance().await, json!(0.0));
    let events = world.control.events(world.ada.account).await;
    let suspended = events.iter().position(|(_, data)| data["service_status"] == "suspended").unwrap();
    let deleted = events.iter().position(|(kind, _)| kind == "server.destroyed").unwrap();
    let last_word = events.iter().position(|(_, data)| data["reminder"] == "grace_1").unwrap();
    assert!(suspended < last_word && last_word < deleted);
    assert_eq!(events[last_word].1["delete_at"], "2026-03-07 10:00:00");
    world.verified().await;
}

#[tokio::test]
async fn a_scheduler_that_was_away_catches_up_in_order_and_deletes_nobody_unwarned() {
    let world = World::with("6.95", |rules| rules.clock_jump_max = 400 * DAY).await;
    let server = world.server("web1", None).await;
    // Away for a year: suspended and warned at once, deleted a grace time later and not a day before.
    world.control.clock.advance(365 * DAY);
    world.control.bill().await;
    assert_eq!(world.reminders().await, ["suspended"]);
    world.control.clock.advance(100 * DAY);
    world.control.bill().await;
    assert_eq!(world.reminders().await, ["suspended", "grace_1"], "the warning comes first");
    assert_eq!(world.told(server, "service_status").await, "suspended");
    world.control.clock.advance(DAY - 1);
    world.control.bill().await;
    assert_eq!(world.show(server).await.status.as_u16(), 200);
    world.control.clock.advance(1);
    world.control.bill().await;
    assert_eq!(world.show(server).await.status.as_u16(), 404);
    world.verified().await;
}

#[tokio::test]
async fn months_that_were_missed_are_paid_in_the_order_in_which_they_ended() {
    let world = World::with("41.70", |rules| rules.clock_jump_max = 400 * DAY).await;
    let first = world.server("first", None).await;
    world.control.clock.advance(DAY);
    let second = world.server("second", None).await;
    // Four months are left in the wallet, and three of each fall due: first, second, first, second.
    world.control.clock.advance(100 * DAY);
    world.control.bill().await;
    assert_eq!(world.told(first, "billing_date").await, "2026-09-10 12:00:00");
    assert_eq!(world.told(second, "billing_date").await, "2026-09-11 12:00:00");
    assert_eq!(world.balance().await, json!(0.0));
    for server in [first, second] {
        assert_eq!(world.told(server, "service_status").await, "suspended");
    }
    // What stood still for months that went by whole pays for none of them.
    world.control.clock.advance(65 * DAY);
    world.control.top_up(world.ada.account, "6.95", "late").await;
    world.control.bill().await;
    assert_eq!(world.told(first, "billing_date").await, "2026-12-10 12:00:00");
    assert_eq!(world.told(second, "service_status").await, "suspended");
    world.verified().await;
}

#[tokio::test]
async fn a_top_up_revives_the_oldest_expiry_first_with_the_power_that_was_wished_for() {
    let world = World::at("2026-06-10 12:00:00", "20.85").await;
    let (older, off) = (world.server("older", None).await, world.server("off", None).await);
    world.control.clock.advance(60);
    let younger = world.server("younger", None).await;
    let _ = world.post(off, "stop", json!({})).await.data();
    world.host.obey().await;
    world.keep(off, false).await;
    world.days(32).await;
    for server in [older, off, younger] {
        assert_eq!(world.told(server, "service_status").await, "suspended");
    }
    world.control.top_up(world.ada.account, "7.00", "one").await;
    world.control.bill().await;
    assert_eq!(world.told(older, "service_status").await, "active");
    assert!(world.runs(older).await, "its own wish came back");
    assert_eq!(world.told(younger, "service_status").await, "suspended", "the money was gone");
    world.control.top_up(world.ada.account, "20.00", "more").await;
    world.control.bill().await;
    assert_eq!(world.told(younger, "service_status").await, "active");
    assert_eq!(world.told(off, "service_status").await, "suspended", "its owner does not want it renewed");
    let extended = world.post(off, "extend", json!({})).await;
    assert_eq!(extended.data()["billing_date"], "2026-08-10 12:00:00", "from the old expiry on");
    assert_eq!(world.told(off, "service_status").await, "active");
    assert!(!world.runs(off).await, "it was off before");
    world.verified().await;
}

#[tokio::test]
async fn without_auto_renew_money_does_not_renew_and_turning_it_on_does_at_once() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    world.keep(server, false).await;
    world.days(31).await;
    assert_eq!(world.told(server, "service_status").await, "suspended");
    assert_eq!(world.reminders().await, ["before_7", "before_3", "before_1", "suspended"]);
    world.keep(server, true).await;
    world.control.bill().await;
    assert_eq!(world.told(server, "service_status").await, "active");
    assert_eq!(world.told(server, "billing_date").await, "2026-08-10 12:00:00");
    assert_eq!(world.balance().await, json!(86.1));
    world.verified().await;
}

#[tokio::test]
async fn paying_never_lifts_abuse_and_under_it_nothing_renews_and_nothing_is_deleted() {
    let world = World::at("2026-06-10 12:00:00", "6.95").await;
    let server = world.server("web1", None).await;
    world.days(32).await;
    let abuse = json!({"reason": "abuse", "note": "ticket 7"});
    let locked = world.operate(&format!("/servers/{server}/lock"), abuse.clone()).await;
    assert_eq!(locked.data()["changed"], true);
    let reasons: Vec<&Value> = locked.data()["locks"].as_array().unwrap().iter().map(|lock| &lock["reason"]).collect();
    assert_eq!(reasons, ["unpaid", "abuse"]);
    assert_eq!(world.operate(&format!("/servers/{server}/lock"), abuse.clone()).await.data()["changed"], false);
    world.days(60).await;
    assert_eq!(world.told(server, "service_status").await, "suspended", "long after its grace time");
    assert_eq!(world.post(server, "destroy", json!({})).await.status.as_u16(), 409, "nor by its owner");
    world.control.top_up(world.ada.account, "50.00", "late").await;
    world.control.bill().await;
    assert_eq!(world.balance().await, json!(50.0), "nothing renews");
    let _ = world.post(server, "extend", json!({})).await.data();
    assert_eq!(world.told(server, "locks").await, json!(["abuse"]), "paying lifts what it can");
    assert!(!world.runs(server).await);
    let lifted = world.operate(&format!("/servers/{server}/unlock"), json!({"reason": "abuse"})).await;
    assert_eq!((&lifted.data()["changed"], &lifted.data()["locks"]), (&json!(true), &json!([])));
    assert_eq!(world.told(server, "service_status").await, "active");
    assert!(world.runs(server).await);
    for (reason, path) in [("unpaid", "lock"), ("unpaid", "unlock"), ("bored", "lock")] {
        let refused = world.operate(&format!("/servers/{server}/{path}"), json!({"reason": reason})).await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["reason"]), "{}", refused.text);
    }
    world.verified().await;
}

#[tokio::test]
async fn an_abuse_that_is_lifted_after_the_expiry_leaves_the_whole_grace_time() {
    let world = World::at("2026-06-10 12:00:00", "6.95").await;
    let server = world.server("web1", None).await;
    let path = |what: &str| format!("/servers/{server}/{what}");
    let _ = world.operate(&path("lock"), json!({"reason": "abuse"})).await.data();
    world.days(100).await;
    assert_eq!(world.reminders().await, [""; 0]);
    let _ = world.operate(&path("unlock"), json!({"reason": "abuse"})).await.data();
    assert_eq!(world.told(server, "locks").await, json!(["unpaid"]));
    world.days(6).await;
    assert_eq!(world.told(server, "service_status").await, "suspended");
    assert_eq!(world.reminders().await, ["suspended", "grace_3", "grace_1"]);
    world.days(1).await;
    assert_eq!(world.show(server).await.status.as_u16(), 404);
}

#[tokio::test]
async fn the_operators_own_lock_renews_and_is_not_deleted() {
    let world = World::at("2026-06-10 12:00:00", "13.90").await;
    let server = world.server("web1", None).await;
    let _ = world.operate(&format!("/servers/{server}/lock"), json!({"reason": "operator"})).await.data();
    world.days(31).await;
    assert_eq!(world.told(server, "billing_date").await, "2026-08-10 12:00:00", "renewed");
    assert_eq!(world.told(server, "locks").await, json!(["operator"]));
    world.days(60).await;
    assert_eq!(world.told(server, "locks").await, json!(["unpaid", "operator"]));
    let refused = world.post(server, "start", json!({})).await;
    assert!(refused.text.contains("suspended by your provider"), "money alone would not help: {}", refused.text);
    let _ = world.operate(&format!("/servers/{server}/unlock"), json!({"reason": "operator"})).await.data();
    assert_eq!(world.told(server, "locks").await, json!(["unpaid"]), "lifted by its own cause alone");
    world.control.bill().await;
    assert_eq!(world.show(server).await.status.as_u16(), 404, "and its grace time was long over, with all warnings");
    world.verified().await;
}

#[tokio::test]
async fn a_rise_waits_for_its_notice_and_passes_by_who_was_promised_otherwise() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let (server, promised) = (world.server("web1", None).await, world.server("web2", None).await);
    let fixed = world.operate(&format!("/servers/{promised}/price/fix"), json!({})).await;
    assert_eq!((&fixed.data()["price"], &fixed.data()["fixed"]), (&json!("6.95"), &json!(true)));
    let rise = json!({"package": "starter", "price": "8.00"});
    let done = world.operate("/prices", rise.clone()).await;
    assert_eq!((&done.data()["announced"], &done.data()["effective_at"]), (&json!(1), &json!("2026-07-10 12:00:00")));
    assert_eq!(done.data()["passed_by"][0]["server"], promised.to_string());
    let again = world.operate("/prices", rise).await;
    assert_eq!(again.data()["announced"], 0, "told once");
    let soon = json!({"server_uuid": server, "price": "9.00", "effective_at": "2026-07-01"});
    let refused = world.operate("/prices", soon).await;
    assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["price"]), "{}", refused.text);
    let more = world.operate(&format!("/servers/{promised}/price/fix"), json!({"price": "7.00"})).await;
    assert_eq!(more.status.as_u16(), 422, "a promise is no rise: {}", more.text);

    assert_eq!(world.told(server, "renewal").await["total"], json!(8.0), "the next period costs this");
    assert_eq!(world.told(promised, "renewal").await["total"], json!(6.95));
    let told = world.control.events(world.ada.account).await;
    let notice = told.iter().find(|(kind, _)| kind == "server.price_announced").unwrap();
    assert_eq!(notice.1, json!({"amount": 8.0, "previous_amount": 6.95, "effective_at": "2026-07-10 12:00:00"}));
    world.days(30).await;
    assert_eq!(world.balance().await, json!(71.15), "86.10 less 8.00 and 6.95");
    let _ = world.operate(&format!("/servers/{promised}/price/release"), json!({})).await.data();
    let fall = world.operate("/prices", json!({"package": "starter", "price": "5.00"})).await;
    assert_eq!(fall.data()["announced"], 2);
    world.days(31).await;
    assert_eq!(world.balance().await, json!(61.15));
    world.verified().await;
}

#[tokio::test]
async fn a_renewal_that_is_late_costs_what_it_cost_at_its_moment() {
    let world = World::with("100.00", |rules| rules.clock_jump_max = 60 * DAY).await;
    let server = world.server("web1", None).await;
    world.control.clock.advance(DAY);
    // In force a day after the first renewal falls due.
    let _ = world.operate("/prices", json!({"server_uuid": server, "price": "8.00"})).await.data();
    world.control.clock.advance(35 * DAY);
    world.control.bill().await;
    assert_eq!(world.balance().await, json!(86.1), "at 6.95, five days late");
    world.verified().await;
}

#[tokio::test]
async fn a_discount_of_the_first_period_ends_with_it_and_a_recurring_one_does_not() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let _first = world.server("web1", Some("WELCOME")).await;
    world.days(30).await;
    assert_eq!(world.balance().await, json!(89.58), "3.47 and 6.95");
    let second = world.order("edge", "web2", Some("EDGE2")).await;
    assert_eq!(world.balance().await, json!(76.63), "12.95");
    world.days(31).await;
    assert_eq!(world.balance().await, json!(56.73), "6.95 and 12.95 again");
    assert_eq!(world.told(second, "renewal").await["discount"], json!(2.0));
    world.verified().await;
}

#[tokio::test]
async fn extending_a_server_whose_expiry_no_scheduler_saw_is_its_renewal() {
    // At the very second, and later; with money for more, and without.
    for (after, paid_in, months) in [(0, "100.00", 1), (DAY, "100.00", 1), (DAY, "13.90", 1), (0, "100.00", 3)] {
        let world = World::at("2026-06-10 12:00:00", paid_in).await;
        let server = world.server("web1", None).await;
        world.days(29).await;
        world.control.clock.advance(DAY + after);
        let before = world.balance().await.as_f64().unwrap();
        let quote = world.post(server, "extend?dry_run=true", json!({"months": months})).await;
        let extended = world.post(server, "extend", json!({"months": months})).await;
        assert_eq!(quote.data()["total"], extended.data()["charged"], "{}", quote.text);
        let (price, end) = (6.95 * f64::from(months), format!("2026-{:02}-10 12:00:00", 7 + months));
        assert!((extended.data()["charged"].as_f64().unwrap() - price).abs() < 0.001, "{}", extended.text);
        assert_eq!(extended.data()["billing_date"], end);
        world.control.bill().await;
        let left = world.balance().await.as_f64().unwrap();
        assert!((before - price - left).abs() < 0.001, "each period is paid once: {before} {left}");
        world.verified().await;
    }
}

#[tokio::test]
async fn a_server_that_expired_asks_for_the_price_of_the_months_that_were_asked_for_and_no_more() {
    let world = World::at("2026-06-10 12:00:00", "8.00").await;
    let server = world.server("web1", None).await;
    world.days(29).await;
    world.control.clock.advance(DAY);
    // The wallet holds 1.05.
    let before = world.control.books().await;
    for (months, price, missing) in [(1, "6.95", "5.90"), (2, "13.90", "12.85")] {
        for path in ["extend", "extend?dry_run=true"] {
            let refused = world.post(server, path, json!({"months": months})).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (402, "insufficient_balance"), "{}", refused.text);
            let told = format!("The price is {price} USD, and the balance is {missing} USD short.");
            assert!(refused.text.contains(&told), "{}", refused.text);
        }
    }
    assert_eq!(world.control.books().await, before);
    world.verified().await;
}

#[tokio::test]
async fn a_change_finds_paid_time_or_is_refused_as_due() {
    let world = World::at("2026-06-10 12:00:00", "13.90").await;
    let server = world.server("web1", None).await;
    world.days(29).await;
    let change = async || {
        let (draw, now) = (world.control.app.draw(), world.control.app.now());
        let (store, account) = (&world.control.app.store, world.ada.account);
        let found = store.read(move |read| read.billed_list(account)).await.unwrap().remove(0);
        let write = move |tx: &mut Tx<'_>| up_to_date(tx, found.clone(), &mut draw.clone(), now);
        let found = store.write(write).await.unwrap();
        found.for_a_change().map(|found| found.renewed.charged().to_string())
    };
    assert_eq!(change().await, Ok("0.00".to_owned()), "nothing is due");
    world.control.clock.advance(DAY);
    assert_eq!(change().await, Ok("6.95".to_owned()), "the second of expiry");
    assert_eq!(change().await, Ok("0.00".to_owned()), "once");
    world.days(30).await;
    world.control.clock.advance(DAY);
    assert_eq!(change().await, Err(RenewalDue), "the wallet is empty");
    assert_eq!(world.told(server, "service_status").await, "active", "whether or not the scheduler ran");
    world.verified().await;
}

#[tokio::test]
async fn nothing_is_erased_on_a_server_whose_expiry_no_scheduler_saw_unless_it_renews() {
    for (dollars, renews) in [("7.00", false), ("14.00", true)] {
        let world = World::at("2026-06-10 12:00:00", dollars).await;
        let server = world.server("web1", None).await;
        world.days(29).await;
        world.control.clock.advance(DAY);
        world.host.alive().await;
        let before = world.control.books().await;
        let reply = world.post(server, "reinstall", json!({"os_image_key": "debian-12"})).await;
        if renews {
            assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
            assert_eq!(world.balance().await, json!(0.1), "the month before the disk");
        } else {
            assert_eq!((reply.status.as_u16(), reply.code()), (409, "renewal_due"), "{}", reply.text);
            assert_eq!(world.control.books().await, before);
        }
        world.verified().await;
    }
}

#[tokio::test]
async fn a_change_that_lacks_money_at_the_expiry_names_the_renewal_beside_its_price() {
    let world = World::at("2026-06-10 12:00:00", "13.90").await;
    let server = world.server("web1", None).await;
    world.days(29).await;
    world.control.clock.advance(DAY);
    world.host.alive().await;
    for path in ["change-package", "change-package?dry_run=true"] {
        let refused = world.post(server, path, json!({"package_slug": "edge"})).await;
        assert_eq!(refused.status.as_u16(), 402, "{}", refused.text);
        let told = "The service is due for renewal, which takes 6.95 USD first; the price is 8.00 USD, and the balance is \
                    8.00 USD short of both.";
        assert!(refused.text.contains(told), "{}", refused.text);
    }
    assert_eq!(world.balance().await, json!(6.95));
}

#[tokio::test]
async fn a_destroyed_server_gives_back_what_the_provider_decided_once_it_is_gone() {
    for (policy, back) in
        [(DestroyCredit::None, 0.0), (DestroyCredit::Unstarted, 6.95), (DestroyCredit::Prorata, 10.43)]
    {
        let world = World::with("13.90", |rules| rules.destroy_credit = policy).await;
        let server = world.server("web1", None).await;
        let _ = world.post(server, "extend", json!({})).await.data();
        world.control.clock.advance(15 * DAY);
        let _ = world.post(server, "destroy", json!({})).await;
        assert_eq!(world.balance().await, json!(0.0), "when it is done, not before");
        world.verified().await;
        let fault = Fault::new(FaultCode::HypervisorRefused, "for a test");
        let cannot = |seen| Observed { reached: None, remains: Remains::UNPROVED, fault: Some(fault.clone()), ..seen };
        world.host.says(cannot).await;
        assert_eq!(world.balance().await, json!(0.0), "its host goes on trying, whatever stands in the way");
        world.verified().await;
        world.host.obeys_late(&world.control, server).await;
        assert_eq!(world.balance().await, json!(back), "{policy:?}");
        world.host.obey().await;
        assert_eq!(world.balance().await, json!(back), "once");
        world.verified().await;
    }
}

#[tokio::test]
async fn money_that_is_spoken_for_is_no_reason_not_to_warn() {
    let world = World::at("2026-06-10 12:00:00", "20.85").await;
    world.server("first", None).await;
    world.control.clock.advance(60);
    world.server("second", None).await;
    world.days(29).await;
    let events = world.control.events(world.ada.account).await;
    let warned: Vec<&Value> =
        events.iter().filter(|(kind, _)| kind == "server.reminder").map(|(_, data)| &data["paid_until"]).collect();
    assert_eq!(warned, ["2026-07-10 12:01:00"; 3], "the wallet holds one of the two renewals");
    world.verified().await;
}

#[tokio::test]
async fn what_nobody_sells_has_no_price_to_announce() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    for (kind, price) in [("package", "8.00"), ("pool", "3.00")] {
        let refused = world.operate("/prices", json!({kind: "nope", "price": price})).await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (404, vec![kind]), "{}", refused.text);
        assert!(refused.text.contains("`nope`"), "{}", refused.text);
    }
    let unused = world.operate("/prices", json!({"package": "starter", "price": "8.00"})).await;
    assert_eq!((&unused.data()["announced"], &unused.data()["passed_by"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn an_announcement_compares_with_what_is_paid_now_whatever_was_announced_between() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    for (price, from) in [("9.00", "2026-07-20"), ("8.00", "2026-08-20"), ("6.95", "2026-09-20")] {
        let asked = json!({"server_uuid": server, "price": price, "effective_at": from});
        let _ = world.operate("/prices", asked).await.data();
    }
    let told = world.control.events(world.ada.account).await;
    let notices = told.iter().filter(|(kind, _)| kind == "server.price_announced");
    let prices: Vec<_> = notices.map(|(_, data)| (&data["previous_amount"], &data["amount"])).collect();
    let now = json!(6.95);
    assert_eq!(prices, [(&now, &json!(9.0)), (&now, &json!(8.0)), (&now, &json!(6.95))]);
}

#[tokio::test]
async fn of_a_server_that_is_gone_no_next_period_is_told() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    let path = format!("/ledger/explain/{server}");
    let facts = async || world.control.operator("GET", &path).send().await.data()["facts"].to_string();
    let alive = facts().await;
    assert!(alive.contains("its next period costs 6.95 USD, renewed by itself"), "{alive}");
    let _ = world.post(server, "destroy", json!({})).await.data();
    let gone = facts().await;
    assert!(gone.contains("service destroyed") && gone.contains("until 2026-07-10 12:00:00"), "{gone}");
    assert!(!gone.contains("next period") && !gone.contains("renewed"), "{gone}");
}
