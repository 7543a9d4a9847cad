//! What the pages share: head, bar, and the list of what is there.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{
    ERRORS, PATH, STYLE_PATH, guide,
    reference::{Reference, anchor},
};
use crate::api::{document::document, router::PREFIX};

/// The document, as it is read here.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(document()).unwrap_or_default());

fn title() -> &'static str {
    DOCUMENT.pointer("/info/title").and_then(Value::as_str).unwrap_or_default()
}

/// A page.
pub fn page(name: &str, list: &Markup, content: &Markup) -> String {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (name) " · " (title()) }
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.bar {
                    a.title href=(PATH) { (title()) }
                    nav aria-label="Pages" {
                        a href=(PATH) { "Reference" }
                        a href=(ERRORS) { "Errors" }
                        a href={ (PREFIX) "/openapi.json" } { "OpenAPI" }
                    }
                }
                div.columns {
                    nav.list aria-label="On this page" {
                        details.small { summary { "On this page" } (list) }
                        div.large { (list) }
                    }
                    main id="content" { (content) }
                }
            }
        }
    };
    whole.into_string()
}

/// `GET /docs`
pub fn index(url: &str) -> String {
    let reference = Reference::new(&DOCUMENT, url);
    let list = html! {
        h2 { "Guide" }
        ul { @for (name, _) in guide::sections(url) { li { a href={ "#about-" (anchor(name)) } { (name) } } } }
        @for (group, _, operations) in reference.groups() {
            h2 { (group) }
            ul { @for operation in &operations {
                li { a href={ "#" (operation.id()) } { span { (operation.summary()) } (operation.badge()) } }
            } }
        }
    };
    let content = html! {
        h1 { (title()) }
        @for (name, section) in guide::sections(url) {
            section.guide { h2 id={ "about-" (anchor(name)) } { (name) } (section) }
        }
        (reference.show())
    };
    page("Reference", &list, &content)
}
