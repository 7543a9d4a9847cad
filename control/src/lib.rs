//! csp-control: the control plane. Customer API, prepaid wallet, allocators, and the hosts' connections.
//!
//! Where things are: `domain` decides (pure), `store` is the only place with SQL, `service` holds one use case a file,
//! `api` and `operator` speak HTTP, `stripe` speaks with who takes cards, `fleet` with the hosts, `metrics` keeps what
//! they measured. Calls go down only.

pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod entropy;
pub mod failpoint;
pub mod fleet;
pub mod mail;
pub mod metrics;
pub mod operator;
pub mod schedule;
pub mod service;
pub mod store;
pub mod stripe;
pub mod telemetry;
