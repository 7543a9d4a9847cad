//! Money a second time: hundredths of a cent would be a mistake, so these are whole cents in a type of their own.

use std::ops::{Add, AddAssign, Sub, SubAssign};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i128);

impl Money {
    pub const NONE: Self = Self(0);

    /// `above / below` of it. A half cent is rounded up.
    pub fn share(self, above: i128, below: i128) -> Self {
        let exact = self.0 * above;
        let (cents, rest) = (exact / below, exact % below);
        Self(if rest * 2 >= below { cents + 1 } else { cents })
    }

    pub fn text(self) -> String {
        format!("{}.{}{}", self.0 / 100, self.0 % 100 / 10, self.0 % 10)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

#[test]
fn half_a_cent_counts_as_a_cent_and_less_as_none() {
    assert_eq!(Money(695).share(1, 2), Money(348));
    assert_eq!(Money(100).share(1, 3), Money(33));
    assert_eq!(Money(200).share(1, 3), Money(67));
    assert_eq!(Money(1_005).text(), "10.05");
}
