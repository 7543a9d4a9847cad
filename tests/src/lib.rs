//! What the tests of csp stand on.

pub mod authenticator;
pub mod fake_machine;
pub mod fake_stripe;
pub mod spec;
pub mod test_control;

pub use fake_machine::{FakeMachine, Op};
