//! What a request's headers ask of `GET /events`.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use utoipa::openapi::{
    ObjectBuilder, Type,
    path::{ParameterBuilder, ParameterIn},
};

use crate::api::{
    document::sheet::{JSON, Part, Sheet},
    error::{ApiError, Code},
};

/// The media type of a stream (HTML, 9.2).
pub const EVENT_STREAM: &str = "text/event-stream";
/// What a browser sends when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream or not, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Events are to come as they happen.
    pub is_stream: bool,
    /// The position of the last event that the client has seen.
    pub last_event_id: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Wish {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let accept: Vec<&str> =
            parts.headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
        Ok(Self { is_stream: prefers_stream(&accept.join(",")), last_event_id: last_event_id(&parts.headers)? })
    }
}

impl Part for Wish {
    fn describe(sheet: &mut Sheet) {
        let words =
            "The `id` of the last event that you have seen. Browsers send it by themselves when they come back.";
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]{0,18}$"));
        let parameter = ParameterBuilder::new().name("Last-Event-ID").parameter_in(ParameterIn::Header);
        sheet.parameter(parameter.description(Some(words)).schema(Some(schema.build())));
        sheet.refuses(&[Code::BadRequest]);
    }
}

/// A stream is for who names it, unless JSON is named and liked better: `*/*` is what every client sends.
fn prefers_stream(accept: &str) -> bool {
    let (mut stream, mut json) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight: f32 = weight.map_or(Some(1.0), |text| text.parse().ok()).unwrap_or(0.0);
        if kind.eq_ignore_ascii_case(EVENT_STREAM) {
            stream = weight;
        } else if kind.eq_ignore_ascii_case(JSON) {
            json = weight;
        }
    }
    stream > 0.0 && stream >= json
}

/// The header is one position, or empty as a client has it that has seen nothing.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let (Some(value), second) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    let digits = text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        _ if text.is_empty() && second.is_none() => Ok(None),
        Ok(position) if digits && second.is_none() => Ok(Some(position)),
        _ => Err(ApiError::field(Code::BadRequest, "Last-Event-ID", "must be the id of an event, a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_stream_is_for_who_names_it() {
        for accept in [
            "text/event-stream",
            "Text/Event-Stream; q=0.5, */*",
            "application/json, text/event-stream",
            "application/json;q=0.1,text/event-stream;q=0.2",
        ] {
            assert!(prefers_stream(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/html,*/*;q=0.8",
            "application/json",
            "text/event-stream;q=0",
            "text/event-stream;q=many",
            "application/json, text/event-stream;q=0.9",
        ] {
            assert!(!prefers_stream(accept), "{accept}");
        }
    }

    #[test]
    fn the_last_id_is_one_whole_number_or_nothing() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LAST_EVENT_ID, HeaderValue::from_str(value).unwrap());
            }
            last_event_id(&headers).map_err(|refusal| refusal.code)
        };
        assert_eq!((read(&[]), read(&[""]), read(&["17"])), (Ok(None), Ok(None), Ok(Some(17))));
        for bad in [&["-1"] as &[&str], &["+1"], &["1.0"], &["x"], &["1", "2"], &["", ""], &["9999999999999999999"]] {
            assert_eq!(read(bad), Err(Code::BadRequest), "{bad:?}");
        }
    }
}
