//! `POST /servers/{uuid}/extend`.

use axum::extract::State;
use csp_shared::id::ServerId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ServerPath, missing, unaffordable};
use crate::{
    api::{
        auth::{By, Spends},
        body::JsonBody,
        document::{schemas::OptionalMonths, tags},
        dry_run::{DryRun, Priced, Quoted},
        envelope::{Answer, Money, When},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::billing::extend::MONTHS_MAX,
    service::extend_server::{ExtendError, Extended, extend_server},
};

/// For how long.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Extend)]
pub struct ExtendBody {
    /// How many periods of a month, 1 when left out.
    #[serde(default)]
    #[schema(value_type = OptionalMonths)]
    months: Field<u64>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// An extended service.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtendedAnswer {
    #[schema(value_type = Uuid)]
    uuid: ServerId,
    /// What the wallet paid.
    charged: Money,
    /// What a promotion took off.
    discount: Money,
    /// What is left in the wallet.
    balance: Money,
    /// Until when the service is paid now.
    billing_date: When,
}

/// Extend a server
///
/// Pays for `months` more periods of the package and its extra addresses, at today's prices. The new time begins where the
/// paid time ends, also when it is over already: one month then is the period that a renewal would have paid, and nothing
/// else is charged. A suspended server comes back with the power that its owner wished for.
/// At most 13 months ahead can be paid.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/extend",
    operation_id = "extend_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::ServerBusy, Code::Conflict, Code::InsufficientBalance, Code::PaidTooFarAhead])),
        ("x-example" = json!({"message": "Service extended."}))
    )
)]
pub async fn extend(
    State(app): State<App>,
    By { customer, .. }: By<Spends>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    dry_run: DryRun,
    body: JsonBody<ExtendBody>,
) -> Result<Quoted<ExtendedAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let months = body.value.parse()?;
    let (draw, now) = (app.draw(), app.now());
    once.run_priced(&app, dry_run, move |tx| {
        let Extended { bill, paid_until, host } =
            extend_server(tx, customer.account, server, months, draw.clone(), now)?;
        let (charged, discount, balance) = (bill.quote.charged(), bill.quote.discount(), bill.left);
        let (charged, discount, balance) = (Money(charged), Money(discount), Money(balance));
        let data = ExtendedAnswer { uuid: server, charged, discount, balance, billing_date: When(paid_until) };
        let effect = Effect { answer: Answer::data(data).with_message("Service extended."), wake: host };
        Ok(Priced { effect, bill, erases_disk: false })
    })
    .await
}

impl ExtendBody {
    fn parse(self) -> Result<u32, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let months = faults.optional("months", self.months).unwrap_or(1);
        let months = u32::try_from(months).ok().filter(|months| (1..=MONTHS_MAX).contains(months));
        let months = faults.parsed(Code::ValidationFailed, "months", months.ok_or("is a whole number from 1 to 12"));
        match months {
            Some(months) => faults.into_result().map(|()| months),
            None => Err(faults.refusal()),
        }
    }
}

impl From<ExtendError> for ApiError {
    fn from(error: ExtendError) -> Self {
        let reason = error.to_string();
        match error {
            ExtendError::NotFound => missing(),
            ExtendError::Denied(denied) => denied.into(),
            ExtendError::TooFar(_) => Self::field(Code::PaidTooFarAhead, "months", reason),
            ExtendError::Unaffordable(why) => unaffordable(why, "months", "Nothing was charged."),
            ExtendError::Store(error) => error.into(),
        }
    }
}
