//! `GET /docs/errors`: every code of the registry, with what it means and what can be done.

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::{
    code::{block, json},
    layout::{DOCUMENT, page as whole},
    words::line,
};
use crate::api::code::Code;

/// The page.
pub fn page() -> String {
    let statuses = statuses();
    let list = html! {
        @for (status, codes) in &statuses {
            h2 { (status.as_u16()) " " (status.canonical_reason().unwrap_or_default()) }
            ul { @for code in codes { li { a href={ "#" (code.entry().name) } { (code.entry().name) } } } }
        }
    };
    let content = html! {
        h1 { "Errors" }
        p.lead {
            "A refusal has a status that says what kind it is, and a code that says which. A code, once published, keeps its "
            "meaning and its status; new ones may come. Programs read " code { "error.code" } ", people "
            code { "message" } "."
        }
        @if let Some(example) = DOCUMENT.pointer("/components/examples/validation_failed/value") {
            (block("A refusal", &json(example)))
        }
        ul {
            li { code { "retryable" } ": whether the same request may succeed later without a change." }
            li { code { "details.fields" } ": every field of the request that is at fault, all of them together." }
            li { code { "request_id" } ": quote it when you ask for help. It is in the header " code { "X-Request-Id" } " too." }
        }
        @for (status, codes) in &statuses {
            section {
                h2 { (status.as_u16()) " " (status.canonical_reason().unwrap_or_default()) }
                @for code in codes { (entry(*code)) }
            }
        }
    };
    whole("Errors", &list, &content)
}

/// Codes by their status, in order.
fn statuses() -> Vec<(StatusCode, Vec<Code>)> {
    let mut all: Vec<Code> = Code::ALL.to_vec();
    // Stable: within a status, the order of the registry.
    all.sort_by_key(|code| code.entry().status);
    let groups = all.chunk_by(|one, next| one.entry().status == next.entry().status);
    groups.filter_map(|codes| Some((codes.first()?.entry().status, codes.to_vec()))).collect()
}

fn entry(code: Code) -> Markup {
    let entry = code.entry();
    let answered = format!("/components/examples/{}/value", entry.name);
    html! {
        article.error id=(entry.name) {
            h3 {
                a href={ "#" (entry.name) } { code { (entry.name) } }
                @if entry.retryable { " " span.rule { "may succeed later" } }
            }
            p { (line(entry.meaning)) }
            p.advice { (line(entry.advice)) }
            @if let Some(example) = DOCUMENT.pointer(&answered).filter(|example| !Value::is_null(example)) {
                details { summary { "As it is answered" } (block("Answer", &json(example))) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_on_the_page_once() {
        let page = page();
        for code in Code::ALL {
            assert_eq!(page.matches(&format!("<article class=\"error\" id=\"{}\">", code.entry().name)).count(), 1);
        }
    }
}
