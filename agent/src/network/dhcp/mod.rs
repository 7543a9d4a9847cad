//! Answers the DHCP of guests, on each tap for its adapter alone, so that one plugged into a running guest comes up by
//! itself.
//!
//! What must hold:
//! * a tap and its MAC decide, whatever a client calls itself: a guest with two clients, or another system, gets the same;
//! * nothing of it reaches the segment: filters drop what guests ask, and the agent sees it before they do;
//! * an answer goes to the guest alone, past its filters by the mark that only the agent's own frames carry;
//! * leases are longer than any outage of the agent;
//! * a guest that asks without end costs a bounded number of answers.

pub mod answer;
pub mod lease;
pub mod pace;
pub mod packet;
pub mod responder;

/// Carried by the agent's answers through nftables, see [`super::filter_rules`].
pub const MARK: u32 = 0xc5b;
/// Where servers listen.
pub const SERVER_PORT: u16 = 67;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 68;
