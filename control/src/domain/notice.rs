//! What the provider has to say: maintenance to come, an incident under way, a word to everybody.

use csp_shared::id::AccountId;

use super::{
    label::{Label, acts, shows},
    slug::Slug,
    time::Time,
};

/// Longest text of a notice, in characters.
const TEXT_CHARS_MAX: usize = 4000;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Worth knowing.
    Info,
    /// Work that was planned.
    Maintenance,
    /// Something is out of order.
    Incident,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Maintenance, Self::Incident];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Maintenance => "maintenance",
            Self::Incident => "incident",
        }
    }

    /// Reads what [`Kind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every account.
    Everybody,
    /// Whoever has a server there.
    Location(Slug),
    /// One account.
    Account(AccountId),
}

/// A text of several lines, without anything that acts on whoever looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

/// A text that is no notice's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a notice has 1 to {TEXT_CHARS_MAX} characters, one of them visible, and no control characters or marks of direction but line breaks"
)]
pub struct BadText;

impl Text {
    /// Reads a text; lines may end as on any system.
    ///
    /// # Errors
    /// When it is empty, too long, or has characters that act.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim();
        let good = shows(text) && text.chars().count() <= TEXT_CHARS_MAX;
        let inert = text.chars().all(|c| c == '\n' || !acts(c));
        if good && inert { Ok(Self(text.to_owned())) } else { Err(BadText) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub kind: Kind,
    /// Who is told.
    pub audience: Audience,
    /// In a few words.
    pub title: Label,
    /// In full.
    pub text: Text,
    /// When what it speaks of begins.
    pub starts_at: Time,
    /// From then on it is not shown; nothing: until it is ended by hand.
    pub ends_at: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_lines_and_nothing_that_acts() {
        assert_eq!(Text::parse(" one\r\ntwo <b>\n").unwrap().as_str(), "one\ntwo <b>");
        for bad in ["", " \n ", "\u{200b}", "a\u{1b}[2J", "a\u{202e}b", "a\0b", &"a".repeat(4001)] {
            assert_eq!(Text::parse(bad), Err(BadText), "{bad:?}");
        }
    }
}
