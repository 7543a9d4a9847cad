//! The namespace called the internet: the public range's gateway, the hosts' management network, and the clients.

use std::{process::Command, time::Duration};

use crate::{
    error::Result,
    layout::{GATEWAY, HostLayout, Layout, MANAGEMENT, MANAGEMENT_INTERFACE, PUBLIC_BRIDGE, TRUNK_INTERFACE},
    process,
    tool::{bounded, output},
    wait,
};

const SECONDS: u32 = 15;
/// The kernel takes a namespace apart in the background.
const CABLES_LIMIT: Duration = Duration::from_secs(15);
const PUBLIC: &str = "br-inet";
const MANAGED: &str = "br-mgmt";
/// A switch that carries every tag: a bridge that does not look at them.
const TRUNKS: &str = "br-trunk";

fn ip(words: &[&str]) -> Result<()> {
    output(&mut bounded(SECONDS, ["ip"].iter().chain(words))).map(drop)
}

/// Makes the namespace with its bridges, and the gateway addresses of two of them.
///
/// # Errors
/// When the kernel refuses, most often since a lab of this folder is up.
pub fn create(layout: &Layout) -> Result<()> {
    let name = layout.internet();
    ip(&["netns", "add", &name])?;
    ip(&["-n", &name, "link", "set", "lo", "up"])?;
    for (bridge, address) in [(PUBLIC, Some(GATEWAY)), (MANAGED, Some(MANAGEMENT)), (TRUNKS, None)] {
        ip(&["-n", &name, "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
        if let Some(address) = address {
            ip(&["-n", &name, "address", "add", &format!("{address}/24"), "dev", bridge])?;
        }
        ip(&["-n", &name, "link", "set", bridge, "up"])?;
    }
    Ok(())
}

/// Makes a host's network namespace and wires it: its public bridge has an uplink into the public range and, as on a
/// real host, no address; its own address is on the management network.
///
/// # Errors
/// When the kernel refuses.
pub fn connect(layout: &Layout, host: &HostLayout) -> Result<()> {
    let (internet, netns) = (layout.internet(), &host.netns);
    ip(&["netns", "add", netns])?;
    ip(&["-n", netns, "link", "set", "lo", "up"])?;
    for (bridge, near, far) in [
        (PUBLIC, "uplink", format!("pub-{}", host.name())),
        (MANAGED, MANAGEMENT_INTERFACE, format!("mgmt-{}", host.name())),
        (TRUNKS, TRUNK_INTERFACE, format!("trunk-{}", host.name())),
    ] {
        ip(&["-n", netns, "link", "add", near, "type", "veth", "peer", "name", &far, "netns", &internet])?;
        ip(&["-n", &internet, "link", "set", &far, "master", bridge, "up"])?;
    }
    ip(&["-n", netns, "link", "add", PUBLIC_BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0"])?;
    ip(&["-n", netns, "link", "set", "uplink", "master", PUBLIC_BRIDGE, "up"])?;
    ip(&["-n", netns, "link", "set", PUBLIC_BRIDGE, "up"])?;
    ip(&["-n", netns, "address", "add", &format!("{}/24", host.address()), "dev", MANAGEMENT_INTERFACE])?;
    ip(&["-n", netns, "link", "set", MANAGEMENT_INTERFACE, "up"])
}

/// Takes a host's network away, and waits until the kernel has: its cables could not be laid anew before.
///
/// # Errors
/// When the kernel refuses, or takes too long.
pub fn disconnect(layout: &Layout, host: &HostLayout) -> Result<()> {
    if process::named(&host.netns).is_some() {
        remove(&host.netns)?;
    }
    let internet = layout.internet();
    let far = ["pub", "mgmt", "trunk"].map(|cable| format!("{cable}-{}@", host.name()));
    wait::until(&format!("the cables of {} to go", host.name()), CABLES_LIMIT, None, || {
        let links = output(&mut bounded(SECONDS, ["ip", "-n", &internet, "-o", "link", "show"]))?;
        Ok((!far.iter().any(|far| links.contains(far))).then_some(()))
    })
}

/// Removes a namespace and with it all that was made in it.
///
/// # Errors
/// When the kernel refuses.
pub fn remove(name: &str) -> Result<()> {
    ip(&["netns", "delete", name])
}

/// A command that runs in the internet, on the machine's own files.
#[must_use]
pub fn enter(layout: &Layout, seconds: Option<u32>) -> Command {
    let namespace = format!("--net=/run/netns/{}", layout.internet());
    match seconds {
        Some(seconds) => bounded(seconds, ["nsenter", &namespace, "--"]),
        None => {
            let mut command = Command::new("nsenter");
            command.args([&namespace, "--"]);
            command
        }
    }
}
