//! The customer API: JSON over HTTP, as the contract says.
//!
//! `router` shows every route. A handler turns a request into a command of `service`, hands it to the store, wakes the
//! host, and answers; it knows no SQL and decides nothing. What every request has in common (envelope, errors, ids,
//! sign-in, bodies, pages) is a file each.

pub mod account;
pub mod actions;
pub mod auth;
pub mod body;
pub mod browser;
pub mod catalog;
pub mod code;
pub mod connections;
pub mod console;
pub mod denied;
pub mod docs;
pub mod document;
pub mod dry_run;
pub mod edge;
pub mod envelope;
pub mod error;
pub mod events;
pub mod field;
pub mod guards;
pub mod hashing;
pub mod held;
pub mod idempotency;
pub mod json;
pub mod keys;
pub mod manage;
pub mod notices;
pub mod page;
pub mod panel;
pub mod path;
pub mod places;
pub mod private_networks;
pub mod query;
pub mod router;
pub mod seal;
pub mod servers;
pub mod ssh_keys;
pub mod state;
pub mod statements;
pub mod stripe;
pub mod throttle;
pub mod transactions;
pub mod turns;
pub mod wallet;
pub mod web;

pub use self::{
    router::router,
    state::{App, Settings},
};
