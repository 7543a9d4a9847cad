//! The one connection between a host and the control plane, as both ends need it: a key file, mutual TLS by pinned
//! public keys, and websocket frames with bounds. Which message follows which is decided by the two programs.
//!
//! A crate of its own because `csp-shared` does no I/O, and because two copies of what decides about trust would
//! drift apart.

pub mod frames;
pub mod key_file;
pub mod pipe;
mod read_ahead;
pub mod screens;
pub mod tls;
