//! Postings over HTTP: the operator API's TCP face as the program serves it, sixty-four clients with a connection each.

use std::{
    future::pending,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{Request, header};
use csp_control::{
    api::{
        App,
        connections::{ConnectionBounds, serve},
    },
    clock::{SteadyClock, SystemClock},
    entropy::SystemEntropy,
    operator::remote,
    store::SchedulerRow,
};
use csp_tests::test_control::TestControl;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 64;

/// The time in which 99 of 100 postings are answered.
pub async fn measure(length: Duration) -> Duration {
    let control = TestControl::start().await;
    let terms = json!({"label": "bench", "scopes": ["credits"]});
    let made = control.operator("POST", "/tokens").json(&terms).send().await;
    let token: Arc<str> = made.data()["token"].as_str().unwrap().into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let bounds = ConnectionBounds::new(4096, 4096, vec![]);
    // As the program has it: ids of one moment lie together.
    let clock = Arc::new(SteadyClock::begin(Arc::new(SystemClock), &SchedulerRow::default(), i64::MAX));
    let app = App { clock, entropy: Arc::new(SystemEntropy), ..control.app.clone() };
    let server = tokio::spawn(serve(listener, remote::router(app), bounds, pending::<()>()));
    let (until, mut clients) = (Instant::now() + length, tokio::task::JoinSet::new());
    for client in 0..CLIENTS {
        let account = control.customer(&format!("customer {client}"), "0").await.account.to_string();
        clients.spawn(post_until(at, token.clone(), account, client, until));
    }
    let mut took: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    server.abort();
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 1000];
    println!(
        "\nover HTTP with {CLIENTS} clients: {:.0} postings a second; p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
        took.len() as f64 / length.as_secs_f64(),
        at(500).as_secs_f64() * 1e3,
        at(990).as_secs_f64() * 1e3,
        at(999).as_secs_f64() * 1e3,
    );
    at(990)
}

async fn post_until(at: SocketAddr, token: Arc<str>, account: String, client: usize, until: Instant) -> Vec<Duration> {
    let stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut took = Vec::new();
    while Instant::now() < until {
        let body = json!({"amount": "1.00", "reference": format!("bench:{client}/{}", took.len())}).to_string();
        let request = Request::post(format!("/operator/v1/accounts/{account}/credits"))
            .header(header::HOST, "bench")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let begun = Instant::now();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status();
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        took.push(begun.elapsed());
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&answer));
    }
    took
}
