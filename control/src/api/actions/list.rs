//! `GET /actions` and `GET /servers/{uuid}/actions`: filtered and in parts, newest first.

use axum::extract::State;
use csp_shared::id::{AccountId, ActionId, ServerId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::view::ActionAnswer;
use crate::{
    api::{
        auth::{By, Reads},
        document::{
            schemas::{ActionStatusWord, CommandWord, UuidText},
            tags,
        },
        envelope::List,
        error::{ApiError, Code},
        field::{Faults, Field},
        page::{Listed, NoFilters, Page, WHOLE_MAX, begin, shown},
        query::Query,
        servers::{ServerPath, missing},
        state::App,
    },
    domain::action::{Command, Status},
    store::{ActionFilter, Read, StoreError},
};

/// Which actions of the account are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct OfServer {
    /// Of this server alone, also when it is destroyed.
    #[serde(default)]
    #[param(value_type = UuidText, inline, required = false)]
    server_uuid: Field<String>,
}

/// Which actions are wanted, of an account or of a server.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Filters {
    /// At this status alone.
    #[serde(default)]
    #[param(value_type = ActionStatusWord, inline, required = false)]
    status: Field<String>,
    /// Of this kind alone.
    #[serde(default)]
    #[param(value_type = CommandWord, inline, required = false)]
    command: Field<String>,
    /// `next_cursor` of the part before. New actions do not shift what follows, as they do with `offset`.
    #[serde(default)]
    #[param(value_type = UuidText, inline, required = false)]
    cursor: Field<String>,
}

impl OfServer {
    fn parse(self, faults: &mut Faults) -> Option<ServerId> {
        let text = faults.optional("server_uuid", self.server_uuid)?;
        faults.parsed(Code::ValidationFailed, "server_uuid", text.parse().map_err(|_| "is no UUID"))
    }
}

impl Filters {
    fn parse(self, faults: &mut Faults, server: Option<ServerId>) -> (ActionFilter, Option<ActionId>) {
        let bad = Code::ValidationFailed;
        let status = faults.optional("status", self.status).and_then(|text| {
            faults.parsed(bad, "status", Status::parse(&text).ok_or_else(|| words(&Status::ALL.map(Status::as_str))))
        });
        let command = faults.optional("command", self.command).and_then(|text| {
            faults.parsed(
                bad,
                "command",
                Command::parse(&text).ok_or_else(|| words(&Command::ALL.map(Command::as_str))),
            )
        });
        let cursor = faults
            .optional("cursor", self.cursor)
            .and_then(|text| faults.parsed(bad, "cursor", text.parse().map_err(|_| NO_CURSOR)));
        (ActionFilter { server, status, command }, cursor)
    }
}

const NO_CURSOR: &str = "is no cursor of this list";

fn words(all: &[&str]) -> String {
    format!("must be one of {}", all.join(", "))
}

/// List actions
///
/// All that was asked of the account's servers, newest first, destroyed servers' among them; with filters, what fits all
/// of them. 10,000 at once, if there are so many: `next_cursor` leads on.
#[utoipa::path(get, path = "/actions", operation_id = "list_actions", tag = tags::ACTIONS)]
pub async fn account(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<Listed<OfServer, Filters>>,
) -> Result<List<ActionAnswer>, ApiError> {
    let wanted = query.parsed(None, |faults, of, filters| {
        let server = of.parse(faults);
        filters.parse(faults, server)
    })?;
    part(&app, customer.account, wanted).await
}

/// List a server's actions
///
/// All that was asked of it, newest first; with filters, what fits all of them.
#[utoipa::path(get, path = "/servers/{uuid}/actions", operation_id = "list_server_actions", tag = tags::ACTIONS)]
pub async fn server(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
    Query(query): Query<Listed<NoFilters, Filters>>,
) -> Result<List<ActionAnswer>, ApiError> {
    let wanted = query.parsed(None, |faults, _, filters| filters.parse(faults, Some(server)))?;
    let now = app.now();
    let shown = move |read: &Read<'_>| read.server_standing(customer.account, server, now);
    app.store.read::<_, StoreError>(shown).await?.ok_or_else(missing)?;
    part(&app, customer.account, wanted).await
}

type Wanted = ((ActionFilter, Option<ActionId>), Page);

async fn part(app: &App, account: AccountId, wanted: Wanted) -> Result<List<ActionAnswer>, ApiError> {
    let ((filter, cursor), page) = wanted;
    let most = u32::try_from(page.limit().unwrap_or(WHOLE_MAX)).unwrap_or(u32::MAX);
    let begin = begin(cursor, &page)?;
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            if let Some(cursor) = cursor
                && read.action_get(account, cursor)?.is_none()
            {
                return Ok(None);
            }
            // One more than is shown tells whether there is more.
            let actions = read.action_page(account, filter, begin, most.saturating_add(1))?;
            Ok(Some((read.action_count(account, filter)?, actions)))
        })
        .await?;
    let unknown = || ApiError::field(Code::ValidationFailed, "cursor", NO_CURSOR);
    let (total, actions) = found.ok_or_else(unknown)?;
    let (actions, next) = shown(actions, most, |action| action.id.to_string());
    let is_cut = next.is_some() && page.limit().is_none();
    let list = List::new(actions.into_iter().map(ActionAnswer::from).collect(), total, &page).with_next(next);
    Ok(if is_cut { list.cut() } else { list })
}
