//! `POST /servers/{uuid}/extra-ips`.

use axum::extract::State;

use super::{ExtraIpAnswer, shown};
use crate::{
    api::{
        actions::queued::{Queued, example},
        auth::{By, Spends},
        body::JsonBody,
        document::tags,
        dry_run::{DryRun, Priced, Quoted},
        error::{ApiError, Code},
        idempotency::{Effect, IdempotencyKey, Once},
        servers::{ServerPath, missing, power::EmptyBody, unaffordable},
        state::App,
    },
    domain::action::Command,
    service::add_extra_ip::{AddIpError, add_extra_ip},
};

const QUEUED: &str = "Extra IPv4 address queued.";

/// Add an extra IP
///
/// One more public address, if one is free, plugged into the running server. The rest of the paid time is charged at once;
/// an address that the server's host cannot plug in is taken back, and so is what it cost. A guest that configures its
/// adapters by DHCP has it within seconds.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/extra-ips",
    operation_id = "add_extra_ip",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([
            Code::ServerBusy, Code::Conflict, Code::LimitReached, Code::NoAddressAvailable, Code::RenewalDue,
            Code::AccountLocked, Code::InsufficientBalance
        ])),
        ("x-example" = json!({"message": QUEUED, "data": {"status": "queued"}, "action": example(Command::AddExtraIp)}))
    )
)]
pub async fn add(
    State(app): State<App>,
    By { customer, .. }: By<Spends>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    dry_run: DryRun,
    body: JsonBody<EmptyBody>,
) -> Result<Quoted<ExtraIpAnswer, Queued<ExtraIpAnswer>>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (draw, now, rules) = (app.draw(), app.now(), app.settings.billing);
    once.run_priced(&app, dry_run, move |tx| {
        let added = add_extra_ip(tx, customer.account, server, &rules, draw.clone(), now)?;
        let queued = Queued::message(tx, customer.account, Some(added.action), QUEUED)?;
        let answer = queued.with(shown(tx, server, added.lease)?);
        Ok(Priced { effect: Effect { answer, wake: Some(added.host) }, bill: added.bill, erases_disk: false })
    })
    .await
}

impl From<AddIpError> for ApiError {
    fn from(error: AddIpError) -> Self {
        match error {
            AddIpError::NotFound => missing(),
            AddIpError::Denied(denied) => denied.into(),
            AddIpError::RenewalDue(_) => Self::plain(Code::RenewalDue),
            AddIpError::TooMany(reached) => reached.into(),
            AddIpError::TooFast(reached) => reached.into(),
            AddIpError::NoPort(reached) => reached.into(),
            AddIpError::NoAddress => {
                Self::new(Code::NoAddressAvailable, "No address is free right now. Nothing was charged.")
            }
            AddIpError::Unaffordable(why) => unaffordable(why, "uuid", "Nothing was added."),
            AddIpError::Store(error) => error.into(),
        }
    }
}
