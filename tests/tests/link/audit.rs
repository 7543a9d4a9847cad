//! An audit's question rides on the session: it is answered whole, and what hangs behind it delays nothing else.

use std::time::Duration;

use csp_control::fleet::NoAnswer;
use csp_link::key_file::Identity;
use csp_shared::{
    audit::Holding,
    generation::SessionEpoch,
    message::{Inventory, QuestionId, ToAgent, ToControl},
};

use crate::{
    book::{accepted, host, version, wish},
    rig::{Agent, Client, Control, Hands, MACHINE, until},
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_answer_larger_than_a_frame_arrives_whole() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    assert_eq!(control.wake.audit(host(1), LONG).await, Err(NoAnswer::NotConnected));
    let hands = Hands::default();
    hands.hold((0..10_000).map(|server| accepted(&wish(server, 1))), vec![]);
    let agent = Agent::with(hands, &own, host(1), control.pins(), MACHINE, control.dial());
    until("the session stands", || agent.hands.heard() == 1).await;
    let holdings = control.wake.audit(host(1), LONG).await.unwrap();
    assert_eq!(holdings.len(), 10_000);
    assert!(holdings.iter().all(|holding| matches!(holding, Holding::Process { pid: 1, .. })));
}

#[tokio::test]
async fn a_look_that_hangs_delays_no_message_and_ends_for_who_asked() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let agent = Agent::start(&own, host(1), control.pins(), MACHINE, control.dial());
    until("the session stands", || agent.hands.heard() == 1).await;
    agent.hands.hang_audits();
    assert_eq!(control.wake.audit(host(1), SHORT).await, Err(NoAnswer::Late(SHORT)));
    control.book.ask(host(1), wish(7, 2));
    control.wake.wake(host(1));
    until("the wish arrives and is reported", || control.book.seen(host(1)).iter().any(|s| s.accepted == version(2)))
        .await;
}

#[tokio::test]
async fn who_asked_hears_at_once_that_the_host_went_away() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let agent = Agent::start(&own, host(1), control.pins(), MACHINE, control.dial());
    until("the session stands", || agent.hands.heard() == 1).await;
    agent.hands.hang_audits();
    let wake = control.wake.clone();
    let asked = tokio::spawn(async move { wake.audit(host(1), LONG).await });
    tokio::time::sleep(SHORT).await;
    drop(agent);
    assert_eq!(asked.await.unwrap(), Err(NoAnswer::Gone));
}

#[tokio::test]
async fn an_answer_of_another_session_or_to_no_question_changes_nothing() {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let (mut client, session) = Client::greeted(&control, &own).await;
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
    let wake = control.wake.clone();
    let asked = tokio::spawn(async move { wake.audit(host(1), LONG).await });
    let request = loop {
        match client.receiver.receive().await.unwrap() {
            ToAgent::Audit { request } => break request,
            ToAgent::Desired { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    let image = |file: &str| vec![Holding::Image { file: file.to_owned() }];
    let answer =
        |session, request, file| ToControl::AuditAnswer { session, request, holdings: image(file), last: true };
    client.sender.send(&answer(session, QuestionId(request.0 + 1), "unasked")).await.unwrap();
    client.sender.send(&answer(session, request, "asked \u{1b}[2J")).await.unwrap();
    assert_eq!(asked.await.unwrap(), Ok(image("asked  [2J")), "and it cannot steer a terminal");
    client.sender.send(&answer(SessionEpoch(session.0 + 1), request, "foreign")).await.unwrap();
    until("the session ends", || control.wake.connected().is_empty()).await;
}
