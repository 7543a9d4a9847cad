//! Taps and filters: before a start, and under a running guest.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use csp_shared::{
    mac::Mac,
    spec::{Nic, NicNetwork, ServerSpec},
};

use super::{Situation, mark, memory::Notes, step::Step};
use crate::machine::{Mark, Seen, SeenTap};

/// Brings all adapters about for a guest that is off.
#[must_use]
pub fn prepare(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Vec<Step> {
    let mut wanted = mark::macs(spec);
    let filters = mark::filters(spec, &wanted, seen.setup);
    wanted.sort_unstable();
    let are_made = seen.taps.keys().eq(&wanted) && seen.taps.values().all(|tap| tap.plugged);
    let are_connected = are_made && seen.taps.values().all(|tap| tap.up) && seen.filters == Some(filters);
    let make = (!are_made).then_some(Step::MakeTaps);
    let connect = (!are_connected).then_some(Step::Connect(filters));
    let serve = serve(spec, seen, &mark::macs(spec));
    make.into_iter().chain(first_use(spec, notes)).chain(connect).chain(serve).collect()
}

/// Brings the adapters of a running guest about, and mends what drifted: filters that were flushed, a link that was set
/// down, a tap that was taken off its bridge. An adapter that is new is plugged in behind its filters. One that the spec
/// no longer has was cut off before; the guest is asked once to give it up.
#[must_use]
pub(super) fn mend(s: Situation<'_>, spec: &ServerSpec) -> Vec<Step> {
    let Situation { seen, notes, course, .. } = s;
    let there = mark::macs_with_tap(spec, seen);
    let filters = mark::filters(spec, &there, seen.setup);
    let taps: Vec<&SeenTap> = there.iter().filter_map(|mac| seen.taps.get(mac)).collect();
    let is_new = |mac: &Mac| !seen.adapters.contains(mac);
    // What is plugged into a network that is not ready is left as it is until that is.
    let makes = |nic: &&Nic| match seen.taps.get(&nic.mac) {
        Some(tap) => !tap.plugged,
        None => is_new(&nic.mac),
    };
    let make = spec.nics.iter().filter(|nic| is_ready(nic, seen)).any(|nic| makes(&nic)).then_some(Step::MakeTaps);
    let connect = if taps.iter().any(|tap| !tap.up) {
        Some(Step::Connect(filters))
    } else {
        (seen.filters != Some(filters)).then_some(Step::SetFilters(filters))
    };
    let attach = there.iter().filter(|mac| is_new(mac)).map(|mac| Step::AttachNic(*mac));
    let wanted = mark::macs(spec);
    let others = seen.adapters.iter().filter(|mac| !wanted.contains(mac) && !course.unplugged.contains(mac));
    let detach = others.map(|mac| Step::DetachNic(*mac));
    let serve = serve(spec, seen, &there);
    let hold = hold(spec, seen, notes).into_iter();
    hold.chain(make).chain(first_use(spec, notes)).chain(connect).chain(attach).chain(detach).chain(serve).collect()
}

/// What holds a guest within its bounds for as long as it still runs before it goes: filters that were flushed, a link or a
/// bridge that was taken from it, an adapter that it was given by hand. Nothing new is plugged in, and no new address let
/// through: that waits for its next boot.
#[must_use]
pub(super) fn guard(s: Situation<'_>, spec: &ServerSpec) -> Vec<Step> {
    let mut steps = mend(s, spec);
    if steps.iter().any(asks) {
        // Filters of new addresses are only loaded once these were asked for.
        steps.retain(|step| matches!(step, Step::DetachNic(_) | Step::HoldFilters { .. }));
    }
    steps.retain(|step| !matches!(step, Step::AttachNic(_)));
    steps
}

/// Whether a step asks for an address that the server never had.
#[must_use]
pub fn asks(step: &Step) -> bool {
    matches!(step, Step::ProbeAddresses { fresh, .. } if !fresh.is_empty())
}

/// Whether the guest runs behind no filters, or behind what is left of them.
#[must_use]
pub fn is_bare(seen: &Seen) -> bool {
    seen.is_up() && seen.filters.is_none_or(|found| found == Mark::BROKEN)
}

/// Filters for a guest that has none while it has addresses that were not asked for yet: to ask takes its time, or somebody
/// answers and the guest waits for another spec.
fn hold(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Option<Step> {
    if !is_bare(seen) {
        return None;
    }
    let wanted = mark::public_addresses(spec);
    let own: BTreeSet<Ipv4Addr> = wanted.intersection(&notes.addresses_probed).copied().collect();
    let mark = mark::filters(&with_addresses(spec, &own), &mark::macs_with_tap(spec, seen), seen.setup);
    (own != wanted).then_some(Step::HoldFilters { mark, own })
}

/// The spec with these of its public IPv4 addresses alone.
#[must_use]
pub fn with_addresses(spec: &ServerSpec, own: &BTreeSet<Ipv4Addr>) -> ServerSpec {
    let mut spec = spec.clone();
    for nic in spec.nics.iter_mut().filter(|nic| nic.network == NicNetwork::Public) {
        nic.addresses.retain(|address| match address.address {
            IpAddr::V4(address) => own.contains(&address),
            IpAddr::V6(_) => true,
        });
    }
    spec
}

/// Last, since a guest without answers has its addresses from its seed.
fn serve(spec: &ServerSpec, seen: &Seen, taps: &[Mac]) -> Option<Step> {
    let dhcp = mark::dhcp(spec, taps, seen.setup);
    (seen.dhcp != Some(dhcp)).then_some(Step::ServeDhcp(dhcp))
}

/// An address is asked for before filters let it through for the first time: the control plane's books may not know who
/// uses it.
fn first_use(spec: &ServerSpec, notes: &Notes) -> Option<Step> {
    let own = mark::public_addresses(spec);
    let fresh = own.difference(&notes.addresses_probed).copied().collect();
    (own != notes.addresses_probed).then_some(Step::ProbeAddresses { fresh, own })
}

/// Disconnects what carries the server's mark and is none of its adapters: a tap that somebody made by hand, or that of
/// an adapter which the spec no longer has. A tap without an adapter has no filters. What is off every bridge and held
/// open is left, since the running guest was started with it, and goes as soon as the guest lets go.
#[must_use]
pub fn cut_off(spec: &ServerSpec, seen: &Seen) -> Option<Step> {
    let wanted = mark::macs(spec);
    let is_idle = |mac: &Mac| seen.idle_taps.contains(mac) && !seen.adapters.contains(mac);
    let is_left = |mac: &Mac, tap: &SeenTap| tap.plugged || tap.up || is_idle(mac);
    let other = seen.taps.iter().any(|(mac, tap)| !wanted.contains(mac) && is_left(mac, tap));
    let stray = seen.strays.values().any(|stray| stray.connected || stray.removable);
    (other || stray).then_some(Step::CutOff)
}

/// Brings the filters of a guest that is off to what its spec says: an address that it gave up may be another server's by
/// now, and what stands in its filters is kept from others on this host. What it has new is asked for before.
#[must_use]
pub fn let_go(spec: &ServerSpec, seen: &Seen, notes: &Notes) -> Vec<Step> {
    let filters = mark::filters(spec, &mark::macs_with_tap(spec, seen), seen.setup);
    let is_stale = !seen.is_up() && seen.filters.is_some_and(|found| found != filters);
    let steps = first_use(spec, notes).into_iter().chain([Step::SetFilters(filters)]);
    steps.filter(|_| is_stale).collect()
}

/// Whether nothing that the spec gave up is left: no tap of another adapter is connected, and no filters are of another
/// spec. Said of a server that stands still for other reasons, too.
#[must_use]
pub fn has_let_go(spec: &ServerSpec, seen: &Seen) -> bool {
    let filters = mark::filters(spec, &mark::macs_with_tap(spec, seen), seen.setup);
    cut_off(spec, seen).is_none() && seen.filters.is_none_or(|found| found == filters)
}

/// Which adapter waits for its private network, for people; nothing when all networks are there.
#[must_use]
pub fn waits_for_network(spec: &ServerSpec, seen: &Seen) -> Option<String> {
    let waiting = spec.nics.iter().find(|nic| !is_ready(nic, seen))?;
    Some(format!("the private network of adapter {} is not on this host yet", waiting.name))
}

fn is_ready(nic: &Nic, seen: &Seen) -> bool {
    match nic.network {
        NicNetwork::Public => true,
        NicNetwork::Private { network } => seen.networks.contains_key(&network),
    }
}

/// The name of an adapter that the running guest has and that lost its tap. Its QEMU would not take another one.
#[must_use]
pub fn lost<'a>(spec: &'a ServerSpec, seen: &Seen) -> Option<&'a str> {
    let is_lost = |mac| seen.adapters.contains(mac) && !seen.taps.contains_key(mac);
    spec.nics.iter().find(|nic| is_lost(&nic.mac)).map(|nic| nic.name.as_str())
}
