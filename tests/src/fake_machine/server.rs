//! What the host in memory holds of one server.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use csp_agent::machine::{Mark, OffCause, SeenBase, SeenDisk, SeenDomain, SeenState, SeenStray, SeenTap};
use csp_shared::{
    generation::DiskEpoch,
    mac::Mac,
    observed::{Fault, FaultCode},
    sha256::Sha256,
};

/// What a host holds of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeServer {
    /// Disks on the pool, each with how often it was booted: what is on it is worth keeping from one on.
    pub disks: BTreeMap<DiskEpoch, u32>,
    /// How large each disk is that was ever made.
    pub disk_gib: BTreeMap<DiskEpoch, u32>,
    /// The image that each disk stands on that was ever made.
    pub bases: BTreeMap<DiskEpoch, Sha256>,
    /// Disks in the trash.
    pub trash: BTreeMap<DiskEpoch, u32>,
    /// How often each epoch's disk was made. Never more than once after a boot.
    pub disks_made: BTreeMap<DiskEpoch, u32>,
    /// The seed.
    pub seed: Option<Mark>,
    /// Taps; lost with a reboot.
    pub taps: BTreeMap<Mac, SeenTap>,
    /// Taps that somebody marked as the server's by hand; lost with a reboot.
    pub strays: BTreeMap<String, SeenStray>,
    /// Filters; lost with a reboot.
    pub filters: Option<Mark>,
    /// Addresses that they let through, where there are some.
    pub own: BTreeSet<Ipv4Addr>,
    /// What its DHCP is answered from; lost with a reboot.
    pub dhcp: Option<Mark>,
    /// The domain.
    pub domain: Option<SeenDomain>,
    /// Adapters that the domain is defined with.
    pub defined_adapters: BTreeSet<Mac>,
    /// Adapters that the running guest has.
    pub adapters: BTreeSet<Mac>,
    /// Its QEMU runs.
    pub process: bool,
    /// How often it was started.
    pub starts: u32,
    /// It was asked to go down and did not yet.
    pub stop_asked: bool,
}

impl FakeServer {
    pub(super) fn go_off(&mut self, cause: OffCause) {
        self.process = false;
        self.stop_asked = false;
        self.adapters.clear();
        if let Some(domain) = self.domain.as_mut().filter(|domain| !matches!(domain.state, SeenState::Off(_))) {
            domain.state = SeenState::Off(cause);
        }
    }

    /// A guest that is in the one state comes into the other.
    pub(super) fn turns(&mut self, from: SeenState, to: SeenState) -> Result<(), Fault> {
        if let Some(domain) = self.domain.as_mut().filter(|domain| domain.state == from) {
            domain.state = to;
        }
        Ok(())
    }

    /// The disks that are there.
    pub(super) fn disks(&self) -> BTreeMap<DiskEpoch, SeenDisk> {
        let gib = |epoch| self.disk_gib.get(epoch).copied().unwrap_or_default();
        let base = |epoch| self.bases.get(epoch).copied().map_or(SeenBase::Nothing, SeenBase::Image);
        let disk = |epoch| SeenDisk::Sound { bytes: u64::from(gib(epoch)) << 30, base: base(epoch) };
        self.disks.keys().map(|epoch| (*epoch, disk(epoch))).collect()
    }

    pub(super) fn is_up(&self) -> bool {
        self.domain.is_some_and(|domain| !matches!(domain.state, SeenState::Off(_)))
    }

    pub(super) fn start(&mut self, images: &BTreeSet<Sha256>) -> Result<(), Fault> {
        let refused = |why: &str| Err(Fault::new(FaultCode::HypervisorRefused, why));
        let Some(domain) = &mut self.domain else { return refused("no such domain") };
        if domain.state == SeenState::Running {
            return Ok(());
        }
        let Some(boots) = self.disks.get_mut(&domain.epochs.disk) else { return refused("no such disk") };
        if self.bases.get(&domain.epochs.disk).is_some_and(|base| !images.contains(base)) {
            return refused("the disk's base is not there");
        }
        if self.process {
            return refused("the disk is locked by another process");
        }
        if self.seed.is_none() || self.taps.is_empty() || self.taps.values().any(|tap| *tap != SeenTap::CONNECTED) {
            return refused("no seed or tap");
        }
        domain.state = SeenState::Running;
        self.adapters.clone_from(&self.defined_adapters);
        *boots += 1;
        self.starts += 1;
        self.process = true;
        self.stop_asked = false;
        Ok(())
    }

    /// Taps of `macs`, plugged in; none is made for an adapter that the running guest has.
    pub(super) fn make_taps(&mut self, macs: &BTreeSet<Mac>) {
        if !self.is_up() {
            self.taps.retain(|mac, _| macs.contains(mac));
        }
        for mac in macs.iter().filter(|mac| !self.adapters.contains(mac)) {
            self.taps.entry(*mac).or_insert(SeenTap { plugged: true, up: false });
        }
        self.taps.iter_mut().filter(|(mac, _)| macs.contains(mac)).for_each(|(_, tap)| tap.plugged = true);
    }

    pub(super) fn attach(&mut self, mac: Mac) -> Result<(), Fault> {
        if !self.is_up() || self.taps.get(&mac) != Some(&SeenTap::CONNECTED) || self.filters.is_none() {
            return Err(Fault::new(FaultCode::Internal, "an adapter plugged into nothing, or unfiltered"));
        }
        self.adapters.insert(mac);
        Ok(())
    }

    /// A guest that does not obey keeps its adapter.
    pub(super) fn detach(&mut self, mac: Mac, obeys: bool) {
        if obeys {
            self.adapters.remove(&mac);
            self.taps.remove(&mac);
        }
    }

    /// What is no tap of `macs` is disconnected, and removed unless the running guest holds it.
    pub(super) fn cut_off(&mut self, macs: &BTreeSet<Mac>) {
        let is_held = self.is_up();
        self.taps.retain(|mac, _| is_held || macs.contains(mac));
        let others = self.taps.iter_mut().filter(|(mac, _)| !macs.contains(mac));
        others.for_each(|(_, tap)| *tap = SeenTap { plugged: false, up: false });
        self.strays.retain(|_, stray| !stray.removable);
        self.strays.values_mut().for_each(|stray| stray.connected = false);
    }
}
