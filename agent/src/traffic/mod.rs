//! What servers' public adapters carried in all: counted from the kernel's counters of their taps, kept on the host's own
//! disk, told to the control plane, which keeps months of it.
//!
//! ```text
//! count   counters of two looks -> totals that never go back. Pure
//! meter   looks by the clock and before a tap goes; writes down before it tells
//! ```
//!
//! Unlike a sample, nothing of it may be lost or come twice: a quota rests on it. So totals are told and not differences.

pub mod count;
pub mod meter;

pub use self::meter::{Meter, run};
