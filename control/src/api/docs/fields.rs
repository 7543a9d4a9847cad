//! What a body or an answer is made of: a row for each field, from its schema.

use maud::{Markup, html};
use serde_json::Value;

use super::words::line;

/// Deeper objects are shown by the example alone.
const DEPTH_MAX: usize = 3;
/// Longer lists of words and patterns are left to the document.
const PATTERN_CHARS_MAX: usize = 60;

/// The schemas that are referred to.
pub struct Schemas<'a>(pub &'a Value);

/// A field's row.
struct Row {
    name: String,
    kind: String,
    required: bool,
    words: String,
    rules: Vec<String>,
}

impl<'a> Schemas<'a> {
    /// The schema itself, wherever it stands.
    pub fn resolve(&self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
        match name.and_then(|name| self.0.get(name)) {
            Some(found) => self.resolve(found),
            None => schema,
        }
    }

    /// A table of an object's fields; nothing when it has none.
    pub fn table(&self, schema: &'a Value) -> Markup {
        let mut rows = Vec::new();
        self.collect("", schema, 0, &mut rows);
        html! {
            @if !rows.is_empty() {
                div.wide { table.fields {
                    thead { tr { th { "Field" } th { "Type" } th { "Meaning" } } }
                    tbody { @for row in &rows { (row.show()) } }
                } }
            }
        }
    }

    fn collect(&self, prefix: &str, schema: &'a Value, depth: usize, rows: &mut Vec<Row>) {
        let schema = self.resolve(self.whole(schema));
        let Some(fields) = schema.get("properties").and_then(Value::as_object).filter(|_| depth < DEPTH_MAX) else {
            return;
        };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|other| other == name));
        let (needed, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| is_required(name));
        for (name, field) in needed.into_iter().chain(others) {
            let full = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            rows.push(Row {
                name: full.clone(),
                kind: self.kind(field),
                required: is_required(name),
                words: self.words(field),
                rules: rules(self.resolve(self.whole(field))),
            });
            let (within, mark) = self.within(field);
            self.collect(&format!("{full}{mark}"), within, depth + 1, rows);
        }
    }

    /// The schema of a value that is not null.
    fn whole(&self, schema: &'a Value) -> &'a Value {
        let choices = schema.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        choices.iter().find(|choice| choice.get("type").is_none_or(|kind| kind != "null")).unwrap_or(schema)
    }

    /// The object in a field, and how a list of them is marked.
    fn within(&self, schema: &'a Value) -> (&'a Value, &'static str) {
        let schema = self.resolve(self.whole(schema));
        match schema.get("items") {
            Some(items) => (self.resolve(items), "[]"),
            None => (schema, ""),
        }
    }

    /// Its own words, or those of what it refers to.
    fn words(&self, schema: &'a Value) -> String {
        let own = |schema: &'a Value| schema.get("description").and_then(Value::as_str);
        own(schema).or_else(|| own(self.resolve(self.whole(schema)))).unwrap_or_default().to_owned()
    }

    /// A schema's type, for people.
    pub fn kind(&self, schema: &'a Value) -> String {
        let may_be_null = schema
            .get("oneOf")
            .and_then(Value::as_array)
            .is_some_and(|choices| choices.iter().any(|choice| choice.get("type").is_some_and(|kind| kind == "null")));
        let whole = self.resolve(self.whole(schema));
        let mut kinds: Vec<&str> = match whole.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => vec!["any"],
        };
        if may_be_null && !kinds.contains(&"null") {
            kinds.push("null");
        }
        // What is optional may also be the empty text, which counts as absent: that is told once, not here.
        if whole.get("maxLength").is_some_and(|most| most == 0) {
            kinds.retain(|kind| *kind != "string");
        }
        let shown = kinds.into_iter().map(|kind| match kind {
            "array" => {
                whole.get("items").map_or_else(|| "list".to_owned(), |items| format!("list of {}", self.kind(items)))
            }
            "integer" => "whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "string" => whole.get("format").and_then(Value::as_str).map_or_else(|| "text".to_owned(), of_format),
            other => other.to_owned(),
        });
        shown.collect::<Vec<_>>().join(" or ")
    }
}

fn of_format(format: &str) -> String {
    match format {
        "uuid" => "UUID".to_owned(),
        "ipv4" => "IPv4 address".to_owned(),
        "ssh-public-key" => "public SSH key".to_owned(),
        "password" => "text".to_owned(),
        other => other.to_owned(),
    }
}

/// Bounds of a value.
pub fn rules(schema: &Value) -> Vec<String> {
    let mut rules = Vec::new();
    if let Some(words) = schema.get("enum").and_then(Value::as_array).filter(|words| words.iter().all(Value::is_string))
    {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        rules.push(words.join(", "));
    }
    let number = |name: &str| schema.get(name).filter(|value| value.is_number());
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => rules.push(format!("{least} to {most}")),
        (Some(least), None) => rules.push(format!("{least} or more")),
        _ => {}
    }
    // Where nothing fits, the bound only says that an empty text is taken.
    if let Some(most) = number("maxLength").filter(|most| most.as_u64() != Some(0)) {
        rules.push(format!("at most {most} characters"));
    }
    if let Some(most) = number("maxItems") {
        rules.push(format!("at most {most}"));
    }
    let short = |pattern: &&str| pattern.chars().count() <= PATTERN_CHARS_MAX;
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str).filter(short) {
        rules.push(format!("`{pattern}`"));
    }
    rules
}

impl Row {
    fn show(&self) -> Markup {
        html! {
            tr {
                td { code { (self.name) } @if self.required { " " span.must { "required" } } }
                td { (self.kind) }
                td {
                    (line(&self.words))
                    @for rule in &self.rules { " " span.rule { (line(rule)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_objects_and_lists_stand_below_them_and_no_reference_is_left() {
        let schemas = json!({
            "Ip": {"type": "object", "required": ["address"], "properties": {"address": {"type": "string", "format": "ipv4"}}},
            "Word": {"type": "string", "enum": ["a", "b"], "description": "One of two."},
        });
        let body = json!({"type": "object", "properties": {
            "ips": {"type": "array", "items": {"$ref": "#/components/schemas/Ip"}},
            "word": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Word"}]},
        }});
        let shown = Schemas(&schemas).table(&body).into_string();
        for part in ["ips[].address", "list of object", "IPv4 address", "text or null", "One of two.", "<code>a</code>"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
