//! What a customer is told of a quote: each line with its time, the sums, and what the wallet holds before and after.

use super::{
    extend::period,
    line::Thing,
    proration::Span,
    quote::{Charge, Quote},
};
use crate::domain::{money::Cents, time::Time};

/// A quote, and whose wallet it meets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bill {
    /// What is charged and given back.
    pub quote: Quote,
    /// First Online of the service; nothing before.
    pub anchor: Option<Time>,
    /// What the wallet held.
    pub before: Cents,
    /// What is left in it. What is given back comes later, when the request is done (BILLING 4).
    pub left: Cents,
}

/// One line of a bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BillLine {
    /// What is paid for.
    pub thing: Thing,
    /// For which time; nothing when it begins at first Online.
    pub time: Option<Span>,
    /// What that time costs at list price.
    pub list: Cents,
    /// What is charged for it.
    pub net: Cents,
}

impl BillLine {
    /// What a promotion takes off.
    #[must_use]
    pub fn discount(&self) -> Cents {
        self.list.minus(self.net).unwrap_or_default()
    }
}

impl Bill {
    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<BillLine> {
        let time = |charge: &Charge| {
            let whole = period(self.anchor?, charge.ordinal);
            Span::new(charge.from.unwrap_or(whole.from()), whole.to())
        };
        let line =
            |charge: &Charge| BillLine { thing: charge.thing, time: time(charge), list: charge.list, net: charge.net };
        self.quote.charges.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::billing::{
        promo::{Discount, Duration, Terms},
        renewal::Prices,
    };

    #[test]
    fn a_line_names_the_time_that_it_pays_for_once_that_is_known() {
        let noon = Time(1_781_092_800);
        let terms = Terms { discount: Discount::Percent(50), duration: Duration::First };
        let prices = Prices { package: "10".parse().unwrap(), ips: Vec::new(), promo: Some(terms) };
        let charges = [prices.charges(0), prices.charges(1)].concat();
        let (before, left) = ("20".parse().unwrap(), "5".parse().unwrap());
        let bill = Bill { quote: Quote { charges, credits: Vec::new() }, anchor: None, before, left };
        let lines = bill.lines();
        assert!(lines.iter().all(|line| line.time.is_none()), "it did not run yet");
        assert_eq!(lines.iter().map(|line| line.discount().to_string()).collect::<Vec<_>>(), ["5.00", "0.00"]);
        let known = Bill { anchor: Some(noon), ..bill }.lines();
        let ends: Vec<String> = known.iter().map(|line| line.time.unwrap().to().to_string()).collect();
        assert_eq!(ends, ["2026-07-10 12:00:00", "2026-08-10 12:00:00"]);
    }
}
