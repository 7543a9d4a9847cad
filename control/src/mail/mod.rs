//! Letters to customers, from the outbox in the store to a mail server.
//!
//! A letter is written in the transaction of what it tells, and sent afterwards until a server takes it. Between the
//! server's word and the store's a crash may fall: then the letter goes out a second time, under the same Message-ID, so
//! that it is the same letter to whoever reads it. Never is one lost.

pub mod outbox;
pub mod smtp;

use std::future::Future;

use crate::{domain::letter::Delivery, store::MailRow};

/// Whoever hands letters over.
pub trait Courier: Send + Sync {
    /// Hands one over.
    fn carry(&self, letter: &MailRow) -> impl Future<Output = Delivery> + Send;
}
