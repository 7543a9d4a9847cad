//! `POST /servers/{uuid}/extra-ips/{ip_uuid}/move`.

use axum::extract::State;
use csp_shared::id::{LeaseId, ServerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ExtraIpPath, missing, primary};
use crate::{
    api::{
        actions::queued::{Queued, example},
        auth::{By, Spends},
        body::JsonBody,
        denied::sentence,
        document::{schemas::UuidText, tags},
        dry_run::{DryRun, Priced, Quoted},
        envelope::Money,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        servers::unaffordable,
        state::App,
    },
    domain::action::Command,
    service::move_extra_ip::{MoveIp, MoveIpError, move_extra_ip},
};

const QUEUED: &str = "Extra IPv4 transfer queued.";
const TARGET: &str = "target_server_uuid";
const TARGET_AWAY: &str =
    "The host of the server that the address is to go to cannot be asked right now. Nothing was moved.";

/// Where it goes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ExtraIpMove)]
pub struct MoveBody {
    /// A server of the account, in the same location.
    #[serde(default)]
    #[schema(value_type = UuidText, required)]
    target_server_uuid: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// A move that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtraIpTransfer {
    /// It keeps it.
    #[schema(value_type = Uuid)]
    uuid: LeaseId,
    #[schema(value_type = Uuid)]
    target_server_uuid: ServerId,
    /// What the rest of the target's paid time costs.
    charged: Money,
    /// What the rest of the first server's gives back: set off at once, as far as the price takes it up, and paid for the rest
    /// when that server has let go.
    credit: Money,
    /// What is left in the wallet.
    balance: Money,
}

/// Move an extra IP
///
/// Gives the address to another server of the account in the same location, on whatever host, in one action. The server that
/// has it lets go first; then the other one gets it, and neighbours are told where it is now. If the first server's host
/// does not let go in time, the address stays where it was and the action fails. Both servers' paid times are adjusted.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/extra-ips/{ip_uuid}/move",
    operation_id = "move_extra_ip",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([
            Code::ServerBusy, Code::Conflict, Code::LimitReached, Code::RenewalDue, Code::AccountLocked,
            Code::InsufficientBalance, Code::HostUnreachable
        ])),
        ("x-example" = json!({"message": QUEUED, "action": example(Command::MoveExtraIp)}))
    )
)]
pub async fn transfer(
    State(app): State<App>,
    By { customer, .. }: By<Spends>,
    ExtraIpPath(source, lease): ExtraIpPath,
    key: IdempotencyKey,
    dry_run: DryRun,
    body: JsonBody<MoveBody>,
) -> Result<Quoted<ExtraIpTransfer, Queued<ExtraIpTransfer>>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let wanted = MoveIp { account: customer.account, source, lease, target: body.value.parse()? };
    let (draw, now, hosts) = (app.draw(), app.now(), app.wake.clone());
    once.run_priced(&app, dry_run, move |tx| {
        let moving = move_extra_ip(tx, &wanted, draw.clone(), now)?;
        // The one that has it would let go, and it would be nowhere until the other's host is back.
        if hosts.has_left(moving.target_host) {
            return Err(ApiError::new(Code::HostUnreachable, TARGET_AWAY));
        }
        let answer = ExtraIpTransfer {
            uuid: lease,
            target_server_uuid: wanted.target,
            charged: Money(moving.bill.quote.charged()),
            credit: Money(moving.bill.quote.credited()),
            balance: Money(moving.bill.left),
        };
        let queued = Queued::message(tx, wanted.account, Some(moving.action), QUEUED)?;
        let effect = Effect { answer: queued.with(answer), wake: Some(moving.host) };
        Ok(Priced { effect, bill: moving.bill, erases_disk: false })
    })
    .await
}

impl MoveBody {
    fn parse(self) -> Result<ServerId, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let target = faults.required(TARGET, self.target_server_uuid).and_then(|text| {
            faults.parsed(Code::ValidationFailed, TARGET, text.parse().map_err(|_| "must be the uuid of a server"))
        });
        match target {
            Some(target) if faults.is_empty() => Ok(target),
            _ => Err(faults.refusal()),
        }
    }
}

impl From<MoveIpError> for ApiError {
    fn from(error: MoveIpError) -> Self {
        use MoveIpError as E;
        let reason = error.to_string();
        match error {
            E::NotFound => missing(),
            E::NoTarget => {
                Self::new(Code::NotFound, "There is no such server to move the address to.").naming(TARGET, reason)
            }
            E::SameServer => Self::field(Code::ValidationFailed, TARGET, reason),
            E::Denied(denied) => denied.into(),
            E::TargetDenied(denied) => Self { message: sentence(&reason).into(), ..denied.into() },
            E::Primary => primary("Primary IPs cannot be moved."),
            E::OnItsWay | E::OtherLocation => Self::new(Code::Conflict, sentence(&reason)),
            E::RenewalDue(_) => Self::plain(Code::RenewalDue),
            E::TooMany(reached) => Self::from(reached).naming(TARGET, reason),
            E::NoPort(reached) => Self::from(reached).naming(TARGET, reason),
            E::Unaffordable(why) => unaffordable(why, TARGET, "Nothing was moved."),
            E::Store(error) => error.into(),
        }
    }
}
