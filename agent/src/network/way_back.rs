//! How frames of a guest get from the far end of their queue back to its tap (tc(8): u32 and mirred), by netlink.
//!
//! They are told apart by the guest's address, which its filters have looked at. They arrive at the tap as if it had just sent
//! them, and so pass everything that is asked there once more.

use std::collections::BTreeMap;

use csp_shared::mac::Mac;
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{NLM_F_CREATE, NLM_F_EXCL},
    packet_route::{
        RouteNetlinkMessage,
        tc::{
            TcAction, TcActionAttribute, TcActionMirror, TcActionMirrorOption, TcActionOption, TcActionType,
            TcAttribute, TcFilterU32, TcFilterU32Option, TcHandle, TcMessage, TcMirror, TcMirrorActionType, TcOption,
            TcU32Key, TcU32Selector, TcU32SelectorFlags,
        },
    },
};

use super::{NetworkError, dump::dump, links::Links};

const DOING: &str = "lead a guest's frames from their queue to its tap";
/// What carries the ways.
const INGRESS: &str = "ingress";
const INGRESS_HANDLE: TcHandle = TcHandle { major: 0xffff, minor: 0 };
/// ETH_P_ALL as the network writes it.
const ALL_PROTOCOLS: u32 = (nix::libc::ETH_P_ALL as u16).to_be() as u32;
/// Where a frame's source address lies, from its content on; what stands behind it is its kind.
const SOURCE_AT: i32 = -8;
const SOURCE_TOO_AT: i32 = -4;
const NO_KIND: u32 = 0xffff_0000;

/// Which tap a guest's frames go to, by the guest's address.
pub type Ways = BTreeMap<Mac, u32>;

/// One of them in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    mac: Mac,
    tap: u32,
    /// Preference and protocol, by which it is deleted.
    info: u32,
}

/// The ways that begin at an interface; nothing when something else stands among them.
///
/// # Errors
/// When the kernel gives no whole list: then nobody knows.
pub async fn list(index: u32) -> Result<Option<Ways>, NetworkError> {
    let ways = read_all(index).await?;
    Ok(ways.map(|ways| ways.into_iter().map(|way| (way.mac, way.tap)).collect()))
}

/// Makes `wanted` the ways that begin at an interface. One that is there and wanted is never away meanwhile.
///
/// # Errors
/// When the kernel refuses.
pub async fn set(links: &Links, index: u32, wanted: &Ways) -> Result<(), NetworkError> {
    let start = RouteNetlinkMessage::NewQueueDiscipline(start(index));
    let is_new = match links.ask(DOING, start.clone(), NLM_F_CREATE | NLM_F_EXCL).await {
        Ok(()) => true,
        Err(error) if error.is(Errno::EEXIST) => false,
        Err(error) => return Err(error),
    };
    let there = if is_new { Some(Vec::new()) } else { read_all(index).await? };
    let there = match there {
        Some(there) => there,
        // Something that is not ours is among them.
        None => {
            let old = message(index, TcHandle::INGRESS, INGRESS_HANDLE);
            links.ask(DOING, RouteNetlinkMessage::DelQueueDiscipline(old), 0).await?;
            links.ask(DOING, start, NLM_F_CREATE | NLM_F_EXCL).await?;
            Vec::new()
        }
    };
    let is_there = |mac: Mac, tap| there.iter().any(|way| way.mac == mac && way.tap == tap);
    for (mac, tap) in wanted.iter().filter(|(mac, tap)| !is_there(**mac, **tap)) {
        let new = RouteNetlinkMessage::NewTrafficFilter(write(index, *mac, *tap));
        links.ask(DOING, new, NLM_F_CREATE | NLM_F_EXCL).await?;
    }
    for way in there.iter().filter(|way| wanted.get(&way.mac) != Some(&way.tap)) {
        let mut old = message(index, INGRESS_HANDLE, TcHandle::UNSPEC);
        old.header.info = way.info;
        links.ask(DOING, RouteNetlinkMessage::DelTrafficFilter(old), 0).await?;
    }
    Ok(())
}

async fn read_all(index: u32) -> Result<Option<Vec<Way>>, NetworkError> {
    let question = RouteNetlinkMessage::GetTrafficFilter(message(index, INGRESS_HANDLE, TcHandle::UNSPEC));
    // Something that is not ours is none.
    let way = |answer: &RouteNetlinkMessage| match answer {
        RouteNetlinkMessage::NewTrafficFilter(filter) if is_filter(filter) => Some(read(filter)),
        _ => None,
    };
    match dump("list the ways back from a queue", question, None, way).await {
        // Where ways begin was taken away.
        Err(error) if error.is(Errno::EINVAL) => Ok(None),
        listed => Ok(listed?.into_iter().collect()),
    }
}

fn message(index: u32, parent: TcHandle, handle: TcHandle) -> TcMessage {
    let mut message = TcMessage::with_index(i32::try_from(index).unwrap_or_default());
    message.header.parent = parent;
    message.header.handle = handle;
    message
}

fn start(index: u32) -> TcMessage {
    let mut start = message(index, TcHandle::INGRESS, INGRESS_HANDLE);
    start.attributes.push(TcAttribute::Kind(INGRESS.to_owned()));
    start
}

/// Two words of a frame that are its source address.
fn keys(Mac([a, b, c, d, e, f]): Mac) -> Vec<TcU32Key> {
    let key = |at, value, mask| {
        let mut key = TcU32Key::default();
        (key.off, key.val, key.mask) = (at, value, mask);
        key
    };
    let (first, last) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, 0, 0]));
    vec![key(SOURCE_AT, first, u32::MAX), key(SOURCE_TOO_AT, last, NO_KIND)]
}

fn write(index: u32, mac: Mac, tap: u32) -> TcMessage {
    let mut mirror = TcMirror::default();
    (mirror.eaction, mirror.ifindex) = (TcMirrorActionType::IngressRedir, tap);
    mirror.generic.action = TcActionType::Stolen;
    let mut action = TcAction::default();
    action.attributes = vec![
        TcActionAttribute::Kind(TcActionMirror::KIND.to_owned()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror))]),
    ];
    let mut selector = TcU32Selector::default();
    (selector.flags, selector.keys) = (TcU32SelectorFlags::Terminal, keys(mac));
    selector.nkeys = 2;
    let mut filter = message(index, INGRESS_HANDLE, TcHandle::UNSPEC);
    filter.header.info = ALL_PROTOCOLS; // the kernel chooses the preference
    filter.attributes = vec![
        TcAttribute::Kind(TcFilterU32::KIND.to_owned()),
        TcAttribute::Options(vec![
            TcOption::U32(TcFilterU32Option::Selector(selector)),
            TcOption::U32(TcFilterU32Option::Action(vec![action])),
        ]),
    ];
    filter
}

/// Of each filter the kernel also lists the table that it is kept in, which has no choice of frames.
fn is_filter(listed: &TcMessage) -> bool {
    let is_u32 = listed.attributes.contains(&TcAttribute::Kind(TcFilterU32::KIND.to_owned()));
    !is_u32 || options(listed).any(|option| matches!(option, TcOption::U32(TcFilterU32Option::Selector(_))))
}

fn options(listed: &TcMessage) -> impl Iterator<Item = &TcOption> {
    let options = listed.attributes.iter().filter_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    });
    options.flatten()
}

fn read(listed: &TcMessage) -> Option<Way> {
    let selector = options(listed).find_map(|option| match option {
        TcOption::U32(TcFilterU32Option::Selector(selector)) => Some(selector),
        _ => None,
    })?;
    let action = options(listed).find_map(|option| match option {
        TcOption::U32(TcFilterU32Option::Action(actions)) => actions.first(),
        _ => None,
    })?;
    let mirror = action.attributes.iter().find_map(|attribute| match attribute {
        TcActionAttribute::Options(options) => options.iter().find_map(|option| match option {
            TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror)) => Some(mirror),
            _ => None,
        }),
        _ => None,
    })?;
    let [first, last] = selector.keys.as_slice() else { return None };
    let ([a, b, c, d], [e, f, ..]) = (first.val.to_be_bytes(), last.val.to_be_bytes());
    let mac = Mac([a, b, c, d, e, f]);
    let is_ours = selector.keys == keys(mac) && mirror.eaction == TcMirrorActionType::IngressRedir;
    is_ours.then_some(Way { mac, tap: mirror.ifindex, info: listed.header.info })
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{Emitable, Parseable};

    use super::*;

    fn listed(sent: &TcMessage) -> TcMessage {
        let mut bytes = vec![0; sent.buffer_len()];
        sent.emit(&mut bytes);
        TcMessage::parse(bytes.as_slice()).unwrap()
    }

    #[test]
    fn a_way_is_read_as_it_is_written_and_nothing_else_is_one() {
        let mac = Mac([0x0a, 0xc5, 1, 2, 3, 4]);
        let way = listed(&write(7, mac, 11));
        assert_eq!(read(&way), Some(Way { mac, tap: 11, info: ALL_PROTOCOLS }));
        assert!(is_filter(&way) && !is_filter(&listed(&table())));
        let mut other = way.clone();
        other.attributes[0] = TcAttribute::Kind("bpf".to_owned());
        other.attributes.truncate(1);
        assert!(is_filter(&other) && read(&other).is_none(), "it would be taken away");
    }

    fn table() -> TcMessage {
        let mut table = message(7, INGRESS_HANDLE, TcHandle::UNSPEC);
        table.attributes.push(TcAttribute::Kind(TcFilterU32::KIND.to_owned()));
        table
    }
}
