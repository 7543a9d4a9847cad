//! What a session carries, and what ends it.

use std::time::Duration;

use csp_agent::link::TcpDial;
use csp_control::fleet::Bounds;
use csp_link::key_file::Identity;
use csp_shared::{
    generation::SessionEpoch,
    id::HostId,
    message::{Capacity, Inventory, Orphan, OrphanKind, Refusal, ToAgent, ToControl},
};

use crate::{
    book::{Book, accepted, host, version, wish},
    rig::{Agent, BOUNDS, Client, Control, Hands, Line, MACHINE, until},
};

/// A control plane that knows one host.
async fn one_host() -> (Control, Identity, HostId) {
    let control = Control::start().await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    (control, own, host(1))
}

fn agent(control: &Control, own: &Identity, host: HostId) -> Agent {
    Agent::start(own, host, control.pins(), MACHINE, control.dial())
}

async fn inventory(client: &mut Client, session: SessionEpoch) {
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    client.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
}

#[tokio::test]
async fn what_is_wanted_before_and_during_a_session_arrives_and_is_reported() {
    let (control, own, host) = one_host().await;
    (0..200).for_each(|server| control.book.ask(host, wish(server, 1)));
    let agent = agent(&control, &own, host);
    until("all 200 are reported", || control.book.seen(host).len() == 200).await;
    until("the end of the first words", || agent.hands.heard() == 1).await;

    control.book.ask(host, wish(7, 2));
    control.wake.wake(host);
    until("the newer wish is reported", || control.book.seen(host)[7].accepted == version(2)).await;
}

#[tokio::test]
async fn a_host_tells_its_size_at_every_begin_and_when_it_changed() {
    let (control, own, host) = one_host().await;
    let line = Line::to(control.address).await;
    let size = |disk_gib| Capacity { cpus: 4, ram_mib: 8192, disk_gib };
    let known = || control.book.lock().hosts[&host].capacity;
    let agent = Agent::start(&own, host, control.pins(), MACHINE, TcpDial::new(line.address.to_string()));
    agent.hands.resize(size(500));
    until("the size is known", || known() == Some(size(500))).await;
    agent.hands.resize(size(400));
    until("the smaller size is known", || known() == Some(size(400))).await;
    control.book.lock().hosts.get_mut(&host).unwrap().capacity = None; // as an old Hello would
    line.cut();
    until("it is told again", || known() == Some(size(400))).await;
}

#[tokio::test]
async fn a_size_that_no_host_has_ends_the_session_and_is_not_kept() {
    let (control, own, host) = one_host().await;
    let (mut client, session) = Client::greeted(&control, &own).await;
    inventory(&mut client, session).await;
    let capacity = Some(Capacity { cpus: u32::MAX, ram_mib: 1, disk_gib: 1 });
    client
        .sender
        .send(&ToControl::Alive { session, capacity, status: None, orphans: None, networks: None })
        .await
        .unwrap();
    let (reason, message) = client.refusal().await;
    assert_eq!(reason, Refusal::Malformed);
    assert!(message.contains("cpus"), "{message}");
    assert_eq!(control.book.lock().hosts[&host].capacity, None);
}

#[tokio::test]
async fn a_lost_signal_costs_time_and_no_change() {
    let bounds = Bounds { rescan_every: Duration::from_millis(50), ..BOUNDS };
    let control = Control::with(Book::default(), Identity::ephemeral().unwrap(), bounds).await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let agent = agent(&control, &own, host(1));
    until("the session stands", || agent.hands.heard() == 1).await;
    control.book.ask(host(1), wish(1, 1)); // and nobody wakes
    until("the wish is reported", || control.book.seen(host(1)).len() == 1).await;
}

#[tokio::test]
async fn an_inventory_larger_than_a_frame_arrives_whole() {
    let (control, own, host) = one_host().await;
    let hands = Hands::default();
    let orphan = Orphan { name: "old".to_owned(), kind: OrphanKind::Domain, macs: vec![], addresses: vec![] };
    hands.hold((0..10_000).map(|server| accepted(&wish(server, 3))), vec![orphan.clone()]);
    let _agent = Agent::with(hands, &own, host, control.pins(), MACHINE, control.dial());
    until("the inventory is recorded", || !control.book.lock().hosts[&host].inventories.is_empty()).await;
    let state = control.book.lock();
    let inventories = &state.hosts[&host].inventories;
    assert_eq!(inventories.len(), 1, "recorded once, when it is complete");
    assert_eq!((inventories[0].servers.len(), &inventories[0].orphans), (10_000, &vec![orphan]));
}

#[tokio::test]
async fn a_host_that_lost_its_line_comes_back_and_misses_nothing() {
    let (control, own, host) = one_host().await;
    let line = Line::to(control.address).await;
    let agent = Agent::start(&own, host, control.pins(), MACHINE, TcpDial::new(line.address.to_string()));
    until("the session stands", || agent.hands.heard() == 1).await;
    for round in 2..5 {
        line.cut();
        control.book.ask(host, wish(u128::from(round), round));
        until("the wish arrived over a new session", || control.book.seen(host).len() as u64 == round - 1).await;
    }
    assert!(control.book.lock().hosts[&host].session > SessionEpoch(1));
}

#[tokio::test]
async fn a_restarted_control_plane_finds_its_hosts_again() {
    let (control, own, host) = one_host().await;
    let line = Line::to(control.address).await;
    let agent = Agent::start(&own, host, control.pins(), MACHINE, TcpDial::new(line.address.to_string()));
    until("the session stands", || agent.hands.heard() == 1).await;
    let (book, identity, address) = (control.book.clone(), control.identity.clone(), control.address);
    control.stop().await;
    assert!(agent.is_running());
    // The same port, as a service manager that kept the socket would give.
    let tcp = tokio::net::TcpListener::bind(address).await.unwrap();
    let wake = csp_control::fleet::Wake::default();
    let listener = csp_control::fleet::Listener::new(&identity, book.clone(), wake.clone(), BOUNDS).unwrap();
    let serving = tokio::spawn(listener.serve(tcp, std::future::pending()));
    book.ask(host, wish(1, 1));
    until("the wish is reported", || book.seen(host).len() == 1).await;
    serving.abort();
}

#[tokio::test]
async fn a_second_connection_of_a_host_ends_the_first() {
    let (control, own, host) = one_host().await;
    let (mut first, old) = Client::greeted(&control, &own).await;
    inventory(&mut first, old).await;
    let (mut second, new) = Client::greeted(&control, &own).await;
    assert!(new > old);
    assert_eq!(first.refusal().await.0, Refusal::Superseded);
    inventory(&mut second, new).await;
    control.book.ask(host, wish(1, 1));
    control.wake.wake(host);
    let got = loop {
        match second.receiver.receive().await.unwrap() {
            ToAgent::Desired { desired } if desired.is_empty() => {}
            other => break other,
        }
    };
    assert_eq!(got, ToAgent::Desired { desired: vec![wish(1, 1)] });
}

#[tokio::test]
async fn a_report_of_an_overtaken_session_changes_nothing() {
    let (control, own, host) = one_host().await;
    let (mut client, session) = Client::greeted(&control, &own).await;
    inventory(&mut client, session).await;
    // Another process of the control plane opened a newer session: this one was told by nobody.
    control.book.lock().hosts.get_mut(&host).unwrap().session = session.next();
    let reports = vec![accepted(&wish(1, 1))];
    client.sender.send(&ToControl::Reports { session, reports }).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Superseded);
    assert!(control.book.seen(host).is_empty());
}

#[tokio::test]
async fn a_message_that_names_another_session_changes_nothing() {
    let (control, own, host) = one_host().await;
    let (mut client, session) = Client::greeted(&control, &own).await;
    inventory(&mut client, session).await;
    let reports = vec![accepted(&wish(1, 1))];
    client.sender.send(&ToControl::Reports { session: session.next(), reports }).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::Malformed);
    assert!(control.book.seen(host).is_empty());
}

#[tokio::test]
async fn a_cloned_disk_is_refused_and_the_host_goes_on() {
    let (control, own, host) = one_host().await;
    let first = agent(&control, &own, host);
    until("the session stands", || first.hands.heard() == 1).await;
    let clone = Agent::start(&own, host, control.pins(), "ffffffffffffffffffffffffffffffff", control.dial());
    let mut client = Client::dial(&control, &own).await;
    client.sender.send(&ToControl::Hello(crate::rig::hello("ffffffffffffffffffffffffffffffff"))).await.unwrap();
    assert_eq!(client.refusal().await.0, Refusal::OtherMachine);
    control.book.ask(host, wish(1, 1));
    control.wake.wake(host);
    until("the host works on", || control.book.seen(host).len() == 1).await;
    assert_eq!((first.hands.held(), clone.hands.held()), (1, 0));
    until("the clone knows that it is to start nothing", || clone.hands.refused() > 0).await;
    assert_eq!(first.hands.refused(), 0);
    assert!(clone.is_running(), "it keeps trying: the operator may put it right");
}

#[tokio::test]
async fn a_removed_hosts_connection_ends_at_once_and_its_key_opens_nothing() {
    let (control, own, host) = one_host().await;
    let (mut client, session) = Client::greeted(&control, &own).await;
    inventory(&mut client, session).await;
    {
        let mut state = control.book.lock();
        state.hosts.remove(&host);
        state.keys.clear();
    }
    control.wake.remove(host);
    let (reason, message) = client.refusal().await;
    assert_eq!(reason, Refusal::UnknownKey);
    assert!(message.contains("removed"), "{message}");
    until("it is not listed any more", || control.wake.connected().is_empty()).await;
    let mut again = Client::dial(&control, &own).await;
    again.sender.send(&ToControl::Hello(crate::rig::hello(MACHINE))).await.unwrap();
    assert_eq!(again.refusal().await.0, Refusal::UnknownKey);
}

#[tokio::test]
async fn a_failing_store_ends_a_session_without_blaming_the_host() {
    let (control, own, host) = one_host().await;
    let agent = agent(&control, &own, host);
    until("the session stands", || agent.hands.heard() == 1).await;
    control.book.lock().is_down = true;
    agent.hands.report(accepted(&wish(1, 1)));
    until("the session is over", || control.wake.connected().is_empty()).await;
    control.book.lock().is_down = false;
    until("what was lost came with the next inventory", || control.book.seen(host).len() == 1).await;
}

#[tokio::test]
async fn a_control_plane_that_takes_a_host_for_another_is_not_obeyed() {
    let (control, own, known) = one_host().await;
    control.book.ask(known, wish(1, 1));
    let agent = agent(&control, &own, host(2));
    until("it was dialled twice", || control.book.lock().hosts[&known].session >= SessionEpoch(2)).await;
    assert_eq!((agent.hands.held(), agent.hands.heard()), (0, 0));
    assert!(agent.is_running());
}

#[tokio::test]
async fn a_host_with_nothing_to_say_stays_connected() {
    let bounds = Bounds { silence_max: Duration::from_millis(600), ping_every: Duration::from_millis(100), ..BOUNDS };
    let control = Control::with(Book::default(), Identity::ephemeral().unwrap(), bounds).await;
    let own = Identity::ephemeral().unwrap();
    control.book.admit(host(1), own.pin(), MACHINE);
    let agent = agent(&control, &own, host(1));
    until("the session stands", || agent.hands.heard() == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(control.wake.connected(), [host(1)]);
    assert_eq!(control.book.lock().hosts[&host(1)].session, SessionEpoch(1), "one session all the time");
}
