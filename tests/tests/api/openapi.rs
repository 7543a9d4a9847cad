//! The API's description: made from the handlers, kept in the repository, and complete.

use std::{collections::BTreeSet, env, fs, path::Path};

use csp_control::api::{code::Code, document, document::refusals::NOT_LISTED};
use csp_tests::test_control::TestControl;
use serde_json::Value;

#[test]
#[expect(clippy::disallowed_methods, reason = "how a developer says that the copy is to be written anew")]
fn the_copy_in_the_repository_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let made = document::text();
    if env::var_os("CSP_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let regenerate = "CSP_BLESS=1 cargo nextest run -p csp-tests --test api openapi";
    assert!(kept == made, "docs/openapi.json differs from the handlers; look at what changed after: {regenerate}");
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let control = TestControl::start().await;
    let answer = control.api("GET", "/openapi.json").send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json, serde_json::from_str::<Value>(&document::text()).unwrap());
}

/// Each operation, with its name for messages.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let verbs = item.as_object().unwrap().iter();
            verbs.map(move |(verb, operation)| (format!("{} {path}", verb.to_uppercase()), operation))
        })
        .collect()
}

/// A response, also one that stands in the components.
fn resolved<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

#[test]
fn every_operation_is_described_whole() {
    let document = serde_json::to_value(document::document()).unwrap();
    let (mut ids, mut faults) = (BTreeSet::new(), Vec::new());
    let known: Vec<&str> = document::tags::ALL.iter().map(|(name, _)| *name).collect();
    for (name, operation) in operations(&document) {
        let mut must = |good: bool, what: &str| {
            if !good {
                faults.push(format!("{name}: {what}"));
            }
        };
        let text = |field: &str| operation[field].as_str().unwrap_or_default();
        must(!text("summary").is_empty() && !text("summary").ends_with('.'), "a summary, without a full stop");
        must(text("description").ends_with('.'), "a description, in sentences");
        must(ids.insert(text("operationId").to_owned()), "an operation id of its own");
        let tags = operation["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
        must(matches!(tags, [tag] if known.contains(&tag.as_str().unwrap())), "one tag, listed in `tags::ALL`");
        let success = &operation["responses"]["200"];
        let shown = |content: &Value| {
            let media = content.as_object().into_iter().flat_map(|content| content.values());
            media.into_iter().all(|media| media.get("example").is_some() && media.get("schema").is_some())
        };
        must(success["content"].is_object() && shown(&success["content"]), "an answer with schema and example");
        must(shown(&operation["requestBody"]["content"]), "a body with schema and example");
        must(operation["security"].is_array(), "the scopes that it needs");
        let refusals =
            operation["responses"].as_object().unwrap().iter().filter(|(status, _)| !status.starts_with('2'));
        let signed_in = operation["security"].as_array().is_some_and(|needs| !needs.is_empty());
        must(
            !signed_in || ["401", "403", "500", "503"].iter().all(|s| !operation["responses"][s].is_null()),
            "refusals",
        );
        for (status, response) in refusals {
            let response = resolved(&document, response);
            must(response["x-error-codes"].as_array().is_some_and(|codes| !codes.is_empty()), status);
            must(response["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Error", status);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whoever takes the header runs its effect in `Once`, and only `Once` makes the answer that can be marked as replayed.
#[test]
fn every_change_takes_an_idempotency_key_and_says_when_it_replays() {
    let document = serde_json::to_value(document::document()).unwrap();
    let mut changes = 0;
    for (name, operation) in operations(&document) {
        let takes = operation["parameters"].as_array().into_iter().flatten().any(|p| p["name"] == "Idempotency-Key");
        let marks = operation["responses"]["200"]["headers"]["Idempotent-Replayed"].is_object();
        let is_change = !name.starts_with("GET ");
        assert_eq!((takes, marks), (is_change, is_change), "{name}");
        changes += u32::from(is_change);
    }
    assert!(changes > 10, "{changes} changes");
}

#[test]
fn every_code_of_the_registry_is_in_some_operation_or_listed_with_a_reason() {
    let document = serde_json::to_value(document::document()).unwrap();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (_, operation) in operations(&document) {
        for response in operation["responses"].as_object().unwrap().values() {
            let codes = resolved(&document, response)["x-error-codes"].as_array().into_iter().flatten();
            used.extend(codes.map(|code| code.as_str().unwrap().to_owned()));
        }
    }
    for code in Code::ALL {
        let listed = NOT_LISTED.iter().any(|(other, _)| other == code);
        let name = code.entry().name;
        assert_ne!(
            used.contains(name),
            listed,
            "{name}: in some operation, or in NOT_LISTED with a reason; not in both"
        );
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(document::document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}
