//! `POST /servers/{uuid}/reinstall`: what it asks of the host, who may enter afterwards, and what is left when it fails.

use csp_control::schedule;
use csp_shared::{
    generation::DiskEpoch,
    id::ServerId,
    message::Capacity,
    observed::{Fault, FaultCode, Observed},
    spec::{Desired, ServerSpec},
};
use csp_tests::test_control::{OTHER_PUBLIC_KEY, PUBLIC_KEY, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

const ONE: DiskEpoch = DiskEpoch(1);
const TWO: DiskEpoch = DiskEpoch(2);

struct Rented {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
    server: ServerId,
}

/// A server that is online, ordered with `keys` beside the usual fields.
async fn rented(keys: Value) -> Rented {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "100").await;
    let mut order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    order.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let reply = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    let server = reply.data()["uuid"].as_str().unwrap().parse().unwrap();
    host.obey().await;
    Rented { control, host, customer, server }
}

impl Rented {
    async fn ask(&self, method: &str, rest: &str, body: &Value) -> Reply {
        let path = format!("/servers/{}{rest}", self.server);
        self.control.api(method, &path).by(&self.customer).json(body).send().await
    }

    async fn show(&self) -> Value {
        let path = format!("/servers/{}", self.server);
        self.control.api("GET", &path).by(&self.customer).send().await.data().clone()
    }

    async fn reinstall(&self, body: Value) -> Reply {
        self.ask("POST", "/reinstall", &body).await
    }

    async fn spec(&self) -> ServerSpec {
        let server = self.server;
        match self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap() {
            Some(Desired::Present(spec)) => *spec,
            other => panic!("{other:?}"),
        }
    }

    /// The newest action: what it is, how it stands, and why it failed.
    async fn action(&self) -> (Value, Value, Value) {
        let action = self.control.api("GET", "/actions").by(&self.customer).send().await.data()[0].clone();
        (action["command"].clone(), action["status"].clone(), action["error"]["code"].clone())
    }

    /// Locks it as an abuse, or lifts that.
    async fn abuse(&self, verb: &str) {
        let path = format!("/servers/{}/{verb}", self.server);
        let done = self.control.operator("POST", &path).json(&json!({"reason": "abuse"})).send().await;
        assert_eq!(done.data()["changed"], json!(true), "{}", done.text);
    }

    async fn time_passes(&self, minutes: i64) {
        self.control.clock.advance(minutes * 60);
        let app = &self.control.app;
        schedule::tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    }
}

fn ubuntu() -> Value {
    json!({"os_image_key": "ubuntu-24-04"})
}

/// The host has it and cannot: it holds the disk of `epoch`.
fn cannot(code: FaultCode, epoch: DiskEpoch) -> impl Fn(Observed) -> Observed {
    move |seen| Observed { reached: None, disk_epoch: Some(epoch), fault: Some(Fault::new(code, "for a test")), ..seen }
}

#[tokio::test]
async fn a_reinstall_makes_the_disk_anew_and_keeps_the_address() {
    let web = rented(json!({})).await;
    let before = web.show().await;
    assert_eq!(web.ask("PATCH", "", &json!({"hostname": "renamed"})).await.status.as_u16(), 200);
    assert_eq!(web.ask("POST", "/stop", &json!({})).await.status.as_u16(), 200);
    web.host.obey().await;
    let reply = web.reinstall(ubuntu()).await;
    assert_eq!(reply.json["message"], json!("Reinstall has been queued."));
    assert_eq!(reply.data()["root_password"].as_str().map(str::len), Some(20), "no key opens it: {}", reply.text);
    assert_eq!(reply.json["action"]["command"], json!("reinstall"));
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.hostname.as_str(), spec.should_run()), (TWO, "renamed", true));
    assert!(spec.image.url.contains("ubuntu") && spec.login.password_hash.is_some());

    let shown = web.show().await;
    assert_eq!((&shown["status"], &shown["action"]["command"]), (&json!("Reinstalling"), &json!("reinstall")));
    for rest in ["/start", "/stop", "/restart", "/extend", "/console"] {
        let refused = web.ask("POST", rest, &json!({})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "server_busy"), "{rest}");
    }
    let again = web.reinstall(ubuntu()).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "server_busy"));

    web.host.obey().await;
    let after = web.show().await;
    assert_eq!((&after["status"], &after["image"]["key"]), (&json!("Online"), &json!("ubuntu-24-04")));
    assert_eq!(after["ips"], before["ips"]);
    assert_eq!(web.action().await, (json!("reinstall"), json!("done"), json!(null)));
}

#[tokio::test]
async fn the_chosen_key_is_used_again_and_another_one_takes_its_place_alone() {
    let inline = OTHER_PUBLIC_KEY.to_owned();
    let web = rented(json!({})).await;
    let chosen = web.control.ssh_key(web.customer.account).await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web2",
                       "ssh_key_uuid": chosen, "ssh_keys": [inline]});
    let reply = web.control.api("POST", "/servers").by(&web.customer).json(&order).send().await;
    let server = reply.data()["uuid"].as_str().unwrap().parse().unwrap();
    web.host.obey().await;
    let web = Rented { server, ..web };
    let reply = web.reinstall(ubuntu()).await;
    assert!(reply.data().get("root_password").is_none(), "{}", reply.text);
    assert_eq!(web.spec().await.login.ssh_keys, [PUBLIC_KEY, inline.as_str()]);
    web.host.obey().await;

    let third = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g";
    let added = json!({"label": "Third", "public_key": third});
    let added = web.control.api("POST", "/ssh-keys").by(&web.customer).json(&added).send().await;
    let third_uuid = added.data()["uuid"].clone();
    // What was chosen before is gone from the account; the server kept it until now.
    web.control.api("DELETE", &format!("/ssh-keys/{chosen}")).by(&web.customer).send().await;
    let reply = web.reinstall(json!({"os_image_key": "debian-12", "ssh_key_uuid": third_uuid})).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    let login = web.spec().await.login;
    assert_eq!((login.ssh_keys, login.password_hash), (vec![third.to_owned(), inline], None));
}

#[tokio::test]
async fn a_protected_disk_stays_and_wrong_words_are_named() {
    let web = rented(json!({})).await;
    let before = web.spec().await;
    for (body, code, field) in [
        (json!({}), "validation_failed", "os_image_key"),
        (json!({"os_image_key": "beos"}), "image_not_found", "os_image_key"),
        (json!({"os_image_key": "debian-12", "ssh_key_uuid": "x"}), "ssh_key_not_found", "ssh_key_uuid"),
        (json!({"os_image_key": "debian-12", "ssh_key_uuid": web.server}), "ssh_key_not_found", "ssh_key_uuid"),
        (json!({"os_image_key": "debian-12", "force": true}), "validation_failed", "force"),
    ] {
        let reply = web.reinstall(body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (422, code, vec![field]), "{body}");
    }
    web.ask("PATCH", "", &json!({"protection": {"reinstall": true}})).await;
    let reply = web.reinstall(ubuntu()).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "protected"), "{}", reply.text);
    assert_eq!(web.spec().await, before);
    web.ask("PATCH", "", &json!({"protection": {"reinstall": false, "destroy": true}})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200, "the other protection is another's");
}

#[tokio::test]
async fn a_reinstall_that_fails_leaves_the_old_disk_and_says_why() {
    let web = rented(json!({})).await;
    let before = web.spec().await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.host.says(cannot(FaultCode::ImageChecksum, ONE)).await;
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, &spec.image, &spec.login), (ONE, &before.image, &before.login));
    assert_eq!(web.show().await["status"], json!("Reinstalling"), "nobody knows yet which disk it has");
    assert_eq!(web.action().await.1, json!("running"));

    web.host.obey().await;
    let shown = web.show().await;
    assert_eq!((&shown["status"], &shown["image"]["key"]), (&json!("Online"), &json!("debian-12")));
    assert_eq!(web.action().await, (json!("reinstall"), json!("failed"), json!("image_checksum")));
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    assert_eq!(web.spec().await.disk_epoch, DiskEpoch(3), "what was asked for once is not asked for again");
}

#[tokio::test]
async fn a_reinstall_that_is_given_up_too_late_is_done() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.host.says(|seen| Observed { reached: None, disk_epoch: Some(ONE), ..seen }).await;
    web.time_passes(31).await;
    assert_eq!(web.spec().await.disk_epoch, ONE);
    web.host.says(cannot(FaultCode::DiskMissing, TWO)).await;
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.image.url.contains("ubuntu")), (TWO, true), "the host had swapped the disks");
    web.host.obey().await;
    assert_eq!(web.show().await["image"]["key"], json!("ubuntu-24-04"));
    assert_eq!(web.action().await, (json!("reinstall"), json!("done"), json!(null)));
}

#[tokio::test]
async fn a_reinstall_that_nobody_confirms_waits_for_its_host_to_say_which_disk_it_has() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.time_passes(31).await;
    assert_eq!(web.action().await.1, json!("queued"));
    web.time_passes(24 * 60).await;
    assert_eq!((web.action().await.1, web.spec().await.disk_epoch), (json!("queued"), ONE));
    web.host.obey().await;
    assert_eq!(web.action().await, (json!("reinstall"), json!("failed"), json!("action_timeout")));
}

#[tokio::test]
async fn what_fails_after_the_disks_were_swapped_is_told_and_not_taken_back() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.host.says(cannot(FaultCode::HypervisorRefused, TWO)).await;
    assert_eq!(web.action().await, (json!("reinstall"), json!("failed"), json!("hypervisor_refused")));
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.image.url.contains("ubuntu")), (TWO, true));
    web.host.obey().await;
    assert_eq!(web.show().await["image"]["key"], json!("ubuntu-24-04"));
}

#[tokio::test]
async fn under_abuse_a_reinstall_that_was_asked_for_before_is_taken_back() {
    let web = rented(json!({})).await;
    let before = web.spec().await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.abuse("lock").await;
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, &spec.image, &spec.login), (ONE, &before.image, &before.login));
    assert!(spec.locked, "and it is off");
    assert_eq!(web.action().await.1, json!("queued"), "nobody knows yet which disk it has");

    web.host.obey().await;
    assert_eq!(web.action().await, (json!("reinstall"), json!("failed"), json!("server_suspended")));
    let action = web.control.api("GET", "/actions").by(&web.customer).send().await.data()[0].clone();
    let words = "The server was suspended while an abuse is looked into, and no disk is erased under that. Its disk is as it \
                 was before.";
    assert_eq!(action["error"]["message"], json!(words));
    let shown = web.show().await;
    assert_eq!((&shown["status"], &shown["image"]["key"]), (&json!("Suspended"), &json!("debian-12")));
    web.abuse("unlock").await;
    web.host.obey().await;
    assert_eq!(web.show().await["status"], json!("Online"));
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    assert_eq!(web.spec().await.disk_epoch, DiskEpoch(3), "what was asked for once is not asked for again");
}

#[tokio::test]
async fn under_abuse_a_reinstall_that_its_host_did_before_it_heard_of_it_is_done() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.abuse("lock").await;
    web.host.says(cannot(FaultCode::DiskMissing, TWO)).await;
    let spec = web.spec().await;
    assert_eq!((spec.disk_epoch, spec.locked), (TWO, true), "the host had swapped the disks");
    web.host.obey().await;
    assert_eq!(web.action().await, (json!("reinstall"), json!("done"), json!(null)));
}

#[tokio::test]
async fn under_abuse_a_reinstall_whose_new_disk_is_there_goes_on() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    web.host.says(|seen| Observed { reached: None, disk_epoch: Some(TWO), ..seen }).await;
    web.abuse("lock").await;
    assert_eq!(web.spec().await.disk_epoch, TWO, "the old one is in the trash by now, or on its way there");
    web.host.obey().await;
    assert_eq!(web.action().await, (json!("reinstall"), json!("done"), json!(null)));
}

#[tokio::test]
async fn a_lock_for_other_reasons_than_abuse_takes_nothing_back() {
    let web = rented(json!({})).await;
    assert_eq!(web.reinstall(ubuntu()).await.status.as_u16(), 200);
    let path = format!("/servers/{}/lock", web.server);
    web.control.operator("POST", &path).json(&json!({"reason": "operator"})).send().await.done();
    assert_eq!(web.spec().await.disk_epoch, TWO);
}

#[tokio::test]
async fn a_host_without_room_for_a_second_disk_refuses_before_anything_moves() {
    let rented = rented(json!({})).await;
    let capacity = |disk_gib| Capacity { cpus: 16, ram_mib: 65_536, disk_gib };
    rented.host.has(capacity(39)).await;
    let books = rented.control.books().await;
    let refused = rented.reinstall(json!({"os_image_key": "debian-12"})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "no_capacity"), "{}", refused.text);
    assert_eq!((rented.control.books().await, rented.spec().await.disk_epoch), (books, ONE));

    // With room for one, two at once do not both count on it.
    rented.host.has(capacity(60)).await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web2"});
    let other = rented.control.api("POST", "/servers").by(&rented.customer).json(&order).send().await;
    rented.host.obey().await;
    assert_eq!(rented.reinstall(json!({"os_image_key": "debian-12"})).await.status.as_u16(), 200);
    let path = format!("/servers/{}/reinstall", other.data()["uuid"].as_str().unwrap());
    let body = json!({"os_image_key": "debian-12"});
    let second = async || rented.control.api("POST", &path).by(&rented.customer).json(&body).send().await;
    assert_eq!(second().await.code(), "no_capacity");
    rented.host.obey().await;
    // The old disk is in the trash now, and the host says so.
    rented.host.has(capacity(40)).await;
    assert_eq!(second().await.code(), "no_capacity");
    rented.host.has(capacity(60)).await;
    assert_eq!(second().await.status.as_u16(), 200, "the trash was emptied");
}
