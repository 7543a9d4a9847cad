//! The customer API's text, run literally: every example of `contract/customer-api.txt` whose route exists is sent as it
//! stands there, and the answer must say all that the text's answer says.
//!
//! `examples` reads the text, `bindings` is the one table that gives its placeholders values, `likeness` compares. Rows
//! that are still to come are printed; a row that exists and is not listed as present fails too, so the list is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

mod bindings;
mod examples;
mod likeness;
mod networks;
mod scene;

use bindings::Binding;
use csp_control::api::document;
use examples::{Example, examples, listed};
use scene::Scene;

/// Routes whose effect belongs to a later part of csp. A row is taken out here when its route arrives.
const TO_COME: &[&str] = &[];

#[tokio::test]
async fn every_example_of_the_text_is_answered_as_the_text_says() {
    let all = examples();
    assert_eq!(all.len(), 23, "the text has 23 examples");
    let (mut passed, mut coming) = (0, Vec::new());
    for example in &all {
        if TO_COME.contains(&example.name().as_str()) {
            assert!(!exists(example).await, "{} exists now: take it out of TO_COME", example.name());
            coming.push(example.name());
        } else {
            // A scene of its own for each, so that no row rests on what an earlier one left behind.
            run(example).await;
            passed += 1;
        }
    }
    // The text's last part lists routes without examples: `networks` plays them.
    let listed = listed();
    assert_eq!(listed.len(), 5, "{listed:?}");
    for route in &listed {
        let is_there = document::rows().into_iter().any(|row| format!("{} {}", row.method, row.path) == route.name());
        assert!(is_there, "{} is no route", route.name());
        passed += 1;
    }
    println!("contract: {passed} rows pass, {} to come: {}", coming.len(), coming.join(", "));
}

async fn run(example: &Example) {
    let scene = Scene::for_example(example).await;
    let binding = Binding::of(&scene, example);
    let mut send = scene.control.raw(&example.method, &binding.path);
    for (name, value) in &example.headers {
        send = send.header(name, &binding.header(value));
    }
    let reply = send.body(binding.body.clone().unwrap_or_default()).send().await;
    assert_eq!(reply.status.as_u16(), 200, "{}: {}", example.name(), reply.text);
    let fault = likeness::missing(&binding.answer, &reply.json, "$");
    assert_eq!(fault, None, "{}: {}", example.name(), reply.text);
}

/// Whether a route is there: anything but "no such path" and "no such method" for a signed-in customer.
async fn exists(example: &Example) -> bool {
    let scene = Scene::for_example(example).await;
    let path = Binding::of(&scene, example).path;
    let reply = scene.control.raw(&example.method, &path).by(&scene.customer).send().await;
    !matches!(reply.status.as_u16(), 404 | 405)
}

/// The document's examples say all that the text's say: whoever reads either writes the same client.
#[test]
fn every_example_of_the_document_says_what_the_text_says() {
    let document = serde_json::to_value(document::document()).unwrap();
    let mut compared = 0;
    for example in examples().iter().filter(|example| !TO_COME.contains(&example.name().as_str())) {
        let path = example.name().split_once(' ').unwrap().1.replace("uuid-or-slug", "uuid_or_slug");
        let operation = &document["paths"][path][example.method.to_lowercase()];
        let documented = &operation["responses"]["200"]["content"]["application/json"]["example"];
        let wanted = bindings::of_any_provider(&example.answer);
        assert_eq!(likeness::missing(&wanted, documented, "$"), None, "{}: {documented}", example.name());
        if let Some(body) = &example.body {
            let documented = &operation["requestBody"]["content"]["application/json"]["example"];
            let wanted = bindings::as_documented(body);
            assert_eq!(likeness::missing(&wanted, documented, "$"), None, "{}: {documented}", example.name());
        }
        compared += 1;
    }
    assert_eq!(compared, 23 - TO_COME.len());
}
