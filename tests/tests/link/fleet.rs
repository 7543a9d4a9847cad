//! Many hosts at once.

use std::time::Duration;

use csp_link::key_file::Identity;
use csp_shared::{
    message::{Inventory, ToControl},
    spec::Desired,
};

use crate::{
    book::{host, wish},
    rig::{Agent, Client, Control, MACHINE, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_hosts_that_come_at_once_are_all_served() {
    let control = Control::start().await;
    let agents: Vec<Agent> = (0..200)
        .map(|number| {
            let own = Identity::ephemeral().unwrap();
            control.book.admit(host(number), own.pin(), MACHINE);
            control.book.ask(host(number), wish(number, 1));
            Agent::start(&own, host(number), control.pins(), MACHINE, control.dial())
        })
        .collect();
    until("each reported its server", || (0..200).all(|number| control.book.seen(host(number)).len() == 1)).await;
    assert!(agents.iter().all(|agent| agent.hands.held() == 1), "each got its own and nobody else's");
}

#[tokio::test]
async fn a_host_that_reads_nothing_delays_no_other() {
    let control = Control::start().await;
    let (slow, quick) = (Identity::ephemeral().unwrap(), Identity::ephemeral().unwrap());
    control.book.admit(host(1), slow.pin(), MACHINE);
    control.book.admit(host(2), quick.pin(), MACHINE);
    let (mut stuck, session) = Client::greeted(&control, &slow).await;
    let inventory = Inventory { session, servers: vec![], orphans: vec![], networks: Vec::new() };
    stuck.sender.send(&ToControl::Inventory(inventory)).await.unwrap();
    // Far more than the sockets between the two hold.
    (0..200_000).for_each(|server| control.book.ask(host(1), wish(server, 1)));
    control.wake.wake(host(1));
    tokio::time::sleep(Duration::from_millis(300)).await;

    let agent = Agent::start(&quick, host(2), control.pins(), MACHINE, control.dial());
    until("the other host's session stands", || agent.hands.heard() == 1).await;
    let wanted: Desired = wish(1, 1);
    control.book.ask(host(2), wanted);
    control.wake.wake(host(2));
    until("the other host is served", || control.book.seen(host(2)).len() == 1).await;
    // And the slow one is still heard: the two directions do not wait for each other.
    stuck
        .sender
        .send(&ToControl::Alive { session, capacity: None, status: None, orphans: None, networks: None })
        .await
        .unwrap();
    until("the slow host's sign of life counts", || control.book.lock().hosts[&host(1)].alive == 1).await;
}
