//! Which host takes a new server.

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
