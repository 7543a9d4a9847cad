//! Stripe's API on a port of this machine: it answers for a page what Stripe does, and keeps what it was asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use csp_control::{config::PublicUrl, domain::money::Cents, stripe::Account};
use csp_shared::secret::Secret;

/// The secret key that it takes.
pub const KEY: &str = "sk_test_canary51Kx";
/// Under which it signs.
pub const SIGNING: &str = "whsec_canary7Qm2";

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The form, as it was sent.
    pub form: String,
}

impl Asked {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A field's value; names and values without what a form escapes.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        let plain = |text: &str| {
            let mut text = text.replace('+', " ");
            for (coded, plain) in [("%5B", "["), ("%5D", "]"), ("%3A", ":"), ("%2F", "/"), ("%3F", "?"), ("%3D", "=")] {
                text = text.replace(coded, plain);
            }
            text
        };
        let pairs = self.form.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(known, value)| (plain(known), plain(value))).find(|(known, _)| known == name).unwrap().1
    }
}

/// It answers until the test ends.
#[derive(Clone, Debug)]
pub struct FakeStripe {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeStripe {
    /// Begins to answer.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, asked: Arc::default() };
        let asked = fake.asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &asked);
            }
        });
        fake
    }

    /// What the control plane is to know of it.
    #[must_use]
    pub fn account(&self) -> Account {
        let secret = |text: &str| Secret::new(text.to_owned());
        Account {
            key: secret(KEY),
            signing: vec![secret("whsec_older"), secret(SIGNING)],
            api_url: PublicUrl::try_from(self.url.clone()).unwrap(),
            least: Cents::new(500).unwrap(),
            most: Cents::new(100_000).unwrap(),
        }
    }

    /// What it was asked.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// The same idempotency key gets the same page, as at Stripe.
fn answer(stream: TcpStream, all: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(&stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() <= 2 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some(first) = lines.first().cloned() else { return };
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut asked = Asked { headers, form: String::new() };
    let mut body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    asked.form = String::from_utf8(body).unwrap();
    let is_right =
        first == "POST /v1/checkout/sessions HTTP/1.1" && asked.header("authorization") == format!("Bearer {KEY}");
    let (status, text) = if is_right {
        let session = format!("cs_test_{}", asked.header("idempotency-key"));
        (
            "200 OK",
            format!(
                r#"{{"id":"{session}","object":"checkout.session","url":"https://checkout.stripe.com/c/pay/{session}"}}"#
            ),
        )
    } else {
        let told = asked.header("authorization").to_owned();
        (
            "401 Unauthorized",
            format!(r#"{{"error":{{"type":"invalid_request_error","message":"Invalid API Key provided: {told}"}}}}"#),
        )
    };
    all.lock().unwrap().push(asked);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    (&stream).write_all((head + &text).as_bytes()).unwrap();
}
