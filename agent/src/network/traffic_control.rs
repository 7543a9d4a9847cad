//! How fast an interface sends (tc(8), TBF in linux/pkt_sched.h), by netlink.

use std::collections::BTreeMap;

use nix::errno::Errno;
use rtnetlink::{
    packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE, NlasIterator},
    packet_route::{
        RouteNetlinkMessage,
        tc::{TcAttribute, TcHandle, TcMessage, TcOption},
    },
};

use super::{NetworkError, dump::dump, gate::Rate, links::Links};

const TBF: &str = "tbf";
/// The one queue of an interface of ours.
const QUEUE: TcHandle = TcHandle { major: 1, minor: 0 };
/// Attributes of TBF.
const TBF_PARAMETERS: u16 = 1;
const TBF_RATE64: u16 = 4;
const TBF_BURST: u16 = 6;
/// What the kernel calls it when frames wait in nothing.
const NONE: &str = "noqueue";
/// `TC_LINKLAYER_ETHERNET`: with it the kernel needs no table of times.
const LINK_LAYER: u8 = 1;
/// Of `struct tc_tbf_qopt`: two rates of 12 bytes, and three numbers.
const PARAMETERS_BYTES: usize = 36;
const RATE_AT: usize = 8;
const LIMIT_AT: usize = 24;

/// What holds an interface back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRate {
    bytes_per_second: u64,
    waiting_bytes: u32,
}

impl HeldRate {
    /// Whether it is what was asked for. The burst is told in time, rounded, and follows from the rate.
    #[must_use]
    pub fn is(self, rate: Rate) -> bool {
        self.bytes_per_second == rate.bytes_per_second && self.waiting_bytes == rate.waiting_bytes
    }
}

/// What frames wait in before they leave interfaces, by these' numbers; a rate where it is one of ours.
///
/// # Errors
/// When the kernel gives no whole list: then nobody knows.
pub async fn queues() -> Result<BTreeMap<u32, Option<HeldRate>>, NetworkError> {
    let question = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
    let rate = |answer: &RouteNetlinkMessage| match answer {
        RouteNetlinkMessage::NewQueueDiscipline(queue) => read_queue(queue),
        _ => None,
    };
    Ok(dump("list the queues", question, None, rate).await?.into_iter().collect())
}

/// Holds an interface to a rate. What waits in its queue goes on waiting.
///
/// # Errors
/// When the kernel refuses.
pub async fn set_rate(links: &Links, index: u32, rate: Rate) -> Result<(), NetworkError> {
    const DOING: &str = "hold a queue to its rate";
    let ask = || RouteNetlinkMessage::NewQueueDiscipline(write_rate(index, rate));
    match links.ask(DOING, ask(), NLM_F_CREATE | NLM_F_REPLACE).await {
        // Something else stands in its place, which somebody put there.
        Err(error) if error.is(Errno::EINVAL) => {
            let_through(links, index).await?;
            links.ask(DOING, ask(), NLM_F_CREATE | NLM_F_REPLACE).await
        }
        done => done,
    }
}

/// Takes away what an interface's frames wait in, and what waits there.
///
/// # Errors
/// When the kernel refuses.
pub async fn let_through(links: &Links, index: u32) -> Result<(), NetworkError> {
    let root = message(index, TcHandle::ROOT, TcHandle::UNSPEC);
    links.ask("take away a queue", RouteNetlinkMessage::DelQueueDiscipline(root), 0).await
}

fn message(index: u32, parent: TcHandle, handle: TcHandle) -> TcMessage {
    let mut message = TcMessage::with_index(i32::try_from(index).unwrap_or_default());
    message.header.parent = parent;
    message.header.handle = handle;
    message
}

fn write_rate(index: u32, rate: Rate) -> TcMessage {
    let mut parameters = vec![0, LINK_LAYER, 0, 0, 0, 0, 0, 0];
    parameters.extend(u32::try_from(rate.bytes_per_second).unwrap_or(u32::MAX).to_ne_bytes());
    parameters.resize(LIMIT_AT, 0); // no peak rate
    parameters.extend(rate.waiting_bytes.to_ne_bytes());
    parameters.resize(PARAMETERS_BYTES, 0); // the burst comes in bytes
    let option = |kind, value: &[u8]| TcOption::Other(DefaultNla::new(kind, value.to_vec()));
    let mut message = message(index, TcHandle::ROOT, QUEUE);
    message.attributes.push(TcAttribute::Kind(TBF.to_owned()));
    message.attributes.push(TcAttribute::Options(vec![
        option(TBF_PARAMETERS, &parameters),
        option(TBF_RATE64, &rate.bytes_per_second.to_ne_bytes()),
        option(TBF_BURST, &rate.burst_bytes.to_ne_bytes()),
    ]));
    message
}

fn read_queue(queue: &TcMessage) -> Option<(u32, Option<HeldRate>)> {
    let is_none = queue.attributes.contains(&TcAttribute::Kind(NONE.to_owned()));
    if is_none || queue.header.parent != TcHandle::ROOT {
        return None;
    }
    let index = u32::try_from(queue.header.index).ok()?;
    Some((index, read_rate(queue).map(|(_, rate)| rate)))
}

fn read_rate(queue: &TcMessage) -> Option<(u32, HeldRate)> {
    let is_tbf = queue.attributes.contains(&TcAttribute::Kind(TBF.to_owned()));
    if !is_tbf || queue.header.parent != TcHandle::ROOT {
        return None;
    }
    let options = queue.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => options.first(),
        _ => None,
    })?;
    let TcOption::Other(nested) = options else { return None };
    let nested = value(nested);
    let attribute = |kind| {
        NlasIterator::new(nested.as_slice()).flatten().find(|nla| nla.kind() == kind).map(|nla| nla.value().to_vec())
    };
    let parameters = attribute(TBF_PARAMETERS)?;
    let number = |at: usize| Some(u32::from_ne_bytes(parameters.get(at..at + 4)?.try_into().ok()?));
    let large = attribute(TBF_RATE64).and_then(|bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?)));
    let bytes_per_second = large.map_or_else(|| number(RATE_AT).map(u64::from), Some)?;
    let index = u32::try_from(queue.header.index).ok()?;
    Some((index, HeldRate { bytes_per_second, waiting_bytes: number(LIMIT_AT)? }))
}

/// The value of an attribute that the library does not know.
fn value(attribute: &DefaultNla) -> Vec<u8> {
    use rtnetlink::packet_core::Nla;
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    value
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{Emitable, Parseable};

    use super::*;

    /// As the kernel lists it: nested in an attribute of one value.
    fn listed(rate: Rate) -> TcMessage {
        let sent = write_rate(7, rate);
        let mut bytes = vec![0; sent.buffer_len()];
        sent.emit(&mut bytes);
        TcMessage::parse(bytes.as_slice()).unwrap()
    }

    #[test]
    fn a_rate_is_read_as_it_is_written_also_beyond_32_bits() {
        for mbit in [1, 10, 1000, 100_000] {
            let rate = Rate::of_mbit(mbit);
            let (index, held) = read_rate(&listed(rate)).unwrap();
            assert_eq!(index, 7);
            assert!(held.is(rate), "{mbit}");
            assert!(!held.is(Rate::of_mbit(mbit + 1)), "{mbit}");
        }
    }

    #[test]
    fn what_is_no_rate_of_the_whole_interface_is_none() {
        let mut inner = listed(Rate::of_mbit(10));
        inner.header.parent = TcHandle { major: 1, minor: 1 };
        assert_eq!(read_rate(&inner), None);
        let mut other = listed(Rate::of_mbit(10));
        other.attributes[0] = TcAttribute::Kind("htb".to_owned());
        assert_eq!(read_rate(&other), None);
        assert_eq!(read_rate(&TcMessage::default()), None);
    }
}
