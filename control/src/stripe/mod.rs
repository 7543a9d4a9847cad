//! Stripe, who takes payments by card: pages for paying (Checkout), and its signed words of what came of them.
//!
//! ```text
//! client     asks for a page
//! signature  whether a word is Stripe's, and of now
//! event      what it says
//! ```
//!
//! Nothing here knows the store. What a word is about is looked up by whoever takes it (`api/stripe`).

pub mod client;
pub mod event;
pub mod signature;

use csp_shared::secret::Secret;

use crate::{config::PublicUrl, domain::money::Cents};

/// What is needed to take payments.
#[derive(Clone, Debug)]
pub struct Account {
    /// Opens Stripe's API.
    pub key: Secret,
    /// Under which words are signed; more than one while it is changed.
    pub signing: Vec<Secret>,
    /// Where Stripe is.
    pub api_url: PublicUrl,
    /// The least that somebody pays in at once.
    pub least: Cents,
    /// The most.
    pub most: Cents,
}
