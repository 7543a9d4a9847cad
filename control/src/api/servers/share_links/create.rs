//! `POST /servers/{uuid}/share-links`.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::view::LinkUrl;
use crate::{
    api::{
        auth::{By, Customer, Writes},
        body::JsonBody,
        document::{
            schemas::{OptionalLabel, OptionalMoment, PermissionsChoice},
            tags,
        },
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown, inert},
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        servers::{ServerPath, missing},
        state::App,
    },
    domain::{
        label::Label,
        scope::Scope,
        share_link::{Permission, Permissions, USUAL_LABEL},
        time::Time,
    },
    service::create_share_link::{CreateShareLink, CreateShareLinkError, create_share_link},
};

/// The body of a new link.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewShareLink)]
pub struct NewLinkBody {
    /// What it is called where its owner sees it, and in what was done by it.
    #[serde(default)]
    #[schema(value_type = OptionalLabel)]
    label: Field<String>,
    /// From then on it opens nothing; without it, it works until it is revoked.
    #[serde(default)]
    #[schema(value_type = OptionalMoment)]
    expires_at: Field<String>,
    /// What it allows: at least one thing, and nothing that the key may not do itself.
    #[serde(default)]
    #[schema(value_type = PermissionsChoice, required)]
    permissions: Field<Map<String, Value>>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// What the body says.
#[derive(Debug)]
struct Wanted {
    label: Label,
    expires_at: Option<Time>,
    permissions: Permissions,
}

impl NewLinkBody {
    fn parse(self, now: Time) -> Result<Wanted, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let text = faults.optional("label", self.label).unwrap_or_else(|| USUAL_LABEL.to_owned());
        let label = faults.parsed(Code::ValidationFailed, "label", Label::parse(&text));
        let expires_at = faults
            .optional("expires_at", self.expires_at)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "expires_at", text.parse::<Time>()));
        if expires_at.is_some_and(|end| end <= now) {
            faults.add(Code::ValidationFailed, "expires_at", "is over already");
        }
        let permissions = faults.required("permissions", self.permissions).map(|map| permissions(&mut faults, map));
        match (label, permissions) {
            (Some(label), Some(permissions)) if faults.is_empty() => Ok(Wanted { label, expires_at, permissions }),
            _ => Err(faults.refusal()),
        }
    }
}

/// Those that are true. What is left out, null or false is not granted.
fn permissions(faults: &mut Faults, map: Map<String, Value>) -> Permissions {
    let before = faults.len();
    let granted: Permissions = map
        .into_iter()
        .filter_map(|(name, value)| {
            let Some(permission) = Permission::parse(&name) else {
                faults.add(Code::ValidationFailed, &format!("permissions.{}", inert(&name)), "is unknown");
                return None;
            };
            let wanted = faults.optional(&format!("permissions.{name}"), Field::<bool>::of(value));
            wanted.unwrap_or(false).then_some(permission)
        })
        .collect();
    if granted.is_empty() && faults.len() == before {
        faults.add(Code::ValidationFailed, "permissions", "grants nothing: set at least one to true");
    }
    granted
}

/// These permissions, when the key may do all of that itself.
///
/// # Errors
/// When one of them is beyond the key's scopes.
pub fn may_grant(permissions: Permissions, customer: &Customer, field: &'static str) -> Result<Permissions, ApiError> {
    let beyond: Vec<Permission> = permissions.beyond(customer.scopes).collect();
    if beyond.is_empty() {
        return Ok(permissions);
    }
    let missing: Vec<&str> = Scope::ALL
        .into_iter()
        .filter(|scope| beyond.iter().any(|permission| permission.scope() == *scope))
        .map(Scope::as_str)
        .collect();
    let names = beyond.into_iter().map(Permission::as_str).collect::<Vec<_>>().join(", ");
    let scopes = missing.join(" and ");
    let message =
        format!("A link allows nothing that its key may not do: {names} needs a key with the scope {scopes}.");
    Err(ApiError::new(Code::InsufficientScope, message).naming(field, format!("needs the scope {scopes}")))
}

/// Create a management link
///
/// A URL that opens a page of this one server without an account, with what it allows and nothing else. The URL is in this
/// answer alone.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/share-links",
    operation_id = "create_share_link",
    tag = tags::SHARE_LINKS,
    extensions(
        ("x-error-codes" = json!([Code::LimitReached, Code::Conflict, Code::InsufficientScope])),
        ("x-request-example" = json!({"label": "Customer link"}))
    )
)]
pub async fn create(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<NewLinkBody>,
) -> Result<Answered<LinkUrl>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    let Wanted { label, expires_at, permissions } = body.value.parse(now)?;
    let permissions = may_grant(permissions, &customer, "permissions")?;
    let wanted = CreateShareLink { account: customer.account, label, permissions, expires_at, limits: settings.limits };
    once.run(&app, move |tx| {
        let made = create_share_link(tx, &wanted, server, draw.clone(), now)?;
        Ok(Effect { answer: Answer::data(LinkUrl::new(made, &settings.public_url)), wake: None })
    })
    .await
}

impl From<CreateShareLinkError> for ApiError {
    fn from(error: CreateShareLinkError) -> Self {
        match error {
            CreateShareLinkError::NotFound => missing(),
            CreateShareLinkError::Denied(denied) => denied.into(),
            CreateShareLinkError::Limit(reached) => reached.into(),
            CreateShareLinkError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_781_092_800);

    fn parse(text: &str) -> Result<Wanted, Vec<String>> {
        let named = |error: ApiError| error.fields.into_iter().map(|fault| fault.field).collect();
        serde_json::from_str::<NewLinkBody>(text).unwrap().parse(NOW).map_err(named)
    }

    #[test]
    fn what_is_left_out_is_not_granted() {
        let wanted = parse(r#"{"permissions":{"start":true,"stop":false,"console":null}}"#).unwrap();
        assert_eq!(wanted.permissions, [Permission::Start].into_iter().collect());
        assert_eq!((wanted.label.as_str(), wanted.expires_at), (USUAL_LABEL, None));
    }

    #[test]
    fn nothing_granted_a_past_end_and_unknown_names_are_refused_by_name() {
        for (text, named) in [
            ("{}", vec!["permissions"]),
            (r#"{"permissions":{}}"#, vec!["permissions"]),
            (r#"{"permissions":{"start":false}}"#, vec!["permissions"]),
            (r#"{"permissions":{"start":"yes","fly":true}}"#, vec!["permissions.fly", "permissions.start"]),
            (r#"{"permissions":["start"]}"#, vec!["permissions"]),
            (r#"{"permissions":{"start":true},"expires_at":"2026-06-10 12:00:00"}"#, vec!["expires_at"]),
            (r#"{"permissions":{"start":true},"expires_at":"soon","label":"\u0007"}"#, vec!["label", "expires_at"]),
        ] {
            assert_eq!(parse(text).unwrap_err(), named, "{text}");
        }
        assert!(parse(r#"{"permissions":{"start":true},"expires_at":"2026-06-10 12:00:01"}"#).is_ok());
    }
}
