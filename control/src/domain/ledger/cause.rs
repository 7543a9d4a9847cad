//! Why money moves. A cause has a key that is unique in the store, so the same cause can never move money twice; and it
//! fixes everything else about its transfer that can be fixed, so that a ledger can be checked from its rows alone.

use std::{fmt, str::FromStr};

use csp_shared::id::{ActionId, ServerId, TransferId};

use super::Book;

/// Why money moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A server was ordered: its first period.
    Order(ServerId),
    /// An order that did not run gives back exactly what it took.
    OrderReversal(ServerId),
    /// A later period of a server, by its number.
    Renewal(ServerId, u32),
    /// What a promotion pays of a period.
    Discount(ServerId, u32),
    /// An order that did not run gives its promotion back, too.
    DiscountReversal(ServerId),
    /// Another package costs more for what is paid already.
    Change(ActionId),
    /// A change that was not done gives back exactly what it took.
    ChangeReversal(ActionId),
    /// Another package costs less for what is paid already.
    ChangeCredit(ActionId),
    /// An extra address costs for what is paid already: one that was added, or that came from another server.
    ExtraIp(ActionId),
    /// An address that did not come gives back what it took, renewals with it among that.
    ExtraIpReversal(ActionId),
    /// An extra address's unused time, on the server that has it no more.
    ExtraIpCredit(ActionId),
    /// Of an address that moves: what its server gives back, as far as the other one's price takes it up. The wallet sees the
    /// difference alone.
    ExtraIpSetOff(ActionId),
    /// A move that was not done takes back what was set off.
    ExtraIpSetOffReversal(ActionId),
    /// A destroyed server's unused time.
    DestroyCredit(ActionId),
    /// Money came in, by the payment's id at whoever took it.
    TopUp {
        /// `stripe:pi_…`, `bank:2026-06-10/17`; unique for ever.
        reference: String,
    },
    /// A payment, or a part of it, went back to whoever paid, by the refund's id.
    Refund {
        /// Unique for ever.
        reference: String,
    },
    /// A payment is disputed: it is taken back, whatever the wallet holds.
    Dispute {
        /// The dispute's id at whoever took the payment; unique for ever.
        reference: String,
    },
    /// The part of a disputed payment that the wallet no longer holds: owed from now on.
    Claim {
        /// The dispute's id.
        reference: String,
    },
    /// A dispute that ended well gives back what it took.
    DisputeWon {
        /// The dispute's id.
        reference: String,
    },
    /// Money that came in pays what is owed, before anything else.
    Settlement(TransferId),
    /// The operator gives.
    Goodwill {
        /// A ticket's number, for example; unique for ever.
        reference: String,
    },
    /// The operator puts something right, in either direction.
    Correction {
        /// A ticket's number, for example; unique for ever.
        reference: String,
    },
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The closed list of kinds, as the store and the API know them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum CauseKind { $($(#[$doc])* $name,)* }

        impl CauseKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is stored and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Reads what [`Self::as_str`] wrote.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A server's first period.
    Order = "order";
    /// A further period.
    Renewal = "renewal";
    /// Another package.
    Change = "change";
    /// An additional address.
    ExtraIp = "extra_ip";
    /// Exactly what was taken, given back.
    Reversal = "reversal";
    /// Unused time.
    Credit = "credit";
    /// Money that came in.
    TopUp = "topup";
    /// A gift.
    Promotion = "promotion";
    /// Put right by the operator.
    Correction = "correction";
    /// A disputed payment, and what is owed for it.
    Dispute = "dispute";
    /// What was owed is paid.
    Settlement = "settlement";
    /// A payment that went back.
    Refund = "refund";
}

/// Between which sides a cause moves money, as the wallet sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Into the wallet, from this book.
    In(Book),
    /// Out of the wallet, into this book.
    Out(Book),
    /// Past all wallets, from the first book into the second.
    Inside(Book, Book),
    /// Into the wallet or out of it, from or into any book.
    Either,
}

/// Which service a cause is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// This one: it stands in the key.
    Server(ServerId),
    /// One that the key does not name.
    SomeServer,
    /// None.
    Nothing,
    /// One or none.
    Any,
}

impl Cause {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> CauseKind {
        match self {
            Self::Order(_) => CauseKind::Order,
            Self::Renewal(..) => CauseKind::Renewal,
            Self::Discount(..) => CauseKind::Promotion,
            Self::Change(_) => CauseKind::Change,
            Self::ExtraIp(_) => CauseKind::ExtraIp,
            Self::OrderReversal(_)
            | Self::DiscountReversal(_)
            | Self::ChangeReversal(_)
            | Self::ExtraIpReversal(_)
            | Self::ExtraIpSetOffReversal(_) => CauseKind::Reversal,
            Self::DestroyCredit(_) | Self::ChangeCredit(_) | Self::ExtraIpCredit(_) | Self::ExtraIpSetOff(_) => {
                CauseKind::Credit
            }
            Self::TopUp { .. } => CauseKind::TopUp,
            Self::Refund { .. } => CauseKind::Refund,
            Self::Dispute { .. } | Self::Claim { .. } | Self::DisputeWon { .. } => CauseKind::Dispute,
            Self::Settlement(_) => CauseKind::Settlement,
            Self::Goodwill { .. } => CauseKind::Promotion,
            Self::Correction { .. } => CauseKind::Correction,
        }
    }

    /// Between which sides it moves money.
    #[must_use]
    pub fn flow(&self) -> Flow {
        match self {
            Self::Order(_)
            | Self::Renewal(..)
            | Self::Change(_)
            | Self::ExtraIp(_)
            | Self::ExtraIpSetOffReversal(_) => Flow::Out(Book::Revenue),
            Self::Discount(..) => Flow::Inside(Book::Promotions, Book::Revenue),
            Self::DiscountReversal(_) => Flow::Inside(Book::Revenue, Book::Promotions),
            Self::OrderReversal(_)
            | Self::ChangeReversal(_)
            | Self::ChangeCredit(_)
            | Self::ExtraIpReversal(_)
            | Self::ExtraIpCredit(_)
            | Self::ExtraIpSetOff(_)
            | Self::DestroyCredit(_) => Flow::In(Book::Revenue),
            Self::TopUp { .. } | Self::DisputeWon { .. } => Flow::In(Book::TopUps),
            Self::Refund { .. } | Self::Dispute { .. } => Flow::Out(Book::TopUps),
            Self::Claim { .. } => Flow::In(Book::Receivables),
            Self::Settlement(_) => Flow::Out(Book::Receivables),
            Self::Goodwill { .. } => Flow::In(Book::Promotions),
            Self::Correction { .. } => Flow::Either,
        }
    }

    /// Whether it was told from outside, by a reference that can come again, and has no row of its own: a dispute has one.
    #[must_use]
    pub fn is_told(&self) -> bool {
        use Cause::{Correction, Goodwill, Refund, TopUp};
        matches!(self, TopUp { .. } | Refund { .. } | Goodwill { .. } | Correction { .. })
    }

    /// The action that it belongs to.
    #[must_use]
    pub fn action(&self) -> Option<ActionId> {
        match self {
            Self::Change(action)
            | Self::ChangeReversal(action)
            | Self::ChangeCredit(action)
            | Self::ExtraIp(action)
            | Self::ExtraIpReversal(action)
            | Self::ExtraIpCredit(action)
            | Self::ExtraIpSetOff(action)
            | Self::ExtraIpSetOffReversal(action)
            | Self::DestroyCredit(action) => Some(*action),
            _ => None,
        }
    }

    /// Which service it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Order(server)
            | Self::OrderReversal(server)
            | Self::Renewal(server, _)
            | Self::Discount(server, _)
            | Self::DiscountReversal(server) => Subject::Server(*server),
            Self::Change(_)
            | Self::ChangeReversal(_)
            | Self::ChangeCredit(_)
            | Self::ExtraIp(_)
            | Self::ExtraIpReversal(_)
            | Self::ExtraIpCredit(_)
            | Self::ExtraIpSetOff(_)
            | Self::ExtraIpSetOffReversal(_)
            | Self::DestroyCredit(_) => Subject::SomeServer,
            Self::Goodwill { .. } | Self::Correction { .. } => Subject::Any,
            Self::TopUp { .. }
            | Self::Refund { .. }
            | Self::Dispute { .. }
            | Self::Claim { .. }
            | Self::DisputeWon { .. }
            | Self::Settlement(_) => Subject::Nothing,
        }
    }
}

impl fmt::Display for Cause {
    /// The unique key. What comes from outside stands last, so that no reference can look like another cause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(server) => write!(f, "order/{server}"),
            Self::OrderReversal(server) => write!(f, "reversal/order/{server}"),
            Self::Renewal(server, period) => write!(f, "renewal/{server}/{period}"),
            Self::Discount(server, period) => write!(f, "discount/{server}/{period}"),
            Self::DiscountReversal(server) => write!(f, "reversal/discount/{server}"),
            Self::Change(action) => write!(f, "change/{action}"),
            Self::ChangeReversal(action) => write!(f, "reversal/change/{action}"),
            Self::ChangeCredit(action) => write!(f, "credit/change/{action}"),
            Self::ExtraIp(action) => write!(f, "extra-ip/{action}"),
            Self::ExtraIpReversal(action) => write!(f, "reversal/extra-ip/{action}"),
            Self::ExtraIpCredit(action) => write!(f, "credit/extra-ip/{action}"),
            Self::ExtraIpSetOff(action) => write!(f, "credit/extra-ip-move/{action}"),
            Self::ExtraIpSetOffReversal(action) => write!(f, "reversal/extra-ip-move/{action}"),
            Self::DestroyCredit(action) => write!(f, "credit/destroy/{action}"),
            Self::TopUp { reference } => write!(f, "topup/{reference}"),
            Self::Refund { reference } => write!(f, "refund/{reference}"),
            Self::Dispute { reference } => write!(f, "dispute/{reference}"),
            Self::Claim { reference } => write!(f, "claim/{reference}"),
            Self::DisputeWon { reference } => write!(f, "dispute-won/{reference}"),
            Self::Settlement(came_in) => write!(f, "settle/{came_in}"),
            Self::Goodwill { reference } => write!(f, "goodwill/{reference}"),
            Self::Correction { reference } => write!(f, "correction/{reference}"),
        }
    }
}

/// A text that is no cause's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is the key of no cause")]
pub struct NotACause;

impl FromStr for Cause {
    type Err = NotACause;

    /// Reads what [`fmt::Display`] wrote.
    fn from_str(key: &str) -> Result<Self, NotACause> {
        fn id<T: FromStr>(text: &str) -> Result<T, NotACause> {
            text.parse().map_err(|_| NotACause)
        }
        let (word, rest) = key.split_once('/').ok_or(NotACause)?;
        let reference = || if rest.is_empty() { Err(NotACause) } else { Ok(rest.to_owned()) };
        let cause = match word {
            "order" => Self::Order(id(rest)?),
            "reversal" => match rest.split_once('/').ok_or(NotACause)? {
                ("order", server) => Self::OrderReversal(id(server)?),
                ("discount", server) => Self::DiscountReversal(id(server)?),
                ("change", action) => Self::ChangeReversal(id(action)?),
                ("extra-ip", action) => Self::ExtraIpReversal(id(action)?),
                ("extra-ip-move", action) => Self::ExtraIpSetOffReversal(id(action)?),
                _ => return Err(NotACause),
            },
            "renewal" | "discount" => {
                let (server, period) = rest.split_once('/').ok_or(NotACause)?;
                let (server, period) = (id(server)?, id(period)?);
                if word == "renewal" { Self::Renewal(server, period) } else { Self::Discount(server, period) }
            }
            "change" => Self::Change(id(rest)?),
            "extra-ip" => Self::ExtraIp(id(rest)?),
            "credit" => match rest.split_once('/').ok_or(NotACause)? {
                ("destroy", action) => Self::DestroyCredit(id(action)?),
                ("change", action) => Self::ChangeCredit(id(action)?),
                ("extra-ip", action) => Self::ExtraIpCredit(id(action)?),
                ("extra-ip-move", action) => Self::ExtraIpSetOff(id(action)?),
                _ => return Err(NotACause),
            },
            "topup" => Self::TopUp { reference: reference()? },
            "refund" => Self::Refund { reference: reference()? },
            "dispute" => Self::Dispute { reference: reference()? },
            "claim" => Self::Claim { reference: reference()? },
            "dispute-won" => Self::DisputeWon { reference: reference()? },
            "settle" => Self::Settlement(id(rest)?),
            "goodwill" => Self::Goodwill { reference: reference()? },
            "correction" => Self::Correction { reference: reference()? },
            _ => return Err(NotACause),
        };
        // One cause, one key: another spelling of it would move its money a second time.
        if cause.to_string() == key { Ok(cause) } else { Err(NotACause) }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn every_cause() -> Vec<Cause> {
        let id = Uuid::from_u128(7);
        let reference = || "bank:1/claim/x".to_owned();
        vec![
            Cause::Order(ServerId(id)),
            Cause::OrderReversal(ServerId(id)),
            Cause::Renewal(ServerId(id), 12),
            Cause::Discount(ServerId(id), 0),
            Cause::DiscountReversal(ServerId(id)),
            Cause::Change(ActionId(id)),
            Cause::ChangeReversal(ActionId(id)),
            Cause::ChangeCredit(ActionId(id)),
            Cause::ExtraIp(ActionId(id)),
            Cause::ExtraIpReversal(ActionId(id)),
            Cause::ExtraIpCredit(ActionId(id)),
            Cause::ExtraIpSetOff(ActionId(id)),
            Cause::ExtraIpSetOffReversal(ActionId(id)),
            Cause::DestroyCredit(ActionId(id)),
            Cause::TopUp { reference: reference() },
            Cause::Refund { reference: reference() },
            Cause::Dispute { reference: reference() },
            Cause::Claim { reference: reference() },
            Cause::DisputeWon { reference: reference() },
            Cause::Settlement(TransferId(id)),
            Cause::Goodwill { reference: reference() },
            Cause::Correction { reference: reference() },
        ]
    }

    #[test]
    fn a_key_is_read_as_the_cause_that_wrote_it_and_no_two_share_one() {
        let keys: Vec<String> = every_cause().iter().map(ToString::to_string).collect();
        for (cause, key) in every_cause().into_iter().zip(&keys) {
            assert_eq!(key.parse(), Ok(cause), "{key}");
        }
        let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn what_no_cause_wrote_is_no_key() {
        let id = Uuid::from_u128(7).hyphenated().to_string();
        let upper = Uuid::from_u128(0xAB).hyphenated().to_string().to_uppercase();
        for key in ["", "order", "order/", "order/7", "topup/", "gift/1", "reversal/x", "Order/x"] {
            assert_eq!(key.parse::<Cause>(), Err(NotACause), "{key}");
        }
        for key in [
            format!("order/{upper}"),
            format!("order/{id}/"),
            format!("reversal/{id}"),
            format!("renewal/{id}"),
            format!("renewal/{id}/07"),
        ] {
            assert_eq!(key.parse::<Cause>(), Err(NotACause), "{key}");
        }
    }

    #[test]
    fn kinds_survive_the_way_through_the_store() {
        for kind in CauseKind::ALL {
            assert_eq!(CauseKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(CauseKind::parse("gift"), None);
    }
}
