//! What a clock that jumped, a long downtime, and an operator's word about it come to.

use csp_control::{
    domain::{
        billing::destroy::DestroyCredit,
        time::{DAY, MINUTE, Time},
    },
    schedule,
    service::credit_account::{CreditAccount, credit_account},
};
use csp_tests::test_control::{NOON, Reply, TestControl, TestCustomer};
use serde_json::{Value, json};

use super::{HOUR, World};

/// An operator looked at the machine's clock, and it is right.
async fn resume(control: &TestControl) {
    assert_eq!(resume_at(control, control.app.clock.shown()).await.data()["state"], "running");
}

/// An operator says what time it is by another clock.
async fn resume_at(control: &TestControl, it_is: Time) -> Reply {
    control.operator("POST", "/scheduler/resume").json(&json!({"it_is": it_is.to_string()})).send().await
}

/// What upkeep and the scheduler do.
async fn looked(control: &TestControl) {
    let app = &control.app;
    schedule::tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    control.bill().await;
}

/// A top-up whose request drew its time a while ago, or by a clock that was wrong.
async fn top_up_at(control: &TestControl, customer: &TestCustomer, reference: &str, now: Time) {
    let (account, amount) = (customer.account, "1".parse().unwrap());
    let credit = CreditAccount { account, amount, reference: reference.to_owned(), note: None };
    let draw = control.app.draw();
    control.app.store.write(move |tx| credit_account(tx, &credit, draw.clone(), now)).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_stops_everything_until_an_operator_says_otherwise() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    world.control.bill().await;
    let before = world.control.books().await;
    world.control.clock.jump(365 * DAY);
    assert_eq!(world.control.bill().await.stopped, Some(365 * DAY));
    assert_eq!(world.control.bill().await.stopped, Some(365 * DAY), "also at the next look");
    world.control.clock.advance(25 * DAY);
    assert_eq!(world.control.bill().await.stopped, Some(365 * DAY), "and when something is due");
    assert_eq!(world.control.books().await, before);
    let status = world.control.operator("GET", "/scheduler").send().await;
    let status = |field: &str| status.data()[field].clone();
    assert_eq!(
        (status("state"), status("jumped_seconds"), status("due")),
        (json!("stopped"), json!(365 * DAY), json!(1))
    );
    assert_eq!((status("now"), status("clock_shows")), (json!("2026-07-05 12:00:00"), json!("2027-07-05 12:00:00")));
    let extended = world.post(server, "extend", json!({})).await;
    assert_eq!(extended.data()["charged"], json!(6.95), "nothing renews beside what was asked");
    assert_eq!(extended.data()["billing_date"], "2026-08-10 12:00:00");
    // The clock is put right.
    world.control.clock.jump(-365 * DAY);
    assert!(world.control.bill().await.stopped.is_some(), "a person has to look");
    let resumed = world.operate("/scheduler/resume", json!({})).await;
    assert_eq!(resumed.data()["state"], "running");
    assert_eq!(world.control.bill().await.stopped, None);
    world.control.clock.jump(-601);
    assert_eq!(world.control.bill().await.stopped, Some(-601), "back is a jump, too");
    world.verified().await;
}

/// Each in a control plane of its own: what is asked for right after a jump costs and gives back what it would have without.
#[tokio::test]
async fn whatever_the_clock_shows_requests_are_priced_by_the_time_that_passed() {
    let mut outcomes = Vec::new();
    for jump in [0, -1, -599, -601, -11 * DAY, -400 * DAY, 2 * DAY, 71 * HOUR, 20 * DAY, 365 * DAY] {
        let world = World::with("100.00", |rules| rules.destroy_credit = DestroyCredit::Prorata).await;
        let (kept, gone) = (world.server("web1", None).await, world.server("web2", None).await);
        world.days(10).await;
        let once = json!({});
        let extend = |key: &'static str| {
            let path = format!("/servers/{kept}/extend");
            world.control.api("POST", &path).by(&world.ada).header("idempotency-key", key).json(&once).send()
        };
        let first = extend("once").await;
        world.control.clock.jump(jump);
        looked(&world.control).await;
        assert_eq!(extend("once").await.text, first.text, "{jump}: the same request once more");
        world.host.alive().await;
        let larger = world.post(kept, "change-package", json!({"package_slug": "edge"})).await;
        assert_eq!(larger.status, 200, "{jump}: {}", larger.text);
        world.host.obey().await;
        looked(&world.control).await;
        let ordered = world.control.order(&world.ada, "starter", "web3").await;
        looked(&world.control).await;
        world.host.obey().await;
        let destroyed = world.post(gone, "destroy", json!({})).await;
        assert_eq!(destroyed.status, 200, "{jump}: {}", destroyed.text);
        world.host.obey().await;
        let until = async |server| {
            let shown = world.control.api("GET", &format!("/servers/{server}")).by(&world.ada).send().await;
            shown.data()["billing_date"].as_str().unwrap_or_else(|| panic!("{jump}: {}", shown.text))[..10].to_owned()
        };
        outcomes.push((jump, world.balance().await, until(kept).await, until(ordered).await));
        world.verified().await;
        // The clock is put right, and everything goes on.
        world.control.clock.jump(-jump);
        resume(&world.control).await;
        world.days(2).await;
        world.verified().await;
    }
    let (_, balance, kept, ordered) = outcomes[0].clone();
    assert_eq!((kept.as_str(), ordered.as_str()), ("2026-08-10", "2026-07-20"));
    let differs = |(_, other, kept_until, ordered_until): &&(i64, Value, String, String)| {
        (other, kept_until, ordered_until) != (&balance, &kept, &ordered)
    };
    assert_eq!(outcomes.iter().find(differs), None);
}

/// Here an operator believed the wrong clock first.
#[tokio::test]
async fn what_was_paid_by_a_clock_a_year_ahead_is_given_back_like_anything_else_once_that_was_put_right() {
    let world = World::with("200.00", |rules| rules.destroy_credit = DestroyCredit::Prorata).await;
    let (kept, gone) = (world.server("web1", None).await, world.server("web2", None).await);
    world.days(10).await;
    world.control.clock.jump(40 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.control.bill().await;
    for server in [kept, gone] {
        assert_eq!(world.post(server, "extend", json!({"months": 2})).await.status, 200);
    }
    world.verified().await;
    world.control.clock.jump(-40 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.control.clock.advance(HOUR);
    world.host.alive().await;
    assert_eq!(world.post(kept, "change-package", json!({"package_slug": "edge"})).await.status, 200);
    assert_eq!(world.post(gone, "destroy", json!({})).await.status, 200);
    world.host.obey().await;
    world.verified().await;
    world.days(5).await;
    world.verified().await;
}

/// The machine was off: no process counted what passed.
#[tokio::test]
async fn after_a_downtime_that_nobody_counted_nothing_is_priced_before_an_operator_looked_at_a_clock() {
    let world = World::with("100.00", |rules| rules.destroy_credit = DestroyCredit::Prorata).await;
    let server = world.server("web1", None).await;
    world.days(10).await;
    let World { control, ada, .. } = world;
    let extend = async |control: &TestControl, key: &str| {
        let path = format!("/servers/{server}/extend");
        control.api("POST", &path).by(&ada).header("idempotency-key", key).json(&json!({})).send().await
    };
    let first = extend(&control, "once").await;
    looked(&control).await;
    control.clock.jump(4 * DAY);
    let control = control.restarted();
    looked(&control).await;
    let before = control.books().await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web2"});
    for (path, body) in [
        ("/servers".to_owned(), order.clone()),
        ("/servers?dry_run=true".to_owned(), order),
        (format!("/servers/{server}/extend"), json!({})),
        (format!("/servers/{server}/extend?dry_run=true"), json!({})),
        (format!("/servers/{server}/change-package"), json!({"package_slug": "edge"})),
        (format!("/servers/{server}/extra-ips"), json!({})),
        (format!("/servers/{server}/reinstall"), json!({"os_image_key": "debian-12"})),
        (format!("/servers/{server}/destroy"), json!({})),
    ] {
        let refused = control.api("POST", &path).by(&ada).json(&body).send().await;
        assert_eq!((refused.status.as_u16(), refused.code()), (503, "unavailable"), "{path}: {}", refused.text);
        assert_eq!(refused.header("retry-after"), "60");
    }
    let price = json!({"price": "9.00", "package": "starter"});
    assert_eq!(control.operator("POST", "/prices").json(&price).send().await.status, 503, "30 days from when?");
    let fixed =
        control.operator("POST", &format!("/servers/{server}/price/fix")).json(&json!({"price": "1.00"})).send().await;
    assert_eq!(fixed.status, 503, "{}", fixed.text);
    assert_eq!(control.books().await, before);
    assert_eq!(extend(&control, "once").await.text, first.text, "what was done already is told");
    control.top_up(ada.account, "1", "bank/meanwhile").await;
    let plain = control.operator("POST", "/scheduler/resume").json(&json!({})).send().await;
    assert_eq!(plain.status, 409, "{}", plain.text);
    assert!(plain.text.contains("--it-is"), "{}", plain.text);
    let another = resume_at(&control, NOON.plus(10 * DAY)).await;
    assert_eq!((another.status.as_u16(), another.fields()), (422, vec!["it_is"]), "{}", another.text);
    resume(&control).await;
    looked(&control).await;
    assert_eq!(extend(&control, "once").await.text, first.text, "for a repeated request those days did not pass");
    let balance = async || control.api("GET", "/balance").by(&ada).send().await.data()["balance"].as_f64().unwrap();
    let had = balance().await;
    let destroyed = control.api("POST", &format!("/servers/{server}/destroy")).by(&ada).json(&json!({})).send().await;
    assert_eq!(destroyed.status, 200, "{}", destroyed.text);
    assert!((balance().await - had).abs() < 0.001, "it comes when the host has let go");
    assert_eq!(control.operator("GET", "/ledger/verify").send().await.data()["differences"], json!([]));
}

#[tokio::test]
async fn what_is_under_way_has_its_time_left_after_an_operator_let_time_leap() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    world.host.alive().await;
    world.control.bill().await;
    let server = world.control.order(&world.ada, "starter", "web1").await;
    world.control.clock.jump(90 * DAY);
    looked(&world.control).await;
    resume(&world.control).await;
    looked(&world.control).await;
    assert_eq!(world.told(server, "service_status").await, "provisioning", "no second passed for it");
    world.control.clock.advance(HOUR);
    looked(&world.control).await;
    assert_eq!((world.told(server, "service_status").await, world.balance().await), (json!("failed"), json!(100.0)));
    world.verified().await;
}

#[tokio::test]
async fn who_drew_its_time_before_an_operators_word_does_not_carry_the_ledger_along() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let control = &world.control;
    control.bill().await;
    control.clock.jump(90 * DAY);
    control.bill().await;
    resume(control).await;
    let ahead = control.app.now();
    control.clock.jump(-90 * DAY);
    control.bill().await;
    resume(control).await;
    top_up_at(control, &world.ada, "bank/late", ahead).await;
    assert_eq!(control.bill().await.stopped, None);
    world.control.top_up(world.ada.account, "1", "bank/next").await;
    let status = control.operator("GET", "/scheduler").send().await;
    assert_eq!(status.data()["ledger_at"], "2026-06-10 12:00:00");
    world.verified().await;
}

#[tokio::test]
async fn a_ledger_that_a_wrong_clock_wrote_does_not_carry_the_time_along() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    world.control.bill().await;
    let World { control, ada, .. } = world;
    top_up_at(&control, &ada, "bank/ahead", NOON.plus(30 * DAY)).await;
    let control = control.restarted();
    control.clock.advance(MINUTE);
    assert_eq!(control.bill().await.stopped, Some(-30 * DAY));
    assert_eq!(control.app.now(), NOON.plus(MINUTE));
    let asked = control.operator("POST", "/scheduler/resume").json(&json!({})).send().await;
    assert!(asked.status == 409 && asked.text.contains("(1 are of a later time"), "{}", asked.text);
    resume(&control).await;
    assert_eq!(control.bill().await.stopped, None);
    assert_eq!(control.operator("GET", "/ledger/verify").send().await.data()["differences"], json!([]));
}

/// Each by an operator's word, and nothing was posted between them.
#[tokio::test]
async fn a_clock_that_is_put_right_in_two_steps_dates_a_transfer_by_the_earlier_one() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let control = &world.control;
    control.bill().await;
    control.clock.jump(365 * DAY);
    control.bill().await;
    resume(control).await;
    control.top_up(world.ada.account, "5", "bank/ahead").await;
    for back in [200, 165] {
        control.clock.jump(-back * DAY);
        control.bill().await;
        resume(control).await;
    }
    control.top_up(world.ada.account, "7", "bank/right").await;
    control.clock.advance(40 * DAY);
    control.bill().await;
    let path = "/ledger/export?format=csv&to=2026-06-30";
    let export = control.operator("GET", path).send().await.text;
    assert!(export.contains("bank/ahead") && export.contains("bank/right"), "{export}");
    let june = control.api("GET", "/statements/2026-06").by(&world.ada).send().await;
    assert_eq!(june.data()["closing_balance"], json!(112.0), "{}", june.text);
    world.verified().await;
}

#[tokio::test]
async fn a_server_that_a_clock_ahead_suspended_goes_on_once_that_was_put_right() {
    let world = World::at("2026-06-10 12:00:00", "100.00").await;
    let server = world.server("web1", None).await;
    world.keep(server, false).await;
    world.days(29).await;
    // Two days are within what is believed of a program that begins.
    world.control.clock.jump(2 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.control.bill().await;
    assert_eq!(world.told(server, "locks").await, json!(["unpaid"]));
    world.control.clock.jump(-2 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.control.bill().await;
    assert_eq!(
        (world.told(server, "locks").await, world.told(server, "service_status").await),
        (json!([]), json!("active"))
    );
    assert!(world.runs(server).await);
    world.control.clock.advance(DAY);
    world.control.bill().await;
    assert_eq!(world.told(server, "locks").await, json!(["unpaid"]), "its time is over");
    world.verified().await;
}

#[tokio::test]
async fn an_abuse_that_is_lifted_while_the_clock_is_not_believed_leaves_the_whole_grace_time() {
    let world = World::at("2026-06-10 12:00:00", "6.95").await;
    let server = world.server("web1", None).await;
    let path = |what: &str| format!("/servers/{server}/{what}");
    let _ = world.operate(&path("lock"), json!({"reason": "abuse"})).await.data();
    world.days(40).await;
    world.control.clock.jump(40 * DAY);
    world.control.bill().await;
    world.control.clock.advance(HOUR);
    let _ = world.operate(&path("unlock"), json!({"reason": "abuse"})).await.data();
    resume(&world.control).await;
    world.days(6).await;
    assert_eq!(world.told(server, "service_status").await, "suspended");
    world.days(2).await;
    assert_eq!(world.show(server).await.status, 404, "told, and then deleted");
    world.verified().await;
}

#[tokio::test]
async fn who_is_started_again_soon_while_its_clock_is_not_believed_goes_on_counting() {
    for (jump, is_set_right) in [(2 * HOUR, false), (2 * HOUR, true), (-30 * DAY, false), (-30 * DAY, true)] {
        let world = World::at("2026-06-10 12:00:00", "100.00").await;
        let server = world.server("web1", None).await;
        world.control.bill().await;
        world.control.clock.jump(jump);
        world.control.bill().await;
        world.control.clock.advance(MINUTE);
        let (before, right) = (world.control.app.now(), if is_set_right { -jump } else { 0 });
        world.control.bill().await;
        world.control.clock.jump(right + MINUTE);
        let World { control, ada, .. } = world;
        let control = control.restarted();
        assert!(control.bill().await.stopped.is_some(), "{jump}");
        assert_eq!(control.app.now(), before.plus(MINUTE), "{jump} {is_set_right}");
        let path = format!("/servers/{server}/extend");
        let extended = control.api("POST", &path).by(&ada).json(&json!({})).send().await;
        assert_eq!(extended.status, 200, "{jump}: {}", extended.text);
    }
}

#[tokio::test]
async fn what_was_added_by_a_clock_ahead_is_no_part_of_the_days_that_follow() {
    let world = World::with("500.00", |rules| rules.extra_ips_a_day = 1).await;
    let server = world.server("web1", None).await;
    world.control.bill().await;
    world.control.clock.jump(365 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.host.alive().await;
    assert_eq!(world.post(server, "extra-ips", json!({})).await.status, 200);
    assert_eq!(world.post(server, "extra-ips", json!({})).await.status, 409);
    world.control.clock.jump(-365 * DAY);
    world.control.bill().await;
    resume(&world.control).await;
    world.host.obey().await;
    let added = world.post(server, "extra-ips", json!({})).await;
    assert_eq!(added.status, 200, "{}", added.text);
}
