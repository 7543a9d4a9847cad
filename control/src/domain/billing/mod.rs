//! What things cost and when money moves: the billing rules as pure functions over plain data.
//!
//! Every period of a service is a stack of paid lines ([`line`]). Whatever a customer asks for becomes a [`quote`]: lines
//! to be charged and credits on lines that were paid. A use case posts it, a dry run shows it, and nothing else knows how
//! an amount comes about. `docs/billing.md` says the same in words, with sums that a test works out again.

pub mod bill;
pub mod clock;
pub mod destroy;
pub mod extend;
pub mod extra_ip;
pub mod forecast;
pub mod life;
pub mod line;
pub mod lock;
pub mod package;
pub mod price;
pub mod promo;
pub mod proration;
pub mod quote;
pub mod renewal;
pub mod rules;

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
