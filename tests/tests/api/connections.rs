//! Connections over real sockets: slow, silent, greedy and deaf clients cost themselves a place, and nobody else theirs.

use std::time::Duration;

use csp_control::api::{
    self,
    connections::{self, ConnectionBounds},
};
use csp_tests::test_control::{TestControl, TestCustomer};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(20);
const HEAD: Duration = Duration::from_millis(600);

struct Server {
    control: TestControl,
    ada: TestCustomer,
    at: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A server with short patience; `change` bounds it further.
    async fn start(change: impl FnOnce(&mut ConnectionBounds)) -> Self {
        let control = TestControl::start().await;
        let ada = control.customer("ada", "5").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut bounds = ConnectionBounds::new(100, 100, Vec::new());
        (bounds.head, bounds.stuck) = (HEAD, HEAD);
        change(&mut bounds);
        let router = api::router(control.app.clone());
        let task = tokio::spawn(connections::serve(listener, router, bounds, std::future::pending()));
        Self { control, ada, at, task }
    }

    /// A connection from an address of this machine.
    async fn connect(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(self.at).await.unwrap()
    }

    fn request(&self, key: &str) -> String {
        format!("GET /api/v1/balance HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n")
    }

    /// The status of a request on an open connection; None when it is closed.
    async fn ask(&self, stream: &mut TcpStream) -> Option<u16> {
        self.ask_with(stream, self.ada.key.reveal()).await
    }

    async fn ask_with(&self, stream: &mut TcpStream, key: &str) -> Option<u16> {
        let _ = stream.write_all(self.request(key).as_bytes()).await;
        let mut seen = Vec::new();
        while !seen.ends_with(b"}") {
            let mut part = [0; 4096];
            match timeout(PATIENCE, stream.read(&mut part)).await.expect("no answer") {
                Ok(read @ 1..) => seen.extend_from_slice(&part[..read]),
                _ => return None,
            }
        }
        String::from_utf8(seen).unwrap().get(9..12)?.parse().ok()
    }
}

/// Waits for the other side to close; how long that took.
async fn closed(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("not closed");
    began.elapsed()
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_off_and_others_are_served_meanwhile() {
    let server = Server::start(|_| ()).await;
    let (mut slow, began) = (server.connect("127.0.0.1").await, Instant::now());
    let drip = async {
        for byte in server.request("x").repeat(10).bytes() {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        closed(&mut slow).await;
    };
    let others = async {
        for _ in 0..5 {
            let mut stream = server.connect("127.0.0.1").await;
            assert_eq!(server.ask(&mut stream).await, Some(200));
        }
    };
    timeout(PATIENCE, async { tokio::join!(drip, others) }).await.unwrap();
    assert!(began.elapsed() >= HEAD, "not at once: {:?}", began.elapsed());
}

#[tokio::test]
async fn connections_that_say_nothing_end_before_and_after_a_request() {
    let server = Server::start(|_| ()).await;
    let mut silent = server.connect("127.0.0.1").await;
    assert!(closed(&mut silent).await >= HEAD / 2);
    let mut idle = server.connect("127.0.0.1").await;
    assert_eq!((server.ask(&mut idle).await, server.ask(&mut idle).await), (Some(200), Some(200)), "kept for the next");
    assert!(closed(&mut idle).await >= HEAD / 2);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_leaves_the_others_theirs() {
    let server = Server::start(|bounds| (bounds.address_max, bounds.head) = (2, PATIENCE)).await;
    let (mut first, mut second) = (server.connect("127.0.0.1").await, server.connect("127.0.0.1").await);
    assert_eq!((server.ask(&mut first).await, server.ask(&mut second).await), (Some(200), Some(200)));
    assert_eq!(server.ask(&mut server.connect("127.0.0.1").await).await, None, "a third one");
    assert_eq!(server.ask(&mut server.connect("127.0.0.2").await).await, Some(200), "of another address");
    drop(first);
    let again = async {
        while server.ask(&mut server.connect("127.0.0.1").await).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place is given back");
}

#[tokio::test]
async fn a_trusted_proxy_is_bounded_by_the_whole_alone_and_may_be_idle() {
    let trust = |bounds: &mut ConnectionBounds| {
        bounds.address_max = 1;
        bounds.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let server = Server::start(trust).await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(server.connect("127.0.0.1").await);
    }
    sleep(HEAD * 2).await;
    for stream in &mut all {
        assert_eq!(server.ask(stream).await, Some(200));
    }
}

#[tokio::test]
async fn whoever_finds_all_places_taken_waits_for_one() {
    let server = Server::start(|bounds| bounds.all_max = 2).await;
    let mut silent = [server.connect("127.0.0.1").await, server.connect("127.0.0.2").await];
    let mut late = server.connect("127.0.0.3").await;
    let began = Instant::now();
    assert_eq!(server.ask(&mut late).await, Some(200), "once a silent one has lost its place");
    assert!(began.elapsed() >= HEAD / 2, "{:?}", began.elapsed());
    closed(&mut silent[0]).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_given_up() {
    let server = Server::start(|bounds| bounds.head = PATIENCE).await;
    let mut deaf = server.connect("127.0.0.1").await;
    let asked = 400;
    let requests = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(asked);
    deaf.write_all(requests.as_bytes()).await.unwrap();
    sleep(HEAD * 4).await;
    let mut got = Vec::new();
    let _ = timeout(PATIENCE, deaf.read_to_end(&mut got)).await.expect("not closed");
    let whole = csp_control::api::document::text().len() * asked;
    assert!(got.len() < whole, "{} of {whole} bytes came", got.len());
}

#[tokio::test]
async fn a_large_head_is_answered_in_the_envelope_and_what_is_no_http_with_a_status() {
    let server = Server::start(|_| ()).await;
    let many = "X-A: b\r\n".repeat(150);
    for (request, status, code) in [
        (format!("GET /api/v1/balance HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431", "headers_too_large"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000)), "414", "uri_too_long"),
        ("no request at all\r\n\r\n".to_owned(), "400", ""),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)), "414", ""),
    ] {
        let mut stream = server.connect("127.0.0.1").await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("not closed");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(answer.contains("\"ok\":false") && answer.contains(code), !code.is_empty(), "{answer}");
    }
    let mut next = server.connect("127.0.0.1").await;
    assert_eq!(server.ask(&mut next).await, Some(200));
}

/// What comes back on a connection that the other side closes.
async fn all_of(server: &Server, request: &str) -> String {
    let mut stream = server.connect("127.0.0.1").await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("not closed");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_to_no_host_or_to_two_is_refused() {
    let server = Server::start(|_| ()).await;
    for (version, hosts, status) in [
        ("1.1", "", "400"),
        ("1.1", "Host: a\r\nHost: b\r\n", "400"),
        ("1.1", "Host: a\r\nHost: a\r\n", "400"),
        ("1.1", "Host: a\r\n", "401"),
        ("1.0", "", "401"),
    ] {
        let answer = all_of(&server, &format!("GET /api/v1/balance HTTP/{version}\r\n{hosts}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{version} {hosts:?}: {answer}");
        assert_eq!(answer.contains("\"field\":\"Host\""), status == "400", "{answer}");
    }
}

/// Two programs that read a request's end differently take what one of them calls a body for a request of somebody else's.
#[tokio::test]
async fn nothing_that_follows_a_request_of_two_lengths_is_taken_for_a_request() {
    let server = Server::start(|bounds| bounds.head = PATIENCE).await;
    let second = server.request(server.ada.key.reveal());
    let length = 5 + second.len();
    let (chunked, counted) = ("Transfer-Encoding: chunked\r\n", format!("Content-Length: {length}\r\n"));
    for lengths in [format!("{chunked}{counted}"), format!("{counted}{chunked}")] {
        let head = format!("POST /api/v1/ssh-keys HTTP/1.1\r\nHost: a\r\n{lengths}\r\n");
        let answer = all_of(&server, &format!("{head}0\r\n\r\n{second}")).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
        assert!(!answer.contains("balance"), "{answer}");
    }
    for lengths in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 2, 3\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let head = format!("POST /api/v1/ssh-keys HTTP/1.1\r\nHost: a\r\n{lengths}\r\n");
        let answer = all_of(&server, &format!("{head}{{}}{second}")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1 && !answer.contains("balance"), "{lengths}: {answer}");
    }
}

#[tokio::test]
async fn a_stream_of_events_outlives_every_bound_of_a_silent_connection_and_ends_with_the_program() {
    let server = Server::start(|_| ()).await;
    let mut follower = server.connect("127.0.0.1").await;
    let key = server.ada.key.reveal();
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    follower.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("retry:") {
        assert!(timeout(PATIENCE, follower.read_buf(&mut seen)).await.unwrap().unwrap() > 0);
    }
    sleep(HEAD * 3).await;
    server.control.top_up(server.ada.account, "1", "late").await;
    while !String::from_utf8_lossy(&seen).contains("event: balance.credited") {
        assert!(timeout(PATIENCE, follower.read_buf(&mut seen)).await.unwrap().unwrap() > 0, "cut off");
    }
    server.control.app.held.end();
    closed(&mut follower).await;
}

#[tokio::test]
async fn a_keys_networks_are_those_of_the_connection() {
    let server = Server::start(|_| ()).await;
    let (_, key) = server.control.key(server.ada.account, &json!({"networks": ["127.0.0.2/32"]})).await;
    assert_eq!(server.ask_with(&mut server.connect("127.0.0.2").await, &key).await, Some(200));
    assert_eq!(server.ask_with(&mut server.connect("127.0.0.3").await, &key).await, Some(403));
}
