//! The part of the operator API that other machines may use over TCP, each route behind the scope of a token: a payment
//! provider's webhook bridge tells of payments here, a bookkeeper's program fetches the ledger. It is off until
//! `[operator] listen` names a place. What is not on this page is not reachable from outside the machine.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodRouter, get, post},
};

use super::{accounts, ledger, payments, wire};
use crate::{
    api::{
        App,
        auth::bearer,
        edge::edge,
        error::{ApiError, Code},
        throttle::{Client, count},
    },
    domain::{operator_scope::OperatorScope, token},
    store::StoreError,
};

/// Every route that a token can open, with the scope that it needs.
pub fn router(app: App) -> Router {
    use OperatorScope::{Accounts, Credits, Disputes, Ledger, Refunds};
    let needs = |scope: OperatorScope, route: MethodRouter<App>| {
        route.route_layer(from_fn_with_state((app.clone(), scope), admit))
    };
    let routes = Router::new()
        .route("/accounts/{uuid}/credits", needs(Credits, post(payments::credit)))
        .route("/refunds", needs(Refunds, post(payments::refund)))
        .route("/disputes", needs(Disputes, get(payments::disputes).post(payments::dispute)))
        .route("/disputes/close", needs(Disputes, post(payments::close)))
        .route("/accounts", needs(Accounts, get(accounts::list)))
        .route("/ledger/verify", needs(Ledger, get(ledger::verify)))
        .route("/ledger/explain/{uuid}", needs(Ledger, get(ledger::explain)))
        .route("/ledger/export", needs(Ledger, get(ledger::export)));
    let counted = from_fn_with_state(app.clone(), count);
    let edge = from_fn_with_state(app.edge(), edge);
    Router::new().nest(wire::PREFIX, routes).with_state(app).layer(counted).layer(edge)
}

/// Lets a request through whose token has the scope. Looked up at every request, so that revoking works at once.
async fn admit(
    State((app, scope)): State<(App, OperatorScope)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let client = Client::of(&parts);
    let secret = bearer(&parts, "Send an operator token as `Authorization: Bearer csp_op_…`.");
    let secret = secret.map_err(|refusal| app.throttle.failed(&client, refusal))?;
    let hash = token::hash(&secret);
    let found = app.store.read::<_, StoreError>(move |read| read.operator_token_by_hash(hash)).await?;
    let ended = || ApiError::new(Code::Unauthorized, "This operator token is unknown, revoked or expired.");
    let token = found.filter(|token| token.is_open(app.now()));
    let token = token.ok_or_else(|| app.throttle.failed(&client, ended()))?;
    app.throttle.signed_in(&client, token.id.0)?;
    if !token.scopes.hold(scope) {
        let lacking = format!("This request needs an operator token with the scope {}.", scope.as_str());
        return Err(ApiError::new(Code::InsufficientScope, lacking));
    }
    tracing::info!(token = %token.id, label = token.label, "an operator token was used");
    Ok(next.run(Request::from_parts(parts, body)).await)
}
