//! `[stripe]`: where people top up by card.

use std::path::PathBuf;

use serde::Deserialize;

use super::PublicUrl;
use crate::domain::money::Cents;

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Stripe {
    /// Holds the secret key, on its first line.
    pub secret_key_file: PathBuf,
    /// Holds the webhook's signing secret; while it is changed, the old and the new one on a line each.
    pub webhook_secret_file: PathBuf,
    /// Where Stripe is.
    pub api_url: PublicUrl,
    /// The least that somebody pays in at once.
    pub least: Cents,
    /// The most.
    pub most: Cents,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    secret_key_file: PathBuf,
    webhook_secret_file: PathBuf,
    #[serde(default = "api_url")]
    api_url: PublicUrl,
    #[serde(default = "least")]
    least: String,
    #[serde(default = "most")]
    most: String,
}

fn api_url() -> PublicUrl {
    PublicUrl::stripe()
}

fn least() -> String {
    "5.00".to_owned()
}

fn most() -> String {
    "1000.00".to_owned()
}

impl TryFrom<Written> for Stripe {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { secret_key_file, webhook_secret_file, api_url, least, most } = written;
        let cents = |name, text: &str| text.parse::<Cents>().map_err(|why| format!("{name} {why}"));
        let (least, most) = (cents("least", &least)?, cents("most", &most)?);
        if least.is_zero() || least > most {
            return Err("least must be more than 0 and not more than most".to_owned());
        }
        // The key goes there with every request.
        if !api_url.is_https() && !["127.0.0.1", "::1", "localhost"].contains(&api_url.host()) {
            return Err("api_url must be https".to_owned());
        }
        Ok(Self { secret_key_file, webhook_secret_file, api_url, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Stripe, toml::de::Error> {
        toml::from_str(&format!("secret_key_file = \"/a\"\nwebhook_secret_file = \"/b\"\n{more}"))
    }

    #[test]
    fn a_section_has_its_bounds_and_sends_no_key_in_clear() {
        let section = read("").unwrap();
        assert_eq!(section.api_url.to_string(), "https://api.stripe.com");
        assert_eq!((section.least.get(), section.most.get()), (500, 100_000));
        assert!(read("api_url = \"http://127.0.0.1:8080\"").is_ok());
        for wrong in [
            "api_url = \"http://stripe.example.com\"",
            "least = \"0\"",
            "least = \"9.00\"\nmost = \"8.00\"",
            "most = \"1e3\"",
            "key = \"sk_live_x\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
