//! A new root password: shown once, and the one that the guest took, however often the request arrives.

use csp_shared::message::PasswordRefusal;
use csp_tests::test_control::{Reply, TestControl, TestCustomer};

async fn scene() -> (TestControl, TestCustomer, csp_tests::test_control::TestHost, String) {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let ada = control.customer("ada", "100").await;
    let path = format!("/servers/{}/reset-password", control.order(&ada, "starter", "web").await);
    host.obey().await;
    (control, ada, host, path)
}

fn password(reply: &Reply) -> String {
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    reply.data()["root_password"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_answer_shows_the_password_whose_hash_the_guest_took() {
    let (control, ada, host, path) = scene().await;
    let guests = host.with_guests(&control);
    let reply = control.api("POST", &path).by(&ada).send().await;
    let plain = password(&reply);
    let taken = guests.taken();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].1.starts_with("$6$") && !taken[0].1.contains(&plain));
    sha_crypt::sha512_check(&plain, &taken[0].1).unwrap();
    let events = control.api("GET", "/events").by(&ada).send().await;
    assert!(events.text.contains("server.password_reset") && !events.text.contains(&plain), "{}", events.text);
}

#[tokio::test]
async fn twins_with_one_key_set_one_password_and_hear_the_same() {
    let (control, ada, host, path) = scene().await;
    let guests = host.with_guests(&control);
    let ask = || control.api("POST", &path).by(&ada).header("idempotency-key", "one").send();
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!(password(&first), password(&second));
    assert_eq!(password(&ask().await), password(&first));
    assert_eq!(guests.taken().len(), 1, "the guest was asked once");
    assert_ne!(password(&control.api("POST", &path).by(&ada).send().await), password(&first));
}

#[tokio::test]
async fn each_refusal_has_its_name_and_stores_nothing() {
    let (control, ada, host, path) = scene().await;
    let ask = || control.api("POST", &path).by(&ada).header("idempotency-key", "one").send();
    let reply = ask().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "host_unreachable"), "not connected");
    let guests = host.with_guests(&control);
    for (refusal, status, code) in [
        (PasswordRefusal::NoGuestAgent, 409, "guest_agent_missing"),
        (PasswordRefusal::Refused, 409, "guest_refused"),
        (PasswordRefusal::NotRunning, 409, "conflict"),
        (PasswordRefusal::HostTrouble, 503, "host_unreachable"),
    ] {
        guests.refuse(Some(refusal));
        let reply = ask().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{refusal:?}");
    }
    guests.refuse(None);
    password(&ask().await);
    host.powered_itself_off(&control, guests.taken()[0].0).await;
    let off = control.api("POST", &path).by(&ada).send().await;
    assert_eq!((off.status.as_u16(), off.code()), (409, "conflict"), "{}", off.text);
}
