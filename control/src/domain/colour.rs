//! Colours as `#rrggbb`, and whether text in one can be read on another (WCAG 2.2, 1.4.3).

use std::fmt;

/// A colour of the screen, red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// Least contrast of text that everybody can read.
pub const CONTRAST_MIN: f64 = 4.5;

/// What light pages stand on.
pub const WHITE: Colour = Colour([0xff; 3]);
/// What dark pages stand on.
pub const NIGHT: Colour = Colour([0x16, 0x1b, 0x23]);
/// Dark letters.
pub const INK: Colour = Colour([0x0d, 0x11, 0x17]);

impl Colour {
    /// A colour from its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let part = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// How much two colours differ in lightness: 1 is not at all, 21 is black on white.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The letters that are read best on it.
    #[must_use]
    pub fn letters(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(INK) { WHITE } else { INK }
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_six_digits_are_a_colour() {
        assert_eq!(Colour::parse("#1a5FD0").unwrap().to_string(), "#1a5fd0");
        for none in ["", "#fff", "1a5fd0", "#1a5fd", "#1a5fd0f", "#+a5fd0", "#é5fd", "red"] {
            assert_eq!(Colour::parse(none), None, "{none}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let black = Colour([0; 3]);
        assert!((black.contrast(WHITE) - 21.0).abs() < 1e-9);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 1e-9);
        let grey = Colour::parse("#767676").unwrap();
        assert!(grey.contrast(WHITE) >= CONTRAST_MIN, "the lightest grey that may be text on white");
        assert!(Colour::parse("#777777").unwrap().contrast(WHITE) < CONTRAST_MIN);
        assert_eq!((grey.letters(), Colour::parse("#ffd400").unwrap().letters()), (WHITE, INK));
    }
}
