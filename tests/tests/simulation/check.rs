//! What must hold: always, and once the dust has settled.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use csp_agent::machine::SeenState;
use csp_control::{
    domain::{action::Status as ActionStatus, ledger::Cause, server::ServiceStatus},
    service::verify_ledger::verify_ledger,
    store::{LeaseState, PlacementState},
};
use csp_shared::{
    id::{HostId, ServerId},
    spec::{Desired, NicNetwork},
};

use super::{
    control::{CREDIT, PRICE},
    history::{History, Tally},
};

/// The public addresses that a spec gives.
fn addresses_of(desired: &Desired) -> BTreeSet<IpAddr> {
    let Desired::Present(spec) = desired else { return BTreeSet::new() };
    let public = spec.nics.iter().filter(|nic| nic.network == NicNetwork::Public);
    public.flat_map(|nic| &nic.addresses).map(|address| address.address).collect()
}

impl History {
    /// No address is on two cables: no two servers have one in their filters, nor does one that a host still holds anything of
    /// share its first one; a disk that was booted is never lost or
    /// made again; every wallet is the sum of its movements.
    pub async fn check_always(&self) {
        let mut holders: BTreeMap<Ipv4Addr, (usize, ServerId)> = BTreeMap::new();
        for (index, host) in self.hosts.iter().enumerate() {
            for (server, held) in host.machine.with(|machine| machine.servers.clone()) {
                if held.process || !held.taps.is_empty() || held.filters.is_some() || held.domain.is_some() {
                    // Without filters nothing passes, and what it was ordered with is what it may be given again.
                    let own = if held.filters.is_some() { held.own.clone() } else { [self.ordered[&server].1].into() };
                    for address in own {
                        if let Some(other) = holders.insert(address, (index, server)) {
                            panic!("{address} is held by {other:?} and {:?}", (index, server));
                        }
                    }
                }
                for (epoch, made) in &held.disks_made {
                    assert!(
                        *made <= 1 || held.disks.get(epoch).is_none_or(|boots| *boots == 0),
                        "{server}: made again"
                    );
                }
            }
        }
        assert_eq!(self.control.store.read(|r| r.ledger_differences()).await.unwrap(), []);
    }

    pub async fn check_settled(&self) {
        self.check_always().await;
        assert_eq!(verify_ledger(&self.control.store).await.unwrap().differences, []);
        let mut spent: BTreeMap<_, i64> = BTreeMap::new();
        self.check_traffic().await;
        for (server, (account, _)) in self.ordered.clone() {
            let refunded = self.check_server(server).await;
            *spent.entry(account).or_default() += if refunded { 0 } else { PRICE };
            *spent.entry(account).or_default() += self.changed(server).await;
            *spent.entry(account).or_default() += self.extra.get(&server).copied().unwrap_or(0);
        }
        for account in self.accounts.clone() {
            let balance = self.control.store.read(move |r| r.account_get(account)).await.unwrap().unwrap().balance;
            assert_eq!(balance.get(), CREDIT - spent.get(&account).copied().unwrap_or(0), "balance of {account}");
        }
    }

    /// Every byte is in some month once, whatever became of words, agents, hosts and taps.
    async fn check_traffic(&self) {
        for server in self.ordered.keys().copied() {
            let stored = self.control.store.read(move |r| r.server_get(server)).await.unwrap().unwrap();
            let months = self.control.store.read(move |r| r.traffic_months(server)).await.unwrap();
            let counted: u64 = months.iter().map(|month| month.moved.bytes()).sum();
            let carried = self.hosts.iter().filter_map(|host| host.cables.carried.get(&server)).sum();
            match stored.service {
                ServiceStatus::Active => assert_eq!(counted, carried, "{server}"),
                _ => assert!(counted <= carried, "{server}: {counted} of {carried}"),
            }
        }
    }

    /// What changes of its package cost in the end: those that failed, or that a removal overtook, nothing.
    async fn changed(&self, server: ServerId) -> i64 {
        let actions = self.control.store.read(move |r| r.action_list(server)).await.unwrap();
        let cost = actions.iter().filter_map(|action| {
            let (took, gave) = self.changes.get(&action.id)?;
            (action.status == ActionStatus::Done).then_some(took - gave)
        });
        cost.sum()
    }

    /// Ended running or refunded, with nothing left over; `true` when refunded.
    async fn check_server(&self, server: ServerId) -> bool {
        let read = move |r: &csp_control::store::Read<'_>| {
            let stored = r.server_get(server)?.unwrap();
            let place = r.placement_get(server)?.unwrap();
            let reversed = r.transfer_by_cause(&Cause::OrderReversal(server))?.is_some();
            let leases: Vec<_> = r.lease_list()?.into_iter().filter(|lease| lease.server == server).collect();
            Ok::<_, csp_control::store::StoreError>((
                stored,
                place,
                reversed,
                leases,
                r.action_list(server)?,
                r.spec_get(server)?,
            ))
        };
        let (stored, place, reversed, leases, actions, desired) = self.control.store.read(read).await.unwrap();
        let open: Vec<_> = actions.iter().filter(|action| !action.status.is_final()).collect();
        assert!(open.is_empty(), "{server} has {open:?}");
        assert_eq!(reversed, stored.anchor_at.is_none(), "{server}: paid if and only if it ran");
        match stored.service {
            ServiceStatus::Active => {
                let leased = leases.iter().filter(|lease| lease.state == LeaseState::Leased);
                let leased: BTreeSet<IpAddr> = leased.map(|lease| lease.address.into()).collect();
                let given_up = leases.iter().filter(|lease| lease.state != LeaseState::Leased);
                assert!(given_up.clone().all(|lease| lease.state == LeaseState::Resting), "{server}: {leases:?}");
                assert_eq!(leased, addresses_of(desired.as_ref().unwrap()), "{server}");
                assert_eq!(place.state, PlacementState::Active);
                self.check_is_as_wanted(server, place.host, &desired.unwrap());
            }
            ServiceStatus::Failed | ServiceStatus::Destroyed => {
                assert_eq!(place.state, PlacementState::Released, "{server}");
                assert!(leases.iter().all(|l| l.state == LeaseState::Resting), "{leases:?}");
                assert!(matches!(desired, Some(Desired::Absent(_))));
                self.check_is_gone(server);
                let failed = actions.iter().filter(|a| a.status == ActionStatus::Failed).count();
                assert!(stored.service == ServiceStatus::Destroyed || failed > 0, "{server} failed without a reason");
            }
            other => panic!("{server} ended {other:?}"),
        }
        reversed
    }

    fn check_is_as_wanted(&self, server: ServerId, _host: HostId, desired: &Desired) {
        let Desired::Present(spec) = desired else { panic!("{server} is active and has a tombstone") };
        let held: Vec<_> =
            self.hosts.iter().map(|host| host.machine.server(server)).filter(|held| !held.disks.is_empty()).collect();
        assert_eq!(held.len(), 1, "{server} is on one host");
        let state = held[0].domain.unwrap().state;
        // A guest that went off by itself, or fell too often, may stay off.
        let runs = matches!(state, SeenState::Running);
        assert!(!runs || spec.should_run(), "{server} runs against its owner's wish");
        assert!(!runs || held[0].filters.is_some(), "{server} runs without filters");
        if runs {
            let own: BTreeSet<IpAddr> = held[0].own.iter().copied().map(IpAddr::V4).collect();
            assert_eq!(own, addresses_of(desired), "{server} may speak with what is its own");
            let wanted: BTreeSet<_> = spec.nics.iter().map(|nic| nic.mac).collect();
            assert!(held[0].adapters.is_superset(&wanted), "{server} lacks an adapter: {held:?}");
        }
        // A reinstall that was given up may leave its disk, which never booted.
        let others = held[0].disks.iter().filter(|(epoch, _)| **epoch != spec.disk_epoch);
        assert!(others.clone().all(|(epoch, boots)| *epoch > spec.disk_epoch && *boots == 0), "{server}: {held:?}");
        assert!(held[0].disk_gib[&spec.disk_epoch] >= spec.disk_gib, "{server}: its disk did not grow");
        // One that was made anew and could not be started waits for its first boot, until its owner asks for it again.
        let was_booted = held[0].disks[&spec.disk_epoch] > 0;
        let is_left = !spec.should_run() || self.hosts.iter().any(|host| host.gave_up(server));
        assert!(was_booted || is_left, "{server}: its disk was booted");
    }

    fn check_is_gone(&self, server: ServerId) {
        for host in &self.hosts {
            let held = host.machine.server(server);
            let nothing = held.domain.is_none() && !held.process && held.taps.is_empty() && held.filters.is_none();
            assert!(nothing && held.disks.is_empty(), "{server} left {held:?}");
        }
    }

    pub async fn tally(&self) -> Tally {
        let mut tally = self.count.clone();
        for server in self.ordered.keys().copied() {
            let stored = self.control.store.read(move |r| r.server_get(server)).await.unwrap().unwrap();
            tally.active += u32::from(stored.service == ServiceStatus::Active);
            tally.destroyed += u32::from(stored.service == ServiceStatus::Destroyed);
            tally.refunded += u32::from(stored.anchor_at.is_none());
        }
        tally
    }
}
