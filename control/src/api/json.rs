//! A body that is read by its type alone: of the operator's requests, which are larger than a customer's, since a catalog
//! travels in one, and of what people who sign in ask for in the same words.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::{
    body,
    error::{ApiError, Code},
    field::inert,
};

/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A body of type `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = body::read(request.into_body(), BODY_BYTES_MAX).await?;
        read(&bytes).map(Self)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list would fill the fields one after the other: the second one of a request is not meant by its place.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        let what = "The body must be a JSON object, as {\"amount\": \"25.00\", \"reference\": \"…\"} for a payment.";
        return Err(ApiError::new(Code::ValidationFailed, what));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| refusal(".", &error))?;
    Ok(value)
}

/// Names the field wherever there is one: whoever wrote the request looks for it by its name.
fn refusal(path: &str, error: &serde_json::Error) -> ApiError {
    let what = error.to_string();
    let below = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    for (fault, reason) in [("missing field `", "is required"), ("duplicate field `", "stands there twice")] {
        if let Some((name, _)) = what.strip_prefix(fault).and_then(|rest| rest.split_once('`')) {
            return ApiError::field(Code::ValidationFailed, &below(name), reason);
        }
    }
    match (path, error.is_data()) {
        (".", true) => ApiError::new(Code::ValidationFailed, format!("The request is not understood: {what}.")),
        ("." | "?", false) => {
            ApiError::new(Code::ValidationFailed, format!("The body is not understood as JSON: {what}."))
        }
        (field, true) if is_number_for_text(&what) => {
            let reason =
                "is a number; a text is wanted, and an amount is one as well: write it in quotes, as \"25.00\"";
            ApiError::field(Code::ValidationFailed, &inert(field), reason)
        }
        (field, true) => ApiError::field(Code::ValidationFailed, &inert(field), what),
        (field, false) => {
            let reason = format!("is no JSON value ({what}); amounts and other texts stand in quotes, as \"25.00\"");
            ApiError::field(Code::ValidationFailed, &inert(field), reason)
        }
    }
}

/// An amount without its quotes, most likely.
fn is_number_for_text(what: &str) -> bool {
    let is_number =
        ["invalid type: floating point", "invalid type: integer"].iter().any(|start| what.starts_with(start));
    is_number && what.contains("expected a string")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Credit {
        amount: String,
        #[expect(dead_code, reason = "only whether it is there is looked at")]
        reference: String,
        note: Option<String>,
    }

    fn refused(body: &str) -> (Vec<String>, String) {
        let error = read::<Credit>(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::ValidationFailed, "{body}");
        (error.fields.into_iter().map(|fault| fault.field).collect(), error.message.into_owned())
    }

    #[test]
    fn a_body_that_is_not_understood_is_refused_by_the_field_that_is_at_fault() {
        let table = [
            (r#"{"amount": "1"}"#, "reference", "is required"),
            (r#"{"reference": "a"}"#, "amount", "is required"),
            (r#"{"amount": NaN, "reference": "a"}"#, "amount", "is no JSON value"),
            (r#"{"amount": Infinity, "reference": "a"}"#, "amount", "is no JSON value"),
            (r#"{"amount": 25, "reference": "a"}"#, "amount", "in quotes, as \"25.00\""),
            (r#"{"amount": 5.00, "reference": "a"}"#, "amount", "in quotes, as \"25.00\""),
            (r#"{"amount": "1", "reference": null}"#, "reference", "expected a string"),
            (r#"{"amount": "1", "reference": "a", "colour": 1}"#, "colour", "unknown field"),
            (r#"{"amount": "1", "amount": "2", "reference": "a"}"#, "amount", "stands there twice"),
        ];
        for (body, field, what) in table {
            let (fields, message) = refused(body);
            assert_eq!(fields, [field], "{body}: {message}");
            assert!(message.contains(what) && message.contains(field), "{body}: {message}");
        }
    }

    #[test]
    fn a_request_is_an_object_and_nothing_else() {
        for body in ["", " ", "[]", r#"["1", "a", null]"#, "null", "1", "\"a\""] {
            let (fields, message) = refused(body);
            assert!(fields.is_empty() && message.contains("must be a JSON object"), "{body}: {message}");
        }
        for body in ["{", r#"{"amount": "1", "reference": "a"} {}"#, "{,}"] {
            let (_, message) = refused(body);
            assert!(message.contains("not understood as JSON"), "{body}: {message}");
        }
        let credit: Credit = read(br#" {"amount": "1", "reference": "a"} "#).unwrap();
        assert_eq!((credit.amount.as_str(), credit.note), ("1", None));
    }
}
