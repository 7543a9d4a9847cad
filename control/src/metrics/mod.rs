//! What servers used: a store of its own kind, which may be lost.
//!
//! ```text
//! fleet -> keeper   the newest sample of each server, in memory; one thread that owns the file
//!            point  a sample, cut at the borders of each range's steps. Pure
//!            range  which steps a curve has, and what is in one. Pure
//!            table  the only SQL
//!            file   opens it, or makes it anew
//! ```
//!
//! The ledger and this file share nothing, so no posting waits for a sample: another file, another thread, and a flush
//! only when the log is written back. A power cut takes the last minutes along. A file that is damaged is put aside and
//! made anew, with a warning.
//!
//! Each range has steps of its own, and a sample is added to all of them as it comes. So there is no roll-up that could
//! run late, a question reads as many rows as its curve has points, and a server never has more rows than all ranges
//! have points.

mod file;
mod keeper;
pub mod point;
pub mod range;
mod table;

pub use self::{
    keeper::{Latest, Metrics, NoHistory},
    point::{Measured, Point},
    range::{Curve, Range},
};

#[cfg(test)]
mod tests;
