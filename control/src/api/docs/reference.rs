//! Every operation of the document: what it takes, what it answers, and how it refuses.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    ERRORS,
    code::{Curl, block, json},
    fields::{Schemas, rules},
    words::{line, prose},
};
use crate::api::{document::sheet::CODES, router::PREFIX};

const VERBS: [&str; 5] = ["get", "post", "patch", "put", "delete"];

/// One operation.
pub struct Operation<'a> {
    method: String,
    path: &'a str,
    value: &'a Value,
}

/// The document, to be read.
pub struct Reference<'a> {
    document: &'a Value,
    url: &'a str,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

impl<'a> Operation<'a> {
    /// Its name in links.
    pub fn id(&self) -> &'a str {
        text(self.value, "operationId")
    }

    /// What it does, in a few words.
    pub fn summary(&self) -> &'a str {
        text(self.value, "summary")
    }

    /// The method, as a badge.
    pub fn badge(&self) -> Markup {
        html! { span.verb.(self.method.to_lowercase()) { (self.method) } }
    }
}

impl<'a> Reference<'a> {
    /// Reads a document of an API that is reached by `url`.
    pub fn new(document: &'a Value, url: &'a str) -> Self {
        Self { document, url }
    }

    /// Groups with their words, in the order of the document.
    pub fn groups(&self) -> Vec<(&'a str, &'a str, Vec<Operation<'a>>)> {
        let tags = items(self.document, "tags").iter();
        tags.map(|tag| (text(tag, "name"), text(tag, "description"), self.of_tag(text(tag, "name")))).collect()
    }

    fn of_tag(&self, tag: &str) -> Vec<Operation<'a>> {
        let paths = self.document.get("paths").and_then(Value::as_object).into_iter().flatten();
        let all = paths.flat_map(|(path, item)| {
            let verbs = VERBS.iter().filter_map(|verb| Some((verb.to_uppercase(), item.get(*verb)?)));
            verbs.map(|(method, value)| Operation { method, path, value })
        });
        all.filter(|operation| items(operation.value, "tags").iter().any(|own| own == tag)).collect()
    }

    fn schemas(&self) -> Schemas<'a> {
        Schemas(self.document.pointer("/components/schemas").unwrap_or(&Value::Null))
    }

    /// All of it.
    pub fn show(&self) -> Markup {
        html! {
            @for (name, words, operations) in self.groups() {
                section {
                    h2 id=(anchor(name)) { (name) }
                    p.lead { (line(words)) }
                    @for operation in &operations { (self.operation(operation)) }
                }
            }
        }
    }

    fn operation(&self, operation: &Operation<'a>) -> Markup {
        let value = operation.value;
        html! {
            article.operation id=(operation.id()) {
                div.told {
                    h3 { a href={ "#" (operation.id()) } { (operation.summary()) } }
                    p.route { (operation.badge()) " " code { (PREFIX) (operation.path) } }
                    (prose(text(value, "description")))
                    (scopes(value))
                    (self.parameters(value))
                    @if let Some(schema) = value.pointer("/requestBody/content/application~1json/schema") {
                        @let table = self.schemas().table(schema);
                        @if !table.0.is_empty() { h4 { "Body" } (table) }
                    }
                    (self.answer(value))
                    (self.refusals(value))
                }
                div.shown { (self.examples(operation)) }
            }
        }
    }

    fn parameters(&self, value: &'a Value) -> Markup {
        let parameters = items(value, "parameters");
        html! {
            @if !parameters.is_empty() {
                h4 { "Parameters" }
                div.wide { table.fields {
                    thead { tr { th { "Name" } th { "In" } th { "Meaning" } } }
                    tbody { @for parameter in parameters {
                        @let schema = parameter.get("schema").unwrap_or(&Value::Null);
                        tr {
                            td {
                                code { (text(parameter, "name")) }
                                @if parameter.get("required") == Some(&Value::Bool(true)) { " " span.must { "required" } }
                            }
                            td { (text(parameter, "in")) }
                            td {
                                (line(text(parameter, "description")))
                                " " span.rule { (self.schemas().kind(schema)) }
                                @for rule in rules(self.schemas().resolve(schema)) { " " span.rule { (line(&rule)) } }
                            }
                        }
                    } }
                } }
            }
        }
    }

    fn answer(&self, value: &'a Value) -> Markup {
        let Some(schema) = value.pointer("/responses/200/content/application~1json/schema") else { return html! {} };
        let table = self.schemas().table(schema);
        html! { @if !table.0.is_empty() { details { summary { "Fields of the answer" } (table) } } }
    }

    fn refusals(&self, value: &'a Value) -> Markup {
        let responses = value.get("responses").and_then(Value::as_object).into_iter().flatten();
        let refusals = responses.filter(|(status, _)| !status.starts_with('2')).map(|(status, response)| {
            let name = response.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
            let shared = name.and_then(|name| self.document.pointer("/components/responses")?.get(name));
            (status, items(shared.unwrap_or(response), CODES))
        });
        html! {
            details {
                summary { "Refusals" }
                dl.refusals { @for (status, codes) in refusals {
                    dt { (status) }
                    dd { @for code in codes.iter().filter_map(Value::as_str) {
                        a href={ (ERRORS) "#" (code) } { code { (code) } } " "
                    } }
                } }
            }
        }
    }

    fn examples(&self, operation: &Operation<'a>) -> Markup {
        let value = operation.value;
        let curl = Curl {
            method: &operation.method,
            url: self.example_url(operation),
            signed_in: !items(value, "security").is_empty(),
            once: items(value, "parameters").iter().any(|parameter| text(parameter, "name") == "Idempotency-Key"),
            body: value.pointer("/requestBody/content/application~1json/example").filter(|body| !body.is_null()),
        };
        let media = value.pointer("/responses/200/content").and_then(Value::as_object).into_iter().flatten().next();
        let answer = media.and_then(|(kind, content)| Some((kind, content.get("example")?)));
        html! {
            (block("Request", &html! { (curl.command()) }))
            @match answer {
                Some((kind, Value::String(text))) => (block(&format!("Answer, {kind}"), &html! { (text) })),
                Some((_, example)) => (block("Answer", &json(example))),
                None => {}
            }
        }
    }

    /// The path with an example in place of each name.
    fn example_url(&self, operation: &Operation<'a>) -> String {
        let mut path = operation.path.to_owned();
        for parameter in items(operation.value, "parameters").iter().filter(|parameter| text(parameter, "in") == "path")
        {
            let schema = parameter.get("schema").unwrap_or(&Value::Null);
            if let Some(example) = items(schema, "examples").first().and_then(Value::as_str) {
                path = path.replace(&format!("{{{}}}", text(parameter, "name")), example);
            }
        }
        format!("{}{PREFIX}{path}", self.url)
    }
}

/// A heading's name in links.
pub fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn scopes(value: &Value) -> Markup {
    let alternatives: Vec<Vec<&str>> = items(value, "security")
        .iter()
        .filter_map(Value::as_object)
        .map(|need| {
            need.values().flat_map(|words| words.as_array().into_iter().flatten()).filter_map(Value::as_str).collect()
        })
        .collect();
    html! {
        p.scopes {
            @if alternatives.is_empty() { "Needs no key." } @else { "Scope: " }
            @for (at, all) in alternatives.iter().enumerate() {
                @if at > 0 { " or " }
                @for (at, scope) in all.iter().enumerate() {
                    @if at > 0 { " and " }
                    span.scope { (scope) }
                }
            }
        }
    }
}
