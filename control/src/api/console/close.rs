//! Why a stream was closed: a name that the page turns into a sentence.

use csp_link::pipe::{End, Side, Why};

use crate::fleet::NoScreen;

/// Why a stream was closed. The names are known to `control/web/src/console/texts.ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The ticket was used, is too old, belongs to nobody, or is none: nobody learns which.
    BadTicket,
    /// The server does not run any more.
    NotOnline,
    /// Its host is not connected, or does not show the screen.
    HostAway,
    /// As many watch as may.
    TooMany,
    /// The control plane cannot look.
    Unavailable,
    /// The screen ended.
    Ended,
    /// Key, server or lock: the right by which it was opened is gone.
    NotAllowed,
    /// What the browser sent is no console traffic.
    Garbage,
    /// Nothing was heard of one side, or one side took nothing, for too long.
    Silent,
    /// The server is being set up or made anew: there is no screen until that is done.
    Busy,
    /// The server is locked, for whatever reason: nothing is shown until its owner has set that right.
    Suspended,
}

impl CloseReason {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::BadTicket,
        Self::NotOnline,
        Self::HostAway,
        Self::TooMany,
        Self::Unavailable,
        Self::Ended,
        Self::NotAllowed,
        Self::Garbage,
        Self::Silent,
        Self::Busy,
        Self::Suspended,
    ];

    /// The reason in the close frame.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadTicket => "bad_ticket",
            Self::NotOnline => "not_online",
            Self::HostAway => "host_away",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
            Self::Ended => "ended",
            Self::NotAllowed => "not_allowed",
            Self::Garbage => "garbage",
            Self::Silent => "silent",
            Self::Busy => "busy",
            Self::Suspended => "suspended",
        }
    }

    /// The code in the close frame; RFC 6455 leaves those from 4000 on to the application.
    #[must_use]
    pub fn code(self) -> u16 {
        let codes = Self::ALL.into_iter().zip(4001..);
        codes.into_iter().find(|(reason, _)| *reason == self).map_or(4000, |(_, code)| code)
    }
}

impl From<NoScreen> for CloseReason {
    fn from(why: NoScreen) -> Self {
        match why {
            NoScreen::TooMany => Self::TooMany,
            NoScreen::HostAway => Self::HostAway,
        }
    }
}

impl From<End> for CloseReason {
    /// The browser is the first side.
    fn from(end: End) -> Self {
        match (end.side, end.why) {
            (_, Why::Silent | Why::Stuck) => Self::Silent,
            (Side::First, Why::Garbage) => Self::Garbage,
            (_, Why::Gone) | (Side::Second, Why::Garbage) => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_sentence_for_every_reason() {
        let texts = include_str!("../../../web/src/console/texts.ts");
        for (reason, code) in CloseReason::ALL.into_iter().zip(4001..) {
            assert_eq!(reason.code(), code);
            assert!(texts.contains(&format!("\n  {}: ", reason.name())), "{reason:?}");
        }
    }
}
