//! What a server's frames go through beside its taps: what the gates are called, how they are known, and how much they let
//! through. Pure.
//!
//! Two queues hold a server to its rate, one a direction, all of its public taps in front of them. What goes to a guest waits in
//! an ifb, which puts it back where it was taken. What comes from one may not: the kernel asks no egress filter about a frame
//! that an ifb put back (`nf_skip_egress`), so on this host neither the filters nor the queue of whom it goes to would see it. It
//! goes through a cable instead, which frames leave like new ones, and whole ([`super::checksums`]). No rate holds what goes to
//! private networks, so it has a cable of its own, in which nothing waits.

use std::fmt;

use csp_shared::id::ServerId;

use super::{dhcp, links::Link, tap_name::name_of};

/// Begins the names of gates. Not that of taps: nothing that a guest may not reach is matched by it.
pub const PREFIX: &str = "cspq";
/// Of a megabit.
const BYTES_PER_SECOND: u64 = 125_000;
/// Headers are 4 to 5 % of full frames. With this much more, neither frames with all that is in them nor what TCP brings
/// is further than 5 % from what was sold.
const MARGIN_PERCENT: u64 = 2;
/// A full packet as offloading hands it over, with its headers: a smaller burst would have the kernel cut it up.
const BURST_BYTES_MIN: u64 = 80 << 10;
const BURST_MS: u64 = 20;
/// How long a frame waits at most before it is dropped, beyond the burst.
const WAIT_MS: u64 = 100;
/// On frames that have been through the queue of their sender's server, until its filters see them again. Bits like the mark of
/// the agent's own answers, and no guest can set it.
pub const WAITED: u32 = dhcp::MARK + 1;

/// One of a server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// From the guest to the public segment: a queue at the near end of a cable.
    FromGuest,
    /// From the public segment to the guest: a queue.
    ToGuest,
    /// From the guest to its private networks: a cable.
    Private,
}

impl Gate {
    /// Those that have a rate.
    pub const QUEUES: [Self; 2] = [Self::FromGuest, Self::ToGuest];
    /// All of them.
    pub const ALL: [Self; 3] = [Self::FromGuest, Self::ToGuest, Self::Private];

    fn as_str(self) -> &'static str {
        match self {
            Self::FromGuest => "out_of_guest",
            Self::ToGuest => "to_guest",
            Self::Private => "private",
        }
    }

    /// Whether it is a cable, with a far end.
    #[must_use]
    pub fn is_cable(self) -> bool {
        self != Self::ToGuest
    }
}

/// The name of a server's gate; of a cable, its near end.
#[must_use]
pub fn name(server: ServerId, gate: Gate) -> String {
    name_of(PREFIX, &[server.0.as_bytes(), gate.as_str().as_bytes()].concat())
}

/// The name of a cable's far end.
#[must_use]
pub fn far_end(server: ServerId, cable: Gate) -> String {
    let end: &[u8] = if cable == Gate::Private { b"private_far_end" } else { b"far_end" };
    name_of(PREFIX, &[server.0.as_bytes(), end].concat())
}

/// The queue of what guests sent under an older agent, an ifb.
#[must_use]
pub(super) fn older(server: ServerId) -> String {
    name_of(PREFIX, &[server.0.as_bytes(), &b"from_guest"[..]].concat())
}

/// The names of both ends of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// Takes what the guest sends.
    pub near: String,
    /// Where that comes out again.
    pub far: String,
}

impl Cable {
    /// One of a server's.
    #[must_use]
    pub fn of(server: ServerId, gate: Gate) -> Self {
        Self { near: name(server, gate), far: far_end(server, gate) }
    }
}

/// The names of a server's queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Takes what the guest sends.
    pub from_guest: Cable,
    /// Takes what goes to it.
    pub to_guest: String,
}

impl Queues {
    /// Of that server.
    #[must_use]
    pub fn of(server: ServerId) -> Self {
        Self { from_guest: Cable::of(server, Gate::FromGuest), to_guest: name(server, Gate::ToGuest) }
    }
}

/// The gates that a server's filters hand frames to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Of its public taps.
    pub public: Option<Queues>,
    /// Of those on private networks.
    pub private: Option<Cable>,
}

impl Gates {
    /// Whether frames go through it.
    #[must_use]
    pub fn has(&self, gate: Gate) -> bool {
        if gate == Gate::Private { self.private.is_some() } else { self.public.is_some() }
    }
}

/// Whose gate it is; stands in the interface's alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateMark {
    /// The server.
    pub server: ServerId,
    /// Which of its gates.
    pub gate: Gate,
    /// The rate that it was made for, in megabits a second; a queue has one.
    pub mbit: Option<u32>,
}

impl fmt::Display for GateMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "csp server={} queue={}", self.server, self.gate.as_str())?;
        self.mbit.map_or(Ok(()), |mbit| write!(f, " mbit={mbit}"))
    }
}

impl GateMark {
    /// Whether it is of the same gate, whatever its rate.
    #[must_use]
    pub fn is_for(&self, other: &Self) -> bool {
        self.server == other.server && self.gate == other.gate
    }

    /// Reads an alias; nothing when it is no mark of ours.
    #[must_use]
    pub fn parse(alias: &str) -> Option<Self> {
        let (server, gate) = alias.strip_prefix("csp server=")?.split_once(" queue=")?;
        let (gate, mbit) = match gate.split_once(" mbit=") {
            Some((gate, mbit)) => (gate, Some(mbit.parse().ok()?)),
            None => (gate, None),
        };
        let gate = Gate::ALL.into_iter().find(|one| one.as_str() == gate)?;
        (Gate::QUEUES.contains(&gate) == mbit.is_some()).then_some(Self { server: server.parse().ok()?, gate, mbit })
    }
}

/// Finds a server's gate. One that lost its alias is known by its name; one with another alias is somebody else's.
#[must_use]
pub fn find(links: &[Link], server: ServerId, gate: Gate) -> Option<&Link> {
    let name = name(server, gate);
    let is_of = |link: &Link| GateMark::parse(&link.alias).is_some_and(|m| m.server == server && m.gate == gate);
    let is_kind = |link: &Link| if gate.is_cable() { link.is_veth } else { link.is_ifb };
    links.iter().find(|link| is_kind(link) && link.name == name && (link.alias.is_empty() || is_of(link)))
}

/// All of a server's gates, also what an older agent made otherwise, and what somebody renamed: those are known by their mark. Of
/// a cable one end, with which the other goes.
#[must_use]
pub fn all_in(links: &[Link], server: ServerId) -> Vec<&Link> {
    let older = older(server);
    let is_marked = |link: &Link| GateMark::parse(&link.alias).is_some_and(|mark| mark.server == server);
    let named: Vec<u32> =
        Gate::ALL.into_iter().filter_map(|gate| find(links, server, gate)).map(|it| it.index).collect();
    let is_named = |link: &Link| named.contains(&link.index) || (link.is_ifb && link.name == older);
    let mut all: Vec<&Link> = Vec::new();
    for link in links.iter().filter(|link| (link.is_veth || link.is_ifb) && (is_marked(link) || is_named(link))) {
        if !all.iter().any(|other| link.is_veth && link.lower == Some(other.index)) {
            all.push(link);
        }
    }
    all
}

/// What a queue lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run, whole frames from their Ethernet header on.
    pub bytes_per_second: u64,
    /// At once after a rest.
    pub burst_bytes: u32,
    /// What waits at most; more is dropped.
    pub waiting_bytes: u32,
}

impl Rate {
    /// The rate for so many megabits (10^6) a second.
    #[must_use]
    pub fn of_mbit(mbit: u32) -> Self {
        let bytes_per_second = u64::from(mbit) * BYTES_PER_SECOND * (100 + MARGIN_PERCENT) / 100;
        let burst = (bytes_per_second * BURST_MS / 1000).max(BURST_BYTES_MIN);
        let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let waiting = burst + bytes_per_second * WAIT_MS / 1000;
        Self { bytes_per_second, burst_bytes: bytes(burst), waiting_bytes: bytes(waiting) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{super::tap_name, *};

    #[test]
    fn a_servers_gates_are_told_apart_from_each_other_and_from_taps() {
        let server = ServerId(Uuid::from_u128(7));
        let mut names = BTreeSet::from(Gate::ALL.map(|gate| name(server, gate)));
        names.extend([far_end(server, Gate::FromGuest), far_end(server, Gate::Private), older(server)]);
        assert_eq!(names.len(), 6);
        for gate in names {
            assert_eq!(gate.len(), 15, "the kernel's bound");
            assert!(!gate.starts_with(tap_name::PREFIX), "the guard would take it for a guest's");
        }
    }

    #[test]
    fn an_interface_is_a_gate_by_kind_name_and_alias() {
        let (server, gate) = (ServerId(Uuid::from_u128(7)), Gate::ToGuest);
        let mark = GateMark { server, gate, mbit: Some(50) };
        let queue = Link { name: name(server, gate), alias: mark.to_string(), is_ifb: true, ..Link::default() };
        let found = |link: Link| find(&[link], server, gate).is_some();
        assert!(found(queue.clone()) && found(Link { alias: String::new(), ..queue.clone() }));
        assert!(find(std::slice::from_ref(&queue), server, Gate::FromGuest).is_none());
        let others = GateMark { server: ServerId(Uuid::from_u128(8)), ..mark };
        assert!(!found(Link { alias: others.to_string(), ..queue.clone() }));
        assert!(!found(Link { alias: "mine".to_owned(), ..queue.clone() }));
        assert!(!found(Link { is_ifb: false, is_veth: true, ..queue }));
    }

    #[test]
    fn a_rate_has_its_margin_and_room_for_whole_packets() {
        let rate = Rate::of_mbit(10);
        assert_eq!(rate, Rate { bytes_per_second: 1_275_000, burst_bytes: 81_920, waiting_bytes: 209_420 });
        assert_eq!(Rate::of_mbit(1000).burst_bytes, 2_550_000);
    }

    proptest! {
        #[test]
        fn a_mark_is_read_as_it_is_written(server in any::<u128>(), gate in 0usize..3, mbit in any::<u32>()) {
            let gate = Gate::ALL[gate];
            let mbit = Gate::QUEUES.contains(&gate).then_some(mbit);
            let mark = GateMark { server: ServerId(Uuid::from_u128(server)), gate, mbit };
            prop_assert_eq!(GateMark::parse(&mark.to_string()), Some(mark));
            prop_assert_eq!(tap_name::TapMark::parse(&mark.to_string()), None);
        }

        #[test]
        fn other_aliases_are_no_marks(alias in ".*") {
            prop_assert_eq!(GateMark::parse(&alias), None);
        }

        #[test]
        fn a_larger_rate_lets_more_through(mbit in 1u32..100_000) {
            let (less, more) = (Rate::of_mbit(mbit), Rate::of_mbit(mbit + 1));
            prop_assert!(less.bytes_per_second < more.bytes_per_second);
            prop_assert!(less.burst_bytes <= more.burst_bytes && less.waiting_bytes <= more.waiting_bytes);
            prop_assert!(less.burst_bytes < less.waiting_bytes || less.waiting_bytes == u32::MAX);
        }
    }
}
