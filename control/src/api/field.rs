//! Fields of a request, read so that several bad ones come back together.
//!
//! A [`Field`] takes any JSON value and remembers when it was the wrong one, so parsing a body goes on past the first
//! fault. [`Faults`] gathers them. Null and the empty text count as absent.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::error::{ApiError, Code, FieldFault};
use crate::domain::label::acts;

/// Longest text in a field, in bytes. Keys and certificates fit, novels do not.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// One field, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// Not there, null, or an empty text.
    #[default]
    Absent,
    /// Of the right kind.
    Given(T),
    /// Of another kind; the text says which is expected.
    Wrong(&'static str),
}

/// A kind of JSON value that a field can hold.
pub trait Kind: Sized {
    /// Reads the value, or says what was expected.
    ///
    /// # Errors
    /// When the value is of another kind.
    fn read(value: Value) -> Result<Self, &'static str>;
}

impl Kind for String {
    fn read(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) if text.len() > TEXT_BYTES_MAX => Err("is longer than 16 KiB"),
            Value::String(text) if text.contains('\0') => Err("contains a NUL character"),
            Value::String(text) => Ok(text),
            _ => Err("must be a text"),
        }
    }
}

impl Kind for bool {
    fn read(value: Value) -> Result<Self, &'static str> {
        value.as_bool().ok_or("must be true or false")
    }
}

impl Kind for u64 {
    /// Whole numbers alone: 1.0 and 1e0 are spelled by programs that count in floats.
    fn read(value: Value) -> Result<Self, &'static str> {
        value.as_u64().ok_or("must be a whole number")
    }
}

/// A list whose elements are fields themselves, so that a wrong one is named by its place.
impl<T: Kind> Kind for Vec<Field<T>> {
    fn read(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Array(items) => Ok(items.into_iter().map(Field::of).collect()),
            _ => Err("must be a list"),
        }
    }
}

/// An object whose names are the customer's own.
impl Kind for Map<String, Value> {
    fn read(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Object(fields) => Ok(fields),
            _ => Err("must be an object"),
        }
    }
}

impl<T: Kind> Field<T> {
    /// Reads a value, which is of the right kind or not.
    #[must_use]
    pub fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::String(text) if text.is_empty() => Self::Absent,
            value => T::read(value).map_or_else(Self::Wrong, Self::Given),
        }
    }
}

impl<'de, T: Kind> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::of)
    }
}

/// Fields that a request has and its type does not know: `#[serde(flatten)]` puts them here.
pub type Unknown = Map<String, Value>;

/// Unknown fields that are named; who sends more of them is not helped by a longer list.
const UNKNOWN_MAX: usize = 16;

/// For whoever looked for it in the wrong place.
const DRY_RUN: &str = "is unknown here; what can be tried out takes it in the address: ?dry_run=true";

/// A stranger's text, cut, and without characters that act on whoever looks at it: controls and changes of direction.
#[must_use]
pub fn inert(text: &str) -> String {
    text.chars().take(64).map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What is wrong with a request, so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<(Code, FieldFault)>);

impl Faults {
    /// Faults of a request whose unknown fields are `unknown`.
    #[must_use]
    pub fn beginning_with(unknown: &Unknown) -> Self {
        let mut faults = Self::default();
        for name in unknown.keys().take(UNKNOWN_MAX) {
            let what = if name == "dry_run" { DRY_RUN } else { "is unknown" };
            faults.add(Code::ValidationFailed, &inert(name), what);
        }
        faults
    }

    /// Notes what an object in the request has left, once its known fields were taken out.
    pub fn unknown_below(&mut self, object: &str, left: &Map<String, Value>) {
        for name in left.keys().take(UNKNOWN_MAX) {
            self.add(Code::ValidationFailed, &format!("{object}.{}", inert(name)), "is unknown");
        }
    }

    /// One more.
    pub fn add(&mut self, code: Code, field: &str, reason: impl Into<String>) {
        self.0.push((code, FieldFault { field: field.to_owned(), reason: reason.into() }));
    }

    /// The value of a field that may be left out.
    pub fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent => None,
            Field::Given(value) => Some(value),
            Field::Wrong(reason) => {
                self.add(Code::ValidationFailed, name, reason);
                None
            }
        }
    }

    /// The value of a field that must be there. None is a fault that was noted.
    pub fn required<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if matches!(field, Field::Absent) {
            self.add(Code::ValidationFailed, name, "is required");
        }
        self.optional(name, field)
    }

    /// The value that a text stands for. None is a fault that was noted.
    pub fn parsed<T, E: std::fmt::Display>(&mut self, code: Code, name: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|reason| self.add(code, name, reason.to_string())).ok()
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many things are wrong so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The refusal, when there is something to refuse.
    ///
    /// # Errors
    /// When a fault was noted.
    pub fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    /// The refusal. Its code is the faults' own where they agree on one.
    #[must_use]
    pub fn refusal(self) -> ApiError {
        let code = match self.0.split_first() {
            Some(((code, _), rest)) if rest.iter().all(|(other, _)| other == code) => *code,
            _ => Code::ValidationFailed,
        };
        let fields: Vec<FieldFault> = self.0.into_iter().map(|(_, fault)| fault).collect();
        let sentences: Vec<String> = fields.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect();
        ApiError { fields, ..ApiError::new(code, sentences.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default)]
        name: Field<String>,
        #[serde(default)]
        force: Field<bool>,
        #[serde(flatten)]
        unknown: Unknown,
    }

    fn read(text: &str) -> (Option<String>, Option<bool>, Vec<String>) {
        let sample: Sample = serde_json::from_str(text).unwrap();
        let mut faults = Faults::beginning_with(&sample.unknown);
        let values = (faults.required("name", sample.name), faults.optional("force", sample.force));
        let named = faults.into_result().err().map(|error| error.fields).unwrap_or_default();
        (values.0, values.1, named.into_iter().map(|fault| fault.field).collect())
    }

    #[test]
    fn several_bad_fields_come_back_together() {
        assert_eq!(
            read(r#"{"name":7,"force":"yes","x":1}"#),
            (None, None, vec!["x".into(), "name".into(), "force".into()])
        );
    }

    #[test]
    fn null_and_the_empty_text_count_as_absent() {
        assert_eq!(read(r#"{"name":"a","force":null}"#), (Some("a".into()), None, vec![]));
        assert_eq!(read(r#"{"name":""}"#), (None, None, vec!["name".into()]));
    }

    #[test]
    fn unknown_names_are_shown_inert_and_not_without_end() {
        assert_eq!(inert("a\u{202e}b\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
        let many: Unknown = (0..1000).map(|number| (format!("field{number}"), Value::Null)).collect();
        assert_eq!(Faults::beginning_with(&many).refusal().fields.len(), UNKNOWN_MAX);
    }

    #[test]
    fn faults_that_agree_keep_their_code() {
        let mut faults = Faults::default();
        faults.add(Code::PromoCodeRefused, "promo_code", "not yet");
        assert_eq!(faults.refusal().code, Code::PromoCodeRefused);
        let mut faults = Faults::default();
        faults.add(Code::PromoCodeRefused, "promo_code", "not yet");
        faults.add(Code::InvalidHostname, "hostname", "no");
        assert_eq!(faults.refusal().code, Code::ValidationFailed);
    }
}
