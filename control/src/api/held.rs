//! Requests that are held open until something happens: who waits for an action, and who follows events.
//!
//! Each costs a connection and a little memory for as long as it lasts, so an account and an address hold so many of them
//! and no more; all of them end when the program stops.

use std::net::IpAddr;

use csp_shared::id::AccountId;
use tokio::sync::watch;

use super::{
    auth::Customer,
    error::{ApiError, Code},
    places::{Crowd, Place},
};
use crate::domain::network::counted_as;

/// Seconds after which who was refused may try again.
const AGAIN_IN: u64 = 5;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of an action, for a minute at most.
    Wait,
    /// Events, for as long as the client stays.
    Stream,
}

impl Kind {
    /// How many an account holds at once.
    #[must_use]
    pub const fn account_max(self) -> usize {
        match self {
            Self::Wait => 64,
            Self::Stream => 16,
        }
    }

    /// How many an address holds at once: several accounts may be behind one.
    #[must_use]
    pub const fn address_max(self) -> usize {
        match self {
            Self::Wait => 128,
            Self::Stream => 64,
        }
    }
}

/// Who holds what.
#[derive(Debug)]
pub struct Held {
    waits: Places,
    streams: Places,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Places {
    accounts: Crowd<AccountId>,
    addresses: Crowd<IpAddr>,
}

/// One request that is held open.
#[derive(Debug)]
pub struct Hold {
    _places: (Place<AccountId>, Place<IpAddr>),
    stop: watch::Receiver<bool>,
}

impl Default for Held {
    fn default() -> Self {
        Self { waits: Places::default(), streams: Places::default(), stop: watch::channel(false).0 }
    }
}

impl Held {
    /// Takes a place for a request.
    ///
    /// # Errors
    /// When its account or its address holds as many as it may.
    pub fn take(&self, kind: Kind, customer: &Customer) -> Result<Hold, ApiError> {
        let places = match kind {
            Kind::Wait => &self.waits,
            Kind::Stream => &self.streams,
        };
        let too_many = || ApiError::plain(Code::TooManyHeldOpen).retry_after(AGAIN_IN);
        let account = places.accounts.take(customer.account, kind.account_max()).ok_or_else(too_many)?;
        let address = counted_as(customer.address);
        let address = places.addresses.take(address, kind.address_max()).ok_or_else(too_many)?;
        Ok(Hold { _places: (account, address), stop: self.stop.subscribe() })
    }

    /// Ends all of them, now and from now on: the program stops.
    pub fn end(&self) {
        self.stop.send_replace(true);
    }
}

impl Hold {
    /// Waits until the program stops.
    pub async fn ended(&mut self) {
        // The sender lives as long as the program; should it be gone, ending is right too.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}
