//! Short names that people give to their things.

/// 1 to 100 characters on one line, trimmed; any script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label(String);

/// A text that is no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 100 characters and no line breaks, control characters or marks of direction")]
pub struct BadLabel;

/// Whether a character steers a terminal, begins a line, or turns the direction of what stands beside it.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// When it is empty, too long or has control characters.
    pub fn parse(text: &str) -> Result<Self, BadLabel> {
        let text = text.trim();
        let good = !text.is_empty() && text.chars().count() <= 100 && !text.chars().any(acts);
        if good { Ok(Self(text.to_owned())) } else { Err(BadLabel) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
