//! Which screens a host shows at all.

use csp_agent::{
    spec_file::{MemoryBacking, SpecFile},
    worker::{Host, Supervisor},
};
use csp_tests::{
    FakeMachine,
    spec::{present, server_spec, tombstone},
};

#[tokio::test]
async fn a_host_shows_screens_of_servers_that_it_is_to_have_and_of_no_others() {
    let specs = SpecFile::open(MemoryBacking::default()).await.unwrap();
    let host = Host { machine: FakeMachine::default(), specs, stop_timeout_ms: 1000 };
    let (supervisor, _actor) = Supervisor::start(host);
    let (ours, gone, strange) = (server_spec(1), server_spec(2), server_spec(3));
    supervisor.accept(vec![present(&ours), present(&gone)]).await.unwrap();
    supervisor.accept(vec![tombstone(&gone)]).await.unwrap();
    let path = supervisor.screen(ours.server).await.expect("its own server");
    assert!(path.ends_with(format!("{}.sock", ours.server)), "{}", path.display());
    assert_eq!(supervisor.screen(gone.server).await, None, "a tombstone");
    assert_eq!(supervisor.screen(strange.server).await, None, "no spec");
}
