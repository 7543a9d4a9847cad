//! `POST /servers/{uuid}/change-package`: what it costs, what it gives back, what the host must have, and what is left of
//! it when it fails.

use csp_control::{domain::placement::Promised, service::verify_ledger::verify_ledger};
use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    message::Capacity,
    observed::{Fault, FaultCode, Observed},
    spec::{Desired, ServerSpec},
};
use csp_tests::test_control::{EXAMPLE_CATALOG, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

/// Cheaper than starter, on an equal disk.
const LITE: &str = r#"
[[packages]]
slug = "lite"
type = "vps"
name = "Lite"
cpu = 1
ram_mb = 512
disk_gb = 20
monthly_price = 3.95
max_extra_ips = 0
"#;

struct Rented {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
    server: ServerId,
}

fn order(package: &str) -> Value {
    json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12", "hostname": "web1"})
}

/// A server that is online since noon, 2026-06-10.
async fn rented(dollars: &str, package: &str) -> Rented {
    let control = TestControl::with_catalog(&format!("{EXAMPLE_CATALOG}{LITE}")).await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", dollars).await;
    let reply = control.api("POST", "/servers").by(&customer).json(&order(package)).send().await;
    let server = reply.data()["uuid"].as_str().unwrap().parse().unwrap();
    host.obey().await;
    Rented { control, host, customer, server }
}

impl Rented {
    async fn change(&self, body: Value) -> Reply {
        let path = format!("/servers/{}/change-package", self.server);
        self.control.api("POST", &path).by(&self.customer).json(&body).send().await
    }

    async fn show(&self) -> Value {
        let path = format!("/servers/{}", self.server);
        self.control.api("GET", &path).by(&self.customer).send().await.data().clone()
    }

    async fn balance(&self) -> Value {
        self.control.api("GET", "/balance").by(&self.customer).send().await.data()["balance"].clone()
    }

    async fn spec(&self) -> ServerSpec {
        let server = self.server;
        match self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap() {
            Some(Desired::Present(spec)) => *spec,
            other => panic!("{other:?}"),
        }
    }

    async fn promised(&self) -> (u32, u64, u64) {
        let server = self.server;
        let promised = self.control.app.store.read(move |read| read.placement_promised(server)).await.unwrap();
        let Promised { cpus, ram_mib, disk_gib, .. } = promised.unwrap();
        (cpus, ram_mib, disk_gib)
    }

    async fn books_are_right(&self) {
        assert_eq!(verify_ledger(&self.control.app.store).await.unwrap().differences, []);
    }
}

fn cannot(code: FaultCode, epoch: u32) -> impl Fn(Observed) -> Observed {
    move |seen| Observed {
        reached: None,
        disk_epoch: Some(DiskEpoch(epoch)),
        fault: Some(Fault::new(code, "for a test")),
        ..seen
    }
}

const ERASE: &str = "ERASE";

#[tokio::test]
async fn an_upgrade_costs_the_difference_for_the_rest_at_once() {
    let web = rented("50.00", "starter").await;
    // 15 of the 30 days from 10 June to 10 July are left: half of 14.95 - 6.95.
    web.control.clock.advance(15 * 86_400);
    web.host.alive().await;
    let reply = web.change(json!({"package_slug": "edge"})).await;
    assert_eq!(reply.json["message"], json!("Package change queued."));
    let data = reply.data();
    assert_eq!((&data["charged"], &data["credit"], &data["balance"]), (&json!(4.0), &json!(0.0), &json!(39.05)));
    assert_eq!((&data["erases_disk"], data.get("root_password")), (&json!(false), None));
    let shown = web.show().await;
    assert_eq!((&shown["status"], &shown["package"]["slug"]), (&json!("Changing"), &json!("edge")));
    let spec = web.spec().await;
    assert_eq!((spec.cpus, spec.ram_mib, spec.disk_gib, spec.boot_epoch.0, spec.disk_epoch.0), (4, 4096, 60, 2, 1));
    assert_eq!(web.promised().await, (4, 4096, 60));
    web.books_are_right().await;

    web.host.obey().await;
    let shown = web.show().await;
    assert_eq!((&shown["status"], &shown["renewal"]["total"]), (&json!("Online"), &json!(14.95)));
    assert_eq!(shown["billing_date"], json!("2026-07-10 12:00:00"), "the anchor stays");
    let wallet = web.control.api("GET", "/transactions").by(&web.customer).send().await;
    assert_eq!(wallet.data()[0]["description"], json!("Starter to Edge for web1"));
    web.books_are_right().await;
}

#[tokio::test]
async fn an_upgrade_that_a_removal_overtakes_gives_back_what_it_took() {
    let web = rented("50.00", "starter").await;
    assert_eq!(web.change(json!({"package_slug": "edge"})).await.data()["charged"], json!(8.0));
    assert_eq!(web.balance().await, json!(35.05));
    let path = format!("/servers/{}/destroy", web.server);
    let gone = web.control.api("POST", &path).by(&web.customer).send().await;
    assert_eq!(gone.status.as_u16(), 200, "{}", gone.text);
    assert_eq!(web.balance().await, json!(43.05), "it was never done");
    web.books_are_right().await;
    web.host.obey().await;
    assert_eq!(web.balance().await, json!(43.05), "the period that began is kept, as the setting says, and no more");
    web.books_are_right().await;
}

#[tokio::test]
async fn a_downgrade_gives_the_difference_back_when_it_is_done_and_charges_nothing() {
    let web = rented("10.00", "starter").await;
    let data = web.change(json!({"package_slug": "lite"})).await.data().clone();
    assert_eq!((&data["charged"], &data["credit"], &data["balance"]), (&json!(0.0), &json!(3.0), &json!(3.05)));
    assert_eq!(web.promised().await, (2, 1024, 20), "what shrinks is kept until it is done");
    assert_eq!(web.balance().await, json!(3.05));
    web.books_are_right().await;
    web.host.obey().await;
    assert_eq!(web.balance().await, json!(6.05));
    assert_eq!(web.promised().await, (1, 512, 20));
    web.host.says(|seen| seen).await;
    assert_eq!(web.balance().await, json!(6.05), "once");
    web.books_are_right().await;

    // There and back in the same second costs nothing.
    let data = web.change(json!({"package_slug": "starter"})).await.data().clone();
    assert_eq!(data["charged"], json!(3.0));
    web.host.obey().await;
    assert_eq!(web.balance().await, json!(3.05));
    web.books_are_right().await;
}

#[tokio::test]
async fn a_change_that_is_tried_tells_its_price_and_leaves_no_trace() {
    let web = rented("50.00", "starter").await;
    let (before, spec) = (web.control.books().await, web.spec().await);
    let path = format!("/servers/{}/change-package?dry_run=true", web.server);
    for (package, total, credit) in [("edge", 8.0, 0.0), ("lite", 0.0, 3.0)] {
        let body = json!({"package_slug": package});
        let quote = web.control.api("POST", &path).by(&web.customer).json(&body).send().await.data().clone();
        assert_eq!((&quote["total"], &quote["credit"]), (&json!(total), &json!(credit)), "{package}: {quote}");
    }
    assert_eq!((web.control.books().await, web.spec().await, web.promised().await), (before, spec, (2, 1024, 20)));
}

#[tokio::test]
async fn a_change_that_fails_gives_back_exactly_what_it_took_and_puts_everything_back() {
    let web = rented("50.00", "starter").await;
    let before = web.spec().await;
    assert_eq!(web.change(json!({"package_slug": "edge"})).await.data()["charged"], json!(8.0));
    assert_eq!(web.balance().await, json!(35.05));
    web.host.says(cannot(FaultCode::HypervisorRefused, 1)).await;
    assert_eq!(web.balance().await, json!(43.05));
    let spec = web.spec().await;
    assert_eq!((spec.cpus, spec.ram_mib, spec.disk_gib), (before.cpus, before.ram_mib, before.disk_gib));
    assert_eq!(web.promised().await, (2, 1024, 20));
    let shown = web.show().await;
    assert_eq!((&shown["package"]["slug"], &shown["renewal"]["total"]), (&json!("starter"), &json!(6.95)));
    web.host.obey().await;
    assert_eq!((web.balance().await, &web.show().await["status"]), (json!(43.05), &json!("Online")));
    web.books_are_right().await;

    // A downgrade that fails gives nothing back, and another one is worth the same as before.
    for _ in 0..2 {
        assert_eq!(web.change(json!({"package_slug": "lite"})).await.data()["credit"], json!(3.0));
        web.host.says(cannot(FaultCode::HypervisorRefused, 1)).await;
        web.host.obey().await;
        assert_eq!(web.balance().await, json!(43.05));
    }
    web.books_are_right().await;
}

#[tokio::test]
async fn a_change_that_fails_brings_back_the_announced_prices_that_it_ended_and_no_others() {
    let web = rented("50.00", "starter").await;
    let announce = async |price| {
        let body = json!({"server_uuid": web.server, "price": price});
        assert_eq!(web.control.operator("POST", "/prices").json(&body).send().await.status, 200);
    };
    announce("9.00").await;
    assert_eq!(web.change(json!({"package_slug": "lite"})).await.status, 200);
    web.host.obey().await;
    announce("8.00").await;
    // All in the same second: of the two announcements only the one for the present package stands again.
    assert_eq!(web.change(json!({"package_slug": "starter"})).await.status, 200);
    web.host.says(cannot(FaultCode::HypervisorRefused, 1)).await;
    let server = web.server;
    let service = web.control.app.store.read(move |read| read.billed_get(server)).await.unwrap().unwrap();
    let announced: Vec<i64> = service.price.announced.iter().map(|announced| announced.price.get()).collect();
    assert_eq!(announced, [800]);
}

#[tokio::test]
async fn a_smaller_disk_is_made_anew_only_when_both_confirmations_are_there() {
    let web = rented("40.00", "edge").await;
    let smaller = |more: Value| {
        let mut body = json!({"package_slug": "starter"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let before = web.control.books().await;
    for (more, fields) in [
        (json!({}), vec!["confirm_data_loss", "erase_confirmation"]),
        (json!({"confirm_data_loss": true}), vec!["erase_confirmation"]),
        (json!({"erase_confirmation": ERASE}), vec!["confirm_data_loss"]),
        (json!({"confirm_data_loss": false, "erase_confirmation": ERASE}), vec!["confirm_data_loss"]),
        (json!({"confirm_data_loss": true, "erase_confirmation": "erase"}), vec!["erase_confirmation"]),
    ] {
        let reply = web.change(smaller(more.clone())).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, fields), "{more}");
    }
    let both = json!({"confirm_data_loss": true, "erase_confirmation": ERASE});
    let path = format!("/servers/{}", web.server);
    let protection = |on: bool| json!({"protection": {"reinstall": on}});
    web.control.api("PATCH", &path).by(&web.customer).json(&protection(true)).send().await;
    assert_eq!(web.change(smaller(both.clone())).await.code(), "protected");
    assert_eq!(
        web.change(json!({"package_slug": "performance"})).await.code(),
        "insufficient_balance",
        "this erases nothing"
    );
    web.control.api("PATCH", &path).by(&web.customer).json(&protection(false)).send().await;
    assert_eq!(web.control.books().await, before);

    let reply = web.change(smaller(both)).await;
    assert_eq!(reply.data()["erases_disk"], json!(true), "{}", reply.text);
    assert_eq!(reply.data()["root_password"].as_str().map(str::len), Some(20));
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.disk_gib, spec.image.url.contains("debian")), (DiskEpoch(2), 20, true));
    web.host.obey().await;
    assert_eq!(web.balance().await, json!(33.05), "25.05 and the 8.00 that starter costs less");
    web.books_are_right().await;
}

#[tokio::test]
async fn under_abuse_a_smaller_disk_that_was_asked_for_before_is_taken_back_and_a_larger_one_is_not() {
    let web = rented("80.00", "edge").await;
    let (before, balance, promised) = (web.spec().await, web.balance().await, web.promised().await);
    let both = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": ERASE});
    assert_eq!(web.change(both).await.status.as_u16(), 200);
    let lock = async |verb: &str| {
        let path = format!("/servers/{}/{verb}", web.server);
        web.control.operator("POST", &path).json(&json!({"reason": "abuse"})).send().await.done();
    };
    lock("lock").await;
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.disk_gib, spec.locked), (before.disk_epoch, before.disk_gib, true));
    web.host.obey().await;
    let action = web.control.api("GET", "/actions").by(&web.customer).send().await.data()[0].clone();
    assert_eq!(
        (&action["status"], &action["error"]["code"]),
        (&json!("failed"), &json!("server_suspended")),
        "{action}"
    );
    assert_eq!((web.balance().await, web.promised().await), (balance, promised));
    web.books_are_right().await;

    lock("unlock").await;
    web.host.obey().await;
    assert_eq!(web.change(json!({"package_slug": "performance"})).await.status.as_u16(), 200);
    let wanted = web.spec().await.disk_gib;
    lock("lock").await;
    assert_eq!(web.spec().await.disk_gib, wanted, "nothing is erased by that");
}

#[tokio::test]
async fn what_a_smaller_disk_costs_is_told_before_anything_is_confirmed() {
    let web = rented("40.00", "edge").await;
    let (before, spec) = (web.control.books().await, web.spec().await);
    let path = format!("/servers/{}/change-package?dry_run=true", web.server);
    let quote = async |body: &Value| web.control.api("POST", &path).by(&web.customer).json(body).send().await;
    let smaller = json!({"package_slug": "starter"});
    let tried = quote(&smaller).await;
    assert_eq!(tried.data()["erases_disk"], json!(true), "{}", tried.text);
    assert_eq!((&tried.data()["total"], &tried.data()["credit"]), (&json!(0.0), &json!(8.0)), "{}", tried.text);
    let both = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": ERASE});
    assert_eq!(quote(&both).await.json, tried.json, "confirmed or not, the price is the same");
    assert_eq!(
        quote(&json!({"package_slug": "performance"})).await.json["data"]["erases_disk"],
        Value::Null,
        "too dear"
    );
    let unreadable = quote(&json!({"package_slug": "starter", "erase_confirmation": "yes"})).await;
    assert_eq!((unreadable.status.as_u16(), unreadable.fields()), (422, vec!["erase_confirmation"]));
    assert_eq!(web.change(smaller).await.status.as_u16(), 422, "meant, it must be confirmed");
    assert_eq!((web.control.books().await, web.spec().await), (before, spec));
}

#[tokio::test]
async fn what_is_refused_for_the_disks_sake_is_not_told_to_be_allowed() {
    let web = rented("40.00", "edge").await;
    let path = format!("/servers/{}", web.server);
    let protect = json!({"protection": {"reinstall": true}});
    web.control.api("PATCH", &path).by(&web.customer).json(&protect).send().await;
    let both = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": ERASE});
    let refused = web.change(both).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "protected"), "{}", refused.text);
    assert!(refused.json["message"].as_str().unwrap().contains("smaller disk"), "{}", refused.text);
    let adapters = ["attach_network", "detach_network", "add_extra_ip", "remove_extra_ip", "move_extra_ip"];
    let wanted = [&["start", "stop", "restart", "console", "extend"][..], &adapters, &["update", "destroy"]].concat();
    assert_eq!(refused.json["error"]["details"]["allowed"], json!(wanted));
}

#[tokio::test]
async fn an_erasing_change_whose_image_is_retired_asks_for_another_one() {
    let web = rented("50.00", "edge").await;
    let at = EXAMPLE_CATALOG.find("[[images]]\nkey = \"debian-12\"").unwrap();
    let end = at + EXAMPLE_CATALOG[at..].find("# Public addresses").unwrap();
    web.control.apply(&format!("{}{}", &EXAMPLE_CATALOG[..at], &EXAMPLE_CATALOG[end..])).await;
    let body = |image: Option<&str>| json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": ERASE, "os_image_key": image});
    let reply = web.change(body(None)).await;
    assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (422, "image_not_found", vec!["os_image_key"]));
    assert_eq!(web.change(body(Some("beos"))).await.code(), "image_not_found");
    assert_eq!(web.change(body(Some("ubuntu-24-04"))).await.status.as_u16(), 200);
    web.host.obey().await;
    assert_eq!(web.show().await["image"]["key"], json!("ubuntu-24-04"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_any_money_moves() {
    let web = rented("300.00", "starter").await;
    let before = web.control.books().await;
    for (body, status, code, field) in [
        (json!({}), 422, "validation_failed", "package_slug"),
        (json!({"package_slug": "starter"}), 422, "validation_failed", "package_slug"),
        (json!({"package_slug": "huge"}), 422, "package_not_found", "package_slug"),
        (json!({"package_slug": "dedicated-16"}), 422, "package_not_found", "package_slug"),
        (json!({"package_slug": "edge", "os_image_key": "debian-12"}), 422, "validation_failed", "os_image_key"),
        (json!({"package_slug": "edge", "colour": 1}), 422, "validation_failed", "colour"),
    ] {
        let reply = web.change(body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (status, code, vec![field]), "{body}");
    }
    assert_eq!(web.control.books().await, before);
    // These and this server leave 2 of the host's 64 GB of memory: too little for 3 more, and a smaller package needs none.
    for package in ["performance", "performance", "performance", "edge", "edge", "edge", "starter"] {
        let reply = web.control.api("POST", "/servers").by(&web.customer).json(&order(package)).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    }
    let before = web.control.books().await;
    let reply = web.change(json!({"package_slug": "edge"})).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "no_capacity"), "{}", reply.text);
    assert_eq!(web.control.books().await, before);
    assert_eq!(web.change(json!({"package_slug": "lite"})).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_change_after_the_paid_time_is_refused_until_it_is_paid() {
    let web = rented("7.00", "starter").await;
    web.control.clock.advance(30 * 86_400);
    web.host.alive().await;
    let before = web.control.books().await;
    let reply = web.change(json!({"package_slug": "lite"})).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "renewal_due"), "{}", reply.text);
    assert_eq!(web.control.books().await, before);
}

#[tokio::test]
async fn a_change_after_the_paid_time_renews_first_where_it_may() {
    let web = rented("50.00", "starter").await;
    web.control.clock.advance(30 * 86_400);
    web.host.alive().await;
    let data = web.change(json!({"package_slug": "lite"})).await.data().clone();
    assert_eq!((&data["charged"], &data["credit"], &data["balance"]), (&json!(6.95), &json!(3.0), &json!(36.1)));
    web.books_are_right().await;
    web.host.obey().await;
    assert_eq!(web.balance().await, json!(39.1));
    assert_eq!(web.show().await["billing_date"], json!("2026-08-10 12:00:00"));
    web.books_are_right().await;
}

#[tokio::test]
async fn what_was_renewed_at_the_new_price_is_put_right_when_the_change_fails() {
    let web = rented("100.00", "starter").await;
    web.control.pass(30 * 86_400 - 60, 86_400).await;
    web.host.alive().await;
    assert_eq!(web.change(json!({"package_slug": "edge"})).await.data()["charged"], json!(0.0));
    web.control.pass(120, 60).await;
    assert_eq!(web.balance().await, json!(78.1), "6.95 and 14.95 were paid");
    web.host.says(cannot(FaultCode::HypervisorRefused, 1)).await;
    assert_eq!(web.balance().await, json!(86.1), "8.00 of them for a package that it does not have");
    assert_eq!(web.show().await["package"]["slug"], json!("starter"));
    web.books_are_right().await;
}

#[tokio::test]
async fn a_guest_that_powered_itself_off_gets_its_package_and_stays_off() {
    let web = rented("50.00", "starter").await;
    web.host.powered_itself_off(&web.control, web.server).await;
    assert_eq!(web.change(json!({"package_slug": "edge"})).await.status.as_u16(), 200);
    assert_eq!(web.spec().await.boot_epoch.0, 1, "nothing asks it to boot");
}

#[tokio::test]
async fn a_smaller_disk_needs_room_beside_the_larger_one() {
    let rented = rented("100.00", "edge").await;
    let smaller = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": "ERASE"});
    let has = async |disk_gib| rented.host.has(Capacity { cpus: 16, ram_mib: 65_536, disk_gib }).await;
    has(79).await;
    let balance = rented.balance().await;
    let refused = rented.change(smaller.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "no_capacity"), "{}", refused.text);
    assert_eq!(rented.balance().await, balance);
    has(80).await;
    assert_eq!(rented.change(smaller).await.status.as_u16(), 200);
    rented.host.obey().await;
    assert_eq!(rented.promised().await.2, 20);
}
