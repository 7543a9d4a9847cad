//! `/private-networks`: making, showing, renaming and deleting them.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{NetworkPath, missing, no_segment, view::NetworkAnswer};
use crate::{
    api::{
        auth::{By, Reads, Writes},
        body::JsonBody,
        document::{
            schemas::{LabelText, OptionalLabel, OptionalSlug},
            tags,
        },
        envelope::{Answer, List},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        page::{Listed, NoFilters},
        query::Query,
        servers::power::EmptyBody,
        state::App,
    },
    domain::{label::Label, slug::Slug, time::MINUTE},
    service::{
        create_network::{CreateNetworkError, create_network},
        delete_network::{DeleteNetworkError, delete_network},
        rename_network::{RenameNetworkError, rename_network},
    },
    store::StoreError,
};

/// The body of a new network.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewPrivateNetwork)]
pub struct NewBody {
    #[serde(default)]
    #[schema(value_type = LabelText, required, example = "Internal network")]
    name: Field<String>,
    /// Where it is to be; without it, where its first member is.
    #[serde(default)]
    #[schema(value_type = OptionalSlug, example = "fra1")]
    location: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// The body of a new name.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PrivateNetworkChange)]
pub struct RenameBody {
    #[serde(default)]
    #[schema(value_type = OptionalLabel, example = "Internal network")]
    name: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl NewBody {
    fn parse(self) -> Result<(Label, Option<Slug>), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let name = faults
            .required("name", self.name)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "name", Label::parse(&text)));
        let location = faults
            .optional("location", self.location)
            .and_then(|text| faults.parsed(Code::LocationNotFound, "location", Slug::parse(&text)));
        match name {
            Some(name) => faults.into_result().map(|()| (name, location)),
            None => Err(faults.refusal()),
        }
    }
}

impl RenameBody {
    /// What is left out stays as it is, so a body without fields changes nothing.
    fn parse(self) -> Result<Option<Label>, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let name = faults
            .optional("name", self.name)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "name", Label::parse(&text)));
        faults.into_result().map(|()| name)
    }
}

/// List private networks
///
/// The account's networks, each with its members, oldest first.
#[utoipa::path(get, path = "/private-networks", operation_id = "list_private_networks", tag = tags::PRIVATE_NETWORKS)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<NetworkAnswer>, ApiError> {
    let page = query.page()?;
    let read = move |read: &crate::store::Read<'_>| {
        let rows = read.network_list(customer.account)?;
        let total = rows.len() as u64;
        let shown = page.cut(rows).into_iter().map(|row| NetworkAnswer::filled(read, row));
        Ok::<_, StoreError>((total, shown.collect::<Result<Vec<_>, _>>()?))
    };
    let (total, shown) = app.store.read(read).await?;
    Ok(List::new(shown, total, &page))
}

/// Show a private network
///
/// Its subnet, where it is, and which servers are in it.
#[utoipa::path(
    get,
    path = "/private-networks/{uuid}",
    operation_id = "show_private_network",
    tag = tags::PRIVATE_NETWORKS
)]
pub async fn show(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    NetworkPath(network): NetworkPath,
) -> Result<Answer<NetworkAnswer>, ApiError> {
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            let row = read.network_get(customer.account, network)?;
            row.map(|row| NetworkAnswer::filled(read, row)).transpose()
        })
        .await?;
    found.map(Answer::data).ok_or_else(missing)
}

/// Create a private network
///
/// A network of the account's own, with a subnet that no other network has. Servers are attached to it afterwards. It costs
/// nothing, and no rate is set on its adapters.
#[utoipa::path(
    post,
    path = "/private-networks",
    operation_id = "create_private_network",
    tag = tags::PRIVATE_NETWORKS,
    extensions(("x-error-codes" = json!([Code::LimitReached, Code::LocationNotFound, Code::NoNetworkAvailable])))
)]
pub async fn create(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    key: IdempotencyKey,
    body: JsonBody<NewBody>,
) -> Result<Answered<NetworkAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let (name, location) = body.value.parse()?;
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    once.run(&app, move |tx| {
        let wanted = (&name, location.as_ref());
        let id = create_network(tx, customer.account, wanted, &settings.limits, draw.clone(), now)?;
        let answer = NetworkAnswer::of(tx, customer.account, id)?;
        Ok(Effect { answer: Answer::data(answer).with_message("Private network created."), wake: None })
    })
    .await
}

/// Rename a private network
///
/// What is left out stays as it is.
#[utoipa::path(
    patch,
    path = "/private-networks/{uuid}",
    operation_id = "rename_private_network",
    tag = tags::PRIVATE_NETWORKS
)]
pub async fn rename(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    NetworkPath(network): NetworkPath,
    key: IdempotencyKey,
    body: JsonBody<RenameBody>,
) -> Result<Answered<NetworkAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let (name, now) = (body.value.parse()?, app.now());
    once.run(&app, move |tx| {
        rename_network(tx, customer.account, network, name.as_ref(), now)?;
        let answer = NetworkAnswer::of(tx, customer.account, network)?;
        Ok(Effect { answer: Answer::data(answer).with_message("Private network updated."), wake: None })
    })
    .await
}

/// Delete a private network
///
/// Only one without members; detach them first. Its subnet is given to no other network for a while.
#[utoipa::path(
    delete,
    path = "/private-networks/{uuid}",
    operation_id = "delete_private_network",
    tag = tags::PRIVATE_NETWORKS,
    extensions(
        ("x-error-codes" = json!([Code::NetworkInUse])),
        ("x-example" = json!({"message": "Private network deleted."}))
    )
)]
pub async fn delete(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    NetworkPath(network): NetworkPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Answered<()>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (now, quarantine) = (app.now(), i64::from(app.settings.orders.quarantine_minutes) * MINUTE);
    once.run(&app, move |tx| {
        delete_network(tx, customer.account, network, quarantine, now)?;
        Ok(Effect { answer: Answer::message("Private network deleted."), wake: None })
    })
    .await
}

impl From<CreateNetworkError> for ApiError {
    fn from(error: CreateNetworkError) -> Self {
        let reason = error.to_string();
        match error {
            CreateNetworkError::Limit(reached) => reached.into(),
            CreateNetworkError::UnknownLocation(_) => Self::field(Code::LocationNotFound, "location", reason),
            CreateNetworkError::Segment(error) => no_segment(error),
            CreateNetworkError::NoSubnet => Self::plain(Code::NoNetworkAvailable),
            CreateNetworkError::Store(error) => error.into(),
        }
    }
}

impl From<RenameNetworkError> for ApiError {
    fn from(error: RenameNetworkError) -> Self {
        match error {
            RenameNetworkError::NotFound => missing(),
            RenameNetworkError::Store(error) => error.into(),
        }
    }
}

impl From<DeleteNetworkError> for ApiError {
    fn from(error: DeleteNetworkError) -> Self {
        match error {
            DeleteNetworkError::NotFound => missing(),
            DeleteNetworkError::HasMembers(count) => {
                let verb = if count == 1 { "server is" } else { "servers are" };
                Self::new(Code::NetworkInUse, format!("{count} {verb} in the private network. Detach them first."))
            }
            DeleteNetworkError::Store(error) => error.into(),
        }
    }
}
