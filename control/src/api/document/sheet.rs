//! What a handler's own signature says about its operation.
//!
//! Each type that a handler takes or answers is a [`Part`] and tells what it adds: [`super::super::auth::By`] the
//! scopes and the refusals of a sign-in, a body its schema, an answer its schema. So the document cannot differ from
//! what is taken and given: both are the same types. What a signature cannot say (path, words, refusals of the use
//! case) stands in the attribute `#[utoipa::path]` right above it.

use std::{collections::BTreeSet, future::Future};

use axum::{
    extract::{FromRequestParts as _, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use serde::Deserialize;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        content::Content,
        path::{Operation, Parameter, ParameterIn},
        request_body::RequestBody,
        schema::OneOfBuilder,
    },
};
use utoipa_axum::router::UtoipaMethodRouter;

use super::refusals;
use crate::{
    api::{
        code::Code,
        error::ApiError,
        field::{Faults, Unknown},
        query::Query,
        state::App,
    },
    domain::scope::Alternatives,
};

/// The attribute's name for codes that only the use case knows: `extensions(("x-error-codes" = json!([Code::Conflict])))`.
pub const CODES: &str = "x-error-codes";
/// The one way to sign in.
pub const SECURITY: &str = "api_key";
/// The media type of bodies.
pub const JSON: &str = "application/json";
/// What a PATCH may call its body as well: what is left out stays (RFC 7396).
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// What is known of an operation while its handler's signature is read.
#[derive(Default)]
pub struct Sheet {
    needs: Option<Alternatives>,
    codes: BTreeSet<Code>,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answer: Option<RefOr<Schema>>,
    others: Vec<(&'static str, Content)>,
    headers: Vec<&'static str>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// A type in a handler's signature.
pub trait Part {
    /// Adds what it means for an operation that has it.
    fn describe(sheet: &mut Sheet);
}

/// The application itself: nothing that a customer sees.
impl Part for axum::extract::State<App> {
    fn describe(_: &mut Sheet) {}
}

/// Headers that a handler reads by itself: whoever does so names them in the attribute's `params`.
impl Part for axum::http::HeaderMap {
    fn describe(_: &mut Sheet) {}
}

impl Sheet {
    /// The scopes that it asks for.
    pub fn needs(&mut self, alternatives: Alternatives) {
        self.needs = Some(alternatives);
    }

    /// Ways in which it refuses.
    pub fn refuses(&mut self, codes: &[Code]) {
        self.codes.extend(codes);
    }

    /// A parameter in path, query or header.
    pub fn parameter(&mut self, parameter: impl Into<Parameter>) {
        self.parameters.push(parameter.into());
    }

    /// The body that it takes.
    pub fn body(&mut self, body: RequestBody) {
        self.body = Some(body);
    }

    /// The body of its success.
    pub fn answers(&mut self, schema: impl Into<RefOr<Schema>>) {
        self.answer = Some(schema.into());
    }

    /// Another body that its success may have.
    pub fn answers_or(&mut self, schema: impl Into<RefOr<Schema>>) {
        let first = self.answer.take();
        let either = first.into_iter().chain([schema.into()]).fold(OneOfBuilder::new(), OneOfBuilder::item);
        self.answers(either);
    }

    /// The body of its success in another media type.
    pub fn answers_also(&mut self, media: &'static str, content: Content) {
        self.others.push((media, content));
    }

    /// A header of its success, by its name in the components.
    pub fn answers_header(&mut self, name: &'static str) {
        self.headers.push(name);
    }

    /// A reference to `T`, which joins the document's components with all that it refers to.
    pub fn reference<T: ToSchema>(&mut self) -> Ref {
        self.component::<T>(T::schema())
    }

    /// The same, with a schema that differs from the derived one.
    pub fn component<T: ToSchema>(&mut self, schema: RefOr<Schema>) -> Ref {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), schema));
        Ref::from_schema_name(T::name())
    }

    /// Writes it into the operation that the attribute began.
    fn complete(mut self, operation: &mut Operation) {
        self.codes.extend(own_codes(operation));
        // Requests are measured and counted before anything else is done with them.
        self.codes.extend([Code::BadRequest, Code::UriTooLong, Code::HeadersTooLarge, Code::RateLimited]);
        let known = operation.parameters.get_or_insert_default();
        known.splice(0..0, self.parameters.into_iter().map(RefOr::T));
        operation.request_body = self.body.map(RefOr::T);
        operation.security = Some(refusals::requirements(self.needs.unwrap_or_default()));
        // The attribute may give a success of its own: another media type, or words.
        let success = operation.responses.responses.remove("200");
        let mut success = refusals::success(success, self.answer, &self.headers);
        if let RefOr::T(success) = &mut success {
            success.content.extend(self.others.into_iter().map(|(media, body)| (media.to_owned(), RefOr::T(body))));
        }
        operation.responses.responses.insert("200".to_owned(), success);
        operation.responses.responses.extend(refusals::responses(&self.codes));
    }
}

/// Takes the codes out of the attribute: they go to the answers that they come with.
fn own_codes(operation: &mut Operation) -> Vec<Code> {
    let given = operation.extensions.take().and_then(|mut extensions| {
        let codes = extensions.remove(CODES);
        operation.extensions = Some(extensions).filter(|left| !left.is_empty());
        codes
    });
    let names = given.as_ref().and_then(|codes| codes.as_array()).into_iter().flatten();
    names.filter_map(|name| Code::parse(name.as_str()?)).collect()
}

/// A handler, whose signature can be read. `M` only tells the implementations apart.
pub trait Signed<M> {
    /// What the signature says.
    fn sheet(&self) -> Sheet;
}

macro_rules! signed {
    ($($part:ident)*) => {
        impl<F, Fut, Given, Refused, $($part),*> Signed<($($part,)*)> for F
        where
            F: Fn($($part),*) -> Fut,
            Fut: Future<Output = Result<Given, Refused>>,
            Given: Part,
            $($part: Part,)*
        {
            fn sheet(&self) -> Sheet {
                let mut sheet = Sheet::default();
                $($part::describe(&mut sheet);)*
                Given::describe(&mut sheet);
                sheet
            }
        }
    };
}

signed!();
signed!(A);
signed!(A B);
signed!(A B C);
signed!(A B C D);
signed!(A B C D E);
signed!(A B C D E G);
signed!(A B C D E G H);
signed!(A B C D E G H I);

/// A route whose operation has everything that its handler's signature says. Used by [`route`].
///
/// What takes no query refuses one: whoever writes `?dry_run=true` where that is unknown does not mean the deed, and whoever
/// filters where nothing filters would believe the answer.
pub fn described(
    (mut schemas, mut paths, mut router): UtoipaMethodRouter<App>,
    mut sheet: Sheet,
) -> UtoipaMethodRouter<App> {
    if sheet.parameters.iter().all(|parameter| parameter.parameter_in != ParameterIn::Query) {
        Query::<Nothing>::describe(&mut sheet);
        router = router.layer(from_fn(without_query));
    }
    let mut sheet = Some(sheet);
    for item in paths.paths.values_mut() {
        if let (Some(_), Some(body)) = (&item.patch, sheet.as_mut().and_then(|sheet| sheet.body.as_mut())) {
            body.content.extend(body.content.get(JSON).cloned().map(|content| (MERGE_PATCH.to_owned(), content)));
        }
        for operation in super::verbs_mut(item) {
            // One handler a call, so one operation.
            if let Some(mut sheet) = sheet.take() {
                schemas.append(&mut sheet.schemas);
                sheet.complete(operation);
            }
        }
    }
    (schemas, paths, router)
}

/// A query without names.
#[derive(Debug, Deserialize, IntoParams)]
struct Nothing {
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

async fn without_query(request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let Query(Nothing { unknown }) = Query::from_request_parts(&mut parts, &()).await?;
    Faults::beginning_with(&unknown).into_result()?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// One handler as a route: `route!(wallet::balance)`.
macro_rules! route {
    ($($handler:tt)+) => {
        $crate::api::document::sheet::described(
            utoipa_axum::routes!($($handler)+),
            $crate::api::document::sheet::Signed::sheet(&$($handler)+),
        )
    };
}
pub(crate) use route;
