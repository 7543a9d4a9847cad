//! The two HTTP faces against a real database in one process. One file a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod envelope;
mod idempotency;
mod limits;
mod lists;
mod openapi;
mod operator;
mod orders;
mod power;
mod sign_in;
mod ssh_keys;
