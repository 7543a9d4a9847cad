//! The query of a GET: known names only, each once but for those that add up.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::{
    IntoParams,
    openapi::{
        RefOr, Schema, Type,
        path::ParameterIn,
        schema::{ArrayItems, SchemaType},
    },
};

use super::{
    document::sheet::{Part, Sheet},
    error::{ApiError, Code},
};

/// Names that may come several times: their field is a list.
const REPEATED: [&str; 1] = ["label"];

/// A query of type `T`, whose fields are [`super::field::Field`]s of texts.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let bad = || ApiError::new(Code::BadRequest, "The query of the URL cannot be understood.");
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| bad())?.0;
        let mut fields = Map::new();
        for (name, value) in pairs {
            if REPEATED.contains(&name.as_str()) {
                let values = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                values.as_array_mut().into_iter().for_each(|values| values.push(Value::String(value.clone())));
                continue;
            }
            if fields.insert(name.clone(), Value::String(value)).is_some() {
                return Err(ApiError::field(Code::ValidationFailed, &name, "is given twice"));
            }
        }
        serde_json::from_value(Value::Object(fields)).map(Self).map_err(|_| bad())
    }
}

/// An empty text counts as absent, in a query as in a body, and so does an empty element of a list.
fn may_be_empty(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Array(array)) = schema
        && let ArrayItems::RefOrSchema(items) = &mut array.items
    {
        return may_be_empty(items);
    }
    let RefOr::T(Schema::Object(object)) = schema else { return };
    match &object.schema_type {
        SchemaType::Type(Type::String) => {}
        SchemaType::Type(kind @ (Type::Integer | Type::Boolean)) => {
            object.schema_type = SchemaType::from_iter([kind.clone(), Type::String]);
            object.max_length = Some(0);
            return;
        }
        _ => return,
    }
    object.min_length = None;
    if let Some(words) = &mut object.enum_values {
        words.push("".into());
    }
    if let Some(inner) = object.pattern.as_deref().and_then(|text| text.strip_prefix('^')?.strip_suffix('$')) {
        object.pattern = Some(format!("^({inner})?$"));
    }
}

impl<T: IntoParams> Part for Query<T> {
    fn describe(sheet: &mut Sheet) {
        for mut parameter in T::into_params(|| Some(ParameterIn::Query)) {
            parameter.schema.iter_mut().for_each(may_be_empty);
            sheet.parameter(parameter);
        }
        sheet.refuses(&[Code::BadRequest, Code::ValidationFailed]);
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;
    use crate::api::document::schemas::{LabelFilters, Limit, UuidText};

    #[test]
    fn a_querys_schemas_let_the_empty_text_through_in_lists_too() {
        let shown = |mut schema: RefOr<Schema>| {
            may_be_empty(&mut schema);
            serde_json::to_value(schema).unwrap()
        };
        for pattern in [&shown(UuidText::schema())["pattern"], &shown(LabelFilters::schema())["items"]["pattern"]] {
            let pattern = pattern.as_str().unwrap();
            assert!(pattern.starts_with("^(") && pattern.ends_with(")?$"), "{pattern}");
        }
        assert_eq!(shown(Limit::schema())["type"], serde_json::json!(["integer", "string"]));
    }
}
