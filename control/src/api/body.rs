//! The body of a request: bounded, JSON, an object, read once.

use std::time::Duration;

use axum::{
    body::{Bytes, HttpBody as _},
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, RefOr, Required, Schema, request_body::RequestBodyBuilder, schema::AdditionalProperties,
    },
};

use super::{
    document::sheet::{JSON, MERGE_PATCH, Part, Sheet},
    error::{ApiError, Code},
};

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive: a client that sends a byte a minute holds a connection and nothing else.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// A body of type `T`. None at all equals `{}`.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// The same request in one spelling: keys sorted, no spaces. Two bodies that mean the same have the same one.
    pub canonical: Vec<u8>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, BODY_BYTES_MAX).await?;
        parse(&parts.method, &parts.headers, &bytes)
    }
}

impl<T: ToSchema> Part for JsonBody<T> {
    fn describe(sheet: &mut Sheet) {
        let mut schema = T::schema();
        let mut needed = false;
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            // Every body names what it does not know.
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            needed = !object.required.is_empty();
        }
        let content = ContentBuilder::new().schema(Some(sheet.component::<T>(schema))).build();
        let required = if needed { Required::True } else { Required::False };
        sheet.body(RequestBodyBuilder::new().content(JSON, content).required(Some(required)).build());
        sheet.refuses(&[
            Code::MalformedJson,
            Code::BadRequest,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ]);
    }
}

/// Reads at most `most` bytes.
///
/// # Errors
/// When there are more, when they do not come in time, or the client goes away.
pub async fn read(body: axum::body::Body, most: usize) -> Result<Bytes, ApiError> {
    let long = || ApiError::new(Code::PayloadTooLarge, format!("The body is longer than {most} bytes."));
    // A body that announces its length is refused before it is sent.
    if body.size_hint().lower() > most as u64 {
        return Err(long());
    }
    let collected = timeout(BODY_PATIENCE, Limited::new(body, most).collect()).await;
    let collected = collected.map_err(|_| ApiError::plain(Code::RequestTimeout))?;
    let collected = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => long(),
        false => ApiError::new(Code::BadRequest, "The body did not arrive in full."),
    })?;
    Ok(collected.to_bytes())
}

fn parse<T: DeserializeOwned>(method: &Method, headers: &HeaderMap, bytes: &[u8]) -> Result<JsonBody<T>, ApiError> {
    let bytes: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) {
        b"{}"
    } else {
        must_be_json(method, headers)?;
        bytes
    };
    let malformed = |error: serde_json::Error| {
        ApiError::new(Code::MalformedJson, format!("The body is not understood as JSON: {error}."))
    };
    let mut whole: Value = serde_json::from_slice(bytes).map_err(malformed)?;
    if !whole.is_object() {
        return Err(ApiError::new(Code::ValidationFailed, "The body must be a JSON object."));
    }
    // From the text again rather than from `whole`: a key that comes twice is refused instead of one of them winning.
    let value = serde_json::from_slice(bytes).map_err(malformed)?;
    // What counts as absent is left out, so that `null`, `""` and nothing are one request.
    if let Some(fields) = whole.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value != "");
    }
    Ok(JsonBody { value, canonical: serde_json::to_vec(&whole).unwrap_or_default() })
}

/// `curl -d` without a header says that the body is a form.
fn must_be_json(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let refused = |field, reason| Err(ApiError::plain(Code::UnsupportedMediaType).naming(field, reason));
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    let json = kind.eq_ignore_ascii_case(JSON) || (method == Method::PATCH && kind.eq_ignore_ascii_case(MERGE_PATCH));
    if !json {
        let wanted = if method == Method::PATCH {
            "must be application/json or application/merge-patch+json"
        } else {
            "must be application/json"
        };
        return refused("Content-Type", wanted);
    }
    if charset.is_some_and(|charset| !charset.trim_matches('"').eq_ignore_ascii_case("utf-8")) {
        return refused("Content-Type", "names another charset than utf-8");
    }
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused("Content-Encoding", "must be left out: bodies are sent as they are");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default)]
        name: Option<String>,
    }

    fn code(kind: Option<&'static str>, body: &[u8]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        parse::<Sample>(&Method::POST, &headers, body).map(|body| body.value.name).map_err(|error| error.code)
    }

    const JSON: Option<&str> = Some("application/json");

    #[test]
    fn no_body_equals_an_empty_object() {
        assert_eq!(code(None, b""), Ok(None));
        assert_eq!(code(Some("text/plain"), b" \r\n"), Ok(None));
        assert_eq!(code(JSON, b"{}"), Ok(None));
    }

    #[test]
    fn what_is_no_json_object_is_refused_by_its_kind() {
        let deep = "[".repeat(1000);
        let table: [(Option<&'static str>, &[u8], Code); 10] = [
            (None, b"{}x", Code::UnsupportedMediaType),
            (Some("application/x-www-form-urlencoded"), b"name=a", Code::UnsupportedMediaType),
            (Some("application/json; charset=latin1"), b"{}", Code::UnsupportedMediaType),
            (JSON, b"{", Code::MalformedJson),
            (JSON, b"{\"name\":\"\xff\"}", Code::MalformedJson),
            (JSON, b"{\"name\":\"a\",\"name\":\"b\"}", Code::MalformedJson),
            (JSON, b"{} {}", Code::MalformedJson),
            (JSON, deep.as_bytes(), Code::MalformedJson),
            (JSON, b"[]", Code::ValidationFailed),
            (JSON, b"null", Code::ValidationFailed),
        ];
        for (kind, body, want) in table {
            assert_eq!(code(kind, body), Err(want), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(code(Some("Application/JSON; charset=\"UTF-8\""), b"{\"name\":\"a\"}"), Ok(Some("a".to_owned())));
    }

    #[test]
    fn a_merge_patch_is_one_where_something_is_patched_and_nothing_is_compressed() {
        let tried = |method: Method, name: header::HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            let named = |error: ApiError| (error.code, error.fields.first().map(|fault| fault.field.clone()));
            parse::<Sample>(&method, &headers, b"{\"name\":\"a\"}").map(|_| ()).map_err(named)
        };
        let merge_patch = "application/merge-patch+json";
        assert_eq!(tried(Method::PATCH, header::CONTENT_TYPE, merge_patch), Ok(()));
        let refused = |name: &str| Err((Code::UnsupportedMediaType, Some(name.to_owned())));
        assert_eq!(tried(Method::POST, header::CONTENT_TYPE, merge_patch), refused("Content-Type"));
        assert_eq!(tried(Method::POST, header::CONTENT_ENCODING, "Identity"), Ok(()));
        assert_eq!(tried(Method::POST, header::CONTENT_ENCODING, "gzip"), refused("Content-Encoding"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let never = axum::body::Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read(never, 10).await.unwrap_err().code, Code::RequestTimeout);
    }

    #[test]
    fn two_spellings_of_one_body_have_one_canonical_form() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let one = parse::<Sample>(&Method::POST, &headers, b"{\"name\":\"a\", \"x\":1}").unwrap();
        let two = parse::<Sample>(&Method::POST, &headers, b"{ \"x\": 1,\"name\":\"\\u0061\" }").unwrap();
        assert_eq!(one.canonical, two.canonical);
    }
}
