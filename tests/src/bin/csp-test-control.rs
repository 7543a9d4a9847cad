//! A control plane on a real socket for programs that test from outside: one customer with money, one host that does at once
//! what it is told, a clock that runs.
//!
//! Prints one line of JSON, `{"url", "key", "read_key"}`, serves until standard input ends, and then prints how many
//! requests there were. With `--people`, strangers may sign up: each letter is printed as `{"letter": {"to", "text"}}`, and each
//! line of standard input, `["METHOD", "PATH", {BODY}]`, is a request of the operator, whose answer is printed. `["ACCEPTED",
//! "VERSION", {}]` has everybody have accepted that version of the terms. Cards are taken by a stand-in for Stripe, whose words
//! are signed with `stripe_signing`.
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
use csp_control::{
    api::{
        self, Settings,
        connections::{self, ConnectionBounds},
    },
    config::SignUpRules,
    domain::{letter::Delivery, sign_in::SignUp},
    mail::{Courier, outbox::send_due},
    store::MailRow,
};
use csp_tests::{
    fake_stripe::{FakeStripe, SIGNING},
    test_control::{NOON, TestControl},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    sync::oneshot,
    time::{Instant, interval},
};

/// How often the host looks for something to do.
const TICK: Duration = Duration::from_millis(50);

/// Takes every letter and prints it.
struct Printed;

impl Courier for Printed {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        let text = format!("{}\n{}", letter.letter.subject, letter.letter.body);
        println!("{}", json!({"letter": {"to": letter.recipient, "text": text}}));
        Delivery::Taken
    }
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (public, has_people) = (url.clone(), std::env::args().any(|argument| argument == "--people"));
    let set = move |settings: &mut Settings| {
        settings.public_url = public.try_into().unwrap();
        settings.billing.has_mail = has_people;
        if has_people {
            settings.stripe = Some(FakeStripe::start().account());
            settings.sign_up = SignUpRules { mode: SignUp::Open, terms_version: Some("2026-06".to_owned()) };
        }
    };
    let control = TestControl::with_settings(set).await;
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
    let key = customer.key.reveal();
    println!("{}", json!({"url": url, "key": key, "read_key": read_key, "stripe_signing": SIGNING}));

    let hosts = async {
        let (began, mut tick) = (Instant::now(), interval(TICK));
        loop {
            tick.tick().await;
            control.clock.set(NOON.plus(i64::try_from(began.elapsed().as_secs()).unwrap()));
            for host in [&shared, &dedicated] {
                host.alive().await;
                host.obey().await;
            }
            send_due(&control.app.store, &Printed, &*control.clock, &*control.app.entropy).await.unwrap();
        }
    };
    let operator = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let (method, path, body): (String, String, Value) = serde_json::from_str(&line).unwrap();
            if method == "ACCEPTED" {
                control.terms_accepted_before(&path);
                println!("{}", json!({"ok": true}));
                continue;
            }
            println!("{}", control.operator(&method, &path).json(&body).send().await.text);
        }
    };
    tokio::select! {
        () = hosts => {}
        () = operator => {}
    }
    let _ = stop.send(());
    serving.await.unwrap();
    println!("{}", json!({"requests": requests.load(Ordering::Relaxed)}));
}
