//! The console in one process: a browser's websocket, the control plane's API and fleet listener on real sockets, the
//! agent's link with real TLS, and a screen on a unix socket that says what a test tells it to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host;
mod links;
mod relay;
mod rig;
mod tickets;
