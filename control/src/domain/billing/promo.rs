//! Promo codes: to whom they apply, and what they take off (BILLING 12).

use super::proration::percent_of;
use crate::domain::{catalog::ServiceType, money::Cents, slug::Slug, time::Time};

/// A code as it is typed: 1 to 40 letters, digits, `-` and `_`. Case does not matter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Code(String);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a promo code has 1 to 40 letters, digits, - and _")]
pub struct BadCode;

impl Code {
    /// Reads a code.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, BadCode> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let good = (1..=40).contains(&text.len()) && text.bytes().all(fits);
        if good { Ok(Self(text.to_ascii_uppercase())) } else { Err(BadCode) }
    }

    /// In capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much it takes off a month of the package.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discount {
    /// Hundredths of the price, 1 to 100.
    Percent(u8),
    /// An amount, at most the price.
    Amount(Cents),
}

/// For how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duration {
    /// The first period alone.
    First,
    /// Every period.
    Recurring,
}

impl Duration {
    /// As stored and written in a catalog.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Recurring => "recurring",
        }
    }

    /// Reads what [`Duration::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::First, Self::Recurring].into_iter().find(|duration| duration.as_str() == text)
    }
}

/// What a code gives, as it was when it was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How much.
    pub discount: Discount,
    /// For how long.
    pub duration: Duration,
}

impl Terms {
    /// What is taken off the package's price in a period. Extra addresses are never discounted.
    #[must_use]
    pub fn off(self, package: Cents, ordinal: u32) -> Cents {
        if self.duration == Duration::First && ordinal > 0 {
            return Cents::ZERO;
        }
        match self.discount {
            Discount::Percent(percent) => percent_of(package, percent),
            Discount::Amount(amount) => amount.min(package),
        }
    }
}

/// A code of the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Promo {
    /// What is typed.
    pub code: Code,
    /// What it gives.
    pub terms: Terms,
    /// For which services; nothing means any.
    pub kind: Option<ServiceType>,
    /// For which packages; empty means any.
    pub packages: Vec<Slug>,
    /// From when on it can be used.
    pub valid_from: Option<Time>,
    /// Until when.
    pub valid_until: Option<Time>,
    /// How often in all.
    pub uses_max: Option<u32>,
    /// How often by one account.
    pub uses_per_account_max: Option<u32>,
}

/// How often a code was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uses {
    /// By everybody.
    pub total: u64,
    /// By the account that asks.
    pub by_account: u64,
}

/// Why a code does not apply.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PromoRefusal {
    /// There is none of that name, or it was retired.
    #[error("there is no such promo code")]
    Unknown,
    /// Too early.
    #[error("this promo code is valid from {0} on")]
    NotYet(Time),
    /// Too late.
    #[error("this promo code was valid until {0}")]
    Over(Time),
    /// For the other kind of service.
    #[error("this promo code is for {} services alone", .0.as_str())]
    OtherKind(ServiceType),
    /// For other packages.
    #[error("this promo code is not for the package `{0}`")]
    OtherPackage(String),
    /// Everybody's uses are spent.
    #[error("this promo code was used as often as it may be")]
    UsedUp,
    /// The account's uses are spent.
    #[error("your account has used this promo code as often as it may")]
    UsedByAccount,
}

impl Promo {
    /// Whether the code applies to an order, and with what terms.
    ///
    /// # Errors
    /// With the reason, when it does not.
    pub fn check(&self, kind: ServiceType, package: &str, uses: Uses, now: Time) -> Result<Terms, PromoRefusal> {
        if let Some(from) = self.valid_from.filter(|from| now < *from) {
            return Err(PromoRefusal::NotYet(from));
        }
        if let Some(until) = self.valid_until.filter(|until| now >= *until) {
            return Err(PromoRefusal::Over(until));
        }
        self.covers(kind, package)?;
        if self.uses_max.is_some_and(|most| uses.total >= u64::from(most)) {
            return Err(PromoRefusal::UsedUp);
        }
        if self.uses_per_account_max.is_some_and(|most| uses.by_account >= u64::from(most)) {
            return Err(PromoRefusal::UsedByAccount);
        }
        Ok(self.terms)
    }

    /// Whether the code is for a package at all.
    ///
    /// # Errors
    /// With the reason, when it is not.
    pub fn covers(&self, kind: ServiceType, package: &str) -> Result<(), PromoRefusal> {
        if let Some(wanted) = self.kind.filter(|wanted| *wanted != kind) {
            return Err(PromoRefusal::OtherKind(wanted));
        }
        if !is_for(self.packages.iter().map(Slug::as_str), package) {
            return Err(PromoRefusal::OtherPackage(package.to_owned()));
        }
        Ok(())
    }
}

/// Whether a code for these packages, or for all when none is named, is for this one. A discount for every period is not
/// given while its server has another: half of a small package for ever would become half of the largest.
pub fn is_for<'a>(mut packages: impl Iterator<Item = &'a str>, package: &str) -> bool {
    let Some(first) = packages.next() else { return true };
    first == package || packages.any(|slug| slug == package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_does_not_apply_says_why() {
        let (from, until) = (Time(100), Time(200));
        let promo = Promo {
            code: Code::parse("summer-26").unwrap(),
            terms: Terms { discount: Discount::Percent(10), duration: Duration::First },
            kind: Some(ServiceType::Vps),
            packages: vec![Slug::parse("starter").unwrap()],
            valid_from: Some(from),
            valid_until: Some(until),
            uses_max: Some(5),
            uses_per_account_max: Some(1),
        };
        let uses = |total, by_account| Uses { total, by_account };
        let (vps, metal) = (ServiceType::Vps, ServiceType::Dedicated);
        let table = [
            (vps, "starter", uses(4, 0), 100, Ok(promo.terms)),
            (vps, "starter", uses(4, 0), 199, Ok(promo.terms)),
            (vps, "starter", uses(4, 0), 99, Err(PromoRefusal::NotYet(from))),
            (vps, "starter", uses(4, 0), 200, Err(PromoRefusal::Over(until))),
            (metal, "starter", uses(4, 0), 100, Err(PromoRefusal::OtherKind(vps))),
            (vps, "edge", uses(4, 0), 100, Err(PromoRefusal::OtherPackage("edge".to_owned()))),
            (vps, "starter", uses(5, 0), 100, Err(PromoRefusal::UsedUp)),
            (vps, "starter", uses(4, 1), 100, Err(PromoRefusal::UsedByAccount)),
        ];
        assert!(is_for([].into_iter(), "edge") && is_for(["starter", "edge"].into_iter(), "edge"));
        assert!(!is_for(["starter", "edge"].into_iter(), "ed"));
        for (kind, package, uses, now, want) in table {
            assert_eq!(promo.check(kind, package, uses, Time(now)), want, "{kind:?} {package} {uses:?} {now}");
        }
        let open = Promo {
            kind: None,
            packages: vec![],
            valid_from: None,
            valid_until: None,
            uses_max: None,
            uses_per_account_max: None,
            ..promo
        };
        assert!(open.check(metal, "edge", uses(u64::MAX, u64::MAX), Time(0)).is_ok());
    }

    #[test]
    fn a_code_is_typed_in_any_case() {
        assert_eq!(Code::parse("Welcome_50"), Code::parse("WELCOME_50"));
        let long = "a".repeat(41);
        for bad in ["", " A", "A B", "50%", "Ä", &long] {
            assert_eq!(Code::parse(bad), Err(BadCode), "{bad}");
        }
    }
}
