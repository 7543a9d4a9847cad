//! The answers of an operation: its success, and each refusal with its codes.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::{
    ToSchema as _,
    openapi::{
        Components, ContentBuilder, Object, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema,
        Type,
        example::{Example, ExampleBuilder},
        extensions::ExtensionsBuilder,
        header::{Header, HeaderBuilder},
        security::SecurityRequirement,
    },
};

use super::{
    sample,
    sheet::{CODES, JSON, SECURITY},
};
use crate::{
    api::{code::Code, error::RefusalBody},
    domain::scope::Alternatives,
};

/// The request's id in examples.
const REQUEST_ID: &str = "01975a3e-7c00-7b2a-9d6f-3a1c5e7f9b20";

/// Codes that no operation lists, and why. Everything else must be in some operation.
pub const NOT_LISTED: &[(Code, &str)] = &[
    (Code::MethodNotAllowed, "a method that a path does not have is no operation of it"),
    (Code::TermsNotAccepted, "the document is for keys, and who sends one is never refused so"),
    (Code::CrossSite, "the document is for keys, and who sends one is never refused so"),
];

/// One requirement for each set of scopes that suffices; none at all: anybody may ask.
pub fn requirements(needs: Alternatives) -> Vec<SecurityRequirement> {
    let names = |all: &&[crate::domain::scope::Scope]| all.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    needs.iter().map(|all| SecurityRequirement::new(SECURITY, names(all))).collect()
}

/// The success: what the attribute says of it, and the type that the handler answers.
pub fn success(
    given: Option<RefOr<Response>>,
    answer: Option<RefOr<Schema>>,
    headers: &[&'static str],
) -> RefOr<Response> {
    let mut response = match given {
        Some(RefOr::T(response)) => response,
        _ => Response::new("Done."),
    };
    if let (Some(schema), true) = (answer, response.content.is_empty()) {
        response.content.insert(JSON.to_owned(), RefOr::T(ContentBuilder::new().schema(Some(schema)).build()));
    }
    for name in EVERYWHERE.iter().chain(headers) {
        response.headers.insert((*name).to_owned(), header_ref(name));
    }
    RefOr::T(response)
}

/// An answer for each status among the codes.
pub fn responses(codes: &std::collections::BTreeSet<Code>) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.entry().status).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.as_str().to_owned(), RefOr::T(refusal(status, &codes))))
        .collect()
}

fn refusal(status: StatusCode, codes: &[Code]) -> Response {
    let line = |code: &Code| format!("* `{}`: {}", code.entry().name, code.entry().words());
    let names: Vec<&str> = codes.iter().map(|code| code.entry().name).collect();
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name(RefusalBody::name())));
    for name in &names {
        content = content.examples_from_iter([(*name, RefOr::Ref(Ref::new(format!("#/components/examples/{name}"))))]);
    }
    let mut response = ResponseBuilder::new()
        .description(codes.iter().map(line).collect::<Vec<_>>().join("\n"))
        .content(JSON, content.build())
        .extensions(Some(ExtensionsBuilder::new().add(CODES, names).build()))
        .build();
    let own: &[&str] = match status {
        StatusCode::UNAUTHORIZED => &["WWW-Authenticate"],
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => &["Retry-After"],
        _ => &[],
    };
    for name in EVERYWHERE.iter().chain(own) {
        response.headers.insert((*name).to_owned(), header_ref(name));
    }
    response
}

/// Refusals that several operations share go to the components, so that each is written once.
pub fn share(document: &mut OpenApi) {
    let mut uses: BTreeMap<String, u32> = BTreeMap::new();
    let mut each = |visit: &mut dyn FnMut(&mut RefOr<Response>, String)| {
        let operations = document.paths.paths.values_mut().flat_map(super::verbs_mut);
        for response in operations.flat_map(|operation| operation.responses.responses.values_mut()) {
            if let Some(name) = shared_name(response) {
                visit(response, name);
            }
        }
    };
    each(&mut |_, name| *uses.entry(name).or_default() += 1);
    let mut shared = BTreeMap::new();
    each(&mut |response, name| {
        if uses.get(&name).is_some_and(|uses| *uses > 1) {
            let reference = RefOr::Ref(Ref::from_response_name(name.clone()));
            shared.insert(name, std::mem::replace(response, reference));
        }
    });
    document.components.get_or_insert_with(Components::new).responses.extend(shared);
}

/// A refusal's name: its codes.
fn shared_name(response: &RefOr<Response>) -> Option<String> {
    let RefOr::T(response) = response else { return None };
    let codes = response.extensions.as_ref()?.get(CODES)?.as_array()?;
    Some(codes.iter().filter_map(|code| code.as_str()).collect::<Vec<_>>().join("-or-"))
}

/// Each code's example for the components.
pub fn examples() -> BTreeMap<String, RefOr<Example>> {
    let example = |code: &Code| {
        let body = sample::of(*code).render(REQUEST_ID);
        let value = serde_json::from_slice(&body).ok();
        let example = ExampleBuilder::new().summary(code.entry().meaning).value(value).build();
        (code.entry().name.to_owned(), RefOr::T(example))
    };
    Code::ALL.iter().map(example).collect()
}

/// Headers of every answer.
const EVERYWHERE: &[&str] = &["X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

fn header_ref(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// Every header of an answer, for the components.
pub fn headers() -> BTreeMap<String, RefOr<Header>> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build();
    let rows: [(&str, Object, &str); 7] = [
        (
            "X-Request-Id",
            text().pattern(Some("^[A-Za-z0-9._-]{1,128}$")).build(),
            "This request's id: the one that was sent along, if it was short and plain, else a new one. Quote it when you \
             ask for help.",
        ),
        (
            "RateLimit-Limit",
            number(),
            "Requests a minute, of that allowance (the key's or the address's) that is nearest to its end.",
        ),
        ("RateLimit-Remaining", number(), "How many of them could be sent now."),
        ("RateLimit-Reset", number(), "Seconds until all of them could be."),
        (
            "Idempotent-Replayed",
            text().enum_values(Some(["true"])).build(),
            "There when this answer was given before: the `Idempotency-Key` was seen already, and nothing was done again.",
        ),
        (
            "Retry-After",
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(86_400)).build(),
            "Seconds to wait before the request is sent again.",
        ),
        ("WWW-Authenticate", text().build(), "How to sign in: `Bearer`."),
    ];
    rows.into_iter()
        .map(|(name, schema, words)| {
            (name.to_owned(), RefOr::T(HeaderBuilder::new().schema(Some(schema)).description(Some(words)).build()))
        })
        .collect()
}
