//! What a thing costs from when on: the price as sold, and changes that were announced (BILLING 11).

use crate::domain::{
    money::Cents,
    time::{DAY, Time},
};

/// A rise applies this long after its notice at the earliest, in seconds. The store holds to the same number by itself.
pub const NOTICE_SECONDS: i64 = 30 * DAY;

/// A price that was announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced {
    /// Of a month.
    pub price: Cents,
    /// From when on renewals cost this.
    pub effective_at: Time,
}

/// The price of a server's package, or of one of its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Price {
    /// As sold, or as the last announcement that was used made it.
    pub sold: Cents,
    /// The operator promised to keep it.
    pub fixed: bool,
    /// Announcements, in the order in which they were made.
    pub announced: Vec<Announced>,
}

/// Why a price cannot be announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PriceRefusal {
    /// Somebody was promised otherwise.
    #[error("the price of this server is fixed; `csp-control price release` lets it go with announcements again")]
    Fixed,
    /// A rise without its notice.
    #[error("a rise needs 30 days of notice: it can begin at {earliest}")]
    TooSoon {
        /// When it could begin.
        earliest: Time,
    },
    /// A promise that is a rise.
    #[error("a price can be fixed at {most} or less: more would be a rise without its notice")]
    AboveToldPrice {
        /// What was told.
        most: Cents,
    },
    /// A beginning in the past.
    #[error("a price cannot begin in the past")]
    Past,
    /// It is so already.
    #[error("the price is {0} already")]
    Same(Cents),
}

impl Price {
    /// A price as sold, without any announcement.
    #[must_use]
    pub fn of(sold: Cents) -> Self {
        Self { sold, fixed: false, announced: Vec::new() }
    }

    /// What a renewal at this moment costs. The newest announcement that is in force counts.
    #[must_use]
    pub fn at(&self, at: Time) -> Cents {
        let in_force = self.announced.iter().filter(|announced| !self.fixed && announced.effective_at <= at);
        // Of two that begin together the later one: it is what the customer heard last.
        in_force.max_by_key(|announced| announced.effective_at).map_or(self.sold, |announced| announced.price)
    }

    /// The price that the operator may promise to keep: the lowest that the customer has or was told of, or less.
    ///
    /// # Errors
    /// When it is more: that would be a rise without its notice.
    pub fn fix(&self, wished: Option<Cents>, now: Time) -> Result<Cents, PriceRefusal> {
        let to_come = self.announced.iter().filter(|announced| !self.fixed && announced.effective_at > now);
        let most = to_come.map(|announced| announced.price).fold(self.at(now), Cents::min);
        let price = wished.unwrap_or(most);
        if price > most { Err(PriceRefusal::AboveToldPrice { most }) } else { Ok(price) }
    }

    /// Announces a price, to begin at `wished` or as soon as it may.
    ///
    /// # Errors
    /// When it may not begin then, or changes nothing.
    pub fn announce(&self, price: Cents, wished: Option<Time>, now: Time) -> Result<Announced, PriceRefusal> {
        if self.fixed {
            return Err(PriceRefusal::Fixed);
        }
        let earliest = now.plus(NOTICE_SECONDS);
        let is_rise = |at| price > self.at(at);
        let effective_at = wished.unwrap_or(if is_rise(now) { earliest } else { now });
        if effective_at < now {
            return Err(PriceRefusal::Past);
        }
        if price == self.at(effective_at) {
            return Err(PriceRefusal::Same(price));
        }
        if is_rise(effective_at) && effective_at < earliest {
            return Err(PriceRefusal::TooSoon { earliest });
        }
        Ok(Announced { price, effective_at })
    }
}
