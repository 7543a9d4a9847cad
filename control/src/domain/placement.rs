//! Which host takes a new server, and whether a location can take one at all.

use csp_shared::{id::HostId, spec::CpuUse};

/// What a server needs of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Virtual processors.
    pub cpus: u32,
    /// MiB.
    pub ram_mib: u64,
    /// GiB.
    pub disk_gib: u64,
    /// Shared or dedicated.
    pub cpu_use: CpuUse,
}

/// A host that is in service and heard of, with what is promised on it: servers placed and servers held alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLoad {
    /// Which host.
    pub host: HostId,
    /// Hosts of the dedicated class take one server each, those of the shared class no dedicated one.
    pub class: CpuUse,
    /// Virtual processors that may be promised: the host's own times its over-commit.
    pub cpus: u32,
    /// MiB; memory is never promised twice.
    pub ram_mib: u64,
    /// GiB; disk is never promised twice.
    pub disk_gib: u64,
    /// Promised so far.
    pub promised: Promised,
}

/// What is promised on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promised {
    /// Servers.
    pub servers: u32,
    /// Virtual processors.
    pub cpus: u32,
    /// MiB.
    pub ram_mib: u64,
    /// GiB.
    pub disk_gib: u64,
}

impl HostLoad {
    /// Whether the server fits.
    #[must_use]
    pub fn has_room(&self, need: &Need) -> bool {
        let fits = self.promised.cpus.saturating_add(need.cpus) <= self.cpus
            && self.promised.ram_mib.saturating_add(need.ram_mib) <= self.ram_mib
            && self.promised.disk_gib.saturating_add(need.disk_gib) <= self.disk_gib;
        let alone = need.cpu_use == CpuUse::Shared || self.promised.servers == 0;
        self.class == need.cpu_use && fits && alone
    }
}

/// The host with the most memory left, so that load spreads; the oldest among equals, so that the choice is stable.
#[must_use]
pub fn choose<'a>(hosts: &'a [HostLoad], need: &Need) -> Option<&'a HostLoad> {
    hosts
        .iter()
        .filter(|host| host.has_room(need))
        .min_by_key(|host| (std::cmp::Reverse(host.ram_mib.saturating_sub(host.promised.ram_mib)), host.host))
}

/// What a location has to give: its hosts with their loads, and an address that is free, if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room<A> {
    /// Hosts in service.
    pub hosts: Vec<HostLoad>,
    /// One that a new server would get.
    pub address: Option<A>,
}

/// Why a location cannot take a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// No host has what it needs.
    Host,
    /// A host would, but no address is free.
    Address,
}

impl<A> Room<A> {
    /// Where the server would be, and with which address. Orders and what packages say of themselves both ask here, so
    /// that what is shown as available is what an order would find.
    ///
    /// # Errors
    /// With what is lacking.
    pub fn place(&self, need: &Need) -> Result<(HostId, &A), NoRoom> {
        let host = choose(&self.hosts, need).ok_or(NoRoom::Host)?.host;
        self.address.as_ref().map(|address| (host, address)).ok_or(NoRoom::Address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn host(id: u128, ram_mib: u64, servers: u32) -> HostLoad {
        let promised = Promised { servers, ..Promised::default() };
        HostLoad { host: HostId(Uuid::from_u128(id)), class: CpuUse::Shared, cpus: 8, ram_mib, disk_gib: 100, promised }
    }
    const NEED: Need = Need { cpus: 2, ram_mib: 1024, disk_gib: 20, cpu_use: CpuUse::Shared };

    #[test]
    fn the_emptiest_host_is_chosen_and_a_full_one_never() {
        let hosts = [host(1, 2048, 0), host(2, 4096, 0), host(3, 4096, 0), host(4, 512, 0)];
        assert_eq!(choose(&hosts, &NEED).map(|h| h.host), Some(HostId(Uuid::from_u128(2))));
        assert_eq!(choose(&hosts[3..], &NEED), None);
        assert_eq!(choose(&[], &NEED), None);
    }

    #[test]
    fn a_location_takes_a_server_when_it_has_both_a_host_and_an_address() {
        let room = |ram_mib, address| Room { hosts: vec![host(1, ram_mib, 0)], address };
        assert_eq!(room(2048, Some(7)).place(&NEED), Ok((HostId(Uuid::from_u128(1)), &7)));
        assert_eq!(room(2048, None).place(&NEED), Err(NoRoom::Address));
        assert_eq!(room(512, Some(7)).place(&NEED), Err(NoRoom::Host));
        assert_eq!(room(512, None).place(&NEED), Err(NoRoom::Host), "a host is asked for first");
    }

    #[test]
    fn a_dedicated_server_has_its_host_alone() {
        let need = Need { cpu_use: CpuUse::Pinned, ..NEED };
        let dedicated = |servers| HostLoad { class: CpuUse::Pinned, ..host(1, 4096, servers) };
        assert!(choose(&[dedicated(0)], &need).is_some());
        assert!(choose(&[dedicated(1)], &need).is_none());
        assert!(choose(&[host(1, 4096, 0)], &need).is_none(), "a shared host takes no dedicated server");
        assert!(choose(&[dedicated(0)], &NEED).is_none(), "a dedicated host takes no shared server");
    }

    proptest! {
        #[test]
        fn no_host_is_ever_promised_beyond_what_it_has(orders in proptest::collection::vec((1u32..5, 1u64..3000, 1u64..60), 1..40)) {
            let mut hosts = [host(1, 4096, 0), host(2, 8192, 0)];
            for (cpus, ram_mib, disk_gib) in orders {
                let need = Need { cpus, ram_mib, disk_gib, cpu_use: CpuUse::Shared };
                let Some(chosen) = choose(&hosts, &need).map(|h| h.host) else { continue };
                let taken = &mut hosts.iter_mut().find(|h| h.host == chosen).unwrap().promised;
                *taken = Promised { servers: taken.servers + 1, cpus: taken.cpus + cpus, ram_mib: taken.ram_mib + ram_mib, disk_gib: taken.disk_gib + disk_gib };
            }
            for h in &hosts {
                prop_assert!(h.promised.cpus <= h.cpus && h.promised.ram_mib <= h.ram_mib && h.promised.disk_gib <= h.disk_gib);
            }
        }
    }
}
