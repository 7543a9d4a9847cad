//! Speaks with a running control plane over the operator socket: one request, one answer.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::JoinHandle};

use crate::{api::error::FieldFault, operator::wire};

/// Longest answer, in bytes: far above a list of every server of a large provider.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a command waits for its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for what reads everything that there is.
const LONG_PATIENCE: Duration = Duration::from_secs(3600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("cannot reach the control plane on {} ({})", socket.display(), advice(.source))]
    Connect { socket: PathBuf, source: io::Error },
    #[error("the control plane broke off")]
    Broken(#[source] hyper::Error),
    #[error("the control plane did not answer within {} s", .0.as_secs())]
    Late(Duration),
    #[error(
        "the answer of the control plane is not understood ({0}); command and control plane must be of one version"
    )]
    Answer(String),
    #[error("{}", refused(.message, .fields))]
    Refused { message: String, fields: Vec<FieldFault> },
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only root and the service's group may use it",
        _ => "is `csp-control serve` running with this configuration?",
    }
}

/// The sentence, and fields that it does not name already.
fn refused(message: &str, fields: &[FieldFault]) -> String {
    let extra = fields.iter().filter(|fault| !message.contains(&fault.reason));
    extra.fold(message.to_owned(), |text, fault| {
        format!("{}; {}: {}", text.trim_end_matches('.'), fault.field, fault.reason)
    })
}

/// A success or a refusal, as it comes.
#[derive(Deserialize)]
struct Envelope<T> {
    ok: bool,
    message: Option<String>,
    data: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    details: Details,
}

#[derive(Deserialize)]
struct Details {
    fields: Vec<FieldFault>,
}

/// The operator API behind a socket.
#[derive(Debug)]
pub(super) struct Client<'a> {
    socket: &'a Path,
}

impl<'a> Client<'a> {
    pub(super) fn new(socket: &'a Path) -> Self {
        Self { socket }
    }

    pub(super) fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, ClientError> {
        self.call(Method::GET, path, Bytes::new(), PATIENCE)
    }

    /// A question whose answer takes as long as there is to look at.
    pub(super) fn get_patiently<A: DeserializeOwned>(&self, path: &str) -> Result<A, ClientError> {
        self.call(Method::GET, path, Bytes::new(), LONG_PATIENCE)
    }

    pub(super) fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        self.call(Method::POST, path, body.into(), PATIENCE)
    }

    /// A command that takes as long as there are servers.
    pub(super) fn post_patiently<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        self.call(Method::POST, path, body.into(), LONG_PATIENCE)
    }

    /// A question whose answer is no JSON and may be longer than memory: each piece is handed on as it comes.
    pub(super) fn copy(
        &self,
        path: &str,
        mut keep: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<io::Result<()>, ClientError> {
        let copying = async {
            let (mut body, driver, status) = self.send(Method::GET, path, Bytes::new()).await?;
            if !status.is_success() {
                let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
                driver.abort();
                let answer = body.map_err(|error| ClientError::Answer(error.to_string()))?.to_bytes();
                return read::<serde::de::IgnoredAny>(&answer).map(|_| Ok(()));
            }
            while let Some(frame) = body.frame().await {
                let Ok(piece) = frame.map_err(ClientError::Broken)?.into_data() else { continue };
                if let Err(error) = keep(&piece) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        runtime()?.block_on(copying)
    }

    fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<A, ClientError> {
        let exchange = async { tokio::time::timeout(patience, self.exchange(method, path, body)).await };
        let answer = runtime()?.block_on(exchange).map_err(|_| ClientError::Late(patience))??;
        read(&answer)
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        let (body, driver, _) = self.send(method, path, body).await?;
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        driver.abort();
        body.map(http_body_util::Collected::to_bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Incoming, JoinHandle<hyper::Result<()>>, StatusCode), ClientError> {
        let connect = |source| ClientError::Connect { socket: self.socket.to_owned(), source };
        let stream = UnixStream::connect(self.socket).await.map_err(connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", wire::PREFIX))
            .header(header::HOST, "operator")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(ClientError::Broken)?;
        let status = response.status();
        Ok((response.into_body(), driver, status))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ClientError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Runtime)
}

/// What an envelope holds, or why it holds nothing.
fn read<A: DeserializeOwned>(answer: &[u8]) -> Result<A, ClientError> {
    let envelope: Envelope<A> =
        serde_json::from_slice(answer).map_err(|error| ClientError::Answer(error.to_string()))?;
    match envelope {
        Envelope { ok: true, data: Some(data), .. } => Ok(data),
        Envelope { ok: false, message, error, .. } => Err(ClientError::Refused {
            message: message.unwrap_or_else(|| "refused without a reason".to_owned()),
            fields: error.map(|refusal| refusal.details.fields).unwrap_or_default(),
        }),
        Envelope { ok: true, data: None, .. } => Err(ClientError::Answer("it holds no data".to_owned())),
    }
}
