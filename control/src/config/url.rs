//! The one URL that customers see.

use std::fmt;

use serde::Deserialize;

/// `https://cloud.example.com`, without a slash at the end, so that paths can be put behind it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no base URL: write `https://name` or `http://name:port`");
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
        let rest = rest.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/' | '[' | ']' | '_' | '~');
        if rest.is_empty() || rest.starts_with([':', '/']) || !rest.chars().all(plain) {
            return Err(wrong());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl PublicUrl {
    /// Where Stripe's API is.
    #[must_use]
    pub fn stripe() -> Self {
        Self("https://api.stripe.com".to_owned())
    }

    /// Whether browsers reach it by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Scheme, name and port, as browsers name where a request comes from.
    #[must_use]
    pub fn origin(&self) -> &str {
        let begins = self.0.find("://").map_or(0, |at| at + "://".len());
        let ends = self.0.get(begins..).and_then(|rest| rest.find('/')).map_or(self.0.len(), |at| begins + at);
        self.0.get(..ends).unwrap_or(&self.0)
    }
}

impl PublicUrl {
    /// The name alone, or the address, as people know the place.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.origin().split_once("://").map_or("", |(_, rest)| rest);
        match rest.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or(rest),
            None => rest.split(':').next().unwrap_or(rest),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_is_taken_off_and_other_texts_are_refused() {
        let url = PublicUrl::try_from("https://cloud.example.com/".to_owned()).unwrap();
        assert_eq!(url.to_string(), "https://cloud.example.com");
        assert!(url.is_https());
        assert_eq!((url.origin(), url.host()), ("https://cloud.example.com", "cloud.example.com"));
        assert_eq!(PublicUrl::try_from("http://[::1]:80/a".to_owned()).unwrap().host(), "::1");
        let below = PublicUrl::try_from("http://127.0.0.1:8080/a/b".to_owned()).unwrap();
        assert_eq!((below.is_https(), below.origin()), (false, "http://127.0.0.1:8080"));
        for text in
            ["", "https://", "https:///x", "cloud.example.com", "javascript:alert(1)", "https://a b", "http://:80"]
        {
            assert!(PublicUrl::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
