//! Periods of a service, and the stack of paid lines in each (BILLING 2).

use csp_shared::id::LeaseId;

use super::proration::{Span, rest_of_part};
use crate::domain::{money::Cents, time::Time};

/// What a line pays for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thing {
    /// The server itself.
    Package,
    /// One extra address.
    ExtraIp(LeaseId),
}

/// A line's number; what it is made of is the store's business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineId(pub i64);

/// Something that was paid for a period, or for the rest of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which.
    pub id: LineId,
    /// What was paid for.
    pub thing: Thing,
    /// The list price of a whole period that it stands for. An upgrade's line stands for the difference.
    pub price: Cents,
    /// What a whole period cost after a promotion.
    pub net_price: Cents,
    /// How much of `price` is still in use: a downgrade gives up a part, a removal the rest.
    pub kept: Cents,
    /// Since when, within its period; nothing when it is for the whole of it.
    pub from: Option<Time>,
    /// What was paid: `net_price` for the time that it covers.
    pub net: Cents,
    /// What of it was given back.
    pub credited: Cents,
    /// Since when nothing of it is in use.
    pub ended_at: Option<Time>,
}

/// A period and its lines, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Period {
    /// Months from the anchor to its beginning. The first one is 0; a month in which nothing was owed is left out.
    pub ordinal: u32,
    /// When it is; nothing before the first Online.
    pub span: Option<Span>,
    /// What was paid for it.
    pub lines: Vec<Line>,
}

/// All periods that are not over, in order.
pub type Paid = [Period];

impl Line {
    /// What is left to give back at all: no credit can exceed what was paid.
    #[must_use]
    pub fn uncredited(&self) -> Cents {
        self.net.minus(self.credited).unwrap_or_default()
    }

    /// What giving up `part` of its price from `at` on is worth: its own net for the unused time.
    #[must_use]
    pub fn worth(&self, part: Cents, span: Option<Span>, at: Time) -> Cents {
        let Some(span) = span else {
            // Not begun, so the whole of it is unused: a period of any length tells the same.
            let any = Span::new(Time(0), Time(1));
            return any.map_or(Cents::ZERO, |any| self.worth(part, Some(any), Time(0)));
        };
        let at = self.from.map_or(at, |from| at.max(from));
        rest_of_part(self.net_price, part, self.price, span, at).min(self.uncredited())
    }

    /// What giving up all that is left of it is worth.
    #[must_use]
    pub fn unused(&self, span: Option<Span>, at: Time) -> Cents {
        if self.ended_at.is_some() { Cents::ZERO } else { self.worth(self.kept, span, at) }
    }
}

impl Period {
    /// Whether some of it is left.
    #[must_use]
    pub fn is_open(&self, at: Time) -> bool {
        self.span.is_none_or(|span| at < span.to())
    }

    /// Whether it has not begun.
    #[must_use]
    pub fn is_ahead(&self, at: Time) -> bool {
        self.span.is_none_or(|span| at < span.from())
    }

    /// The list price of a whole period that its lines for a thing stand for.
    #[must_use]
    pub fn price_of(&self, thing: Thing) -> Cents {
        let live = self.lines.iter().filter(|line| line.thing == thing && line.ended_at.is_none());
        live.fold(Cents::ZERO, |sum, line| sum.plus(line.kept).unwrap_or(Cents::MAX))
    }
}
