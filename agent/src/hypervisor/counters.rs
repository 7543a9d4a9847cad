//! What libvirt's statistics say of one domain, read from its list of named values.
//!
//! Pure: what is not there is None, and what is not understood is passed over, since libvirt leaves out what it could
//! not learn without waiting, and adds names with every version.

use std::collections::BTreeMap;

use csp_shared::id::ServerId;

use super::domain_xml::DISK_TARGET;

/// A value of libvirt's, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number that is not negative.
    Number(u64),
    /// A text.
    Text(String),
}

/// A running domain's counters since it was started, and its memory now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Whose domain.
    pub server: ServerId,
    /// Changes when the domain is started.
    pub run: u32,
    /// Processor time of its process, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Its memory.
    pub balloon: Option<Balloon>,
    /// Its disk; not the seed.
    pub disk: Option<DiskCounters>,
    /// Its taps, by name.
    pub taps: BTreeMap<String, TapCounters>,
}

/// A domain's memory, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balloon {
    /// What the guest has.
    pub current_kib: u64,
    /// What its process holds.
    pub resident_kib: Option<u64>,
    /// Total, as the guest's driver says.
    pub available_kib: Option<u64>,
    /// What can still be had without swapping, as it says; older drivers do not.
    pub usable_kib: Option<u64>,
    /// What nothing is in, as it says.
    pub unused_kib: Option<u64>,
    /// When it said so, by the host's clock; 0 is never.
    pub said_at: u64,
}

/// A disk's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "as in Sample")]
pub struct DiskCounters {
    pub read_bytes: u64,
    pub read_requests: u64,
    pub write_bytes: u64,
    pub write_requests: u64,
    pub allocated_bytes: Option<u64>,
}

/// A tap's counters, in the guest's directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "as in Sample")]
pub struct TapCounters {
    pub received_bytes: u64,
    pub received_packets: u64,
    pub sent_bytes: u64,
    pub sent_packets: u64,
}

impl Counters {
    /// Reads the values of one domain.
    #[must_use]
    pub fn read(server: ServerId, run: u32, values: &BTreeMap<String, Value>) -> Self {
        let values = Values(values);
        Self {
            server,
            run,
            cpu_ns: values.number("cpu.time"),
            balloon: values.balloon(),
            disk: values.each("block").find_map(|(place, name)| values.disk(&place).filter(|_| name == DISK_TARGET)),
            taps: values.each("net").filter_map(|(place, name)| Some((name, values.tap(&place)?))).collect(),
        }
    }
}

struct Values<'a>(&'a BTreeMap<String, Value>);

impl Values<'_> {
    fn number(&self, name: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.0.get(name) { Some(*number) } else { None }
    }

    /// The places of a list, `net.0` for example, with the names that stand there.
    fn each(&self, list: &'static str) -> impl Iterator<Item = (String, String)> {
        let count = self.number(&format!("{list}.count")).unwrap_or(0);
        (0..count).map_while(move |index| {
            let place = format!("{list}.{index}");
            let Some(Value::Text(name)) = self.0.get(&format!("{place}.name")) else { return None };
            Some((place, name.clone()))
        })
    }

    fn balloon(&self) -> Option<Balloon> {
        Some(Balloon {
            current_kib: self.number("balloon.current")?,
            resident_kib: self.number("balloon.rss"),
            available_kib: self.number("balloon.available"),
            usable_kib: self.number("balloon.usable"),
            unused_kib: self.number("balloon.unused"),
            said_at: self.number("balloon.last-update").unwrap_or(0),
        })
    }

    fn disk(&self, place: &str) -> Option<DiskCounters> {
        let number = |name: &str| self.number(&format!("{place}.{name}"));
        Some(DiskCounters {
            read_bytes: number("rd.bytes")?,
            read_requests: number("rd.reqs")?,
            write_bytes: number("wr.bytes")?,
            write_requests: number("wr.reqs")?,
            allocated_bytes: number("physical"),
        })
    }

    /// The kernel counts on a tap from the host's side; libvirt turns that round for every kind of interface but macvtap,
    /// so what it calls received, the guest received.
    fn tap(&self, place: &str) -> Option<TapCounters> {
        let number = |name: &str| self.number(&format!("{place}.{name}"));
        Some(TapCounters {
            received_bytes: number("rx.bytes")?,
            received_packets: number("rx.pkts")?,
            sent_bytes: number("tx.bytes")?,
            sent_packets: number("tx.pkts")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const SERVER: ServerId = ServerId(Uuid::from_u128(7));

    /// As `virsh domstats` prints it.
    fn parse(text: &str) -> BTreeMap<String, Value> {
        let value = |text: &str| text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Number);
        text.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), value(v))).collect()
    }

    const WHOLE: &str = "cpu.time=5000\ncpu.user=1\nballoon.current=1048576\nballoon.maximum=1048576\nballoon.rss=300000\n\
        balloon.available=1000000\nballoon.usable=600000\nballoon.unused=500000\nballoon.last-update=1781092800\n\
        net.count=1\nnet.0.name=csptaaaaaaaaaaa\nnet.0.rx.bytes=11\nnet.0.rx.pkts=12\nnet.0.tx.bytes=13\nnet.0.tx.pkts=14\n\
        block.count=2\nblock.0.name=vdb\nblock.0.rd.reqs=9\nblock.0.rd.bytes=9\nblock.0.wr.reqs=9\nblock.0.wr.bytes=9\n\
        block.1.name=vda\nblock.1.rd.reqs=1\nblock.1.rd.bytes=2\nblock.1.wr.reqs=3\nblock.1.wr.bytes=4\nblock.1.physical=5";

    #[test]
    fn what_libvirt_says_is_read_in_the_guests_directions_and_without_the_seed() {
        let counters = Counters::read(SERVER, 3, &parse(WHOLE));
        assert_eq!((counters.run, counters.cpu_ns), (3, Some(5000)));
        let tap = TapCounters { received_bytes: 11, received_packets: 12, sent_bytes: 13, sent_packets: 14 };
        assert_eq!(counters.taps, BTreeMap::from([("csptaaaaaaaaaaa".to_owned(), tap)]));
        let disk = counters.disk.unwrap();
        assert_eq!((disk.read_requests, disk.read_bytes, disk.write_requests, disk.write_bytes), (1, 2, 3, 4));
        assert_eq!(disk.allocated_bytes, Some(5));
        assert_eq!(counters.balloon.unwrap().usable_kib, Some(600_000));
    }

    #[test]
    fn what_libvirt_could_not_learn_without_waiting_is_none() {
        let busy = "cpu.time=5000\nballoon.current=1048576\nnet.count=1\nblock.count=1\nblock.0.name=vda";
        let counters = Counters::read(SERVER, 3, &parse(busy));
        assert_eq!((counters.disk, counters.taps.len(), counters.cpu_ns), (None, 0, Some(5000)));
        assert_eq!(counters.balloon, Some(Balloon { current_kib: 1_048_576, ..Balloon::default() }));
    }

    proptest! {
        /// Whatever is missing, nothing else is lost by it.
        #[test]
        fn a_missing_value_takes_nothing_else_along(missing in 0..29usize) {
            let mut values = parse(WHOLE);
            let whole = Counters::read(SERVER, 1, &values);
            let name = values.keys().nth(missing % values.len()).unwrap().clone();
            values.remove(&name);
            let counters = Counters::read(SERVER, 1, &values);
            prop_assert!(name.starts_with("cpu") || counters.cpu_ns == whole.cpu_ns);
            prop_assert!(name.starts_with("net") || counters.taps == whole.taps);
            prop_assert!(name.starts_with("block") || counters.disk == whole.disk);
            prop_assert!(name.starts_with("balloon") || counters.balloon == whole.balloon);
        }
    }
}
