//! One row for each route: what is sent to it so that it works, and whose things it is about.
//!
//! The routes come from the document, so one without a row fails the test; a row without a route does too.

use serde_json::{Value, json};

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The account as a whole, or what is everybody's.
    Nothing,
    /// A server of the account.
    Server,
    /// An SSH key of the account.
    SshKey,
    /// An extra address of the account's server.
    ExtraIp,
    /// Another one, that no other row takes away.
    OtherExtraIp,
    /// Something that was asked of a server of the account.
    Action,
    /// A private network of the account that nobody is in.
    Network,
    /// One that the server is in.
    JoinedNetwork,
    /// A management link of a server of the account.
    ShareLink,
}

/// One route, and a request to it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub route: (&'static str, &'static str),
    pub names: Names,
    /// The body of a request that its owner succeeds with.
    pub body: fn() -> Value,
}

const fn row(method: &'static str, path: &'static str, names: Names, body: fn() -> Value) -> Row {
    Row { route: (method, path), names, body }
}

fn none() -> Value {
    Value::Null
}

fn order() -> Value {
    json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "another"})
}

fn ssh_key() -> Value {
    // Another one than the account has: its last byte differs.
    let public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g";
    json!({"label": "Second", "public_key": public_key})
}

fn reinstall() -> Value {
    json!({"os_image_key": "debian-12"})
}

fn package() -> Value {
    json!({"package_slug": "edge"})
}

pub fn share_link() -> Value {
    json!({"permissions": {"restart": true}})
}

fn settings() -> Value {
    json!({"hostname": "renamed", "labels": {"role": "web"}})
}

fn network() -> Value {
    json!({"name": "Another"})
}

/// `{server}` stands for the server of the scene.
fn attachment() -> Value {
    json!({"server_uuid": "{server}"})
}

/// `{other}` stands for the other server of the scene.
fn target() -> Value {
    json!({"target_server_uuid": "{other}"})
}

fn label() -> Value {
    json!({"label": "Renamed"})
}

/// Routes that anybody may ask, and why.
pub const OPEN: &[(&str, &str, &str)] = &[("GET", "/openapi.json", "the description of the API is everybody's")];

/// Every other route. Those that end a thing come last among those that name it.
pub const ROWS: &[Row] = &[
    row("GET", "/account", Names::Nothing, none),
    row("GET", "/balance", Names::Nothing, none),
    row("GET", "/transactions", Names::Nothing, none),
    row("GET", "/statements", Names::Nothing, none),
    row("GET", "/statements/{month}", Names::Nothing, none),
    row("GET", "/locations", Names::Nothing, none),
    row("GET", "/packages", Names::Nothing, none),
    row("GET", "/packages/{uuid_or_slug}", Names::Nothing, none),
    row("GET", "/os-images", Names::Nothing, none),
    row("GET", "/notices", Names::Nothing, none),
    row("GET", "/ssh-keys", Names::Nothing, none),
    row("POST", "/ssh-keys", Names::Nothing, ssh_key),
    row("PATCH", "/ssh-keys/{uuid}", Names::SshKey, label),
    row("DELETE", "/ssh-keys/{uuid}", Names::SshKey, none),
    row("GET", "/servers", Names::Nothing, none),
    row("POST", "/servers", Names::Nothing, order),
    row("GET", "/servers/{uuid}", Names::Server, none),
    row("PATCH", "/servers/{uuid}", Names::Server, settings),
    row("GET", "/servers/{uuid}/metrics", Names::Server, none),
    row("GET", "/servers/{uuid}/traffic", Names::Server, none),
    row("GET", "/servers/{uuid}/actions", Names::Server, none),
    row("GET", "/private-networks", Names::Nothing, none),
    row("GET", "/private-networks/subnets", Names::Nothing, none),
    row("POST", "/private-networks", Names::Nothing, network),
    row("GET", "/private-networks/{uuid}", Names::JoinedNetwork, none),
    row("PATCH", "/private-networks/{uuid}", Names::Network, network),
    row("POST", "/private-networks/{uuid}/attach", Names::Network, attachment),
    row("DELETE", "/private-networks/{uuid}/members/{membership_id}", Names::JoinedNetwork, none),
    row("DELETE", "/private-networks/{uuid}", Names::JoinedNetwork, none),
    row("GET", "/actions", Names::Nothing, none),
    row("GET", "/actions/{uuid}", Names::Action, none),
    row("GET", "/events", Names::Nothing, none),
    row("POST", "/servers/{uuid}/console", Names::Server, none),
    row("POST", "/servers/{uuid}/reset-password", Names::Server, none),
    row("GET", "/servers/{uuid}/share-links", Names::Server, none),
    row("POST", "/servers/{uuid}/share-links", Names::Server, share_link),
    row("DELETE", "/servers/{uuid}/share-links/{link_uuid}", Names::ShareLink, none),
    row("POST", "/servers/{uuid}/extend", Names::Server, none),
    row("POST", "/servers/{uuid}/restart", Names::Server, none),
    row("POST", "/servers/{uuid}/stop", Names::Server, none),
    row("POST", "/servers/{uuid}/start", Names::Server, none),
    row("GET", "/servers/{uuid}/extra-ips", Names::Server, none),
    row("POST", "/servers/{uuid}/extra-ips", Names::Server, none),
    row("POST", "/servers/{uuid}/extra-ips/{ip_uuid}/move", Names::ExtraIp, target),
    row("DELETE", "/servers/{uuid}/extra-ips/{ip_uuid}", Names::OtherExtraIp, none),
    row("POST", "/servers/{uuid}/reinstall", Names::Server, reinstall),
    row("POST", "/servers/{uuid}/change-package", Names::Server, package),
    row("POST", "/servers/{uuid}/destroy", Names::Server, none),
];
