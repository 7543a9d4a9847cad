//! One request into a router, and what came back.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header, response::Parts},
};
use csp_control::api::throttle::Peer;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::TestCustomer;

/// A request that is being put together.
pub struct Send {
    router: Router,
    method: String,
    path: String,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: Vec<u8>,
}

impl Send {
    /// A request to any router.
    #[must_use]
    pub fn new(router: Router, method: &str, path: String) -> Self {
        Self { router, method: method.to_owned(), path, headers: HeaderMap::new(), peer: None, body: Vec::new() }
    }

    /// Signed in as this customer.
    #[must_use]
    pub fn by(self, customer: &TestCustomer) -> Self {
        self.with_key(customer.key.reveal())
    }

    /// Over a connection from this address.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        Self { peer: Some(Peer(address.parse().unwrap())), ..self }
    }

    /// Signed in with this key.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        self
    }

    /// A body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header(header::CONTENT_TYPE.as_str(), "application/json").body(body.to_string())
    }

    /// A body as it is, and no Content-Type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and reads the answer to its end.
    pub async fn send(self) -> Reply {
        let (parts, body) = self.answered().await;
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, text, json }
    }

    /// Sends it, and leaves the answer's body to be read as it comes.
    pub async fn open(self) -> Stream {
        let (parts, body) = self.answered().await;
        assert_eq!(parts.status, StatusCode::OK);
        Stream { headers: parts.headers, body, read: String::new() }
    }

    async fn answered(self) -> (Parts, Body) {
        let mut request =
            Request::builder().method(self.method.as_str()).uri(&self.path).body(Body::from(self.body)).unwrap();
        *request.headers_mut() = self.headers;
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("cybaaspace.com"));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        self.router.oneshot(request).await.unwrap().into_parts()
    }
}

/// Server-sent events, read one by one.
pub struct Stream {
    /// Of the answer.
    pub headers: HeaderMap,
    body: Body,
    read: String,
}

/// One of them: its lines, by their names. A comment's name is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<(String, String)>);

impl Message {
    /// The text of the line with this name, empty when there is none.
    #[must_use]
    pub fn line(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, text)| text)
    }

    /// What its data says.
    #[must_use]
    pub fn data(&self) -> Value {
        serde_json::from_str(self.line("data")).unwrap()
    }
}

impl Stream {
    /// The next message, comments and greetings among them; None when the stream has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let lines = message.lines().map(|line| line.split_once(':').unwrap());
                let message = lines.map(|(name, text)| (name.to_owned(), text.trim_start().to_owned())).collect();
                self.read = rest.to_owned();
                return Some(Message(message));
            }
            let frame = self.body.frame().await?.unwrap();
            self.read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }

    /// The next message with data.
    pub async fn event(&mut self) -> Option<Message> {
        loop {
            let message = self.next().await?;
            if !message.line("data").is_empty() {
                return Some(message);
            }
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Of HTTP.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body; null when it is no JSON.
    pub json: Value,
}

impl Reply {
    /// `data` of a success.
    #[track_caller]
    #[must_use]
    pub fn data(&self) -> &Value {
        assert_eq!((self.status.as_u16(), &self.json["ok"]), (200, &Value::Bool(true)), "{}", self.text);
        &self.json["data"]
    }

    /// That it is a success.
    #[track_caller]
    pub fn done(&self) {
        let _ = self.data();
    }

    /// `error.code` of a refusal.
    #[must_use]
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    /// The names in `error.details.fields`.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let fields = self.json["error"]["details"]["fields"].as_array();
        fields.into_iter().flatten().filter_map(|fault| fault["field"].as_str()).collect()
    }

    /// One header's text, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
