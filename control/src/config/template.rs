//! The configuration that `csp-control init` writes: every setting, each with what it is for.

use std::path::Path;

/// What the operator decided on the command line.
#[derive(Debug, Clone)]
pub struct Choices<'a> {
    /// Holds database and keys.
    pub data_dir: &'a Path,
    /// Socket of the operator API.
    pub socket: &'a Path,
    /// How customers reach the API.
    pub public_url: &'a str,
    /// Where the API listens.
    pub api_listen: &'a str,
    /// Where hosts connect.
    pub fleet_listen: &'a str,
    /// How hosts reach it; None leaves the setting to be filled in.
    pub advertise: Option<&'a str>,
}

/// The file's text.
#[must_use]
pub fn render(choices: &Choices<'_>) -> String {
    let advertise = match choices.advertise {
        Some(address) => format!("advertise = {}", quoted(address)),
        None => "# advertise = \"control.example.com:7443\"".to_owned(),
    };
    format!(
        r##"# Configuration of csp-control. A field that is unknown or wrong stops the start and is named with its line.

# Holds the database (control.db) and the keys. Back it up as a whole; keep it from other users.
data_dir = {data_dir}
# How customers reach the API. Every URL in an answer begins with it.
public_url = {public_url}

[api]
# Plain HTTP for a reverse proxy that does TLS. "fd:NAME" takes a socket that systemd passes under that name.
listen = {api_listen}
# Proxies that are believed when they name the client in X-Forwarded-For, as networks. A proxy must append the address
# that it sees, not hand on what the client wrote; what is no address there is refused. Empty when clients connect
# directly.
trusted_proxies = ["127.0.0.1/32", "::1/128"]
# Connections at once, in all and of one address that is no trusted proxy.
connections_max = 4096
connections_per_address_max = 256

[fleet]
# Where the agents of the hosts connect, with mutual TLS and pinned keys.
listen = {fleet_listen}
# Under which name and port hosts reach it: printed in the line that `csp-control host add` prints.
{advertise}

[operator]
# Where other machines, a payment provider's webhook bridge for example, send their requests with a token of
# `csp-control operator-token create`. Plain HTTP for a reverse proxy that does TLS; "fd:NAME" as above.
# listen = "127.0.0.1:8081"
# Unix socket of the commands (`csp-control account`, `host`, ...), for root and the service's group.
socket = {socket}

[log]
# "text" for people, "json" for machines.
format = "text"
# "error", "warn", "info", "debug" or "trace".
level = "info"

[orders]
# An order that is not running after this many minutes fails and is refunded.
provision_timeout_minutes = 30
# How many minutes an address rests after its host has proved that it is unused.
quarantine_minutes = 60

[billing]
# How many days a server is kept that was suspended because its paid time ended; at most 27. Then it is deleted.
grace_days = 7
# What a destroyed server gives back of its paid time: "none", "unstarted" (periods that have not begun) or "prorata".
destroy_credit = "unstarted"
# After so many hours without a look at the clock, or a jump of it by as much, nothing is renewed, suspended or deleted
# until `csp-control scheduler resume`.
clock_jump_hours = 72
# How many extra addresses one account may add in 24 hours; what was removed again counts, too.
extra_ips_a_day = 5
# For how many years the books must say whose a closed account was: ask whoever does your taxes. Then its name and mail
# address are forgotten, too.
books_kept_years = 10

# Letters to customers: reminders before their servers are suspended or deleted, and new prices. Without this section none
# are written, and the event in a customer's account counts as the reminder.
# [mail]
# server = "mail.example.com:587"
# "starttls", "tls" (usually port 465), or "none" for a relay on this machine.
# tls = "starttls"
# from = "Example Hosting <billing@example.com>"
# user = "billing"
# The password on its first line, readable for the service's user alone.
# password_file = "/etc/csp/mail-password"

# Whose panel it is. Text in the colours must be readable: `accent` on white, `accent_dark` on dark.
[brand]
name = "Customer panel"
accent = "#1a5fd0"
accent_dark = "#7db0ff"
# An SVG, PNG or WebP file, read when the service starts.
# logo = "/etc/csp/logo.svg"
# A mail address or a page.
# support = "support@example.com"
# terms_url = "https://example.com/terms"
# privacy_url = "https://example.com/privacy"
# imprint_url = "https://example.com/imprint"

# Top-ups by card, on pages of Stripe's (Checkout). Give Stripe the webhook https://your.name/webhooks/stripe for the events
# checkout.session.completed, .async_payment_succeeded, .async_payment_failed and .expired, charge.refunded,
# charge.dispute.created, .funds_withdrawn and .closed. Use an account of Stripe's that takes payments for csp alone.
# [stripe]
# The secret key, and the webhook's signing secret, each on the first line of a file of the service's user alone. While the
# signing secret is changed, both stand there, a line each.
# secret_key_file = "/etc/csp/stripe-key"
# webhook_secret_file = "/etc/csp/stripe-webhook-secret"
# The least and the most that somebody pays in at once, USD.
# least = "5.00"
# most = "1000.00"

# Who may open an account: "closed", "invitation" (of `csp-control person invite`), "approval" (everybody, once
# `csp-control person approve` says so) or "open". Needs [mail]: an address counts once a letter to it was followed.
[sign_up]
mode = "closed"
# Which terms whoever signs up accepts; the version is kept with the time.
# terms_version = "2026-06"

[account_limits]
# How many of each thing an account may have; `csp-control account limits` gives one account other numbers.
servers = 25
share_links = 250
private_networks = 25
ssh_keys = 100
api_keys = 50

[rate_limits]
# Requests a minute; a minute's worth may come at once. An IPv6 /64 counts as one address.
key_per_minute = 600
address_per_minute = 1200
# From one address without a key that works. Keys that work go on from there.
failed_sign_ins_per_minute = 20
# Passwords that are tried for one mail address, from where its owner never signed in; and as many more from each other place.
passwords_per_person_per_minute = 5
"##,
        data_dir = quoted(&choices.data_dir.display().to_string()),
        public_url = quoted(choices.public_url),
        api_listen = quoted(choices.api_listen),
        fleet_listen = quoted(choices.fleet_listen),
        socket = quoted(&choices.socket.display().to_string()),
    )
}

/// A TOML string, escaped by the serializer.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_example_of_the_documentation_is_what_init_writes() {
        let choices = Choices {
            data_dir: Path::new("/var/lib/csp-control"),
            socket: Path::new("/run/csp-control/operator.sock"),
            public_url: "http://127.0.0.1:8080",
            api_listen: "127.0.0.1:8080",
            fleet_listen: "0.0.0.0:7443",
            advertise: None,
        };
        assert_eq!(render(&choices), include_str!("../../../docs/examples/control.toml"));
    }

    #[test]
    fn the_template_is_a_configuration_with_the_defaults() {
        let choices = Choices {
            data_dir: Path::new("/var/lib/a \"quoted\" place"),
            socket: Path::new("/run/csp/operator.sock"),
            public_url: "http://127.0.0.1:8080",
            api_listen: "127.0.0.1:8080",
            fleet_listen: "0.0.0.0:7443",
            advertise: None,
        };
        let config = Config::parse(&render(&choices), "template").unwrap();
        assert_eq!(config.data_dir, choices.data_dir);
        assert_eq!((&config.fleet.advertise, &config.mail), (&None, &None));
        assert_eq!((config.log, config.orders), Default::default());
        assert_eq!((config.account_limits, config.rate_limits, config.billing, config.sign_up), Default::default());
        assert_eq!(config.brand, Default::default());
        let connections = (config.api.connections_max, config.api.connections_per_address_max);
        assert_eq!(connections, (4096, 256));
        assert_eq!(config.api.trusted_proxies, crate::config::loopback());
        let named = Choices { advertise: Some("control.example.com:7443"), ..choices };
        let config = Config::parse(&render(&named), "template").unwrap();
        assert_eq!(config.fleet.advertise.unwrap().as_str(), "control.example.com:7443");
    }
}
