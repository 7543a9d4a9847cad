//! What a whole period of a service costs: its package, its extra addresses, less its promotion.

use csp_shared::id::LeaseId;

use super::{line::Thing, promo::Terms, quote::Charge};
use crate::domain::money::Cents;

/// Everything that a period is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prices {
    /// Of a month of the package.
    pub package: Cents,
    /// Of a month of each extra address.
    pub ips: Vec<(LeaseId, Cents)>,
    /// What the server's promo code gives.
    pub promo: Option<Terms>,
}

/// What a period costs, as a customer is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Renewal {
    /// What the wallet pays.
    pub total: Cents,
    /// List price of the package.
    pub package: Cents,
    /// Price of all extra addresses.
    pub extra_ips: Cents,
    /// What is taken off.
    pub discount: Cents,
}

impl Prices {
    /// The lines of a whole period.
    #[must_use]
    pub fn charges(&self, ordinal: u32) -> Vec<Charge> {
        let off = self.promo.map_or(Cents::ZERO, |terms| terms.off(self.package, ordinal));
        let package = Charge::whole(ordinal, Thing::Package, self.package, off);
        let ip =
            |(lease, price): &(LeaseId, Cents)| Charge::whole(ordinal, Thing::ExtraIp(*lease), *price, Cents::ZERO);
        std::iter::once(package).chain(self.ips.iter().map(ip)).collect()
    }

    /// What the period costs.
    #[must_use]
    pub fn renewal(&self, ordinal: u32) -> Renewal {
        // Some addresses and a package stay far below the bound of an amount.
        let sum = |from: Cents, more: Cents| from.plus(more).unwrap_or(Cents::MAX);
        let extra_ips = self.ips.iter().map(|(_, price)| *price).fold(Cents::ZERO, sum);
        let discount = self.promo.map_or(Cents::ZERO, |terms| terms.off(self.package, ordinal));
        let total = sum(self.package, extra_ips).minus(discount).unwrap_or_default();
        Renewal { total, package: self.package, extra_ips, discount }
    }
}
