//! The hosts' side: one connection a host, over which wishes go down and observations come up.
//!
//! ```text
//! listener    TCP, TLS by raw public keys, websocket: bounded in number and time
//!   greeting  the first message decides: an enrolment, or a host
//!   session   two loops, one for each direction
//!     hosts   what a session asks of the rest of the control plane, behind one trait (store_hosts is the real one)
//!   questions what an audit asks a host, or the owner of a guest, and the answer
//! console_relay  viewers and the connections that hosts dial for them
//! wake        signals without data: "host H has something to read", "host H has to go"
//! ```
//!
//! A connection holds nothing that matters. What a host should have stands in the store; a session reads it when it is
//! woken and at every rescan, the same way, so a lost signal costs seconds and never a change.

pub mod console_relay;
mod ended;
mod greeting;
pub mod hosts;
pub mod identity;
mod intake;
pub mod listener;
mod outbox;
mod questions;
mod session;
pub mod store_hosts;
pub mod wake;

pub use self::{
    console_relay::{Consoles, NoScreen},
    hosts::{Hosts, HostsError, News, Opened},
    identity::ControlKeys,
    listener::{Bounds, Listener},
    questions::{NewPassword, NoAnswer},
    store_hosts::StoreHosts,
    wake::{Offers, Registration, Wake},
};
