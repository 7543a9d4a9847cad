//! An example for each body, put together from those of its fields.
//!
//! A field says what it looks like once, beside its type; an operation adds only what it shows differently
//! (`extensions(("x-example" = json!({…})))`, and `x-request-example` for what is sent). So every operation has whole
//! examples that fit their schemas, and a new field appears in all of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{
    Array, Object, OpenApi, Ref, RefOr, Schema, Type,
    content::Content,
    path::Operation,
    schema::{ArrayItems, SchemaFormat, SchemaType},
};

use super::{schemas::UUID_EXAMPLE, sheet::JSON, verbs_mut};

/// What an operation's success shows differently.
const ANSWER: &str = "x-example";
/// What its request shows differently.
const REQUEST: &str = "x-request-example";

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Gives each body its example, and each schema's own example the name that OpenAPI 3.1 has for it.
pub fn fill(document: &mut OpenApi) {
    let schemas = document.components.as_ref().map(|components| components.schemas.clone()).unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        for operation in verbs_mut(item) {
            fill_operation(operation, &schemas);
        }
    }
    for schema in document.components.iter_mut().flat_map(|components| components.schemas.values_mut()) {
        modernize(schema);
    }
}

fn fill_operation(operation: &mut Operation, schemas: &Schemas) {
    let mut take = |name: &str| operation.extensions.as_mut()?.remove(name);
    let (answer, request) = (take(ANSWER), take(REQUEST));
    operation.extensions = operation.extensions.take().filter(|left| !left.is_empty());
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.content.values_mut().for_each(|content| fill_content(content, request.as_ref(), schemas));
    }
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        response.content.get_mut(JSON).into_iter().for_each(|content| fill_content(content, answer.as_ref(), schemas));
    }
}

fn fill_content(content: &mut RefOr<Content>, different: Option<&Value>, schemas: &Schemas) {
    let RefOr::T(content) = content else { return };
    if let (Some(schema), None) = (&content.schema, &content.example) {
        let mut example = of(schema, schemas);
        if let Some(different) = different {
            lay_over(&mut example, different);
        }
        content.example = Some(example);
    }
}

/// What a value of this schema looks like.
fn of(schema: &RefOr<Schema>, schemas: &Schemas) -> Value {
    match resolve(schema, schemas) {
        Some(Schema::Object(object)) => of_object(object, schemas),
        Some(Schema::Array(array)) => of_array(array, schemas),
        Some(Schema::OneOf(one)) => of_nullable(&one.items, schemas),
        Some(Schema::AllOf(all)) => of_all(&all.items, schemas),
        _ => Value::Null,
    }
}

fn resolve<'a>(schema: &'a RefOr<Schema>, schemas: &'a Schemas) -> Option<&'a Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next()?;
            schemas.get(name).and_then(|schema| resolve(schema, schemas))
        }
    }
}

fn of_object(object: &Object, schemas: &Schemas) -> Value {
    let own = object.examples.first().or(object.example.as_ref());
    if object.properties.is_empty() {
        return own.cloned().or_else(|| object.enum_values.as_ref()?.first().cloned()).unwrap_or_else(|| plain(object));
    }
    let shown = |name: &String, schema: &RefOr<Schema>| {
        object.required.contains(name) || own.is_some_and(|own| own.get(name).is_some()) || has_own(schema, schemas)
    };
    let fields = object.properties.iter().filter(|(name, schema)| shown(name, schema));
    let mut example: Map<String, Value> = fields.map(|(name, schema)| (name.clone(), of(schema, schemas))).collect();
    if let Some(different) = own {
        let mut whole = Value::Object(std::mem::take(&mut example));
        lay_over(&mut whole, different);
        return whole;
    }
    Value::Object(example)
}

/// Whether an optional field is worth showing.
fn has_own(schema: &RefOr<Schema>, schemas: &Schemas) -> bool {
    let Some(Schema::Object(object)) = resolve(schema, schemas) else { return false };
    object.properties.is_empty() && (object.example.is_some() || !object.examples.is_empty())
}

fn of_array(array: &Array, schemas: &Schemas) -> Value {
    if let Some(own) = array.examples.first().or(array.example.as_ref()) {
        return own.clone();
    }
    match &array.items {
        ArrayItems::RefOrSchema(items) => json!([of(items, schemas)]),
        ArrayItems::False => json!([]),
    }
}

/// What was put together of several: the fields of each.
fn of_all(items: &[RefOr<Schema>], schemas: &Schemas) -> Value {
    let mut whole = json!({});
    for item in items {
        lay_over(&mut whole, &of(item, schemas));
    }
    whole
}

/// What may be null: a value where it is a plain one, null where it is an object, which is there only at times. Of several
/// things that it may be, the first.
fn of_nullable(items: &[RefOr<Schema>], schemas: &Schemas) -> Value {
    if let (Some(first), true) = (items.first(), items.iter().all(|item| !of(item, schemas).is_null())) {
        return of(first, schemas);
    }
    let plain = items.iter().map(|item| of(item, schemas)).find(|value| !value.is_null() && !value.is_object());
    plain.unwrap_or(Value::Null)
}

fn plain(object: &Object) -> Value {
    let is = |kind: Type| match &object.schema_type {
        SchemaType::Type(only) => *only == kind,
        SchemaType::Array(kinds) => kinds.contains(&kind),
        SchemaType::AnyValue => false,
    };
    let uuid = matches!(&object.format, Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)));
    match () {
        () if uuid => json!(UUID_EXAMPLE),
        () if is(Type::Null) => Value::Null,
        () if is(Type::Boolean) => json!(false),
        () if is(Type::Integer) || is(Type::Number) => json!(1),
        () if is(Type::Array) => json!([]),
        () if is(Type::Object) => json!({}),
        () => json!("…"),
    }
}

/// Puts what is shown differently over the rest.
fn lay_over(example: &mut Value, different: &Value) {
    match (example, different) {
        (Value::Object(fields), Value::Object(different)) => {
            for (name, value) in different {
                lay_over(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(different)) if items.len() == different.len() => {
            items.iter_mut().zip(different).for_each(|(item, different)| lay_over(item, different));
        }
        (example, different) => *example = different.clone(),
    }
}

/// `example` is OpenAPI 3.0's word; JSON Schema has `examples`. An object's own is only what it shows differently, and
/// has gone into the bodies' examples.
fn modernize(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            let own = object.example.take();
            if object.properties.is_empty() {
                object.examples.extend(own);
            } else {
                object.examples.clear();
            }
            object.properties.values_mut().for_each(modernize);
        }
        RefOr::T(Schema::Array(array)) => {
            let own = array.example.take();
            array.examples.extend(own);
        }
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(modernize),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_differently_changes_only_itself() {
        let mut example = json!({"ok": true, "data": {"uuid": "u", "name": "a"}, "list": [{"a": 1, "b": 2}]});
        lay_over(&mut example, &json!({"data": {"name": "b"}, "list": [{"b": 3}], "more": null}));
        let want = json!({"ok": true, "data": {"uuid": "u", "name": "b"}, "list": [{"a": 1, "b": 3}], "more": null});
        assert_eq!(example, want);
    }
}
