//! The shape of every success: `{"ok":true,"message"?,"data"?}`, and beside a list its size.

use std::{any::TypeId, borrow::Cow};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, Object, ObjectBuilder, RefOr, Schema, Type},
};

use super::{
    document::{
        schemas::{Count, Yes},
        sheet::{Part, Sheet},
    },
    page::{Page, WHOLE_MAX},
};
use crate::domain::{money::Cents, time::Time};

/// A success.
#[derive(Debug, Serialize)]
pub struct Answer<T> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

impl<T> Answer<T> {
    const EMPTY: Self = Self { ok: true, message: None, data: None };

    /// One thing.
    #[must_use]
    pub fn data(data: T) -> Self {
        Self { data: Some(data), ..Self::EMPTY }
    }

    /// The same with a sentence for people.
    #[must_use]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), ..self }
    }
}

impl Answer<()> {
    /// A sentence alone.
    #[must_use]
    pub fn message(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), ..Self::EMPTY }
    }
}

impl<T: Serialize> Answer<T> {
    /// The body.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        render(self)
    }
}

/// A body. Kept as bytes where an answer is stored to be repeated.
#[must_use]
pub fn render(answer: &impl Serialize) -> Vec<u8> {
    // Our own types with text keys: serializing cannot fail.
    serde_json::to_vec(answer).unwrap_or_default()
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        json(self.render())
    }
}

/// A success with a list, or a part of one.
#[derive(Debug, Serialize)]
pub struct List<T> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'static, str>>,
    data: Vec<T>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A part of a list of `total` things. Says what was asked for, as far as it was cut.
    #[must_use]
    pub fn new(data: Vec<T>, total: u64, page: &Page) -> Self {
        let offset = (page.offset > 0).then_some(page.offset);
        Self { ok: true, message: page.note(), data, total, limit: page.limit(), offset, next_cursor: None }
    }

    /// The same, telling that more was wanted than one answer holds.
    #[must_use]
    pub fn cut(self) -> Self {
        let words = format!("The answer holds the first {WHOLE_MAX}; `next_cursor` tells where the list goes on.");
        Self { message: Some(words.into()), ..self }
    }

    /// The same, telling where the list goes on.
    #[must_use]
    pub fn with_next(self, next_cursor: Option<String>) -> Self {
        Self { next_cursor, ..self }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        json(render(&self))
    }
}

impl<T: ToSchema + 'static> Part for Answer<T> {
    fn describe(sheet: &mut Sheet) {
        let told = told::<T>(sheet);
        sheet.answers(told);
    }
}

/// The schema of a success: with `data`, or where that is nothing with a sentence.
pub fn told<T: ToSchema + 'static>(sheet: &mut Sheet) -> ObjectBuilder {
    let told = ObjectBuilder::new().property("ok", Yes::schema()).required("ok").property("message", message());
    if TypeId::of::<T>() == TypeId::of::<()>() {
        told.required("message")
    } else {
        told.property("data", sheet.reference::<T>()).required("data")
    }
}

impl<T: ToSchema> Part for List<T> {
    fn describe(sheet: &mut Sheet) {
        let schema = listed::<T>(sheet);
        sheet.answers(schema);
    }
}

/// The schema of a list.
fn listed<T: ToSchema>(sheet: &mut Sheet) -> ObjectBuilder {
    let data = ArrayBuilder::new().items(sheet.reference::<T>());
    let number = |words: &str| Count::described(words);
    ObjectBuilder::new()
        .property("ok", Yes::schema())
        .property("message", message())
        .property("data", data)
        .property("total", number("How many there are in all."))
        .property("limit", number("Most entries of this answer, if there is such a bound."))
        .property("offset", number("How many entries were skipped, if any."))
        .property("next_cursor", cursor())
        .required("ok")
        .required("data")
        .required("total")
}

/// A list, and how long it may become.
#[derive(Debug, Serialize)]
pub struct Bounded<T, L> {
    #[serde(flatten)]
    list: List<T>,
    limits: L,
}

impl<T, L> Bounded<T, L> {
    /// A list with its bounds.
    #[must_use]
    pub fn new(list: List<T>, limits: L) -> Self {
        Self { list, limits }
    }
}

impl<T: Serialize, L: Serialize> IntoResponse for Bounded<T, L> {
    fn into_response(self) -> Response {
        json(render(&self))
    }
}

impl<T: ToSchema, L: ToSchema> Part for Bounded<T, L> {
    fn describe(sheet: &mut Sheet) {
        let limits = sheet.reference::<L>();
        let schema = listed::<T>(sheet).property("limits", limits).required("limits");
        sheet.answers(schema);
    }
}

fn cursor() -> Object {
    let words = "Where the list goes on: send it as `cursor`. Only on lists that take one, and not on their last part.";
    ObjectBuilder::new().schema_type(Type::String).description(Some(words)).build()
}

/// The schema of `message`.
pub fn message() -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some("A sentence for people.")).build()
}

/// An answer whose body is JSON already.
#[must_use]
pub fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Balances and passwords: no cache on the way may keep them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An amount as an exact JSON number: `42.50`. Through a float, cents would be a matter of rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money(pub Cents);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        let most = i32::try_from(Cents::MAX.get() / 100).unwrap_or(i32::MAX);
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).maximum(Some(most));
        number.description(Some("US dollars, exact in cents.")).examples([serde_json::json!(42.5)]).into()
    }
}

impl ToSchema for Money {}

/// A time as `2026-06-10 12:00:00`, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When(pub Time);

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for When {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"));
        text.description(Some("A time, UTC.")).examples(["2026-06-10 12:00:00"]).into()
    }
}

impl ToSchema for When {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_an_exact_number_and_absent_parts_are_left_out() {
        #[derive(Serialize)]
        struct Balance {
            balance: Money,
        }
        let amount = Money("42.5".parse().unwrap());
        let body = Answer::data(Balance { balance: amount }).render();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"ok":true,"data":{"balance":42.50}}"#);
        let body = Answer::message("Start has been queued.").render();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"ok":true,"message":"Start has been queued."}"#);
    }
}
