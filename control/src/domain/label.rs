//! Short names that people give to their things.

use std::ops::RangeInclusive;

/// 1 to 100 characters on one line, trimmed; any script, and something to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label(String);

/// A text that is no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one line of 1 to 100 characters, one of them visible, without control characters or marks of direction"
)]
pub struct BadLabel;

/// Characters that steer a terminal, begin a line, or turn the direction of what stands beside them.
pub const ACTING: &[RangeInclusive<char>] = &[
    '\u{0}'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
];

/// Characters that show nothing and are no white space: what Unicode lets a font pass over (`Default_Ignorable_Code_Point`),
/// and fillers. Scripts and emoji need some of them between others, so they are no fault by themselves.
pub const UNSEEN: &[RangeInclusive<char>] = &[
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Whether a character steers a terminal, begins a line, or turns the direction of what stands beside it.
#[must_use]
pub fn acts(c: char) -> bool {
    ACTING.iter().any(|range| range.contains(&c))
}

/// Whether there is something to see in a text.
#[must_use]
pub fn shows(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !UNSEEN.iter().any(|range| range.contains(&c)))
}

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// When there is nothing to see in it, it is too long, or has characters that act.
    pub fn parse(text: &str) -> Result<Self, BadLabel> {
        let text = text.trim();
        let good = shows(text) && text.chars().count() <= 100 && !text.chars().any(acts);
        if good { Ok(Self(text.to_owned())) } else { Err(BadLabel) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_something_and_acts_on_nobody() {
        for good in ["a", " Laptop ", "日本", "👩\u{200d}💻", "❤\u{fe0f}", "می\u{200c}خواهم", "<b>", &"é".repeat(100)]
        {
            assert_eq!(Label::parse(good).as_ref().map(Label::as_str), Ok(good.trim()), "{good:?}");
        }
        for bad in ["", " \u{a0}\u{3000}", "\u{200b}", "\u{e0041}\u{e0042}", "\u{ad} \u{2060}", "\u{3164}", "\u{2800}"]
        {
            assert_eq!(Label::parse(bad), Err(BadLabel), "{bad:?}");
        }
        for bad in ["a\nb", "a\0b", "a\u{1b}b", "a\u{85}b", "a\u{202e}b", "a\u{2066}b", "a\u{feff}b", &"a".repeat(101)]
        {
            assert_eq!(Label::parse(bad), Err(BadLabel), "{bad:?}");
        }
        assert!((0..=0x9f).filter_map(char::from_u32).all(|c| acts(c) == c.is_control()));
    }
}
