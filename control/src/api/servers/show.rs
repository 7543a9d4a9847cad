//! `GET /servers` and `GET /servers/{uuid}`.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ServerPath, missing, view::ServerAnswer};
use crate::{
    api::{
        auth::{By, Reads},
        document::{
            schemas::{AddressText, HostnameText, LabelFilters},
            tags,
        },
        envelope::{Answer, List},
        error::{ApiError, Code},
        field::{Faults, Field},
        page::Listed,
        query::Query,
        state::App,
    },
    domain::{
        hostname::Hostname,
        server_label::{LabelName, LabelValue},
    },
    store::{ServerFilter, StoreError},
};

/// Labels that one request filters by.
pub const FILTER_LABELS_MAX: usize = 16;

/// Which servers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListFilters {
    /// Only servers with this host name, in whatever case.
    #[serde(default)]
    #[param(value_type = HostnameText, inline, required = false)]
    hostname: Field<String>,
    /// Only the server with this address.
    #[serde(default)]
    #[param(value_type = AddressText, inline, required = false)]
    address: Field<String>,
    /// Only servers with this label: `name:value`, or `name` for any value. Given several times, all of them.
    #[serde(default)]
    #[param(value_type = LabelFilters, inline, required = false)]
    label: Field<Vec<Field<String>>>,
}

impl ListFilters {
    fn parse(self, faults: &mut Faults) -> ServerFilter {
        let hostname = faults
            .optional("hostname", self.hostname)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "hostname", Hostname::parse(&text)));
        let address = faults.optional("address", self.address).and_then(|text| {
            let address = text.parse().map_err(|_| "is no IP address");
            faults.parsed(Code::ValidationFailed, "address", address)
        });
        let mut texts = faults.optional("label", self.label).unwrap_or_default();
        if texts.len() > FILTER_LABELS_MAX {
            faults.add(Code::ValidationFailed, "label", format!("is given more than {FILTER_LABELS_MAX} times"));
            texts.clear();
        }
        let labels = texts.into_iter().filter_map(|text| label(faults, text)).collect();
        ServerFilter { hostname, address, labels }
    }
}

/// No name has a colon in it, so the first one ends the name.
fn label(faults: &mut Faults, field: Field<String>) -> Option<(LabelName, Option<LabelValue>)> {
    let text = faults.optional("label", field)?;
    let (name, value) = text.split_once(':').map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
    let name = faults.parsed(Code::ValidationFailed, "label", LabelName::parse(name))?;
    match value {
        Some(value) => {
            let value = faults.parsed(Code::ValidationFailed, "label", LabelValue::parse(value))?;
            Some((name, Some(value)))
        }
        None => Some((name, None)),
    }
}

/// List servers
///
/// Every server of the account that is not destroyed, newest first; with filters, those that fit all of them.
#[utoipa::path(get, path = "/servers", operation_id = "list_servers", tag = tags::SERVERS)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<Listed<ListFilters>>,
) -> Result<List<ServerAnswer>, ApiError> {
    let (filter, page) = query.parsed(None, |faults, filters, _| filters.parse(faults))?;
    let now = app.now();
    let found =
        app.store.read::<_, StoreError>(move |read| read.server_views(customer.account, &filter, page.range(), now));
    let (total, views) = found.await?;
    Ok(List::new(
        views.into_iter().map(|view| ServerAnswer::from(view).with_metrics(&app, now)).collect(),
        total,
        &page,
    ))
}

/// Show a server
///
/// Package, resources, addresses, billing date, status, what it used lately and what is being done to it.
#[utoipa::path(get, path = "/servers/{uuid}", operation_id = "show_server", tag = tags::SERVERS)]
pub async fn show(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
) -> Result<Answer<ServerAnswer>, ApiError> {
    let now = app.now();
    let view = app.store.read::<_, StoreError>(move |read| read.server_view(customer.account, server, now)).await?;
    view.map(|(view, _)| Answer::data(ServerAnswer::from(view).with_metrics(&app, now))).ok_or_else(missing)
}
