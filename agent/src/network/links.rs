//! The kernel's network interfaces, seen and changed by netlink.
//!
//! A listing that the kernel marks as interrupted is taken again: an interface that it skipped would count as gone, and
//! "not seen" is not "absent".

use std::sync::Arc;

use csp_shared::mac::Mac;
use futures_util::StreamExt;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec,
    packet_core::{ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    },
};

use tokio::sync::Mutex;

use super::NetworkError;

/// The kernel's word for a dump during which something changed (linux/netlink.h).
const NLM_F_DUMP_INTR: u16 = 0x10;
const DUMP_TRIES: u32 = 10;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Link {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its alias; empty when it has none.
    pub alias: String,
    /// Its address, if it is an Ethernet one.
    pub mac: Option<Mac>,
    /// Administratively up.
    pub up: bool,
    /// The bridge (or other interface) that it is a port of.
    pub controller: Option<u32>,
    /// Largest frame's content, in bytes.
    pub mtu: u32,
    /// It is a bridge.
    pub is_bridge: bool,
    /// It is a tun or tap.
    pub is_tun: bool,
    /// It is an ifb: what it is given to send comes back from where it was taken, after its queue.
    pub is_ifb: bool,
    /// It has a carrier; a tap has one exactly while a program holds it open.
    pub has_carrier: bool,
}

/// A connection to the kernel's routing tables, in the network namespace of the thread that opened it.
#[derive(Clone, Debug)]
pub struct Links {
    handle: Handle,
    /// Held while a list is read: the kernel gives one at a time over a connection, and refuses a second one meanwhile.
    listing: Arc<Mutex<()>>,
}

impl Links {
    /// Connects. Must be called inside a tokio runtime, which drives the connection until the value is dropped.
    ///
    /// # Errors
    /// When no netlink socket can be had.
    pub fn connect() -> Result<Self, NetworkError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| failed("open a netlink socket", None, &error))?;
        tokio::spawn(connection);
        Ok(Self { handle, listing: Arc::default() })
    }

    /// Every interface.
    ///
    /// # Errors
    /// When the kernel gives no whole list.
    pub async fn list(&self) -> Result<Vec<Link>, NetworkError> {
        const DOING: &str = "list the network interfaces";
        let answers = self.dump(DOING, RouteNetlinkMessage::GetLink(LinkMessage::default())).await?;
        let read_link = |answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(read(&message)),
            _ => None,
        };
        let links: Vec<Link> = answers.into_iter().filter_map(read_link).collect();
        // Every network namespace has a loopback interface: an empty list is a connection that ended.
        if links.is_empty() {
            return Err(failed(DOING, None, &"the kernel gave none"));
        }
        Ok(links)
    }

    /// All that the kernel lists of one kind of thing.
    ///
    /// # Errors
    /// When the kernel gives no whole list.
    pub(super) async fn dump(
        &self,
        doing: &str,
        question: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetworkError> {
        let _alone = self.listing.lock().await;
        for _ in 0..DUMP_TRIES {
            if let Some(things) = self.dump_once(doing, question.clone()).await? {
                return Ok(things);
            }
        }
        Err(failed(doing, None, &"it changes faster than it can be read"))
    }

    /// One pass; nothing when something changed meanwhile.
    async fn dump_once(
        &self,
        doing: &str,
        question: RouteNetlinkMessage,
    ) -> Result<Option<Vec<RouteNetlinkMessage>>, NetworkError> {
        let mut request = NetlinkMessage::from(question);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut handle = self.handle.clone();
        let mut answers = handle.request(request).map_err(|error| failed(doing, None, &error))?;
        let (mut things, mut whole) = (Vec::new(), true);
        while let Some(answer) = answers.next().await {
            whole &= answer.header.flags & NLM_F_DUMP_INTR == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => things.push(message),
                NetlinkPayload::Error(error) => return Err(refused(doing, &error)),
                _ => {}
            }
        }
        Ok(whole.then_some(things))
    }

    /// Has the kernel do one thing. `flags` are those of its kind of request.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn ask(&self, doing: &str, what: RouteNetlinkMessage, flags: u16) -> Result<(), NetworkError> {
        let mut request = NetlinkMessage::from(what);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut handle = self.handle.clone();
        let mut answers = handle.request(request).map_err(|error| failed(doing, None, &error))?;
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(refused(doing, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes one interface.
    ///
    /// # Errors
    /// When the kernel refuses, as when the name is taken.
    pub(super) async fn add(&self, doing: &str, link: LinkMessage) -> Result<(), NetworkError> {
        self.handle.link().add(link).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Changes one interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn change(&self, doing: &str, change: LinkMessageBuilder<LinkUnspec>) -> Result<(), NetworkError> {
        self.handle.link().change(change.build()).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Deletes one interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn delete(&self, link: &Link) -> Result<(), NetworkError> {
        let deleted = self.handle.link().del(link.index).execute().await;
        deleted.map_err(|error| of_rtnetlink(&format!("delete {}", link.name), error))
    }
}

fn failed(doing: &str, errno: Option<i32>, reason: &dyn std::fmt::Display) -> NetworkError {
    NetworkError::Netlink { doing: doing.to_owned(), errno, reason: reason.to_string() }
}

fn refused(doing: &str, error: &ErrorMessage) -> NetworkError {
    failed(doing, Some(error.raw_code().abs()), error)
}

fn of_rtnetlink(doing: &str, error: rtnetlink::Error) -> NetworkError {
    match error {
        rtnetlink::Error::NetlinkError(error) => refused(doing, &error),
        other => failed(doing, None, &other),
    }
}

fn read(message: &LinkMessage) -> Link {
    let mut link =
        Link { index: message.header.index, up: message.header.flags.contains(LinkFlags::Up), ..Link::default() };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
            LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok().map(Mac),
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Carrier(carrier) => link.has_carrier = *carrier != 0,
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
                link.is_tun = infos.contains(&LinkInfo::Kind(InfoKind::Tun));
                link.is_ifb = infos.contains(&LinkInfo::Kind(InfoKind::Ifb));
            }
            _ => {}
        }
    }
    link
}
