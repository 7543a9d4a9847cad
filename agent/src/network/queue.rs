//! The two queues that hold a server to its rate, one a direction, all of its public taps in front of them: what they
//! are called, how they are known, and how much they let through. Pure.
//!
//! What goes to a guest waits in an ifb, which puts it back where it was taken. What comes from one may not: the kernel asks
//! no egress filter about a frame that an ifb put back (`nf_skip_egress`), so on this host neither the filters nor the queue of
//! whom it goes to would see it. It goes through a cable instead, which frames leave like new ones.

use std::fmt;

use csp_shared::id::ServerId;

use super::{dhcp, links::Link, tap_name::name_of};

/// Begins the names of queues. Not that of taps: nothing that a guest may not reach is matched by it.
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

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the guest to the segment.
    FromGuest,
    /// From the segment to the guest.
    ToGuest,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::FromGuest, Self::ToGuest];

    fn as_str(self) -> &'static str {
        match self {
            Self::FromGuest => "out_of_guest",
            Self::ToGuest => "to_guest",
        }
    }
}

/// The name of a server's queue.
#[must_use]
pub fn name(server: ServerId, direction: Direction) -> String {
    name_of(PREFIX, &[server.0.as_bytes(), direction.as_str().as_bytes()].concat())
}

/// The name of the far end of what takes the guest's frames.
#[must_use]
pub fn far_end(server: ServerId) -> String {
    name_of(PREFIX, &[server.0.as_bytes(), &b"far_end"[..]].concat())
}

/// The queue of what guests sent under an older agent, an ifb.
#[must_use]
pub fn older(server: ServerId) -> String {
    name_of(PREFIX, &[server.0.as_bytes(), &b"from_guest"[..]].concat())
}

/// The names of a server's two queues, for its filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    /// Takes what the guest sends.
    pub from_guest: String,
    /// Where that comes out again.
    pub far_end: String,
    /// Takes what goes to it.
    pub to_guest: String,
}

impl Gates {
    /// Of that server.
    #[must_use]
    pub fn of(server: ServerId) -> Self {
        let named = |direction| name(server, direction);
        Self { from_guest: named(Direction::FromGuest), far_end: far_end(server), to_guest: named(Direction::ToGuest) }
    }
}

/// Whose queue it is; stands in the interface's alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueMark {
    /// The server.
    pub server: ServerId,
    /// Which of its two.
    pub direction: Direction,
    /// The rate that it was made for, in megabits a second.
    pub mbit: u32,
}

impl fmt::Display for QueueMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "csp server={} queue={} mbit={}", self.server, self.direction.as_str(), self.mbit)
    }
}

impl QueueMark {
    /// Reads an alias; nothing when it is no mark of ours.
    #[must_use]
    pub fn parse(alias: &str) -> Option<Self> {
        let (server, queue) = alias.strip_prefix("csp server=")?.split_once(" queue=")?;
        let (way, mbit) = queue.split_once(" mbit=")?;
        let direction = Direction::BOTH.into_iter().find(|direction| direction.as_str() == way)?;
        Some(Self { server: server.parse().ok()?, direction, mbit: mbit.parse().ok()? })
    }
}

/// Finds a server's queue. One that lost its alias is known by its name; one with another alias is somebody else's.
#[must_use]
pub fn find(links: &[Link], server: ServerId, direction: Direction) -> Option<&Link> {
    let name = name(server, direction);
    let is_of =
        |link: &Link| QueueMark::parse(&link.alias).is_some_and(|m| m.server == server && m.direction == direction);
    let is_kind = |link: &Link| if direction == Direction::FromGuest { link.is_veth } else { link.is_ifb };
    links.iter().find(|link| is_kind(link) && link.name == name && (link.alias.is_empty() || is_of(link)))
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
    fn a_servers_queues_are_told_apart_from_each_other_and_from_taps() {
        let server = ServerId(Uuid::from_u128(7));
        let [out, to] = Direction::BOTH.map(|direction| name(server, direction));
        assert_eq!(BTreeSet::from([&out, &to, &far_end(server), &older(server)]).len(), 4);
        for queue in [out, to, far_end(server)] {
            assert_eq!(queue.len(), 15, "the kernel's bound");
            assert!(!queue.starts_with(tap_name::PREFIX), "the guard would take it for a guest's");
        }
    }

    #[test]
    fn an_interface_is_a_queue_by_kind_name_and_alias() {
        let (server, direction) = (ServerId(Uuid::from_u128(7)), Direction::ToGuest);
        let mark = QueueMark { server, direction, mbit: 50 };
        let queue = Link { name: name(server, direction), alias: mark.to_string(), is_ifb: true, ..Link::default() };
        let found = |link: Link| find(&[link], server, direction).is_some();
        assert!(found(queue.clone()) && found(Link { alias: String::new(), ..queue.clone() }));
        assert!(find(std::slice::from_ref(&queue), server, Direction::FromGuest).is_none());
        let others = QueueMark { server: ServerId(Uuid::from_u128(8)), ..mark };
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
        fn a_mark_is_read_as_it_is_written(server in any::<u128>(), out in any::<bool>(), mbit in any::<u32>()) {
            let direction = if out { Direction::FromGuest } else { Direction::ToGuest };
            let mark = QueueMark { server: ServerId(Uuid::from_u128(server)), direction, mbit };
            prop_assert_eq!(QueueMark::parse(&mark.to_string()), Some(mark));
            prop_assert_eq!(tap_name::TapMark::parse(&mark.to_string()), None);
        }

        #[test]
        fn other_aliases_are_no_marks(alias in ".*") {
            prop_assert_eq!(QueueMark::parse(&alias), None);
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
