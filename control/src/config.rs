//! The configuration file: what `csp-control serve` is told, parsed once into values that cannot be wrong.
//!
//! Settings come from this file alone, never from the environment, so that a program's behaviour is written down in
//! one place. A field that is unknown or wrong stops the start and is named with its line: a typing error that is
//! silently skipped is found months later, on the day that its setting was meant for.

pub mod account_limits;
pub mod billing;
pub mod brand;
pub mod listen;
pub mod mail;
pub mod rate_limits;
pub mod sign_up;
pub mod stripe;
pub mod template;
pub mod toml_text;
pub mod url;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::Deserialize;

pub use self::{
    account_limits::AccountLimits, billing::Billing, brand::Brand, listen::Listen, mail::Mail, rate_limits::RateLimits,
    sign_up::SignUpRules, stripe::Stripe, url::PublicUrl,
};

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/csp/control.toml";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Holds the database and the keys.
    pub data_dir: PathBuf,
    /// How customers reach the API; every URL in an answer begins with it.
    pub public_url: PublicUrl,
    /// The customer API.
    pub api: Api,
    /// The hosts' side.
    pub fleet: Fleet,
    /// The operator's side.
    pub operator: Operator,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
    /// Bounds of an order.
    #[serde(default)]
    pub orders: Orders,
    /// The life of services.
    #[serde(default)]
    pub billing: Billing,
    /// The server that takes letters to customers; without it none are written.
    pub mail: Option<Mail>,
    /// Whose panel it is.
    #[serde(default)]
    pub brand: Brand,
    /// Where people pay by card; without it they cannot.
    pub stripe: Option<Stripe>,
    /// Who may open an account.
    #[serde(default)]
    pub sign_up: SignUpRules,
    /// How many of each thing an account may usually have.
    #[serde(default)]
    pub account_limits: AccountLimits,
    /// How often a customer may ask.
    #[serde(default)]
    pub rate_limits: RateLimits,
}

/// `[api]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Plain HTTP; TLS is the reverse proxy's part.
    pub listen: Listen,
    /// Proxies that are believed when they name the client in `X-Forwarded-For`.
    #[serde(default = "loopback")]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at once; more wait to be accepted.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Connections at once of one address that is no trusted proxy; more are closed.
    #[serde(default = "connections_per_address_max")]
    pub connections_per_address_max: usize,
}

fn connections_max() -> usize {
    4096
}

fn connections_per_address_max() -> usize {
    256
}

/// This machine, which is where the reverse proxy usually runs.
fn loopback() -> Vec<IpNet> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(IpNet::from).to_vec()
}

/// `[fleet]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Where hosts connect, with mutual TLS.
    pub listen: Listen,
    /// `host:port` under which hosts reach `listen`; printed in the line that `host add` prints.
    pub advertise: Option<Advertise>,
}

/// `[operator]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Unix socket of the operator API, for root and the service's group.
    pub socket: PathBuf,
    /// Where other machines reach the part of it that tokens open; nowhere when it is left out.
    #[serde(default)]
    pub listen: Option<Listen>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is worth a line.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// The least important line that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the five words that every logger has")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `[orders]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Orders {
    /// An order that is not running after this many minutes fails and is refunded; 1 to 1440.
    #[serde(deserialize_with = "minutes")]
    pub provision_timeout_minutes: u32,
    /// How many minutes an address rests after its host has proved that it is unused; at most 43,200 (30 days).
    #[serde(deserialize_with = "minutes_or_none")]
    pub quarantine_minutes: u32,
}

impl Default for Orders {
    fn default() -> Self {
        Self { provision_timeout_minutes: 30, quarantine_minutes: 60 }
    }
}

/// `host:port`, as another machine types it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Advertise(String);

impl Advertise {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the port, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(self.0.as_str(), |(host, _)| host);
        host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
    }

    /// The port; not 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }
}

impl TryFrom<String> for Advertise {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address that a host could dial: write `name:port` or `[ipv6]:port`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port_fits = port.parse::<u16>().is_ok_and(|port| port > 0);
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host_fits = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok_and(|address| !address.is_unspecified()),
            // Letters of a name or an IPv4 address. Printed into a line that is pasted into a shell, so nothing else.
            None => {
                !host.is_empty()
                    && host.parse::<std::net::Ipv4Addr>().map_or(true, |address| !address.is_unspecified())
                    && !host.starts_with('-')
                    && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            }
        };
        if port_fits && host_fits { Ok(Self(text)) } else { Err(wrong()) }
    }
}

fn minutes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bounded(deserializer, 1, 1_440)
}

fn minutes_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bounded(deserializer, 0, 43_200)
}

fn bounded<'de, D: serde::Deserializer<'de>>(deserializer: D, least: u32, most: u32) -> Result<u32, D::Error> {
    let minutes = u32::deserialize(deserializer)?;
    if (least..=most).contains(&minutes) {
        Ok(minutes)
    } else {
        Err(serde::de::Error::custom(format!("{minutes} is not between {least} and {most} minutes")))
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {} (`csp-control init` writes one, `--config` names another)", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("the configuration cannot be used: {0}")]
    Toml(toml_text::TomlFault),
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that is not understood: with file, line and field.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Self::parse(&text, &file.display().to_string()).map_err(ConfigError::Toml)
    }

    /// Reads the text of a file called `name`.
    ///
    /// # Errors
    /// When it says something that is not understood: with line and field.
    pub fn parse(text: &str, name: &str) -> Result<Self, toml_text::TomlFault> {
        toml_text::parse(text, name)
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("control.db")
    }

    /// The samples' file. May be lost.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.data_dir.join("metrics.db")
    }

    /// The key of what is sealed in the database.
    #[must_use]
    pub fn vault_key(&self) -> PathBuf {
        self.keys().join("vault.key")
    }

    /// The folder of the control plane's own keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.data_dir.join("keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
data_dir = "/var/lib/csp"
public_url = "https://cloud.example.com"

[api]
listen = "127.0.0.1:8080"

[fleet]
listen = "0.0.0.0:7443"
advertise = "control.example.com:7443"

[operator]
socket = "/run/csp/operator.sock"

[log]
format = "json"

[orders]
provision_timeout_minutes = 5
"#;

    #[test]
    fn a_whole_file_is_read_and_what_is_left_out_has_its_default() {
        let config = Config::parse(WHOLE, "control.toml").unwrap();
        assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Info });
        assert_eq!(config.orders.provision_timeout_minutes, 5);
        assert_eq!(config.orders.quarantine_minutes, Orders::default().quarantine_minutes);
        assert_eq!(config.api.trusted_proxies, loopback());
        assert_eq!(config.database(), Path::new("/var/lib/csp/control.db"));
    }

    #[test]
    fn each_unknown_or_wrong_field_is_named_with_its_line() {
        let table = [
            ("format = \"json\"", "fromat = \"json\"", "line 16", "unknown field `fromat`"),
            ("format = \"json\"", "format = \"xml\"", "line 16", "log.format"),
            ("data_dir = \"/var/lib/csp\"", "", "", "missing field `data_dir`"),
            ("socket = \"/run/csp/operator.sock\"", "", "line 12", "missing field `socket`"),
            ("= 5", "= 0", "line 19", "orders.provision_timeout_minutes"),
            ("= 5", "= \"5\"", "line 19", "orders.provision_timeout_minutes"),
            ("= 5", "= ", "line 19", ""),
            ("listen = \"127.0.0.1:8080\"", "listen = \"127.0.0.1\"", "line 6", "api.listen"),
            ("listen = \"127.0.0.1:8080\"", "listen = \"fd:\"", "line 6", "api.listen"),
            ("control.example.com:7443", "control.example.com", "line 10", "fleet.advertise"),
            ("control.example.com:7443", "$(reboot):7443", "line 10", "fleet.advertise"),
            ("control.example.com:7443", "0.0.0.0:7443", "line 10", "fleet.advertise"),
            ("https://cloud.example.com", "ftp://cloud.example.com", "line 3", "public_url"),
            ("[log]", "[logs]", "line 15", "unknown field `logs`"),
        ];
        for (from, to, line, name) in table {
            let text = WHOLE.replacen(from, to, 1);
            assert_ne!(text, WHOLE, "{from}");
            let fault = Config::parse(&text, "control.toml").unwrap_err().to_string();
            assert!(fault.contains(line) && fault.contains(name), "{to}: {fault}");
            assert!(fault.starts_with("control.toml") && !fault.contains('\n'), "{to}: {fault}");
        }
    }
}
