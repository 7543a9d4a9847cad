//! Agents and control planes of other ages: what one of them says and the other does not know, and a protocol that they do
//! not share.

use std::time::Duration;

use csp_agent::link::TcpDial;
use csp_link::{
    frames::{self, Receiver, Sender},
    key_file::Identity,
    tls::{Acceptor, Io},
};
use csp_shared::{
    compat::{PROTOCOL, PROTOCOL_OLDEST, accepts},
    limits::FRAME_BYTES_MAX,
    message::{ToAgent, ToControl},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    book::{accepted, host, wish},
    rig::{Agent, Client, Control, Hands, MACHINE, Raw, until},
};

/// The first Hello that there was.
fn first_hello() -> serde_json::Value {
    json!({
        "type": "hello", "protocol": PROTOCOL_OLDEST, "machine_id": MACHINE, "boot_id": "7d3f5a52", "agent_version": "0.0.1",
        "capacity": {"cpus": 4, "ram_mib": 8192, "disk_gib": 100}, "virt": "qemu",
    })
}

#[tokio::test]
async fn an_agent_from_before_or_after_that_shares_the_protocol_is_let_in() {
    let mut later = first_hello();
    later["agent_version"] = json!("99.0.0");
    later["can_fly"] = json!({"since": 2030});
    later["capacity"]["wings"] = json!(2);
    for said in [first_hello(), later] {
        let (control, own) = (Control::start().await, Identity::ephemeral().unwrap());
        control.book.admit(host(1), own.pin(), MACHINE);
        let mut client = Client::dial(&control, &own).await;
        client.sender.send(&Raw(said.to_string())).await.unwrap();
        let answer = client.receiver.receive().await.unwrap();
        assert!(matches!(answer, ToAgent::Welcome { .. }), "{said}: {answer:?}");
    }
    let before = PROTOCOL_OLDEST.checked_sub(1).unwrap();
    assert!(accepts(PROTOCOL) && accepts(PROTOCOL_OLDEST) && !accepts(PROTOCOL + 1) && !accepts(before));
}

/// A control plane of another age, as an agent meets it: what it says is written by hand.
struct Other {
    identity: Identity,
    tcp: TcpListener,
}

impl Other {
    async fn start() -> (Self, Hands, Agent) {
        let (identity, tcp) = (Identity::ephemeral().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (dial, hands) = (TcpDial::new(tcp.local_addr().unwrap().to_string()), Hands::default());
        hands.hold([accepted(&wish(5, 1))], Vec::new());
        let own = Identity::ephemeral().unwrap();
        let agent = Agent::with(hands.clone(), &own, host(1), vec![identity.pin()], MACHINE, dial);
        (Self { identity, tcp }, hands, agent)
    }

    /// The next time that the agent dials, it said Hello and hears this.
    async fn answers(&self, said: serde_json::Value) -> (Sender, Receiver) {
        let (stream, _) = self.tcp.accept().await.unwrap();
        let (io, _): (Io, _) = Acceptor::new(&self.identity).unwrap().accept(stream).await.unwrap();
        let (mut sender, mut receiver) = frames::accept(io, FRAME_BYTES_MAX, Duration::from_secs(20)).await.unwrap();
        assert!(matches!(receiver.receive().await.unwrap(), ToControl::Hello(_)));
        sender.send(&Raw(said.to_string())).await.unwrap();
        (sender, receiver)
    }
}

fn welcome() -> serde_json::Value {
    json!({"type": "welcome", "session": 1, "host": host(1), "weather": "fine"})
}

#[tokio::test]
async fn a_host_whose_protocol_is_refused_goes_on_and_comes_in_by_itself_once_that_has_changed() {
    let (other, hands, agent) = Other::start().await;
    for _ in 0..2 {
        let refused = json!({"type": "refused", "reason": "protocol", "message": "install another version"});
        let _refusing = other.answers(refused).await;
        assert!(agent.is_running() && hands.held() == 1, "what it was told before stands");
    }
    let (mut sender, _receiver) = other.answers(welcome()).await;
    sender.send(&Raw(json!({"type": "desired", "desired": []}).to_string())).await.unwrap();
    until("it hears what there is to be said", || hands.heard() == 1).await;
}

#[tokio::test]
async fn a_word_that_an_agent_does_not_know_costs_the_session_and_nothing_else() {
    let (other, hands, agent) = Other::start().await;
    let (mut sender, mut receiver) = other.answers(welcome()).await;
    sender.send(&Raw(json!({"type": "levitate", "server": wish(5, 1).server()}).to_string())).await.unwrap();
    while receiver.receive::<ToControl>().await.is_ok() {}
    assert!(agent.is_running() && hands.held() == 1 && hands.taken() == 0);
    let _again = other.answers(welcome()).await;
}
