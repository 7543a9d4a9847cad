//! What servers use and carry travels beside reports, from those who may say it to those who want to hear it.

use std::time::Duration;

use csp_agent::link::TcpDial;
use csp_link::{
    frames,
    key_file::Identity,
    tls::{Acceptor, Io},
};
use csp_shared::{
    generation::SessionEpoch,
    id::ServerId,
    limits::{FRAME_BYTES_MAX, SAMPLES_PER_FRAME_MAX, TRAFFIC_PER_FRAME_MAX},
    message::{Inventory, Refusal, ToAgent, ToControl},
    sample::{NetworkMoved, Sample},
    traffic::{CountId, Traffic},
};
use tokio::{net::TcpListener, time::timeout};
use uuid::Uuid;

use crate::{
    book::{accepted, host, wish},
    rig::{Agent, Client, Control, Hands, MACHINE, Raw, until},
};

fn sample(server: u128, cpu_ns: u64) -> Sample {
    let server = ServerId(Uuid::from_u128(server));
    Sample { server, over_ms: 15_000, cpu_ns: Some(cpu_ns), memory: None, disk: None, network: None }
}

#[tokio::test]
async fn what_was_measured_arrives_in_short_frames_and_reports_beside_it() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let agent = Agent::start(&own, host(1), control.pins(), MACHINE, control.dial());
    until("the session is open", || agent.hands.heard() == 1).await;
    let many = SAMPLES_PER_FRAME_MAX * 3;
    agent.hands.samples.put((0..many as u128).map(|server| sample(server, 7)).collect());
    agent.hands.report(accepted(&wish(5, 1)));
    until("all are there", || control.book.lock().hosts[&host(1)].samples.len() == many).await;
    assert_eq!(control.book.seen(host(1)).len(), 1);
    agent.hands.samples.put(vec![sample(1, 8)]);
    until("the next one", || control.book.lock().hosts[&host(1)].samples.last() == Some(&sample(1, 8))).await;
}

#[tokio::test]
async fn samples_of_another_session_or_before_the_inventory_end_the_connection() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let (mut early, session) = Client::greeted(&control, &own).await;
    early.sender.send(&ToControl::Samples { session, samples: vec![sample(1, 1)] }).await.unwrap();
    assert_eq!(early.refusal().await.0, Refusal::Malformed);

    let (mut client, session) = Client::greeted(&control, &own).await;
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
    let other = SessionEpoch(session.0 + 1);
    client.sender.send(&ToControl::Samples { session: other, samples: vec![sample(1, 1)] }).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Malformed);
    assert!(control.book.lock().hosts[&host(1)].samples.is_empty());
}

fn carried(server: u128, received_bytes: u64) -> Traffic {
    let (server, count) = (ServerId(Uuid::from_u128(server)), CountId(Uuid::from_u128(1)));
    Traffic { server, count, total: NetworkMoved { received_bytes, ..NetworkMoved::default() }, earlier: vec![] }
}

/// Totals that a connection may have lost come again with the next one; within one only what changed is told.
#[tokio::test]
async fn what_was_carried_is_told_whole_in_each_session_and_then_as_it_changes() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let hands = Hands::default();
    let many = TRAFFIC_PER_FRAME_MAX as u128 + 7;
    hands.traffic.send_replace((0..many).map(|server| carried(server, 5)).collect());
    let agent = Agent::with(hands.clone(), &own, host(1), control.pins(), MACHINE, control.dial());
    let told = || control.book.lock().hosts[&host(1)].traffic.len();
    until("all are there", || agent.hands.heard() == 1 && told() == many as usize).await;
    hands.traffic.send_modify(|all| all[3] = carried(3, 6));
    until("the next word", || told() > many as usize).await;
    assert_eq!(control.book.lock().hosts[&host(1)].traffic.last(), Some(&carried(3, 6)));
    drop(agent);
    let _again = Agent::with(hands, &own, host(1), control.pins(), MACHINE, control.dial());
    until("all of it again", || told() == 2 * many as usize + 1).await;
}

#[tokio::test]
async fn traffic_of_another_session_ends_the_connection() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let (mut client, session) = Client::greeted(&control, &own).await;
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
    let other = SessionEpoch(session.0 + 1);
    client.sender.send(&ToControl::Traffic { session: other, traffic: vec![carried(1, 1)] }).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Malformed);
    assert!(control.book.lock().hosts[&host(1)].traffic.is_empty());
}

/// A control plane that was built before there were samples does not know the message and would hang up.
#[tokio::test]
async fn a_control_plane_that_does_not_ask_gets_reports_and_neither_samples_nor_traffic() {
    let (old, own) = (Identity::ephemeral().unwrap(), Identity::ephemeral().unwrap());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = TcpDial::new(tcp.local_addr().unwrap().to_string());
    let hands = Hands::default();
    hands.samples.put(vec![sample(1, 1)]);
    hands.traffic.send_replace(vec![carried(1, 1)]);
    let _agent = Agent::with(hands.clone(), &own, host(1), vec![old.pin()], MACHINE, dial);
    let (stream, _) = tcp.accept().await.unwrap();
    let (io, _): (Io, _) = Acceptor::new(&old).unwrap().accept(stream).await.unwrap();
    let (mut sender, mut receiver) = frames::accept(io, FRAME_BYTES_MAX, Duration::from_secs(20)).await.unwrap();
    assert!(matches!(receiver.receive().await.unwrap(), ToControl::Hello(_)));
    let welcome = format!(r#"{{"type":"welcome","session":1,"host":"{}"}}"#, host(1));
    sender.send(&Raw(welcome)).await.unwrap();
    sender.send(&ToAgent::Desired { desired: vec![] }).await.unwrap();
    hands.report(accepted(&wish(5, 1)));
    let mut heard = Vec::new();
    while let Ok(Ok(message)) = timeout(Duration::from_millis(500), receiver.receive::<ToControl>()).await {
        heard.push(message);
    }
    assert!(heard.iter().any(|message| matches!(message, ToControl::Reports { .. })), "{heard:?}");
    let unasked = |message: &ToControl| matches!(message, ToControl::Samples { .. } | ToControl::Traffic { .. });
    assert!(!heard.iter().any(unasked), "{heard:?}");
}
