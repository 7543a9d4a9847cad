//! Host names that a guest can carry.

/// A name as ordered: one label or several (RFC 1123, 2.1), kept in the customer's spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hostname(String);

/// Why a text is no host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHostname {
    /// RFC 1123 allows 253 characters.
    #[error("a host name has 1 to 253 characters")]
    Length,
    /// As the DNS writes names to the end; guests and certificates do not.
    #[error("a host name does not end with a dot here; leave the last dot away")]
    FinalDot,
    /// A label between dots is empty or too long.
    #[error("each part between dots has 1 to 63 characters")]
    LabelLength,
    /// Something else than letters, digits and hyphens.
    #[error("a host name has letters a to z, digits, hyphens and dots, and no part begins or ends with a hyphen")]
    Character,
    /// Only digits in the last label: it would read as an address.
    #[error("the last part of a host name is not a number")]
    Number,
}

impl Hostname {
    /// Reads a name.
    ///
    /// # Errors
    /// When the guest's own tools would refuse it.
    pub fn parse(text: &str) -> Result<Self, BadHostname> {
        if text.is_empty() || text.len() > 253 {
            return Err(BadHostname::Length);
        }
        if text.len() > 1 && text.ends_with('.') && !text.ends_with("..") {
            return Err(BadHostname::FinalDot);
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > 63 {
                return Err(BadHostname::LabelLength);
            }
            let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !inner || label.starts_with('-') || label.ends_with('-') {
                return Err(BadHostname::Character);
            }
        }
        let last = text.rsplit('.').next().unwrap_or(text);
        if last.bytes().all(|b| b.is_ascii_digit()) { Err(BadHostname::Number) } else { Ok(Self(text.to_owned())) }
    }

    /// The name as ordered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_guests_carry_are_taken_as_they_are() {
        for name in ["web1", "web1.example.com", "A", "a-b", "xn--bcher-kva.example", "1a", &"a".repeat(63)] {
            assert_eq!(Hostname::parse(name).map(|h| h.0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn names_that_cannot_work_are_refused_with_the_reason() {
        let long = "a.".repeat(126) + "ab";
        let table = [
            ("", BadHostname::Length),
            (long.as_str(), BadHostname::Length),
            ("a..b", BadHostname::LabelLength),
            (".a", BadHostname::LabelLength),
            ("a.", BadHostname::FinalDot),
            ("web1.example.com.", BadHostname::FinalDot),
            (".", BadHostname::LabelLength),
            ("a..", BadHostname::LabelLength),
            ("-a", BadHostname::Character),
            ("a-", BadHostname::Character),
            ("a_b", BadHostname::Character),
            ("a b", BadHostname::Character),
            ("bücher", BadHostname::Character),
            ("a\n", BadHostname::Character),
            ("10.0.0.1", BadHostname::Number),
            ("42", BadHostname::Number),
        ];
        for (name, why) in table {
            assert_eq!(Hostname::parse(name), Err(why), "{name:?}");
        }
        assert!(Hostname::parse(&"a".repeat(64)).is_err());
    }
}
