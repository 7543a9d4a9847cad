//! From what the things of a server are made. Two equal marks: nothing to do.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use csp_shared::{
    mac::Mac,
    spec::{GuestLimits, Nic, NicNetwork, ServerSpec},
};

use crate::machine::{Mark, Seen};

/// Of the seed: everything that the guest reads from it.
#[must_use]
pub fn seed(spec: &ServerSpec, setup: Mark) -> Mark {
    let mark = Mark::of(&("seed", setup, spec.server, &spec.hostname, &spec.login, &spec.nics, spec.disk_epoch));
    // Not simply one more part: seeds of servers without user data keep the mark that they were made with.
    spec.user_data.as_ref().map_or(mark, |data| Mark::of(&(mark, data)))
}

/// Of the filters on `taps`. The addresses of all adapters go in, since each public tap lets all of them through; the
/// taps go in, since filters can only be put on taps that are there. The rate goes in, since it is brought about with them.
#[must_use]
pub fn filters(spec: &ServerSpec, taps: &[Mac], setup: Mark) -> Mark {
    let mark = Mark::of(&("filters", setup, spec.server, &spec.nics, taps, spec.smtp_open));
    // A server without a rate keeps the mark that its filters were loaded with.
    spec.net_mbit_per_second().map_or(mark, |mbit| Mark::of(&(mark, mbit)))
}

/// Of the answers to DHCP on `taps`.
#[must_use]
pub fn dhcp(spec: &ServerSpec, taps: &[Mac], setup: Mark) -> Mark {
    Mark::of(&("dhcp", setup, spec.server, &spec.nics, taps))
}

/// Every public IPv4 address of the server, on whatever adapter it is.
#[must_use]
pub fn public_addresses(spec: &ServerSpec) -> BTreeSet<Ipv4Addr> {
    public_addresses_by_mac(spec).into_iter().map(|(_, address)| address).collect()
}

/// The same, each with the MAC of its adapter.
#[must_use]
pub fn public_addresses_by_mac(spec: &ServerSpec) -> Vec<(Mac, Ipv4Addr)> {
    let public = spec.nics.iter().filter(|nic| nic.network == NicNetwork::Public);
    public.flat_map(|nic| ipv4(nic).map(|address| (nic.mac, address))).collect()
}

/// The IPv4 addresses of an adapter.
pub fn ipv4(nic: &Nic) -> impl Iterator<Item = Ipv4Addr> {
    nic.addresses.iter().filter_map(|address| match address.address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

/// Of everything outside the spec that goes into this server's seed: the host's setup, and how large packets of its private
/// networks are. A server without such a network keeps the mark that its seed was made with.
#[must_use]
pub fn surroundings(spec: &ServerSpec, seen: &Seen) -> Mark {
    let private = spec.nics.iter().filter_map(|nic| match nic.network {
        NicNetwork::Public => None,
        NicNetwork::Private { network } => Some((network, seen.networks.get(&network).copied())),
    });
    let sizes: Vec<_> = private.collect();
    if sizes.is_empty() { seen.setup } else { Mark::of(&(seen.setup, sizes)) }
}

/// Of the domain: everything that its XML says, the seed's name included. `is_flat`: its disk stands on no image.
#[must_use]
pub fn definition(spec: &ServerSpec, setup: Mark, is_flat: bool) -> Mark {
    let nics: Vec<_> = spec.nics.iter().map(|nic| (&nic.name, nic.mac, nic.network)).collect();
    let machine = (spec.cpus, spec.ram_mib, spec.cpu_use);
    let mark = Mark::of(&("definition", setup, spec.server, machine, nics, spec.disk_epoch, seed(spec, setup)));
    // As with user data: a server without bounds keeps the mark that it was defined with. The rate of its adapters is none
    // of its definition.
    let limits = GuestLimits { net_mbit_per_second_max: None, ..spec.limits };
    let mark = if limits.is_none() { mark } else { Mark::of(&(mark, limits)) };
    if is_flat { Mark::of(&("flat", mark)) } else { mark }
}

/// The spec's adapters, in order.
#[must_use]
pub fn macs(spec: &ServerSpec) -> Vec<Mac> {
    spec.nics.iter().map(|nic| nic.mac).collect()
}

/// Those of the spec's adapters whose tap is there, in the spec's order.
#[must_use]
pub fn macs_with_tap(spec: &ServerSpec, seen: &Seen) -> Vec<Mac> {
    macs(spec).into_iter().filter(|mac| seen.taps.contains_key(mac)).collect()
}
