//! The link between control plane and host: the real two ends over loopback with real TLS; only what lies behind them
//! (the store, the workers) is a script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ages;
mod audit;
mod book;
mod enrolling;
mod fleet;
mod hostile;
mod rig;
mod samples;
mod sessions;
mod stored;
