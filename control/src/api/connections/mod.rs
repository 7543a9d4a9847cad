//! The customer API's connections: how many there may be, and for how long one may do nothing.
//!
//! Nobody stands before them but, usually, a reverse proxy; so a client that sends its headers a byte a minute, opens
//! connections and says nothing, or never reads its answers, must cost a place for seconds and nobody else's. Plain
//! HTTP/1.1: proxies speak it to what is behind them.
//!
//! What is no HTTP at all, a head above 400 KiB, a URI above 64 KiB or more headers than are read, hyper refuses itself
//! with a bare status and closes, before there is a request that could be answered; the pages at `/docs` say so.
//! Everything else is answered by the router, in its envelope. Of a request with both `Transfer-Encoding` and
//! `Content-Length`, hyper reads the chunks and closes (RFC 9112, 6.3): whatever a proxy took for the body's end, nothing
//! that follows it on the connection is ever taken for a request.
//!
//! A trusted proxy brings everybody's requests over few connections and keeps them for the next ones, so it is bounded by
//! the whole alone and may be idle for longer.

mod unstuck;

use std::{convert::Infallible, io, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use csp_link::screens::Movable;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tower::ServiceExt as _;

use self::unstuck::Unstuck;
use super::{edge::READ_HEADERS_MAX, places::Crowd, throttle::Peer};
use crate::domain::network::{contain, counted_as};

/// After a connection could not be accepted: the usual cause is that there are no descriptors left for a moment.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What connections may do.
#[derive(Clone, Debug)]
pub struct ConnectionBounds {
    /// Connections at once; more wait to be accepted.
    pub all_max: usize,
    /// Connections at once of one address; more are closed.
    pub address_max: usize,
    /// How long a request's head may take to come, and so how long a connection may be idle.
    pub head: Duration,
    /// The same for a trusted proxy.
    pub proxy_idle: Duration,
    /// A client that takes nothing of its answer for this long is given up.
    pub stuck: Duration,
    /// Proxies that are believed when they name the client.
    pub trusted_proxies: Vec<IpNet>,
}

impl ConnectionBounds {
    /// What is usual.
    #[must_use]
    pub fn new(all_max: usize, address_max: usize, trusted_proxies: Vec<IpNet>) -> Self {
        let seconds = Duration::from_secs;
        Self { all_max, address_max, head: seconds(30), proxy_idle: seconds(120), stuck: seconds(60), trusted_proxies }
    }
}

/// Serves until it is told to stop, and then until the requests that are under way have ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: ConnectionBounds,
    until: impl Future<Output = ()> + Send,
) {
    let (stop, stopped) = watch::channel(false);
    let (places, crowd) = (Arc::new(Semaphore::new(bounds.all_max)), Crowd::<IpAddr>::default());
    let mut connections = JoinSet::new();
    let mut until = std::pin::pin!(until);
    loop {
        let next = async {
            // Never closed, so a place always comes; accepting waits for it, and the rest waits in the kernel.
            let place = places.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut until => break,
            next = next => next,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip().to_canonical()),
            Err(error) => {
                refused_by_the_kernel(&error).await;
                continue;
            }
        };
        let is_proxy = contain(&bounds.trusted_proxies, peer);
        let most = if is_proxy { usize::MAX } else { bounds.address_max };
        let Some(own) = crowd.take(counted_as(peer), most) else {
            tracing::debug!(%peer, "too many connections of one address");
            continue;
        };
        let head = if is_proxy { bounds.proxy_idle } else { bounds.head };
        let (router, stopped, stuck) = (router.clone(), stopped.clone(), bounds.stuck);
        connections.spawn(async move {
            talk(stream, peer, router, head, stuck, stopped).await;
            drop((place, own));
        });
    }
    drop(listener);
    stop.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Runs one connection to its end. One that became a websocket ends here and lives on elsewhere, under bounds of its own.
async fn talk(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    head: Duration,
    stuck: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // An answer is written whole, so there is nothing to wait for before sending it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_headers(READ_HEADERS_MAX);
    let io = TokioIo::new(Unstuck::new(Movable::new(stream), stuck));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service).with_upgrades());
    let told = async move {
        // The sender lives as long as the server; should it be gone, stopping is right too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// A client that left before it was accepted is nobody's concern; anything else gets a moment to pass.
async fn refused_by_the_kernel(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "a connection could not be accepted");
        sleep(AFTER_A_FAILURE).await;
    }
}
