//! Examples: JSON with its parts told apart, and the same request by curl.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// What a reader looks for first.
const ENVELOPE: [&str; 4] = ["ok", "message", "data", "error"];

/// A block of code.
pub fn block(caption: &str, code: &Markup) -> Markup {
    // Long lines scroll, so the block can be reached by keyboard.
    html! { figure.code { figcaption { (caption) } pre tabindex="0" { code { (code) } } } }
}

/// A value, with a line for each field.
pub fn json(value: &Value) -> Markup {
    nested(value, 0)
}

fn nested(value: &Value, depth: usize) -> Markup {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    html! {
        @match value {
            Value::Object(fields) if !fields.is_empty() => {
                "{\n"
                @for (at, (name, value)) in in_order(fields).into_iter().enumerate() {
                    (inner) span.k { (quoted(name)) } ": " (nested(value, depth + 1))
                    @if at + 1 < fields.len() { "," } "\n"
                }
                (outer) "}"
            }
            Value::Array(items) if !items.is_empty() => {
                "[\n"
                @for (at, item) in items.iter().enumerate() {
                    (inner) (nested(item, depth + 1))
                    @if at + 1 < items.len() { "," } "\n"
                }
                (outer) "]"
            }
            Value::String(text) => span.s { (quoted(text)) },
            Value::Number(_) | Value::Bool(_) | Value::Null => span.n { (value) },
            Value::Object(_) | Value::Array(_) => (value),
        }
    }
}

/// The envelope's own fields first; the rest by name.
fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut all: Vec<_> = fields.iter().collect();
    all.sort_by_key(|(name, _)| ENVELOPE.iter().position(|first| first == name).unwrap_or(ENVELOPE.len()));
    all
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What curl sends.
pub struct Curl<'a> {
    /// In capitals.
    pub method: &'a str,
    /// In full, with an example of each name in it.
    pub url: String,
    /// Whether a key is needed.
    pub signed_in: bool,
    /// Whether it is a change that should be made once.
    pub once: bool,
    /// What it carries.
    pub body: Option<&'a Value>,
}

impl Curl<'_> {
    /// The command, to be pasted into a shell.
    pub fn command(&self) -> String {
        let mut lines = vec![match self.method {
            "GET" => format!("curl '{}'", self.url),
            method => format!("curl -X {method} '{}'", self.url),
        }];
        if self.signed_in {
            lines.push("  -H 'Authorization: Bearer csp_live_your_api_key'".to_owned());
        }
        if self.once {
            lines.push("  -H \"Idempotency-Key: $(uuidgen)\"".to_owned());
        }
        if let Some(body) = self.body {
            lines.push("  -H 'Content-Type: application/json'".to_owned());
            let body = serde_json::to_string_pretty(body).unwrap_or_default();
            lines.push(format!("  -d '{}'", body.replace('\'', r"'\''")));
        }
        lines.join(" \\\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_keeps_its_text_and_is_escaped() {
        let value = json!({"a": [1, {"b": null}], "c": "<script>\"", "d": {}, "e": []});
        let shown = json(&value).into_string();
        assert!(!shown.contains("<script>"), "{shown}");
        let mut text = shown;
        for tag in ["<span class=\"k\">", "<span class=\"s\">", "<span class=\"n\">", "</span>"] {
            text = text.replace(tag, "");
        }
        let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert_eq!(text, serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn a_body_cannot_leave_its_quotes() {
        let body = json!({"label": "it's; rm -rf /"});
        let curl = Curl { method: "POST", url: "u".to_owned(), signed_in: false, once: false, body: Some(&body) };
        assert!(curl.command().ends_with("\"it'\\''s; rm -rf /\"\n}'"), "{}", curl.command());
    }
}
