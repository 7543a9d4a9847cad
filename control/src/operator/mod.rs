//! The operator API: JSON over a unix socket that only root and the service's group can open. The commands of
//! `csp-control` are its clients. [`remote`] is the part of it that other machines may use, each with a token.

pub mod accounts;
pub mod addresses;
pub mod audit;
pub mod billing;
pub mod catalog;
pub mod catalog_file;
pub mod host_duty;
pub mod hosts;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod mails;
pub mod networks;
pub mod notices;
pub mod orphans;
pub mod payments;
pub mod people;
pub mod remote;
pub mod servers;
pub mod socket;
pub mod tokens;
pub mod wire;

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use crate::api::{App, edge::edge};

/// The operator API: every route on one page.
pub fn router(app: App) -> Router {
    let layer = from_fn_with_state(app.edge(), edge);
    let routes = Router::new()
        .route("/catalog", post(catalog::apply))
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{uuid}/credits", post(payments::credit))
        .route("/accounts/{uuid}/goodwill", post(payments::goodwill))
        .route("/accounts/{uuid}/corrections", post(payments::correct))
        .route("/refunds", post(payments::refund))
        .route("/disputes", get(payments::disputes).post(payments::dispute))
        .route("/disputes/close", post(payments::close))
        .route("/accounts/{uuid}/set", post(accounts::set))
        .route("/accounts/{uuid}/limits", get(limits::show).post(limits::set))
        .route("/accounts/{uuid}/keys", get(keys::list).post(keys::create))
        .route("/accounts/{uuid}/ssh-keys", post(accounts::ssh_key))
        .route("/keys/{uuid}/revoke", post(keys::revoke))
        .route("/people", get(people::list))
        .route("/people/invite", post(people::invite))
        .route("/people/code-off", post(people::code_off))
        .route("/people/{uuid}/approve", post(people::approve))
        .route("/people/{uuid}/refuse", post(people::refuse))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{uuid}/revoke", post(tokens::revoke))
        .route("/hosts", get(hosts::list).post(hosts::add))
        .route("/hosts/{name}", get(hosts::show))
        .route("/hosts/{name}/set", post(host_duty::set))
        .route("/hosts/{name}/drain", post(host_duty::drain))
        .route("/hosts/{name}/undrain", post(host_duty::undrain))
        .route("/hosts/{name}/loss", get(host_duty::loss))
        .route("/hosts/{name}/lost", post(host_duty::lost))
        .route("/hosts/{name}/fenced", post(host_duty::fenced))
        .route("/hosts/{name}/remove", post(host_duty::remove))
        .route("/orphans", get(orphans::list))
        .route("/networks", get(networks::list))
        .route("/networks/{uuid}", get(networks::show))
        .route("/addresses/aside", get(addresses::aside))
        .route("/addresses/clear", post(addresses::clear))
        .route("/audit", get(audit::run))
        .route("/scheduler", get(billing::scheduler))
        .route("/scheduler/resume", post(billing::resume))
        .route("/prices", post(billing::announce))
        .route("/mails", get(mails::list))
        .route("/mails/retry", post(mails::retry_all))
        .route("/mails/{uuid}/retry", post(mails::retry))
        .route("/mails/{uuid}/told", post(mails::told))
        .route("/ledger/verify", get(ledger::verify))
        .route("/notices", get(notices::list).post(notices::publish))
        .route("/notices/{uuid}/end", post(notices::end))
        .route("/ledger/explain/{uuid}", get(ledger::explain))
        .route("/ledger/export", get(ledger::export))
        .route("/servers", get(servers::list))
        .route("/servers/{uuid}", get(servers::show))
        .route("/servers/{uuid}/lock", post(billing::lock))
        .route("/servers/{uuid}/unlock", post(billing::unlock))
        .route("/servers/{uuid}/smtp", post(servers::smtp))
        .route("/servers/{uuid}/extra-ips", post(addresses::allow))
        .route("/servers/{uuid}/price/fix", post(billing::fix))
        .route("/servers/{uuid}/price/release", post(billing::release));
    Router::new().nest(wire::PREFIX, routes).with_state(app).layer(layer)
}
