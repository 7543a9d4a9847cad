//! Who may sign up, and how long a browser stays signed in.

use serde::Deserialize;

use super::time::{DAY, MINUTE, Time};

/// Who may open an account without the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Nobody.
    #[default]
    Closed,
    /// Whoever was invited.
    Invitation,
    /// Everybody.
    Open,
    /// Everybody, once the operator approved it.
    Approval,
}

impl SignUp {
    /// As shown and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
            Self::Approval => "approval",
        }
    }

    /// Whether somebody whom nobody invited may ask for a letter.
    #[must_use]
    pub fn takes_strangers(self) -> bool {
        matches!(self, Self::Open | Self::Approval)
    }

    /// What becomes of somebody who came by a letter with this purpose.
    #[must_use]
    pub fn admits(self, purpose: Purpose) -> Admission {
        match (purpose, self) {
            (_, Self::Closed) => Admission::Never,
            // Who was invited has the operator's word already.
            (Purpose::Invitation, _) | (Purpose::SignUp, Self::Open) => Admission::AtOnce,
            (Purpose::SignUp, Self::Approval) => Admission::AfterApproval,
            _ => Admission::Never,
        }
    }
}

/// What becomes of somebody who signs up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// An account now.
    AtOnce,
    /// An account when the operator approved it.
    AfterApproval,
    /// Nothing.
    Never,
}

/// What the link in a letter is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To sign up; the address was typed by whoever reads it.
    SignUp,
    /// To sign up; the address was named by the operator.
    Invitation,
    /// To choose another password.
    Reset,
    /// To show that a new address is one's own.
    NewEmail,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SignUp, Self::Invitation, Self::Reset, Self::NewEmail];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::NewEmail => "new_email",
        }
    }

    /// Reads what [`Purpose::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// For how long the link opens, in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::SignUp | Self::NewEmail => DAY,
            Self::Invitation => 7 * DAY,
            Self::Reset => 60 * MINUTE,
        }
    }
}

/// Letters that one address is sent within [`LETTERS_SECONDS`] because somebody asked for them.
pub const LETTERS_MAX: u64 = 5;
/// See [`LETTERS_MAX`].
pub const LETTERS_SECONDS: i64 = 60 * MINUTE;

/// A browser that is not used for so long is signed out.
const IDLE_SECONDS: i64 = DAY;
/// And each one after so long.
pub const WHOLE_SECONDS: i64 = 14 * DAY;
/// How old, in seconds, the note of the last use may become: one write in so long, whatever a page asks for.
const SEEN_SECONDS: i64 = 5 * MINUTE;

/// When a browser is signed out that signed in then, and was seen last then.
#[must_use]
pub fn ends_at(signed_in_at: Time, seen_at: Time) -> Time {
    seen_at.plus(IDLE_SECONDS).min(signed_in_at.plus(WHOLE_SECONDS))
}

/// Whether the last use is to be noted again.
#[must_use]
pub fn note_is_old(seen_at: Time, now: Time) -> bool {
    now >= seen_at.plus(SEEN_SECONDS)
}

/// Longest text of a browser about itself that is kept, in characters.
const USER_AGENT_CHARACTERS_MAX: usize = 200;

/// What a browser says of itself, cut and without anything that acts on whoever looks at it.
#[must_use]
pub fn user_agent(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(USER_AGENT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_gets_an_account_where_that_is_open_and_a_guest_where_anybody_does() {
        let table = [
            (SignUp::Closed, Admission::Never),
            (SignUp::Invitation, Admission::Never),
            (SignUp::Open, Admission::AtOnce),
            (SignUp::Approval, Admission::AfterApproval),
        ];
        for (mode, want) in table {
            assert_eq!(mode.admits(Purpose::SignUp), want);
            let invited = if mode == SignUp::Closed { Admission::Never } else { Admission::AtOnce };
            assert_eq!(mode.admits(Purpose::Invitation), invited);
            assert_eq!(mode.admits(Purpose::Reset), Admission::Never, "another letter opens no account");
            assert_eq!(mode.takes_strangers(), want != Admission::Never);
        }
    }

    #[test]
    fn a_browser_is_signed_out_a_day_after_its_last_use_and_two_weeks_after_it_signed_in() {
        assert_eq!(ends_at(Time(0), Time(0)), Time(DAY));
        assert_eq!(ends_at(Time(0), Time(DAY - 1)), Time(2 * DAY - 1));
        assert_eq!(ends_at(Time(0), Time(14 * DAY - 1)), Time(14 * DAY));
        assert!(!note_is_old(Time(0), Time(299)) && note_is_old(Time(0), Time(300)));
    }

    #[test]
    fn what_a_browser_says_of_itself_is_short_and_plain() {
        assert_eq!(user_agent("Mozilla/5.0 (X11)\u{1b}[31m\u{202e}"), "Mozilla/5.0 (X11)[31m");
        assert_eq!(user_agent(&"a".repeat(999)).len(), 200);
    }
}
