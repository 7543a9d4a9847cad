//! A control plane on a real socket for programs that test from outside: one customer with money, one host that does at once
//! what it is told, a clock that runs.
//!
//! Prints one line of JSON, `{"url", "key", "read_key"}`, serves until standard input ends, and then prints how many
//! requests there were.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
};
use csp_control::api::{
    self,
    connections::{self, ConnectionBounds},
};
use csp_tests::test_control::{NOON, TestControl};
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    sync::oneshot,
    time::{Instant, interval},
};

/// How often the host looks for something to do.
const TICK: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let public = url.clone();
    let control = TestControl::with_settings(move |settings| settings.public_url = public.try_into().unwrap()).await;
    let (shared, dedicated) = (control.host("host-1").await, control.dedicated_host("host-2").await);
    let customer = control.customer("ada", "100000").await;
    control.ssh_key(customer.account).await;
    let (_, read_key) = control.key(customer.account, &json!({"scopes": ["read"]})).await;
    for hostname in ["web1", "web2"] {
        let order =
            json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": hostname});
        let _ = control.api("POST", "/servers").by(&customer).json(&order).send().await.data();
    }
    shared.obey().await;

    let requests = Arc::new(AtomicU64::new(0));
    let counted = requests.clone();
    let count = move |request: Request, next: Next| {
        counted.fetch_add(1, Ordering::Relaxed);
        next.run(request)
    };
    let router = api::router(control.app.clone()).layer(from_fn(count));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = connections::serve(listener, router, ConnectionBounds::new(1000, 1000, Vec::new()), async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving);
    println!("{}", json!({"url": url, "key": customer.key.reveal(), "read_key": read_key}));

    let hosts = async {
        let (began, mut tick) = (Instant::now(), interval(TICK));
        loop {
            tick.tick().await;
            control.clock.set(NOON.plus(i64::try_from(began.elapsed().as_secs()).unwrap()));
            for host in [&shared, &dedicated] {
                host.alive().await;
                host.obey().await;
            }
        }
    };
    let mut rest = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        () = hosts => {}
        _ = input.read_to_end(&mut rest) => {}
    }
    let _ = stop.send(());
    serving.await.unwrap();
    println!("{}", json!({"requests": requests.load(Ordering::Relaxed)}));
}
