//! The two HTTP faces against a real database in one process. One file a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod actions;
mod availability;
mod bad_input;
mod billing;
mod connections;
mod docs;
mod dry_run;
mod envelope;
mod events;
mod idempotency;
mod isolation;
mod keys;
mod life;
mod limits;
mod lists;
mod mail;
mod metrics;
mod names;
mod notices;
mod openapi;
mod operator;
mod operator_tokens;
mod orders;
mod packages;
mod passwords;
mod payments;
mod power;
mod races;
mod rate_limits;
mod reinstall;
mod settings;
mod ssh_keys;
mod statements;
mod states;
