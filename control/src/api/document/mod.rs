//! The API's own description: OpenAPI 3.1, made from the handlers.
//!
//! ```text
//! sheet     what a handler's signature says: scopes, parameters, bodies, answers, refusals
//! refusals  the answers of an operation, each with its codes
//! schemas   texts that have a form: uuids, times, names
//! example   an example for each body, put together from those of its fields
//! sample    a refusal of each code
//! ```
//!
//! The router is the only list of routes, so a route without a document cannot be written. Served at
//! `/api/v1/openapi.json`; a copy stands in `docs/openapi.json`, so that a change of the API shows in a review.

mod example;
pub mod refusals;
mod sample;
pub mod schemas;
pub mod serve;
pub mod sheet;

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Info, OpenApi, PathItem, RefOr, Server,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{error::RefusalBody, router};
use crate::domain::scope::Scope;

/// Groups of operations, in the order in which they are shown.
pub mod tags {
    /// Who asks.
    pub const ACCOUNT: &str = "Account";
    /// The prepaid wallet.
    pub const WALLET: &str = "Wallet";
    /// What can be ordered.
    pub const CATALOG: &str = "Catalog";
    /// Public SSH keys.
    pub const SSH_KEYS: &str = "SSH keys";
    /// Rented servers.
    pub const SERVERS: &str = "Servers";
    /// Networks of the account's own.
    pub const PRIVATE_NETWORKS: &str = "Private networks";
    /// What opens a server's page without an account.
    pub const SHARE_LINKS: &str = "Management links";
    /// What was asked of servers.
    pub const ACTIONS: &str = "Actions";
    /// What happened.
    pub const EVENTS: &str = "Events";
    /// What the provider says, and this description.
    pub const META: &str = "Meta";

    /// Each with its introduction.
    pub const ALL: &[(&str, &str)] = &[
        (ACCOUNT, "Who asks, with which key, and what they may have."),
        (WALLET, "What is in the prepaid wallet, and what moved through it."),
        (CATALOG, "What can be ordered, and where: packages, operating systems, locations."),
        (SSH_KEYS, "Public keys that a new server lets in."),
        (SERVERS, "Ordering servers, looking at them, powering them, removing them."),
        (PRIVATE_NETWORKS, "Networks of the account's own between its servers, and which servers are in them."),
        (
            SHARE_LINKS,
            "Links that open the page of one server without an account, with what you allow and nothing else.",
        ),
        (ACTIONS, "What was asked of servers, and how far it is."),
        (EVENTS, "What happened to the account and its servers, to read or to follow."),
        (META, "What the provider has to say, and this description."),
    ];
}

/// One operation of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In capitals.
    pub method: &'static str,
    /// Below [`super::router::PREFIX`], with names in braces.
    pub path: String,
    /// The sets of scopes of which one suffices; empty: no key is needed.
    pub needs: Vec<Vec<Scope>>,
}

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| complete(router::documented().into_openapi()));

/// The document.
#[must_use]
pub fn document() -> &'static OpenApi {
    &DOCUMENT
}

/// The document as it is served: pretty printed, so that the copy in the repository is readable.
#[must_use]
pub fn text() -> String {
    // Our own types with text keys: serializing cannot fail.
    serde_json::to_string_pretty(document()).unwrap_or_default() + "\n"
}

/// Every operation, from the router.
#[must_use]
pub fn rows() -> Vec<Row> {
    let paths = document().paths.paths.iter();
    paths
        .flat_map(|(path, item)| verbs(item).into_iter().map(move |(method, operation)| (method, path, operation)))
        .map(|(method, path, operation)| Row { method, path: path.clone(), needs: needs(operation) })
        .collect()
}

/// The operations of a path.
#[must_use]
pub fn verbs(item: &PathItem) -> Vec<(&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("PUT", &item.put),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
}

/// The same, to be changed.
fn verbs_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
    all.into_iter().filter_map(Option::as_mut)
}

/// The sets of scopes of which an operation needs one.
fn needs(operation: &Operation) -> Vec<Vec<Scope>> {
    let requirements = operation.security.iter().flatten();
    requirements
        .filter_map(|requirement| serde_json::to_value(requirement).ok())
        .map(|requirement| {
            let words = requirement.get(sheet::SECURITY).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(|word| Scope::parse(word.as_str()?)).collect()
        })
        .collect()
}

/// What belongs to no single operation.
fn complete(mut document: OpenApi) -> OpenApi {
    document.info = Info::new("VPS customer API", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(INTRODUCTION.to_owned());
    document.servers = Some(vec![Server::new(router::PREFIX)]);
    let tag = |(name, words): &(&str, &str)| TagBuilder::new().name(*name).description(Some(*words)).build();
    document.tags = Some(tags::ALL.iter().map(tag).collect());
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = vec![(RefusalBody::name().into_owned(), RefusalBody::schema())];
    RefusalBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.headers = refusals::headers();
    components.examples = refusals::examples();
    let words = "A key of the customer's account, `csp_live_…`. What it may do is told by its scopes: read, write, console, \
                 billing.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(words)).build();
    components.security_schemes.insert(sheet::SECURITY.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    example::fill(&mut document);
    refusals::share(&mut document);
    document
}

const INTRODUCTION: &str = "Order and run servers, paid from a prepaid wallet.";
