//! What a stream carries, and what ends it.

use std::time::Duration;

use csp_control::fleet::StoreHosts;
use csp_link::{
    frames::{self, Receiver, Sender},
    key_file::Identity,
    tls::Connector,
};
use csp_shared::{
    limits::{CONSOLES_PER_SERVER_MAX, FRAME_BYTES_MAX},
    message::{Inventory, Refusal, ToAgent, ToControl},
    secret::Secret,
};
use futures_util::SinkExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use crate::rig::{PATIENCE, Rig, accepted, add, echo, hello};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

#[tokio::test]
async fn bytes_pass_unchanged_in_both_directions() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let mut viewer = rig.viewer(server).await;
    let mut shown = accepted(&screen).await;
    let picture = pattern(3 << 20);
    let (sent, seen) = tokio::join!(shown.write_all(&picture), viewer.read(picture.len()));
    sent.unwrap();
    assert!(seen == picture, "the picture is another");
    let keys = pattern(64 * 1024);
    let mut typed = vec![0; keys.len()];
    let (_, read) = tokio::join!(viewer.send(&keys), shown.read_exact(&mut typed));
    read.unwrap();
    assert!(typed == keys, "what was typed is something else");
}

#[tokio::test]
async fn both_ends_hear_of_each_others_end() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let mut viewer = rig.viewer(server).await;
    drop(accepted(&screen).await);
    assert_eq!(viewer.closed().await, (4006, "ended".to_owned()), "the guest's screen went");

    let viewer = rig.viewer(server).await;
    let mut shown = accepted(&screen).await;
    drop(viewer);
    let read = timeout(PATIENCE, shown.read(&mut [0; 16])).await.expect("the screen was not told");
    assert_eq!(read.unwrap(), 0, "the viewer went");
    rig.until("no console to be open", async || rig.control.app.wake.consoles().open() == 0).await;

    drop(screen);
    let mut nothing_there = rig.viewer(server).await;
    let began = Instant::now();
    assert_eq!(nothing_there.closed().await.1, "ended", "no screen");
    assert!(began.elapsed() < Duration::from_secs(5), "told, not timed out");
}

#[tokio::test]
async fn a_browser_that_sends_garbage_is_closed_by_name() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let garbage = [
        ("a text", Message::text("hello")),
        ("too long a frame", Message::binary(vec![0; 64 * 1024 + 1])),
        ("far too long a frame", Message::binary(vec![0; 10 << 20])),
    ];
    for (what, message) in garbage {
        let mut viewer = rig.viewer(server).await;
        let shown = accepted(&screen).await;
        let echoing = tokio::spawn(echo(shown));
        // A browser that is cut off in the middle of a long frame never reads why.
        viewer.0.send(message).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(viewer.closed().await, (4008, "garbage".to_owned()), "{what}");
        timeout(PATIENCE, echoing).await.unwrap().unwrap();
    }
    let mut stranger = rig.stranger().await;
    stranger.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(stranger.closed().await.1, "garbage", "bytes in place of a ticket");
}

#[tokio::test]
async fn an_address_has_so_many_streams_without_a_ticket_and_gets_a_place_back_with_each_that_ends() {
    let rig = Rig::start().await;
    let mut strangers = Vec::new();
    let refused = loop {
        match rig.try_stranger().await {
            Ok(stranger) => strangers.push(stranger),
            Err(status) => break status,
        }
        assert!(strangers.len() <= 64, "one address may take all places");
    };
    assert_eq!((strangers.len(), refused), (32, 429));
    drop(strangers.pop());
    rig.until("a place that was given back", async || rig.try_stranger().await.is_ok()).await;
}

#[tokio::test]
async fn a_destroyed_server_takes_its_viewers_along() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let mut viewer = rig.viewer(server).await;
    let mut shown = accepted(&screen).await;
    rig.control.api("POST", &format!("/servers/{server}/destroy")).by(&rig.ada).send().await;
    let began = Instant::now();
    assert_eq!(viewer.closed().await, (4007, "not_allowed".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(shown.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn so_many_may_watch_a_server_and_no_more() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let mut watching = Vec::new();
    for _ in 0..CONSOLES_PER_SERVER_MAX {
        watching.push((rig.viewer(server).await, accepted(&screen).await));
    }
    assert_eq!(rig.viewer(server).await.closed().await, (4004, "too_many".to_owned()));
    watching.pop();
    rig.until("a free seat", async || rig.control.app.wake.consoles().open() < CONSOLES_PER_SERVER_MAX).await;
    let _viewer = rig.viewer(server).await;
    accepted(&screen).await;
}

#[tokio::test]
async fn a_viewer_who_does_not_read_slows_neither_another_one_nor_the_hosts_messages() {
    let (rig, server) = Rig::with_server().await;
    let screen = rig.screens.on(server);
    let _stuck = rig.viewer(server).await;
    let mut flooding = accepted(&screen).await;
    let mut flooded = 0;
    // Until nothing more is taken: that is all that one console may hold in memory, with the system's own buffers.
    while let Ok(written) = timeout(Duration::from_secs(1), flooding.write(&[0; 64 * 1024])).await {
        flooded += written.unwrap();
        assert!(flooded < 64 << 20, "the flood is taken without end");
    }
    let mut viewer = rig.viewer(server).await;
    tokio::spawn(echo(accepted(&screen).await));
    for round in 0..50 {
        viewer.send(&[round; 100]).await;
        assert_eq!(viewer.read(100).await, [round; 100]);
    }
    let began = Instant::now();
    rig.control.api("POST", &format!("/servers/{server}/stop")).by(&rig.ada).send().await;
    rig.until("the stop to be done", async || {
        rig.control.api("GET", &format!("/servers/{server}")).by(&rig.ada).send().await.data()["status"] == "Offline"
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// A host that speaks by hand.
async fn dial(rig: &Rig, own: &Identity) -> (Sender, Receiver) {
    let stream = TcpStream::connect(rig.fleet).await.unwrap();
    let io = Connector::new(own, &[rig.identity.pin()]).unwrap().connect(stream).await.unwrap();
    frames::connect(io, FRAME_BYTES_MAX, PATIENCE).await.unwrap()
}

#[tokio::test]
async fn only_the_host_that_was_asked_can_answer_and_only_once() {
    let rig = Rig::start().await;
    let app = &rig.control.app;
    let hosts = StoreHosts::new(app.store.clone(), app.clock.clone(), app.entropy.clone(), 60);
    let thief = Identity::ephemeral().unwrap();
    add(&rig.control, &hosts, "host-2", &thief).await;

    let (mut sender, mut receiver) = dial(&rig, &rig.host_key).await;
    sender.send(&ToControl::Hello(hello())).await.unwrap();
    let ToAgent::Welcome { session, host, .. } = receiver.receive().await.unwrap() else { panic!() };
    sender
        .send(&ToControl::Inventory(Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() }))
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;

    let server = "0192f0c1-0000-7000-8000-000000000001".parse().unwrap();
    let seat = app.wake.consoles().take_seat(host, server).unwrap();
    let viewer = tokio::spawn(async move { seat.ask(Secret::new("stream".to_owned())).await.map(drop) });
    let stream = loop {
        match receiver.receive().await.unwrap() {
            ToAgent::OpenConsole { stream, server: asked } if asked == server => break stream,
            ToAgent::Desired { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    let answers = [
        (&thief, stream.clone(), false),
        (&Identity::ephemeral().unwrap(), stream.clone(), false),
        (&rig.host_key, Secret::new("another".to_owned()), false),
        (&rig.host_key, stream.clone(), true),
        (&rig.host_key, stream, false),
    ];
    for (number, (own, stream, fits)) in answers.into_iter().enumerate() {
        let (mut sender, mut receiver) = dial(&rig, own).await;
        sender.send(&ToControl::Console { stream }).await.unwrap();
        match receiver.receive::<ToAgent>().await {
            Ok(ToAgent::Refused { reason: Refusal::BadToken, .. }) => assert!(!fits, "answer {number}"),
            // The viewer takes the stream and goes: there is nothing to read any more.
            Err(_) => assert!(fits, "answer {number}"),
            Ok(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(viewer.await.unwrap(), Ok(()));
}
