//! `PATCH /servers/{uuid}`: what its owner decides about a server, as a JSON merge patch.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ServerPath, missing, view::ServerAnswer};
use crate::{
    api::{
        auth::{By, Writes},
        body::JsonBody,
        document::{
            schemas::{LabelChangesObject, OptionalFlag, OptionalHostname, ProtectionObject},
            tags,
        },
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown, inert},
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::{
        hostname::Hostname,
        server_label::{LABELS_MAX, LabelChanges, LabelName, LabelValue},
        server_settings::SettingsChange,
    },
    service::change_server::{ChangeServerError, change_server},
};

/// Labels that one request names: enough to replace all of them.
pub const NAMED_LABELS_MAX: usize = 2 * LABELS_MAX;

/// What is to be changed; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ServerChange)]
pub struct UpdateBody {
    /// What it is called from now on. The guest takes the name over at its next reinstall.
    #[serde(default)]
    #[schema(value_type = OptionalHostname)]
    hostname: Field<String>,
    /// Each name with its value, or with null to take the label off. Labels that are not named stay.
    #[serde(default)]
    #[schema(value_type = LabelChangesObject)]
    labels: Field<Map<String, Value>>,
    /// Whether it renews by itself at the end of its paid time.
    #[serde(default)]
    #[schema(value_type = OptionalFlag)]
    auto_renew: Field<bool>,
    /// What is refused with `protected` until you lift it here.
    #[serde(default)]
    #[schema(value_type = ProtectionObject)]
    protection: Field<Map<String, Value>>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl UpdateBody {
    fn parse(self) -> Result<SettingsChange, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let hostname = faults
            .optional("hostname", self.hostname)
            .and_then(|text| faults.parsed(Code::InvalidHostname, "hostname", Hostname::parse(&text)));
        let labels = labels(&mut faults, self.labels);
        let auto_renew = faults.optional("auto_renew", self.auto_renew);
        let mut protection = faults.optional("protection", self.protection).unwrap_or_default();
        let mut flag = |name: &str| {
            let field = protection.remove(name).map_or(Field::Absent, Field::of);
            faults.optional(&format!("protection.{name}"), field)
        };
        let (protect_destroy, protect_reinstall) = (flag("destroy"), flag("reinstall"));
        faults.unknown_below("protection", &protection);
        let change = SettingsChange { hostname, labels, auto_renew, protect_destroy, protect_reinstall };
        faults.into_result().map(|()| change)
    }
}

fn labels(faults: &mut Faults, field: Field<Map<String, Value>>) -> LabelChanges {
    let named = faults.optional("labels", field).unwrap_or_default();
    if named.len() > NAMED_LABELS_MAX {
        faults.add(Code::ValidationFailed, "labels", format!("names more than {NAMED_LABELS_MAX} labels"));
        return LabelChanges::new();
    }
    let mut changes = LabelChanges::new();
    for (name, value) in named {
        let place = format!("labels.{}", inert(&name));
        let Some(name) = faults.parsed(Code::ValidationFailed, &place, LabelName::parse(&name)) else { continue };
        let value = match value {
            Value::Null => None,
            Value::String(text) => match faults.parsed(Code::ValidationFailed, &place, LabelValue::parse(&text)) {
                Some(value) => Some(value),
                None => continue,
            },
            _ => {
                faults.add(Code::ValidationFailed, &place, "must be a text, or null to take the label off");
                continue;
            }
        };
        changes.insert(name, value);
    }
    changes
}

/// Change a server
///
/// Name, labels, renewal and protection. What is left out or null stays as it is; of `labels`, one that is null is removed.
#[utoipa::path(
    patch,
    path = "/servers/{uuid}",
    operation_id = "update_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::InvalidHostname, Code::Conflict])),
        ("x-request-example" = json!({
            "hostname": "web1.example.com", "labels": {"env": "production"}, "auto_renew": true,
            "protection": {"destroy": true, "reinstall": false},
        })),
        ("x-example" = json!({"message": "Server updated."}))
    )
)]
pub async fn update(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<UpdateBody>,
) -> Result<Answered<ServerAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let change = body.value.parse()?;
    let (now, seen) = (app.now(), app.clone());
    once.run(&app, move |tx| {
        change_server(tx, customer.account, server, &change, now)?;
        let (view, _) = tx.server_view(customer.account, server, now)?.ok_or_else(missing)?;
        let shown = ServerAnswer::from(view).with_metrics(&seen, now);
        Ok(Effect { answer: Answer::data(shown).with_message("Server updated."), wake: None })
    })
    .await
}

impl From<ChangeServerError> for ApiError {
    fn from(error: ChangeServerError) -> Self {
        let reason = error.to_string();
        match error {
            ChangeServerError::NotFound => missing(),
            ChangeServerError::Denied(denied) => denied.into(),
            ChangeServerError::Labels(_) => Self::field(Code::ValidationFailed, "labels", reason),
            ChangeServerError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsChange, ApiError> {
        serde_json::from_str::<UpdateBody>(text).unwrap().parse()
    }

    #[test]
    fn what_is_left_out_null_or_empty_changes_nothing() {
        for text in [
            "{}",
            r#"{"hostname":null,"labels":null,"auto_renew":null,"protection":{"destroy":null}}"#,
            r#"{"labels":{}}"#,
        ] {
            assert_eq!(parse(text).unwrap(), SettingsChange::default(), "{text}");
        }
    }

    #[test]
    fn every_bad_field_is_named_by_its_place() {
        let text = r#"{"hostname":"-a","labels":{"a b":"x","ok":7,"v":"a b","n":null},"auto_renew":"yes",
                       "protection":{"destroy":1,"reboot":true},"x":1}"#;
        let error = parse(text).unwrap_err();
        let named: Vec<&str> = error.fields.iter().map(|fault| fault.field.as_str()).collect();
        let wanted = [
            "x",
            "hostname",
            "labels.a b",
            "labels.ok",
            "labels.v",
            "auto_renew",
            "protection.destroy",
            "protection.reboot",
        ];
        assert_eq!(named, wanted);
        let many: Map<String, Value> = (0..65).map(|at| (format!("n{at}"), Value::Null)).collect();
        assert!(parse(&serde_json::json!({"labels": many}).to_string()).is_err());
    }
}
