//! What guests use: measured beside everything else, told to the control plane, kept nowhere.
//!
//! ```text
//! sampler   by the clock: asks for the counters, on threads of its own
//!   rates   counters of two looks -> what moved in between. Pure
//! mailbox   the newest sample of each server, until the link takes it
//! ```
//!
//! Nothing waits for a sample and nothing is decided by one. A sample that is lost leaves a hole in a curve.

pub mod mailbox;
pub mod rates;
pub mod sampler;

pub use self::{
    mailbox::Mailbox,
    sampler::{Meter, run},
};
