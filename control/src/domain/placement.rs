//! Which host takes a new server, and whether a location can take one at all.

use std::cmp::Reverse;

use csp_shared::{
    host_status::{AdapterState, BridgeState, HostStatus},
    id::HostId,
    spec::CpuUse,
};

use super::makeup::{CpuWord, Makeup};

/// What a server needs of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// Virtual processors.
    pub cpus: u32,
    /// MiB.
    pub ram_mib: u64,
    /// GiB.
    pub disk_gib: u64,
    /// Shared or dedicated.
    pub cpu_use: CpuUse,
    /// One of these words is in the name of the host's processor; none: any processor will do.
    pub cpu_models: &'a [CpuWord],
    /// It is held to a rate.
    pub has_rate: bool,
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
    /// Servers of the account that orders which stand on it: so many fall with it at once.
    pub own: u32,
    /// What it told of itself that speaks against anything new.
    pub trouble: Option<Trouble>,
    /// What it is made of.
    pub makeup: Makeup,
}

/// What a host has told of itself, and what speaks against placing anything on it until that is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Guests could not be connected: the bridge of the public network is not there, or down.
    NetworkMissing,
    /// Guests could not be filtered, so none would be connected.
    NoFilters,
    /// Its pool cannot be used.
    PoolMissing,
    /// Something else takes the room that was promised to guests' disks.
    PoolFilling,
    /// Its agent can hardly write down what servers should be.
    StateFull,
}

impl Trouble {
    /// As alarms are called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkMissing => "network_missing",
            Self::NoFilters => "no_filters",
            Self::PoolMissing => "pool_missing",
            Self::PoolFilling => "pool_filling",
            Self::StateFull => "state_full",
        }
    }

    /// What ails a host, by what it told last.
    #[must_use]
    pub fn of(status: &HostStatus) -> Option<Self> {
        if status.bridge.is_some_and(BridgeState::is_missing) {
            return Some(Self::NetworkMissing);
        }
        if status.adapters == Some(AdapterState::NoFilters) {
            return Some(Self::NoFilters);
        }
        match &status.pool {
            None => Some(Self::PoolMissing),
            Some(pool) if pool.is_filling() => Some(Self::PoolFilling),
            Some(_) => status.is_state_full().then_some(Self::StateFull),
        }
    }
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
    pub fn has_room(&self, need: &Need<'_>) -> bool {
        let fits = self.promised.cpus.saturating_add(need.cpus) <= self.cpus
            && self.promised.ram_mib.saturating_add(need.ram_mib) <= self.ram_mib
            && self.promised.disk_gib.saturating_add(need.disk_gib) <= self.disk_gib;
        let alone = need.cpu_use == CpuUse::Shared || self.promised.servers == 0;
        self.class == need.cpu_use && fits && alone && self.trouble.is_none() && self.makeup.suits(need)
    }

    /// Whether a server on it can have `wanted` in the place of `now`. What does not grow needs no room.
    #[must_use]
    pub fn has_room_to_grow(&self, now: &Promised, wanted: &Need<'_>) -> bool {
        let fits = |now: u64, wanted: u64, promised: u64, all: u64| {
            wanted <= now || promised.saturating_sub(now).saturating_add(wanted) <= all
        };
        fits(now.cpus.into(), wanted.cpus.into(), self.promised.cpus.into(), self.cpus.into())
            && fits(now.ram_mib, wanted.ram_mib, self.promised.ram_mib, self.ram_mib)
            && fits(now.disk_gib, wanted.disk_gib, self.promised.disk_gib, self.disk_gib)
            && (wanted.disk_gib <= now.disk_gib || self.trouble != Some(Trouble::PoolFilling))
    }
}

/// What of a host's pool is promised; whatever its state, since what is there already is nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLoad {
    /// GiB that it offers.
    pub disk_gib: u64,
    /// GiB that are promised.
    pub promised_gib: u64,
}

impl PoolLoad {
    /// Whether a disk that is made anew fits beside the one that it follows: that one goes to the trash, where it keeps its
    /// room for a day.
    #[must_use]
    pub fn has_room_beside(&self, disk_gib: u64) -> bool {
        self.promised_gib.saturating_add(disk_gib) <= self.disk_gib
    }
}

impl Promised {
    /// Whether `wanted` is more in any part.
    #[must_use]
    pub fn is_less_than(&self, wanted: &Need<'_>) -> bool {
        self.cpus < wanted.cpus || self.ram_mib < wanted.ram_mib || self.disk_gib < wanted.disk_gib
    }

    /// The larger of both in each part: growth is promised when it is accepted, what shrinks is kept until it is done.
    #[must_use]
    pub fn at_least(self, wanted: &Need<'_>) -> Self {
        Self {
            cpus: self.cpus.max(wanted.cpus),
            ram_mib: self.ram_mib.max(wanted.ram_mib),
            disk_gib: self.disk_gib.max(wanted.disk_gib),
            ..self
        }
    }
}

/// The host with the fewest servers of the same account, so that a host that falls takes as little as possible from each
/// customer; among equals one where the guest has its memory near its processors, then the one with the most memory left, so
/// that load spreads; then the oldest, so that the choice is stable.
#[must_use]
pub fn choose<'a>(hosts: &'a [HostLoad], need: &Need<'_>) -> Option<&'a HostLoad> {
    hosts.iter().filter(|host| host.has_room(need)).min_by_key(|host| {
        let left_mib = host.ram_mib.saturating_sub(host.promised.ram_mib);
        (host.own, !host.makeup.has_a_cell_for(need), Reverse(left_mib), host.host)
    })
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
    pub fn place(&self, need: &Need<'_>) -> Result<(HostId, &A), NoRoom> {
        let host = choose(&self.hosts, need).ok_or(NoRoom::Host)?.host;
        self.address.as_ref().map(|address| (host, address)).ok_or(NoRoom::Address)
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::host_status::{NumaCell, PoolStatus};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn host(id: u128, ram_mib: u64, servers: u32) -> HostLoad {
        let promised = Promised { servers, ..Promised::default() };
        let host = HostId(Uuid::from_u128(id));
        let (class, makeup) = (CpuUse::Shared, Makeup::default());
        HostLoad { host, class, cpus: 8, ram_mib, disk_gib: 100, promised, own: 0, trouble: None, makeup }
    }
    const NEED: Need<'_> =
        Need { cpus: 2, ram_mib: 1024, disk_gib: 20, cpu_use: CpuUse::Shared, cpu_models: &[], has_rate: false };

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

    #[test]
    fn a_customers_servers_stand_apart_as_long_as_there_is_room() {
        let with = |id, ram_mib, own| HostLoad { own, ..host(id, ram_mib, own) };
        let chosen = |hosts: &[HostLoad]| choose(hosts, &NEED).map(|h| h.host.0.as_u128());
        assert_eq!(chosen(&[with(1, 8192, 1), with(2, 4096, 0)]), Some(2), "though the other has more room");
        assert_eq!(chosen(&[with(1, 4096, 2), with(2, 8192, 2), with(3, 8192, 3)]), Some(2));
        assert_eq!(chosen(&[with(1, 8192, 7), with(2, 512, 0)]), Some(1), "room comes first");
    }

    #[test]
    fn a_guest_stands_where_its_memory_is_in_one_cell_unless_its_owner_has_more_servers_there() {
        let cells = |ram_mib| vec![NumaCell { cpus: 8, ram_mib }; 2];
        let of = |id, ram_mib, own, cells| HostLoad {
            own,
            makeup: Makeup { cells, ..Makeup::default() },
            ..host(id, ram_mib, own)
        };
        let chosen = |hosts: &[HostLoad]| choose(hosts, &NEED).map(|h| h.host.0.as_u128());
        assert_eq!(chosen(&[of(1, 8192, 0, cells(512)), of(2, 4096, 0, cells(2048))]), Some(2));
        assert_eq!(chosen(&[of(1, 8192, 0, cells(512)), of(2, 4096, 0, Vec::new())]), Some(2));
        assert_eq!(chosen(&[of(1, 8192, 0, cells(512)), of(2, 4096, 1, cells(2048))]), Some(1));
        assert_eq!(chosen(&[of(1, 8192, 0, cells(512))]), Some(1), "better in two cells than nowhere");
    }

    #[test]
    fn a_server_whose_processor_no_host_has_has_no_room() {
        let words = [CpuWord::parse("EPYC").unwrap()];
        let need = Need { cpu_models: &words, ..NEED };
        let with = |id, model: &str| HostLoad {
            makeup: Makeup { cpu_model: Some(model.to_owned()), ..Makeup::default() },
            ..host(id, 4096, 0)
        };
        let hosts = [with(1, "Intel Xeon"), with(2, "AMD EPYC 7763")];
        assert_eq!(choose(&hosts, &need).map(|h| h.host.0.as_u128()), Some(2));
        assert_eq!(choose(&hosts[..1], &need), None);
    }

    #[test]
    fn a_server_grows_into_what_is_left_beside_its_own_share() {
        let promised = Promised { servers: 2, cpus: 6, ram_mib: 3072, disk_gib: 90 };
        let load = HostLoad { promised, ..host(1, 4096, 2) };
        let now = Promised { servers: 1, cpus: 2, ram_mib: 1024, disk_gib: 20 };
        let wanted = |cpus, ram_mib, disk_gib| Need { cpus, ram_mib, disk_gib, ..NEED };
        for (need, fits) in [
            (wanted(4, 2048, 30), true),
            (wanted(5, 1024, 20), false),
            (wanted(2, 2049, 20), false),
            (wanted(2, 1024, 31), false),
            (wanted(1, 512, 10), true),
        ] {
            assert_eq!(load.has_room_to_grow(&now, &need), fits, "{need:?}");
        }
        let full = HostLoad { disk_gib: 50, ..load };
        assert!(full.has_room_to_grow(&now, &wanted(4, 1024, 20)), "a host that shrank keeps what it has");
        assert_eq!(now.at_least(&wanted(1, 2048, 10)), Promised { ram_mib: 2048, ..now });
    }

    #[test]
    fn a_host_that_told_of_trouble_takes_nothing_new_and_what_is_there_grows_where_it_can() {
        let troubled = |trouble| HostLoad { trouble: Some(trouble), ..host(1, 4096, 1) };
        let now = Promised { servers: 1, cpus: 2, ram_mib: 1024, disk_gib: 20 };
        let network = [Trouble::NetworkMissing, Trouble::NoFilters];
        for trouble in network.into_iter().chain([Trouble::PoolMissing, Trouble::PoolFilling, Trouble::StateFull]) {
            assert_eq!(choose(&[troubled(trouble)], &NEED), None, "{trouble:?}");
            assert!(troubled(trouble).has_room_to_grow(&now, &Need { ram_mib: 2048, ..NEED }), "{trouble:?}");
        }
        let larger = Need { disk_gib: 30, ..NEED };
        assert!(!troubled(Trouble::PoolFilling).has_room_to_grow(&now, &larger));
        assert!(troubled(Trouble::NetworkMissing).has_room_to_grow(&now, &larger));
    }

    #[test]
    fn trouble_is_read_from_what_a_host_told() {
        let pool = PoolStatus { total_bytes: 1000, free_bytes: 400, growth_bytes: 300, ..PoolStatus::default() };
        let well = HostStatus { pool: Some(pool), bridge: Some(BridgeState::Ready), ..HostStatus::default() };
        assert_eq!(Trouble::of(&well), None);
        assert_eq!(Trouble::of(&HostStatus { bridge: None, ..well.clone() }), None, "an older agent");
        let cut_off = HostStatus { bridge: Some(BridgeState::Down), ..well.clone() };
        assert_eq!(Trouble::of(&cut_off), Some(Trouble::NetworkMissing));
        let adapters = |state| HostStatus { adapters: Some(state), ..well.clone() };
        assert_eq!(Trouble::of(&adapters(AdapterState::NoFilters)), Some(Trouble::NoFilters));
        for state in [AdapterState::Ready, AdapterState::NoShaping, AdapterState::Unknown] {
            assert_eq!(Trouble::of(&adapters(state)), None, "{state:?} speaks against no server, or against some");
        }
        assert_eq!(Trouble::of(&HostStatus { pool: None, ..well.clone() }), Some(Trouble::PoolMissing));
        let state_full = HostStatus { state_free_bytes: Some(0), ..well.clone() };
        assert_eq!(Trouble::of(&state_full), Some(Trouble::StateFull));
        let filling = HostStatus { pool: Some(PoolStatus { free_bytes: 299, ..pool }), ..well };
        assert_eq!(Trouble::of(&filling), Some(Trouble::PoolFilling));
    }

    #[test]
    fn a_disk_that_is_made_anew_needs_room_beside_the_old_one() {
        let pool = |promised_gib| PoolLoad { disk_gib: 100, promised_gib };
        assert!(pool(80).has_room_beside(20));
        assert!(!pool(81).has_room_beside(20));
        assert!(!pool(120).has_room_beside(0), "a pool that shrank");
        assert!(!pool(1).has_room_beside(u64::MAX));
    }

    proptest! {
        /// However many hosts and orders: between two hosts that could both take the next one, no account has two more
        /// servers on one than on the other.
        #[test]
        fn an_accounts_servers_are_spread_evenly(hosts in 1u128..6, orders in 1usize..30) {
            let mut loads: Vec<HostLoad> = (1..=hosts).map(|id| HostLoad { cpus: 1000, ..host(id, 1 << 20, 0) }).collect();
            let need = Need { disk_gib: 1, ..NEED };
            for _ in 0..orders {
                let chosen = choose(&loads, &need).map(|h| h.host);
                let taken = loads.iter_mut().find(|h| Some(h.host) == chosen).unwrap();
                taken.own += 1;
                taken.promised.ram_mib += need.ram_mib;
            }
            let counts: Vec<u32> = loads.iter().map(|h| h.own).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }

        #[test]
        fn no_host_is_ever_promised_beyond_what_it_has(orders in proptest::collection::vec((1u32..5, 1u64..3000, 1u64..60), 1..40)) {
            let mut hosts = [host(1, 4096, 0), host(2, 8192, 0)];
            for (cpus, ram_mib, disk_gib) in orders {
                let need = Need { cpus, ram_mib, disk_gib, ..NEED };
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
