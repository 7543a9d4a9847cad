//! The host's one connection to the control plane, dialled outwards. The host listens on no TCP port.
//!
//! ```text
//! enrolment   join line -> key made, Enrol -> enrolment.json: where to dial, which keys to expect, who we are
//! connection  dials again and again; what to do about each refusal
//!   dial      TCP, TLS with pinned keys, websocket
//!   session   Hello, Welcome, Inventory; then two loops, one for each direction
//!   backoff   how long to wait, a pure function
//!   passwords asks guests to take a new password, and tells whether they did
//! console     one more connection for each screen that is watched
//! workers     what the link asks of the rest of the agent
//! ```
//!
//! Without the connection the host goes on with what it has on its disk. So nothing here is urgent: it never gives up
//! and it never hurries a control plane that is coming back.

mod backoff;
pub mod connection;
mod console;
pub mod dial;
pub mod enrolment;
mod passwords;
mod session;
pub mod workers;

pub use self::{
    connection::{Pace, run},
    dial::{Dial, TcpDial},
    enrolment::{Enrolment, Join},
    workers::Workers,
};
