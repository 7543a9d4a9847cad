//! What strangers and broken hosts send.

use std::time::Duration;

use csp_control::fleet::Bounds;
use csp_link::key_file::Identity;
use csp_shared::{
    compat::PROTOCOL,
    generation::SessionEpoch,
    limits::FRAME_BYTES_MAX,
    message::{Enrol, Hello, Inventory, Refusal, ToControl},
    secret::Secret,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    book::{Book, host},
    rig::{BOUNDS, Client, Control, MACHINE, Raw, hello},
};

async fn known() -> (Control, Identity) {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    (control, own)
}

#[tokio::test]
async fn an_unknown_key_is_refused_by_name() {
    let control = Control::start().await;
    let mut stranger = Client::dial(&control, &Identity::ephemeral().unwrap()).await;
    stranger.sender.send(&ToControl::Hello(hello(MACHINE))).await.unwrap();
    assert_eq!(stranger.refusal().await.0, Refusal::UnknownKey);
}

#[tokio::test]
async fn garbage_is_refused_by_name() {
    for garbage in ["", "{", "null", r#"{"type":"run","command":"id"}"#, r#"{"type":"alive"}"#, "\u{0}\u{1b}[2J"] {
        let (control, own) = known().await;
        let mut client = Client::dial(&control, &own).await;
        client.sender.send(&Raw(garbage.to_owned())).await.unwrap();
        assert_eq!(client.refusal().await.0, Refusal::Malformed, "{garbage:?} as a first message");

        let (mut client, session) = Client::greeted(&control, &own).await;
        let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
        client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
        client.sender.send(&Raw(garbage.to_owned())).await.unwrap();
        assert_eq!(client.refusal().await.0, Refusal::Malformed, "{garbage:?} in a session");
    }
}

#[tokio::test]
async fn a_message_at_the_wrong_moment_is_refused_by_name() {
    let (control, own) = known().await;
    let session = SessionEpoch(1);
    let inventory =
        || ToControl::Inventory(Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() });
    let mut early = Client::dial(&control, &own).await;
    early
        .sender
        .send(&ToControl::Alive { session, capacity: None, status: None, orphans: None, networks: None })
        .await
        .unwrap();
    assert_eq!(early.refusal().await.0, Refusal::Malformed, "before Hello");

    let (mut client, _) = Client::greeted(&control, &own).await;
    client.sender.send(&ToControl::Reports { session, reports: vec![] }).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Malformed, "before the inventory");

    let (mut client, session) = Client::greeted(&control, &own).await;
    let own_inventory =
        ToControl::Inventory(Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() });
    client.sender.send(&own_inventory).await.unwrap();
    client.sender.send(&inventory()).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Malformed, "a second inventory");
}

#[tokio::test]
async fn an_agent_of_another_age_is_told_so() {
    let (control, own) = known().await;
    let mut client = Client::dial(&control, &own).await;
    client.sender.send(&ToControl::Hello(Hello { protocol: PROTOCOL + 1, ..hello(MACHINE) })).await.unwrap();
    let (reason, message) = client.refusal().await;
    assert_eq!(reason, Refusal::Protocol);
    assert!(message.contains(&format!("protocol {}", PROTOCOL + 1)), "{message}");
}

#[tokio::test]
async fn a_frame_above_the_bound_is_refused_by_name() {
    let (control, own) = known().await;
    let mut client = Client::dial(&control, &own).await;
    let long = Raw(" ".repeat(FRAME_BYTES_MAX + 1));
    // The control plane stops reading in the middle, so the sending itself may be cut short.
    let _ = client.sender.send(&long).await;
    let (reason, message) = client.refusal().await;
    assert_eq!(reason, Refusal::Malformed);
    assert!(message.contains(&FRAME_BYTES_MAX.to_string()), "{message}");
}

#[tokio::test]
async fn a_stranger_may_say_little() {
    let control = Control::start().await;
    let mut stranger = Client::dial(&control, &Identity::ephemeral().unwrap()).await;
    let token = Secret::new("x".repeat(10_000));
    let enrol = Enrol { protocol: PROTOCOL, token, machine_id: MACHINE.to_owned() };
    stranger.sender.send(&ToControl::Enrol(enrol)).await.unwrap();
    assert_eq!(stranger.refusal().await.0, Refusal::Malformed);
    assert_eq!(control.book.lock().enrolments, 0);
}

#[tokio::test]
async fn what_speaks_no_tls_is_let_go() {
    let control = Control::start().await;
    for words in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 512], &[0x16, 3, 1, 0xff, 0xff]] {
        let mut stream = TcpStream::connect(control.address).await.unwrap();
        stream.write_all(words).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("let go");
        assert!(read.is_err() || answer.len() < 64, "at most an alert");
    }
}

#[tokio::test]
async fn strangers_who_say_nothing_do_not_keep_hosts_out_for_long() {
    let bounds = Bounds { strangers_max: 2, greeting_max: Duration::from_millis(300), ..BOUNDS };
    let control = Control::with(Book::default(), Identity::ephemeral().unwrap(), bounds).await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(control.address).await.unwrap());
    }
    let greeted = timeout(Duration::from_secs(10), Client::greeted(&control, &own)).await;
    assert!(greeted.is_ok());
    drop(silent);
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let bounds = Bounds { silence_max: Duration::from_millis(200), ping_every: Duration::from_secs(60), ..BOUNDS };
    let control = Control::with(Book::default(), Identity::ephemeral().unwrap(), bounds).await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let (mut client, session) = Client::greeted(&control, &own).await;
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
    timeout(Duration::from_secs(5), client.closed()).await.expect("given up");
    assert!(control.wake.connected().is_empty());
}
