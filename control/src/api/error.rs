//! The one error of both HTTP faces.
//!
//! A handler returns it; only the outermost layer (`edge`) renders it, because only there is the request's id known
//! and only there do the framework's own refusals pass as well. So there is one shape for all of them.

use std::{borrow::Cow, error::Error as StdError, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::code::Code;
use super::{
    denied::{RunningAction, StateDetails, sentence},
    document::schemas::{AskWord, No, ServiceStatusWord, StatusWord},
};
use crate::{
    domain::{billing::clock::Unmeasured, limits::LimitReached},
    store::StoreError,
};

/// A refusal.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// For programs.
    pub code: Code,
    /// For people: what happened, to which thing.
    pub message: Cow<'static, str>,
    /// Which fields of the request are at fault.
    pub fields: Vec<FieldFault>,
    /// The server's state, where it stands in the way.
    pub state: Option<Box<StateDetails>>,
    /// Which limit is reached, and how many it allows.
    pub limit: Option<(&'static str, u32)>,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
    /// For the log, never for the customer.
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// One field of a request, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldFault {
    /// As the client wrote it; `a.b` below an object.
    #[schema(example = "hostname")]
    pub field: String,
    /// What to do about it.
    #[schema(example = "is required")]
    pub reason: String,
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct RefusalBody<'a> {
    /// Always false.
    #[schema(value_type = No)]
    ok: bool,
    /// For people: what happened, to which thing. The same as `error.message`.
    message: &'a str,
    error: Detail<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetail)]
struct Detail<'a> {
    code: Code,
    /// For people: what happened, to which thing.
    message: &'a str,
    /// The same as in the header `X-Request-Id`. Quote it when you ask for help.
    request_id: &'a str,
    /// Whether the same request may succeed later without a change.
    retryable: bool,
    details: Details<'a>,
}

/// What is known beyond the code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetails)]
struct Details<'a> {
    /// Every field of the request that is at fault; empty where none is.
    #[schema(value_type = Vec<FieldFault>)]
    fields: &'a [FieldFault],
    /// What is seen of the server whose state does not allow the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusWord>,
    /// Where its service stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_status: Option<ServiceStatusWord>,
    /// What it is busy with; null when that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunningAction>)]
    running_action: Option<Option<RunningAction>>,
    /// Requests that its state allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<AskWord>>)]
    allowed: Option<&'a [AskWord]>,
    /// Which limit is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitDetail>,
}

/// A limit of the account, or of one of its servers, that stands in the way.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ErrorLimit)]
struct LimitDetail {
    #[schema(example = "servers")]
    name: &'static str,
    #[schema(minimum = 0, example = 10)]
    max: u32,
}

impl ApiError {
    /// A refusal with a sentence of its own.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
            state: None,
            limit: None,
            retry_after: None,
            source: None,
        }
    }

    /// A refusal that names one field.
    #[must_use]
    pub fn field(code: Code, field: &str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let message = format!("{field}: {reason}");
        let fields = vec![FieldFault { field: field.to_owned(), reason }];
        Self { fields, ..Self::new(code, message) }
    }

    /// A failure of ours; `source` is for the log.
    #[must_use]
    pub fn internal(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::caused(Code::Internal, source)
    }

    /// A refusal whose cause goes to the log and whose sentence is the registry's.
    #[must_use]
    pub fn caused(code: Code, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..Self::plain(code) }
    }

    /// A refusal with the registry's own sentence.
    #[must_use]
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.entry().words())
    }

    /// The same, naming the field that led to it.
    #[must_use]
    pub fn naming(mut self, field: &str, reason: impl Into<String>) -> Self {
        self.fields.push(FieldFault { field: field.to_owned(), reason: reason.into() });
        self
    }

    /// The same, telling the state that stands in the way.
    #[must_use]
    pub fn with_state(self, state: StateDetails) -> Self {
        Self { state: Some(Box::new(state)), ..self }
    }

    /// The same, telling which limit is reached.
    #[must_use]
    pub fn with_limit(self, name: &'static str, max: u32) -> Self {
        Self { limit: Some((name, max)), ..self }
    }

    /// The same, telling when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The answer's body.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Vec<u8> {
        let (entry, state) = (self.code.entry(), self.state.as_deref());
        let refusal = RefusalBody {
            ok: false,
            message: &self.message,
            error: Detail {
                code: self.code,
                message: &self.message,
                request_id,
                retryable: entry.retryable,
                details: Details {
                    fields: &self.fields,
                    status: state.map(|state| state.status),
                    service_status: state.map(|state| state.service_status),
                    running_action: state.map(|state| state.running_action),
                    allowed: state.map(|state| &state.allowed[..]),
                    limit: self.limit.map(|(name, max)| LimitDetail { name, max }),
                },
            },
        };
        // Texts and flags alone: this cannot fail.
        serde_json::to_vec(&refusal).unwrap_or_default()
    }
}

impl IntoResponse for ApiError {
    /// The status, and the error itself for the outermost layer to render.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.entry().status;
        match self.code {
            Code::Unauthorized => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::Unavailable | Code::HostUnreachable => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<LimitReached> for ApiError {
    fn from(reached: LimitReached) -> Self {
        Self::new(Code::LimitReached, reached.to_string()).with_limit(reached.limit.as_str(), reached.max)
    }
}

/// Between two looks at whether an operator has looked at a clock; one is called for it.
const LOOKED_AT_SECONDS: u64 = 60;

impl From<Unmeasured> for ApiError {
    fn from(error: Unmeasured) -> Self {
        Self::new(Code::Unavailable, sentence(&error.to_string())).retry_after(LOOKED_AT_SECONDS)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let code = if error.is_passing() { Code::Unavailable } else { Code::Internal };
        Self::caused(code, error)
    }
}
