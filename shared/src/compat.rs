//! Which versions of the protocol work together.
//!
//! A control plane works with agents one version older, so that a provider upgrades it first and the hosts in peace.

/// What this build speaks.
pub const PROTOCOL: u16 = 1;
/// The oldest agent that this build accepts.
pub const PROTOCOL_OLDEST: u16 = 1;

/// Whether an agent that speaks `protocol` may connect.
#[must_use]
pub fn accepts(protocol: u16) -> bool {
    (PROTOCOL_OLDEST..=PROTOCOL).contains(&protocol)
}
