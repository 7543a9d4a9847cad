//! The wire between csp-control and csp-agent: plain types, their bounds and their text form. No I/O.
//!
//! Both programs are built against this crate and never against each other. What changes here changes what two
//! machines of different age must agree on, so fields are added, never altered (see [`compat`]).

pub mod audit;
pub mod compat;
pub mod failpoint;
pub mod generation;
pub mod host_status;
pub mod id;
pub mod key_pin;
pub mod limits;
pub mod mac;
pub mod message;
pub mod network;
pub mod observed;
pub mod sample;
pub mod secret;
pub mod sha256;
pub mod spec;
pub mod traffic;
