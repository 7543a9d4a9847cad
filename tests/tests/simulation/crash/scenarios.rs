//! What happens between an empty control plane and the last look. Each scenario waits for what must come whatever died
//! meanwhile, so the same one can be played with a death at any of its points.

use std::{collections::BTreeSet, net::Ipv4Addr, pin::Pin};

use csp_agent::machine::{OffCause, SeenState, SeenStray};
use csp_control::{domain::server::ServiceStatus, store::NetworkState};
use csp_shared::{
    generation::DiskEpoch,
    id::{NetworkId, ServerId},
    mac::Mac,
    network::{DesiredNetwork, MemberPlace, Segment},
    observed::{Fault, FaultCode},
};
use csp_tests::{Op, test_control::OTHER_PUBLIC_KEY};
use serde_json::{Value, json};

use super::{
    super::control::{PRICE, PROVISION_TIMEOUT, TERMS},
    stage::Stage,
};

/// Every scenario, for those who want to know what all of them cross.
pub const ALL: [super::Scenario; 20] = [
    set_up, belongings, payments, renting, expiring, life, networking, reshaping, spoilt, failing, late, power_cut,
    unruly, losing, addresses, people, codes, card, visitor, traffic,
];

type Played<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Somebody signs up, is approved, signs in and out, makes a key, forgets the password and moves to another address; somebody
/// else is refused, and a third one invited. The customer of all scenarios is written to elsewhere from then on. Whoever died, each of them ends as they should.
pub fn people(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let (old, new) = ("correct horse battery", "another horse battery");
        for (email, verdict) in [("ada@example.com", "approve"), ("bob@example.com", "refuse")] {
            stage.browse("POST", "/sign-up", &json!({"email": email}), &[200]).await;
            let token = stage.letter().await;
            let chosen = json!({"token": token, "name": "Ada", "password": old, "terms_version": TERMS});
            stage.browse("POST", "/sign-up/finish", &chosen, &[200, 422]).await;
            let waiting = stage.look("/people").await["data"].clone();
            assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
            assert_eq!(waiting[0]["email"], email);
            let who = waiting[0]["uuid"].as_str().unwrap();
            stage.operate_once(&format!("/people/{who}/{verdict}"), &json!({})).await;
            assert_eq!(stage.look("/people").await["data"], json!([]));
        }
        let sign_in = |email: &str, password: &str| json!({"email": email, "password": password});
        stage.browse("POST", "/sign-in", &sign_in("bob@example.com", old), &[401]).await;
        for _ in 0..2 {
            stage.browse("POST", "/sign-in", &sign_in("ada@example.com", old), &[200]).await;
        }
        let list = stage.browse("GET", "/sign-ins", &Value::Null, &[200]).await["data"].as_array().unwrap().clone();
        let other = list.iter().find(|browser| browser["current"] == false).unwrap();
        let other = other["uuid"].as_str().unwrap();
        stage.browse("DELETE", &format!("/sign-ins/{other}"), &json!({}), &[200, 404]).await;
        let made = stage.browse("POST", "/keys", &json!({"scopes": ["read"], "current_password": old}), &[200]).await;
        let key = made["data"]["uuid"].as_str().unwrap();
        stage.browse("DELETE", &format!("/keys/{key}"), &json!({}), &[200]).await;
        stage.history.wait(301).await;
        stage.browse("GET", "/person", &Value::Null, &[200]).await;

        let change = json!({"current_password": old, "password": new});
        stage.browse("POST", "/password", &change, &[200, 422]).await;
        let change = json!({"current_password": new, "email": "ada@example.org"});
        stage.browse("POST", "/email", &change, &[200]).await;
        let token = json!({"token": stage.letter().await});
        stage.browse("POST", "/email/confirm", &token, &[200, 422]).await;
        stage.browse("POST", "/sign-out", &json!({}), &[200, 401]).await;
        stage.browse("POST", "/password/forgotten", &json!({"email": "ada@example.org"}), &[200]).await;
        let reset = json!({"token": stage.letter().await, "password": old});
        stage.browse("POST", "/password/reset", &reset, &[200, 422]).await;
        stage.browse("POST", "/sign-in", &sign_in("ada@example.org", old), &[200]).await;
        stage.browse("DELETE", "/sign-ins", &json!({}), &[200, 401]).await;
        stage.browse("GET", "/person", &Value::Null, &[401]).await;

        let account = stage.history.accounts[0];
        let moved = json!({"email": "someone@example.org"});
        stage.operate(&format!("/accounts/{account}/set"), &moved).await;
        stage.operate("/mails/retry", &json!({})).await;
        stage.operate("/people/invite", &json!({"email": "eve@example.com"})).await;
        let chosen = json!({"token": stage.letter().await, "name": "Eve", "password": old, "terms_version": TERMS});
        stage.browse("POST", "/sign-up/finish", &chosen, &[200, 422]).await;
        stage.browse("POST", "/sign-in", &sign_in("eve@example.com", old), &[200]).await;
    })
}

/// Somebody turns codes on, signs in by one, gets new recovery codes and turns codes off; then on again, and the operator off.
pub fn codes(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let (email, password) = ("ada@example.com", "correct horse battery");
        stage.invited(email, password).await;
        let first = json!({"email": email, "password": password});
        let proof = json!({"current_password": password});
        let secret = stage.authenticator(&proof).await;
        // A second step that was not answered is over, and so is its code.
        for round in 0.. {
            assert!(round < 3, "a code signs in");
            let half_way = stage.browse("POST", "/sign-in", &first, &[200]).await;
            let second = json!({"token": half_way["data"]["token"], "code": stage.shows(&secret).await});
            if stage.browse("POST", "/sign-in/code", &second, &[200, 401]).await["ok"] == true {
                break;
            }
        }
        let both = json!({"current_password": password, "code": stage.shows(&secret).await});
        stage.browse("POST", "/second-factor/recovery-codes", &both, &[200, 422]).await;
        let both = json!({"current_password": password, "code": stage.shows(&secret).await});
        stage.browse("POST", "/second-factor/turn-off", &both, &[200, 409]).await;
        stage.authenticator(&proof).await;
        stage.operate_once("/people/code-off", &json!({"email": email})).await;
        assert_eq!(stage.browse("GET", "/second-factor", &Value::Null, &[200]).await["data"]["on"], false);
    })
}

/// Somebody pays in by card, and gets a part of it back. Each moves once.
pub fn card(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        stage.invited("ada@example.com", "correct horse battery").await;
        let asked = stage.browse("POST", "/top-ups", &json!({"amount": "25.00"}), &[200]).await;
        let session = asked["data"]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let account = stage.browse("GET", "/person", &Value::Null, &[200]).await["data"]["account"].clone();
        let paid = json!({
            "id": session, "amount_total": 2500, "currency": "usd", "payment_status": "paid", "payment_intent": "pi_1",
            "metadata": {"top_up": asked["data"]["uuid"], "account": account},
        });
        stage.stripe("checkout.session.completed", &paid).await;
        let back = json!({"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 1000, "currency": "usd"});
        stage.stripe("charge.refunded", &back).await;
        let lost = json!({"id": "dp_1", "payment_intent": "pi_1", "amount": 1500, "currency": "usd", "status": "lost"});
        stage.stripe("charge.dispute.closed", &lost).await;
        let accounts = stage.look("/accounts").await["data"].clone();
        let hers = accounts.as_array().unwrap().iter().find(|one| one["uuid"] == account).unwrap().clone();
        assert_eq!((&hers["balance"], &hers["owed"]), (&json!("0.00"), &json!("0.00")), "{hers}");
        // The terms that are in force already: accepted once more, which changes nothing.
        stage.browse("POST", "/terms", &json!({"terms_version": TERMS}), &[200]).await;
        // Asked for again after an answer that was lost, there is a page that nobody pays on; the account waits for its end.
        let asked = stage.browse("GET", "/top-ups", &Value::Null, &[200]).await["data"]["top_ups"].clone();
        for open in asked.as_array().unwrap().iter().filter(|one| one["state"] == "open") {
            let top_up = open["uuid"].as_str().unwrap();
            let ended = json!({
                "id": format!("cs_test_top-up-{top_up}"), "amount_total": 2500, "currency": "usd",
                "payment_status": "unpaid", "metadata": {"top_up": top_up, "account": account},
            });
            // Where the control plane died before it noted the page, nobody knows it.
            stage.stripe_maybe("checkout.session.expired", &ended).await;
        }
        let proof = json!({"current_password": "correct horse battery"});
        stage.browse("POST", "/account/close", &proof, &[200, 401]).await;
        stage.browse("GET", "/person", &Value::Null, &[401]).await;
    })
}

/// Whoever holds a link restarts a server, opens its screen, has it installed anew, and leaves.
pub fn visitor(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let all = json!({"permissions": {"restart": true, "console": true, "reinstall": true}});
        let made = stage.customer("POST", &format!("/servers/{server}/share-links"), Some(&all)).await;
        let url = made["data"]["url"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        assert_eq!(stage.visit(&url).await, "/manage");
        stage.send_form("restart", "", &[303]).await;
        stage.until(server, "Online").await;
        stage.send_form("console", "", &[303]).await;
        let name = stage.show(server).await["data"]["hostname"].as_str().unwrap().to_owned();
        // Asked for once more while it is under way, it is refused.
        stage.send_form("reinstall", &format!("disk=1&image=debian-12&confirm={name}"), &[200, 409]).await;
        stage.until(server, "Online").await;
        stage.send_form("leave", "", &[200, 404]).await;
        stage.send_form("restart", "", &[404]).await;
    })
}

/// A server uses up its month, is held to a rate, and is let go when the next one begins.
pub fn traffic(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let host = stage.host_of(server);
        // The starter package allows 2000 GB.
        for (each, held) in [(1_000_000_000_000, json!(10)), (1, Value::Null)] {
            stage.history.hosts[host].cables.each = each;
            if held.is_null() {
                stage.days(31).await;
            }
            for _ in 0..3 {
                stage.history.wait(60).await;
            }
            let shown = stage.customer("GET", &format!("/servers/{server}/traffic"), None).await;
            assert_eq!(shown["data"]["held_mbit_per_second"], held, "{shown}");
        }
        stage.history.extra.insert(server, PRICE);
    })
}

/// The operator's commands, and one order to see that they had their effect.
pub fn set_up(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnish().await;
        stage.order().await;
    })
}

/// What a customer keeps beside servers.
pub fn belongings(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let key = json!({"label": "Desktop", "public_key": OTHER_PUBLIC_KEY});
        let added = stage.customer("POST", "/ssh-keys", Some(&key)).await;
        let path = format!("/ssh-keys/{}", added["data"]["uuid"].as_str().unwrap_or_else(|| panic!("{added}")));
        let renamed = stage.customer("PATCH", &path, Some(&json!({"label": "Tower"}))).await;
        assert_eq!(renamed["data"]["label"], "Tower", "{renamed}");
        let keys = stage.customer("GET", "/ssh-keys", None).await;
        assert_eq!(keys["total"], 2, "once each, whoever died: {keys}");
        stage.customer("DELETE", &path, None).await;
        let server = stage.order().await;
        let change = json!({"labels": {"env": "test"}, "protection": {"destroy": true}});
        let changed = stage.customer("PATCH", &format!("/servers/{server}"), Some(&change)).await;
        assert_eq!(changed["data"]["labels"], json!({"env": "test"}), "{changed}");
        let links = format!("/servers/{server}/share-links");
        let handed = stage.customer("POST", &links, Some(&json!({"permissions": {"stats": true}}))).await;
        let handed = &handed["data"];
        let url = handed["url"].as_str().unwrap_or_else(|| panic!("{handed}"));
        assert_eq!(stage.visit(url).await, "/manage", "into a session");
        stage.customer("DELETE", &format!("{links}/{}", handed["uuid"].as_str().unwrap()), None).await;
        assert_eq!(stage.visit(url).await, "/manage/closed");
        assert_eq!(stage.customer("GET", "/ssh-keys", None).await["total"], 1);
    })
}

/// A server that is paid for, over and over.
pub fn renting(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let extended = stage.customer("POST", &format!("/servers/{server}/extend"), Some(&json!({"months": 2}))).await;
        assert_eq!(extended["ok"], true, "{extended}");
        stage.history.extra.insert(server, 2 * PRICE);
    })
}

/// A server from its first price to its deletion for want of payment: locked, unlocked, renewed, suspended. Days pass by
/// leaps, so the clock is doubted each time.
pub fn expiring(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let path = |what: &str| format!("/servers/{server}/{what}");
        stage.operate(&path("price/fix"), &json!({})).await;
        stage.operate(&path("price/release"), &json!({})).await;
        stage.operate("/prices", &json!({"package": "starter", "price": "5.00"})).await;
        stage.operate(&path("lock"), &json!({"reason": "operator", "note": "a look at it"})).await;
        stage.operate(&path("unlock"), &json!({"reason": "operator"})).await;
        stage.operate(&path("smtp"), &json!({"open": true})).await;
        stage.until(server, "Online").await;

        stage.days(31).await;
        stage.history.extra.insert(server, 500);
        assert_eq!(stage.show(server).await["data"]["renewal"]["total"], 5.0);
        let change = json!({"auto_renew": false});
        stage.customer("PATCH", &format!("/servers/{server}"), Some(&change)).await;
        stage.days(31).await;
        for days in [6, 1] {
            stage.tell().await;
            stage.days(days).await;
        }
        stage.until_released(server, ServiceStatus::Destroyed).await;
    })
}

/// Whatever can become of a payment, told again when nobody answered. In the end nothing of it is left.
pub fn payments(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let account = stage.history.accounts[0];
        let path = |rest: &str| format!("/accounts/{account}/{rest}");
        // A token whose answer was lost is known to nobody, and opens nothing for want of whoever has it.
        let token = stage.operate("/tokens", &json!({"label": "bridge", "scopes": ["credits"]})).await;
        let token = token["data"]["uuid"].as_str().unwrap_or_default();
        let revoked = stage.operate(&format!("/tokens/{token}/revoke"), &json!({})).await;
        assert_eq!(revoked["data"]["state"], "revoked");
        let pay = json!({"amount": "10.00", "reference": "bank/2", "note": null});
        stage.operate(&path("credits"), &pay).await;
        let gift = json!({"amount": "5.00", "reference": "ticket/1", "note": null});
        stage.operate(&path("goodwill"), &gift).await;
        let taken_back = json!({"direction": "debit", "amount": "5.00", "book": "promotions", "reference": "ticket/2",
                                "note": "Given to the wrong account"});
        stage.operate(&path("corrections"), &taken_back).await;
        stage.operate("/disputes", &json!({"payment": "bank/2", "reference": "case/1"})).await;
        stage.operate("/disputes/close", &json!({"reference": "case/1", "outcome": "won"})).await;
        stage.operate("/refunds", &json!({"payment": "bank/2", "reference": "refund/1"})).await;
        stage.order().await;
    })
}

/// Order, stop, start, restart without its image in the pool, a console, a start that a running guest adopts, destruction.
pub fn life(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        stage.ask(server, "stop").await;
        stage.until(server, "Offline").await;
        stage.ask(server, "start").await;
        stage.until(server, "Online").await;
        for host in &stage.history.hosts {
            host.machine.with(|host| host.images.clear());
        }
        stage.ask(server, "restart").await;
        stage.until(server, "Online").await;
        stage.ask(server, "console").await;
        // While its host is away the guest is stopped and started again: it runs on.
        let host = stage.host_of(server);
        let starts = stage.history.hosts[host].machine.server(server).starts;
        stage.away(host, true).await;
        stage.ask(server, "stop").await;
        stage.ask(server, "start").await;
        stage.away(host, false).await;
        stage.until(server, "Online").await;
        assert_eq!(stage.history.hosts[host].machine.server(server).starts, starts, "it was not rebooted for that");
        stage.ask(server, "destroy").await;
        stage.until_released(server, ServiceStatus::Destroyed).await;
    })
}

/// Two servers on two hosts in one network: in, out, destroyed in it; and a network that ends with a host away.
pub fn networking(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        // How orders end whatever dies is tried elsewhere.
        let at = stage.history.fuse.hold();
        let (first, second) = (stage.running().await, stage.running().await);
        stage.history.fuse.arm(at);
        let hosts = [stage.host_of(first), stage.host_of(second)];
        assert_ne!(hosts[0], hosts[1], "they stand apart");
        let network = stage.make_network("Internal network", "10.64.0.0/24").await;
        let path = format!("/private-networks/{network}");
        let renamed = stage.customer("PATCH", &path, Some(&json!({"name": "Back end"}))).await;
        assert_eq!(renamed["data"]["name"], "Back end", "{renamed}");
        let member = stage.attach(network, first, "10.64.0.1").await;
        stage.attach(network, second, "10.64.0.2").await;
        stage.until_members(network, &["active", "active"]).await;
        for (own, other) in [(hosts[0], hosts[1]), (hosts[1], hosts[0])] {
            stage.check_network(network, own, other).await;
        }

        // The one that leaves takes its host along; what is detached is let go of before its address rests.
        let detached = stage.customer("DELETE", &format!("{path}/members/{member}"), None).await;
        assert_eq!(detached["ok"], true, "{detached}");
        stage.until_members(network, &["active"]).await;
        let told = stage.history.hosts[hosts[0]].network(network).await;
        assert!(matches!(told, Some(DesiredNetwork::Absent(_))), "{told:?}");

        // The other one is destroyed in it, while its host is away: the network ends, and its subnet is held.
        stage.away(hosts[1], true).await;
        stage.ask(second, "destroy").await;
        let deleted = stage.customer("DELETE", &path, None).await;
        assert_eq!(deleted["ok"], true, "{deleted}");
        stage.until_network(network, NetworkState::Held).await;
        let other = stage.make_network("Another", "10.64.1.0/24").await;
        stage.away(hosts[1], false).await;
        stage.until_released(second, ServiceStatus::Destroyed).await;
        // What rests for no time at all is free at the next look.
        stage.until_network(network, NetworkState::Free).await;
        stage.attach(other, first, "10.64.1.1").await;
        stage.until_members(other, &["active"]).await;
    })
}

/// A larger package, and back to the smaller one, which erases.
pub fn reshaping(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let host = stage.host_of(server);
        stage.reshape(server, "change-package", &json!({"package_slug": "edge"})).await;
        stage.until(server, "Online").await;
        let held = stage.history.hosts[host].machine.server(server);
        assert_eq!((held.disk_gib[&DiskEpoch(1)], held.disks.len()), (60, 1));
        let smaller = json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": "ERASE"});
        stage.reshape(server, "change-package", &smaller).await;
        stage.until(server, "Online").await;
        let held = stage.history.hosts[host].machine.server(server);
        assert_eq!((held.disk_gib[&DiskEpoch(2)], held.trash.len()), (20, 1));
    })
}

/// Reinstalls that their host cannot do, before the disks are swapped and after.
pub fn spoilt(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let host = stage.host_of(server);
        let another = json!({"os_image_key": "ubuntu-24-04"});
        stage.fail(Op::FetchImage, Some(FaultCode::ImageChecksum));
        stage.reshape(server, "reinstall", &another).await;
        stage.until(server, "Online").await;
        stage.fail(Op::FetchImage, None);
        let shown = stage.show(server).await;
        assert_eq!(shown["data"]["image"]["key"], "debian-12", "the server is as it was: {shown}");
        assert_eq!(stage.history.hosts[host].machine.server(server).disks[&DiskEpoch(1)], 1, "it never went off");

        stage.fail(Op::Define, Some(FaultCode::HypervisorRefused));
        stage.reshape(server, "reinstall", &another).await;
        stage.until_ended(server).await;
        stage.fail(Op::Define, None);
        stage.ask(server, "start").await;
        stage.until(server, "Online").await;
        assert_eq!(stage.show(server).await["data"]["image"]["key"], "ubuntu-24-04", "its disk was swapped by then");
    })
}

/// Extra addresses: added, taken from a guest that ignores it, somebody else's, moved to a server on the other host, and kept
/// where they are while their host is away.
pub fn addresses(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let (first, other) = (stage.running().await, stage.running().await);
        let hosts = [stage.host_of(first), stage.host_of(other)];
        assert_ne!(hosts[0], hosts[1]);
        stage.operate(&format!("/servers/{first}/extra-ips"), &json!({"max": 3})).await;

        let path = format!("/servers/{first}/extra-ips");
        let added = stage.customer("POST", &path, None).await;
        let ip = added["data"]["uuid"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned();
        stage.until(first, "Online").await;
        let machine = stage.history.hosts[hosts[0]].machine.clone();
        assert_eq!(machine.server(first).adapters.len(), 2);
        machine.with(|machine| machine.guests_obey = false);
        let removed = stage.customer("DELETE", &format!("{path}/{ip}"), None).await;
        assert_eq!(removed["ok"], true, "{removed}");
        stage.until(first, "Online").await;
        assert_eq!(machine.server(first).own.len(), 1, "the guest keeps an adapter that leads nowhere");
        machine.with(|machine| machine.guests_obey = true);

        // The next two free ones are a stranger's; what the customer gets is a third.
        let strangers = [Ipv4Addr::new(203, 0, 113, 12), Ipv4Addr::new(203, 0, 113, 13)];
        for host in &stage.history.hosts {
            host.machine.with(|machine| machine.in_use.extend(strangers));
        }
        let added = stage.customer("POST", &path, None).await;
        let ip = added["data"]["uuid"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned();
        stage.until(first, "Online").await;
        let listed = stage.customer("GET", &path, None).await;
        assert_eq!((&listed["data"][0]["status"], &listed["data"][0]["uuid"]), (&json!("active"), &json!(ip)));
        assert_eq!(listed["data"][0]["address"], "203.0.113.14");
        for host in &stage.history.hosts {
            host.machine.with(|machine| machine.in_use.clear());
        }
        stage.operate_again("/addresses/clear", &json!({"address": strangers[0]})).await;

        let move_to = async |stage: &mut Stage, from: ServerId, to: ServerId| {
            let target = json!({"target_server_uuid": to});
            let moved = stage.customer("POST", &format!("/servers/{from}/extra-ips/{ip}/move"), Some(&target)).await;
            assert_eq!(moved["ok"], true, "{moved}");
        };
        move_to(stage, first, other).await;
        stage.until(first, "Online").await;
        stage.until(other, "Online").await;
        assert_eq!(stage.history.hosts[hosts[1]].machine.server(other).own.len(), 2);
        // The first one for a day, and the other's rest once.
        stage.history.extra.insert(other, 200 + 7);

        stage.away(hosts[1], true).await;
        move_to(stage, other, first).await;
        stage.history.wait(1801).await;
        stage.away(hosts[1], false).await;
        stage.until(other, "Online").await;
        assert_eq!(stage.history.hosts[hosts[1]].machine.server(other).own.len(), 2, "it stays where it was");
    })
}

/// Orders that their host refuses, early and late in the making.
pub fn failing(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        for (op, code) in [(Op::FetchImage, FaultCode::ImageChecksum), (Op::Start, FaultCode::HypervisorRefused)] {
            stage.fail(op, Some(code));
            let server = stage.order().await;
            stage.until(server, "Failed").await;
            stage.tells(server, code.as_str()).await;
            stage.fail(op, None);
            stage.until_released(server, ServiceStatus::Failed).await;
        }
        let server = stage.running().await;
        assert_eq!(stage.host_of(server), 0, "what failed does not keep its host from a new order");
    })
}

/// Orders that run out of time: their host is away, or cannot make the disk.
pub fn late(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.order().await;
        stage.away(0, true).await;
        stage.away(1, true).await;
        stage.history.wait(PROVISION_TIMEOUT + 1).await;
        stage.until(server, "Failed").await;
        stage.tells(server, "provision_timeout").await;
        stage.away(0, false).await;
        stage.away(1, false).await;
        stage.until_released(server, ServiceStatus::Failed).await;

        stage.fail(Op::CreateDisk, Some(FaultCode::PoolFull));
        let server = stage.order().await;
        for _ in 0..4 {
            stage.history.wait(30).await;
        }
        stage.history.wait(PROVISION_TIMEOUT).await;
        stage.until(server, "Failed").await;
        stage.tells(server, "pool_full").await;
        stage.fail(Op::CreateDisk, None);
        stage.until_released(server, ServiceStatus::Failed).await;
    })
}

/// Both hosts lose their power: what ran comes back, what had gone off by itself does not.
pub fn power_cut(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let (steady, off) = (stage.running().await, stage.running().await);
        stage.goes_off(off, OffCause::Shutdown);
        stage.until(off, "Offline").await;
        // In the middle of a removal, too.
        let doomed = stage.running().await;
        stage.ask(doomed, "destroy").await;
        for host in 0..stage.history.hosts.len() {
            stage.history.hosts[host].kill();
            stage.history.hosts[host].machine.reboot();
        }
        stage.history.revive().await;
        stage.until(steady, "Online").await;
        stage.until(off, "Offline").await;
        stage.until_released(doomed, ServiceStatus::Destroyed).await;
        stage.ask(off, "start").await;
        stage.until(off, "Online").await;
        stage.ask(off, "destroy").await;
        stage.until_released(off, ServiceStatus::Destroyed).await;
    })
}

/// A guest that pauses, loses its filters and its adapter, is given another tap and adapter, disobeys, falls five times, loses
/// its disk's file while it is locked, and at last runs behind libvirt's back.
pub fn unruly(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        let server = stage.running().await;
        let machine = stage.history.hosts[stage.host_of(server)].machine.clone();
        let state = |state| {
            machine.with(|m| m.servers.get_mut(&server).unwrap().domain.as_mut().unwrap().state = state);
        };
        state(SeenState::Paused);
        machine.with(|m| {
            let held = m.servers.get_mut(&server).unwrap();
            held.filters = None;
            held.strays.insert("csptloop".to_owned(), SeenStray { connected: true, removable: true });
            held.adapters = BTreeSet::from([Mac::for_guest([9, 9, 9, 9])]);
        });
        for _ in 0..2 {
            stage.history.wait(30).await;
        }
        let held = machine.server(server);
        assert!(machine.runs(server) && held.filters.is_some() && held.strays.is_empty(), "{held:?}");
        assert_eq!(held.adapters, held.defined_adapters, "its own, and no other");

        machine.with(|m| m.guests_obey = false);
        stage.ask(server, "stop").await;
        stage.until(server, "Offline").await;
        machine.with(|m| m.guests_obey = true);
        stage.ask(server, "start").await;
        stage.until(server, "Online").await;

        for _ in 0..6 {
            stage.goes_off(server, OffCause::Crashed);
            for _ in 0..2 {
                stage.history.wait(20).await;
            }
        }
        // A new process of the agent begins to count anew, and so it may just run again.
        let shown = stage.show(server).await["data"]["status"].clone();
        if shown != "Online" {
            assert_eq!(shown, "Offline", "five falls in ten minutes");
            stage.ask(server, "start").await;
        }
        stage.until(server, "Online").await;

        // Its disk's file is gone: what it wrote is held by its QEMU alone, which no lock ends.
        let disks = machine.with(|m| std::mem::take(&mut m.servers.get_mut(&server).unwrap().disks));
        stage.operate(&format!("/servers/{server}/lock"), &json!({"reason": "operator"})).await;
        stage.history.wait(30).await;
        let held = machine.server(server);
        assert_eq!(held.domain.map(|domain| domain.state), Some(SeenState::Paused), "{held:?}");
        machine.with(|m| m.servers.get_mut(&server).unwrap().disks = disks);
        stage.operate(&format!("/servers/{server}/unlock"), &json!({"reason": "operator"})).await;
        stage.until(server, "Online").await;

        // libvirt lost the domain, and the guest runs on.
        machine.with(|m| m.servers.get_mut(&server).unwrap().domain = None);
        stage.ask(server, "destroy").await;
        stage.until_released(server, ServiceStatus::Destroyed).await;
    })
}

/// Hosts that are drained, given up and come back, and given up for good. Each customer's money comes back once, and no
/// address is let go before its old holder is.
pub fn losing(stage: &mut Stage) -> Played<'_> {
    Box::pin(async {
        stage.furnished().await;
        stage.operate("/hosts/h0/set", &json!({"cpu_overcommit": 8})).await;
        stage.direct(1, "drain").await;
        let first = stage.running().await;
        stage.direct(1, "undrain").await;
        let other = stage.running().await;
        assert_eq!((stage.host_of(first), stage.host_of(other)), (0, 1));

        stage.away(0, true).await;
        stage.reshape(first, "change-package", &json!({"package_slug": "edge"})).await;
        stage.direct(0, "lost").await;
        let upgrade: i64 = stage.history.changes.values().map(|(took, _)| took).sum();
        stage.note_loss(first, upgrade).await;
        assert_eq!(stage.show(first).await["ok"], false, "it ended for its customer");
        // Its power comes back before its line: without a word from anybody it runs what it was told last.
        stage.history.hosts[0].kill();
        stage.history.hosts[0].machine.reboot();
        stage.history.revive().await;
        // Longer than an agent waits for a word, twice: it may die over the start.
        stage.history.wait(61).await;
        stage.history.wait(61).await;
        assert!(stage.history.hosts[0].machine.runs(first), "autonomy wins");
        // It loses its power again, and then its line is there: it hears of the tombstones before anything starts.
        let starts = stage.history.hosts[0].machine.server(first).starts;
        stage.history.hosts[0].kill();
        stage.history.hosts[0].machine.reboot();
        stage.history.away[0] = false;
        stage.history.revive().await;
        stage.until_released(first, ServiceStatus::Destroyed).await;
        assert_eq!(stage.history.hosts[0].machine.server(first).starts, starts, "it never ran again");
        stage.direct(0, "undrain").await;

        // The other one burns down, with an order that it was to make.
        stage.direct(0, "drain").await;
        stage.away(1, true).await;
        let unmade = stage.order().await;
        stage.direct(1, "lost").await;
        stage.note_loss(other, 0).await;
        stage.tells(unmade, "host_lost").await;
        stage.history.wait(120).await;
        stage.direct(1, "fenced").await;
        stage.history.hosts[1].machine.with(|machine| machine.servers.clear());
        stage.until_released(other, ServiceStatus::Destroyed).await;
        stage.until_released(unmade, ServiceStatus::Failed).await;
        stage.direct(0, "undrain").await;
        stage.direct(1, "remove").await;
    })
}

impl Stage {
    /// Turns codes on; answers what the authenticator knows.
    async fn authenticator(&mut self, proof: &Value) -> String {
        let set_up = self.browse("POST", "/second-factor/set-up", proof, &[200]).await;
        let secret = set_up["data"]["secret"].as_str().unwrap().to_owned();
        let typed = json!({"code": self.shows(&secret).await});
        self.browse("POST", "/second-factor/confirm", &typed, &[200, 409]).await;
        assert_eq!(self.browse("GET", "/second-factor", &Value::Null, &[200]).await["data"]["on"], true);
        secret
    }

    /// A new network, of which the subnet is known.
    async fn make_network(&mut self, name: &str, subnet: &str) -> NetworkId {
        let made = self.customer("POST", "/private-networks", Some(&json!({"name": name}))).await;
        assert_eq!(made["data"]["subnet"], subnet, "{made}");
        made["data"]["uuid"].as_str().unwrap().parse().unwrap()
    }

    /// Attaches a server, which gets this address; its membership.
    async fn attach(&mut self, network: NetworkId, server: ServerId, address: &str) -> String {
        let body = json!({"server_uuid": server});
        let answer = self.customer("POST", &format!("/private-networks/{network}/attach"), Some(&body)).await;
        assert_eq!(answer["data"]["address"], address, "{answer}");
        answer["data"]["membership_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the members of a network are at these statuses.
    async fn until_members(&mut self, network: NetworkId, wanted: &[&str]) {
        let mut shown = Value::Null;
        for _ in 0..60 {
            shown = self.customer("GET", &format!("/private-networks/{network}"), None).await;
            let members = shown["data"]["members"].as_array().unwrap();
            if members.iter().map(|member| member["status"].as_str().unwrap()).eq(wanted.iter().copied()) {
                return;
            }
            self.history.wait(5).await;
        }
        panic!("its members are not {wanted:?}: {shown}");
    }

    /// Waits until a network's subnet and segment are used so.
    async fn until_network(&mut self, network: NetworkId, state: NetworkState) {
        for _ in 0..60 {
            let read = move |r: &csp_control::store::Read<'_>| r.network_any(network);
            if self.history.control.store.read(read).await.unwrap().unwrap().state == state {
                return;
            }
            self.history.wait(5).await;
        }
        panic!("network {network} is not {state:?}");
    }

    /// A host knows both members, and where the other one is.
    async fn check_network(&self, network: NetworkId, own: usize, other: usize) {
        let told = self.history.hosts[own].network(network).await;
        let Some(DesiredNetwork::Present(spec)) = told else { panic!("host {own} was told {told:?}") };
        let underlay = std::net::IpAddr::from([192, 0, 2, u8::try_from(other).unwrap() + 1]);
        assert!(matches!(&spec.segment, Segment::Vxlan { peers, .. } if *peers == [underlay]), "{spec:?}");
        let places: BTreeSet<_> = spec.members.iter().map(|member| format!("{:?}", member.at)).collect();
        let wanted = [MemberPlace::Here, MemberPlace::Behind(underlay)].map(|place| format!("{place:?}"));
        assert_eq!(places, wanted.into_iter().collect(), "{spec:?}");
    }

    /// What an operator says of a host.
    async fn direct(&mut self, host: usize, what: &str) {
        self.operate(&format!("/hosts/h{host}/{what}"), &json!({})).await;
    }

    /// What its customer got back for a server that was lost, as the event says: once. Of it, `changed` is what a change took
    /// that was not done.
    async fn note_loss(&mut self, server: ServerId, changed: i64) {
        let account = self.history.accounts[0];
        let events = self.history.control.store.read(move |r| r.event_list(account, 0, 10_000)).await.unwrap();
        let told = events.iter().filter(|event| event.kind == "server.lost" && event.server == Some(server));
        let amount = |data: &str| serde_json::from_str::<Value>(data).unwrap()["amount"].as_f64().unwrap();
        let amounts: Vec<f64> = told.map(|event| amount(&event.data)).collect();
        assert_eq!(amounts.len(), 1, "{server}");
        self.history.extra.insert(server, changed - (amounts[0] * 100.0).round() as i64);
    }

    /// A reinstall or another package, and what it costs.
    async fn reshape(&mut self, server: ServerId, what: &str, body: &Value) {
        let answer = self.customer("POST", &format!("/servers/{server}/{what}"), Some(body)).await;
        assert_eq!(answer["ok"], true, "{what}: {answer}");
        let cents = |name: &str| (answer["data"][name].as_f64().unwrap_or_default() * 100.0).round() as i64;
        let action = answer["action"]["uuid"].as_str().unwrap().parse().unwrap();
        self.history.changes.insert(action, (cents("charged"), cents("credit")));
    }

    /// Waits until nothing that was asked is open.
    async fn until_ended(&mut self, server: ServerId) {
        for _ in 0..60 {
            let read = move |r: &csp_control::store::Read<'_>| r.action_open(server);
            if self.history.control.store.read(read).await.unwrap().is_empty() {
                return;
            }
            self.history.wait(5).await;
        }
        panic!("{server} is busy for ever: {}", self.show(server).await);
    }

    /// Every host fails at this from now on, or does no more.
    fn fail(&self, op: Op, code: Option<FaultCode>) {
        let (times, code) = code.map_or((0, FaultCode::Internal), |code| (u32::MAX, code));
        for host in &self.history.hosts {
            host.machine.fail(op, times, Fault::new(code, "it was told to fail"));
        }
    }

    fn goes_off(&self, server: ServerId, cause: OffCause) {
        self.history.hosts[self.host_of(server)].machine.guest_goes_off(server, cause);
    }

    /// The customer sees why.
    async fn tells(&mut self, server: ServerId, code: &str) {
        let shown = self.show(server).await;
        assert_eq!(shown["data"]["failure"]["code"], code, "{shown}");
        assert!(shown["data"]["failure"]["message"].as_str().is_some_and(|text| text.ends_with('.')), "{shown}");
    }
}
