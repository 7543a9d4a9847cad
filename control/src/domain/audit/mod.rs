//! Compares what the store says with what is on the hosts, and names every difference with its cure. Pure.
//!
//! Both sides are snapshots of a world that moves, so a difference alone proves nothing: one that work under way will
//! end is told apart ([`Finding::in_motion`]). And "not seen" is not "absent": a host that did not answer, or a part of it
//! that could not be looked at, is itself a finding and the only one about it.
//!
//! ```text
//! books     the store by itself: places, leases, actions, wallets
//! present   servers that are to be there, on their host
//! gone      servers that are to be gone, on their host
//! networks  private networks on their hosts
//! stray     things on a host that no server explains, and addresses that two guests may use
//! ```

mod books;
mod finding;
mod gone;
mod host_view;
mod networks;
mod present;
mod stray;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_shared::{
    audit::Holding,
    generation::Version,
    id::{AccountId, HostId, ServerId},
    mac::Mac,
    observed::Observed,
    spec::{Desired, ServerSpec},
};

use self::host_view::HostView;
pub use self::{
    finding::{Finding, Kind, Severity},
    networks::NetworkSide,
};
use super::{action::Command, server::ServiceStatus};

/// All that is compared.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Every host that should answer, or did.
    pub hosts: Vec<HostSide>,
    /// Every server on every host that it was ever placed on.
    pub servers: Vec<ServerSide>,
    /// Every address that is not free.
    pub leases: Vec<LeaseSide>,
    /// Every private network on every host that was ever told of it.
    pub networks: Vec<NetworkSide>,
    /// Wallets whose balance is not the sum of their movements: cents in the wallet, cents moved.
    pub wallets: Vec<(AccountId, i64, i64)>,
}

/// A host, and what it said is on it.
#[derive(Clone, Debug)]
pub struct HostSide {
    /// Which one.
    pub host: HostId,
    /// For people.
    pub name: String,
    /// Everything on it, or why nothing is known.
    pub answer: Result<Vec<Holding>, String>,
}

/// A server on a host, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSide {
    /// Which server.
    pub server: ServerId,
    /// On which host.
    pub host: HostId,
    /// Where the service stands.
    pub service: ServiceStatus,
    /// What the host owes it.
    pub place: Place,
    /// What was sold.
    pub sold: Size,
    /// What is kept for it on the host.
    pub kept: Size,
    /// What it should be there.
    pub desired: Option<Desired>,
    /// What the host last reported.
    pub observed: Option<Observed>,
    /// Actions that have not ended.
    pub open: Vec<(Command, Version)>,
    /// The store changed it while the hosts were looked at.
    pub changed: bool,
}

/// How much of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Processors.
    pub cpus: u64,
    /// Memory.
    pub ram_mib: u64,
    /// Disk.
    pub disk_gib: u64,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} vCPU, {} MiB of memory and {} GiB of disk", self.cpus, self.ram_mib, self.disk_gib)
    }
}

/// What a host owes a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is there.
    Active,
    /// It is to be gone, and that is not proved.
    Held,
    /// It is proved gone.
    Released,
}

/// An address in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSide {
    /// The address.
    pub address: Ipv4Addr,
    /// Whose.
    pub server: ServerId,
    /// How.
    pub state: Hold,
    /// Where its server gave it up and goes on: the version of the spec that lacks it.
    pub gone: Option<Version>,
}

/// How an address is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Its server may speak with it.
    Leased,
    /// Its server is to be gone; the host has not proved it.
    Held,
    /// Proved unused; waits for the end of its quarantine.
    Resting,
}

impl ServerSide {
    /// Whether work on it is under way, so that a difference may end by itself. What a host says that it cannot do is no
    /// work under way, whatever is still asked of it.
    fn is_moving(&self) -> bool {
        let wanted = self.desired.as_ref().map(Desired::version);
        let seen = self.observed.as_ref();
        let is_behind = seen.is_none_or(|seen| Some(seen.accepted) < wanted);
        let has_fault = seen.is_some_and(|seen| seen.fault.is_some());
        let is_busy = seen.is_some_and(|seen| seen.activity.is_some());
        let is_asked = !self.open.is_empty() || self.place == Place::Held;
        self.changed || (is_asked && (is_behind || !has_fault)) || (is_busy && !has_fault)
    }

    /// What it should be on a host that has not yet been told of its end.
    fn spec(&self) -> Option<&ServerSpec> {
        match &self.desired {
            Some(Desired::Present(spec)) if self.place == Place::Active => Some(spec),
            _ => None,
        }
    }
}

/// Every difference, hosts in their order and the worst first on each; nothing when all is as it should be.
#[must_use]
pub fn audit(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    let names: BTreeMap<HostId, &str> = world.hosts.iter().map(|side| (side.host, side.name.as_str())).collect();
    books::compare(world, &names, &mut found);
    let mut views = Vec::new();
    for side in &world.hosts {
        match &side.answer {
            Ok(holdings) => views.push(HostView::new(side, holdings)),
            Err(why) => found.push(silent(side, why)),
        }
    }
    for view in &views {
        view.unseen(&mut found);
        let here: Vec<&ServerSide> = world.servers.iter().filter(|server| server.host == view.host).collect();
        for server in &here {
            match server.spec() {
                Some(spec) => present::compare(server, spec, view, &mut found),
                None => gone::compare(server, view, &mut found),
            }
        }
        let private: Vec<&NetworkSide> = world.networks.iter().filter(|side| side.host == view.host).collect();
        networks::compare(&private, view, &mut found);
        let known: BTreeSet<ServerId> = here.iter().map(|server| server.server).collect();
        let up = here.iter().filter(|server| view.is_up(server.server)).filter_map(|server| server.spec());
        let cables: BTreeSet<Mac> = up.flat_map(|spec| &spec.nics).map(|nic| nic.mac.of_tap()).collect();
        stray::compare(view, &known, &cables, &mut found);
        stray::guard(view, &mut found);
    }
    stray::addresses(&views, &mut found);
    found.sort_by(|a, b| (&a.host, b.severity(), a.server, a.kind).cmp(&(&b.host, a.severity(), b.server, b.kind)));
    found
}

fn silent(side: &HostSide, why: &str) -> Finding {
    let name = &side.name;
    Finding::new(Kind::HostSilent, Some(name), None, "host")
        .what(format!("host {name} {why}: nothing is known about it"))
        .cure(format!(
            "see that {name} is on and reaches the control plane: there, `systemctl status csp-agent` and `csp-agent check`"
        ))
}

#[cfg(test)]
mod tests;
