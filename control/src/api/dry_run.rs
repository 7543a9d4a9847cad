//! `?dry_run=true` on what costs: the same request is run, its price is told, and nothing of it stays.
//!
//! A route that costs runs its effect by [`Once::run_priced`], the same one in a dry run: the store takes the
//! writes back ([`crate::store::Store::rehearse`]), and this file leaves out the rest, the stored answer and the host's
//! wake-up. A test asks each operation that needs the scope `billing` to change something for the parameter.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use csp_shared::id::LeaseId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    document::{
        schemas::{Flag, Yes},
        sheet::{Part, Sheet},
    },
    envelope::{Answer, Money, When, told},
    error::{ApiError, Code},
    field::{Faults, Unknown},
    idempotency::{Answered, Effect, Once},
    query::Query,
    state::App,
};
use crate::{
    domain::billing::{
        bill::{Bill, BillLine},
        line::Thing,
        proration::Span,
    },
    store::Tx,
};

const MESSAGE: &str = "This was a dry run: nothing was changed, and nothing was charged.";

/// Whether the request is to be tried alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DryRun(bool);

/// `?dry_run=`
#[derive(Debug, Deserialize, IntoParams)]
struct DryRunQuery {
    /// With `true` the request is tried and taken back: the answer's `data` is what it would cost, or the refusal is what
    /// it would have met. Nothing is changed or charged, and an `Idempotency-Key` is not used up.
    #[serde(default)]
    #[param(value_type = Flag, inline, required = false)]
    dry_run: Option<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl<S: Send + Sync> FromRequestParts<S> for DryRun {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<DryRunQuery>::from_request_parts(parts, state).await?;
        let mut faults = Faults::beginning_with(&query.unknown);
        let read = |text: String| text.parse::<bool>().map_err(|_| "must be true or false");
        // Empty is not absent here: whoever writes `?dry_run` means to try, and absent would charge them.
        let wanted = query.dry_run.and_then(|text| faults.parsed(Code::ValidationFailed, "dry_run", read(text)));
        faults.into_result().map(|()| Self(wanted.unwrap_or(false)))
    }
}

impl DryRun {
    /// Whether nothing of the request is to stay. Only for what need not be confirmed then.
    #[must_use]
    pub fn is_wanted(self) -> bool {
        self.0
    }
}

impl Part for DryRun {
    fn describe(sheet: &mut Sheet) {
        Query::<DryRunQuery>::describe(sheet);
    }
}

/// What a use case did, and its price.
#[derive(Debug)]
pub struct Priced<B> {
    /// What it did.
    pub effect: Effect<B>,
    /// What it cost.
    pub bill: Bill,
    /// Whether a disk with data on it is made anew by it.
    pub erases_disk: bool,
}

/// An answer with `T` in its `data` and the body `B`, or after a dry run one with the price.
pub struct Quoted<T, B = Answer<T>> {
    response: Response,
    body: PhantomData<fn() -> (T, B)>,
}

impl<T, B> IntoResponse for Quoted<T, B> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T, B: Part> Part for Quoted<T, B> {
    fn describe(sheet: &mut Sheet) {
        Answered::<T, B>::describe(sheet);
        let tried = told::<QuoteAnswer>(sheet).required("message").description(Some("After a dry run: the price."));
        sheet.answers_or(tried);
    }
}

impl Once {
    /// Runs an effect that costs, unless its answer is stored already; in a dry run, tries it and tells the price.
    ///
    /// # Errors
    /// With the effect's refusal, the same one in a dry run; or when the key belongs to another request.
    pub async fn run_priced<T, B: Serialize>(
        self,
        app: &App,
        dry_run: DryRun,
        effect: impl Fn(&mut Tx<'_>) -> Result<Priced<B>, ApiError> + Send + 'static,
    ) -> Result<Quoted<T, B>, ApiError> {
        let measured = app.clock.measured();
        let effect = move |tx: &mut Tx<'_>| measured.map_err(ApiError::from).and_then(|()| effect(tx));
        let response = if dry_run.0 {
            let tried =
                move |tx: &mut Tx<'_>| effect(tx).map(|priced| QuoteAnswer::new(priced.bill, priced.erases_disk));
            Answer::data(app.store.rehearse(tried).await?).with_message(MESSAGE).into_response()
        } else {
            self.run::<T, B>(app, move |tx| effect(tx).map(|priced| priced.effect)).await?.into_response()
        };
        Ok(Quoted { response, body: PhantomData })
    }
}

/// What a request would cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
struct QuoteAnswer {
    /// Always true: nothing was changed.
    #[schema(value_type = Yes)]
    dry_run: bool,
    /// What is to be paid, line by line.
    lines: Vec<QuoteLine>,
    /// The sum of the lines before a promotion.
    list_total: Money,
    /// What a promotion takes off.
    discount: Money,
    /// What the wallet would pay.
    total: Money,
    /// What would be given back when the request is done.
    credit: Money,
    /// What the wallet holds.
    balance: Money,
    /// What it would hold after paying.
    balance_after: Money,
    /// Whether the server's disk would be made anew: everything on it would be lost, and the request itself must confirm it.
    #[schema(example = false)]
    erases_disk: bool,
}

/// One line of it.
#[derive(Debug, Serialize, ToSchema)]
struct QuoteLine {
    #[schema(inline)]
    item: Item,
    /// Which extra address, where it is for one.
    #[schema(value_type = Option<Uuid>, required)]
    extra_ip_uuid: Option<LeaseId>,
    /// For the time from then on; null: from first Online.
    #[schema(required)]
    from: Option<When>,
    /// Until then; null: for a month.
    #[schema(required)]
    until: Option<When>,
    /// What that time costs.
    list_price: Money,
    /// What a promotion takes off.
    discount: Money,
    /// What is charged for it.
    total: Money,
}

/// What a line pays for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Item {
    Package,
    ExtraIp,
}

impl From<BillLine> for QuoteLine {
    fn from(line: BillLine) -> Self {
        let (item, extra_ip_uuid) = match line.thing {
            Thing::Package => (Item::Package, None),
            Thing::ExtraIp(lease) => (Item::ExtraIp, Some(lease)),
        };
        Self {
            item,
            extra_ip_uuid,
            from: line.time.map(Span::from).map(When),
            until: line.time.map(Span::to).map(When),
            list_price: Money(line.list),
            discount: Money(line.discount()),
            total: Money(line.net),
        }
    }
}

impl QuoteAnswer {
    fn new(bill: Bill, erases_disk: bool) -> Self {
        let (total, discount) = (bill.quote.charged(), bill.quote.discount());
        Self {
            dry_run: true,
            lines: bill.lines().into_iter().map(QuoteLine::from).collect(),
            list_total: Money(total.plus(discount).unwrap_or(total)),
            discount: Money(discount),
            total: Money(total),
            credit: Money(bill.quote.credited()),
            balance: Money(bill.before),
            balance_after: Money(bill.left),
            erases_disk,
        }
    }
}
