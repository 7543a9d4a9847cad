//! The kernel's network interfaces, seen and changed by netlink.

use std::{net::Ipv4Addr, sync::Arc};

use csp_shared::{mac::Mac, sample::NetworkMoved};
use futures_util::StreamExt;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec,
    packet_core::{ErrorMessage, NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{
            AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridge, InfoData, InfoKind, InfoVlan, InfoVxlan,
            LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
        },
    },
};

use nix::errno::Errno;

use super::{NetworkError, adapter_trial, dump::dump};
use crate::shared_look::SharedLook;

/// What is read of an interface, by the kernel's numbers (`IFLA_…` in linux/if_link.h): address, name, MTU, the interface
/// under it, controller, kind, alias, carrier. A bridge, and whatever speaks IPv6, has far more to tell.
const KEPT: &[u16] = &[1, 3, 4, 5, 10, 18, 20, 33];
/// And what it carried.
const KEPT_AND_CARRIED: &[u16] = &[1, 3, 4, 5, 10, 18, 20, 23, 33];

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
    /// It is one end of a cable within the host; `lower` is the other.
    pub is_veth: bool,
    /// It is a bridge that keeps tags apart.
    pub filters_vlans: bool,
    /// The interface that it stands on.
    pub lower: Option<u32>,
    /// It is the one tag (802.1Q) of the interface that it stands on.
    pub vlan_tag: Option<u16>,
    /// It is a VXLAN device, and how it was made.
    pub vxlan: Option<Vxlan>,
    /// It has a carrier; a tap has one exactly while a program holds it open.
    pub has_carrier: bool,
}

/// How a VXLAN device was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Vxlan {
    /// Its network's number.
    pub vni: u32,
    /// The host's address that it sends from.
    pub local: Option<Ipv4Addr>,
    /// Where its packets go to and arrive.
    pub port: u16,
    /// The interface under it.
    pub lower: u32,
    /// It learns from what arrives who is where.
    pub learns: bool,
}

/// A connection to the kernel's routing tables, in the network namespace of the thread that opened it.
#[derive(Clone, Debug)]
pub struct Links {
    handle: Handle,
    /// Who asks for all interfaces while others do shares the next list.
    looks: Arc<SharedLook<Listed>>,
}

/// A list that many share, or the kernel's number and words for why there is none.
type Listed = Result<Arc<[Link]>, (Option<i32>, String)>;

const LIST: &str = "list the network interfaces";

impl Links {
    /// Connects. Must be called inside a tokio runtime, which drives the connection until the value is dropped.
    ///
    /// # Errors
    /// When no netlink socket can be had.
    pub fn connect() -> Result<Self, NetworkError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| failed("open a netlink socket", None, &error))?;
        tokio::spawn(connection);
        Ok(Self { handle, looks: Arc::default() })
    }

    /// Every interface, in a list that began after this call. Those who ask at once share one: with a thousand interfaces it
    /// takes long, and many workers ask.
    ///
    /// # Errors
    /// When the kernel gives no whole list.
    pub async fn list(&self) -> Result<Arc<[Link]>, NetworkError> {
        let why = |error| match error {
            NetworkError::Netlink { errno, reason, .. } => (errno, reason),
            other => (None, other.to_string()),
        };
        let listed = self.looks.look(async || self.list_alone().await.map(Arc::from).map_err(why)).await;
        listed.map_err(|(errno, reason)| failed(LIST, errno, &reason))
    }

    async fn list_alone(&self) -> Result<Vec<Link>, NetworkError> {
        let mut question = LinkMessage::default();
        // Most of what the kernel would tell of a link are its counters.
        question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let question = RouteNetlinkMessage::GetLink(question);
        let read_link = |answer: &RouteNetlinkMessage| match answer {
            RouteNetlinkMessage::NewLink(message) => {
                Some(read(message)).filter(|link| !adapter_trial::is_tried(&link.name))
            }
            _ => None,
        };
        let links = dump(LIST, question, Some(KEPT), read_link).await?;
        // Every network namespace has a loopback interface: an empty list is a connection that ended.
        if links.is_empty() {
            return Err(failed(LIST, None, &"the kernel gave none"));
        }
        Ok(links)
    }

    /// Every interface, and what it carried since it was made: received by what is behind it, sent by it. For a tap these are
    /// the guest's directions.
    ///
    /// # Errors
    /// When the kernel gives no whole list.
    pub async fn list_carried(&self) -> Result<Vec<(Link, NetworkMoved)>, NetworkError> {
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let read_link = |answer: &RouteNetlinkMessage| match answer {
            RouteNetlinkMessage::NewLink(message) => Some((read(message), carried(message)?)),
            _ => None,
        };
        dump("list what the network interfaces carried", question, Some(KEPT_AND_CARRIED), read_link).await
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
    pub async fn add(&self, doing: &str, link: LinkMessage) -> Result<(), NetworkError> {
        self.handle.link().add(link).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Changes one interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn change(&self, doing: &str, change: LinkMessageBuilder<LinkUnspec>) -> Result<(), NetworkError> {
        self.handle.link().change(change.build()).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Changes how a bridge treats one of its ports.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn set_port(&self, doing: &str, port: LinkMessage) -> Result<(), NetworkError> {
        self.handle.link().set_port(port).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Adds the tags that the message names to a port of a bridge.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn add_tags(&self, doing: &str, tags: LinkMessage) -> Result<(), NetworkError> {
        self.handle.link().set(tags).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// Takes away the part of an interface that the message names, as a tag of a port.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn delete_part(&self, doing: &str, part: LinkMessage) -> Result<(), NetworkError> {
        self.handle.link().del_with_message(part).execute().await.map_err(|error| of_rtnetlink(doing, error))
    }

    /// The number of the interface of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn index_of(&self, name: &str) -> Result<u32, NetworkError> {
        let found = self.named(name).await?.map(|link| link.index);
        found.ok_or_else(|| failed(&format!("find {name}"), None, &"it is not there"))
    }

    /// The interface of that name, asked for alone.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub async fn named(&self, name: &str) -> Result<Option<Link>, NetworkError> {
        let mut found = self.handle.link().get().match_name(name).execute();
        match found.next().await {
            Some(Ok(message)) => Ok(Some(read(&message))),
            None => Ok(None),
            Some(Err(error)) => match of_rtnetlink(&format!("find {name}"), error) {
                gone if gone.is(Errno::ENODEV) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Keeps an interface from speaking IPv6 by itself. A kernel that does not speak it refuses, and that is as well.
    pub(super) async fn keep_quiet(&self, name: &str) {
        let none = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        let quiet = LinkUnspec::new_with_name(name).append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![none]));
        let _ = self.change(&format!("keep {name} quiet"), quiet).await;
    }

    /// Deletes one interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn delete(&self, link: &Link) -> Result<(), NetworkError> {
        let deleted = self.handle.link().del(link.index).execute().await;
        deleted.map_err(|error| of_rtnetlink(&format!("delete {}", link.name), error))
    }

    /// Sets several interfaces down and deletes them at once. With each deletion the kernel waits until no processor can see the
    /// interface any more, and lets nobody change another one meanwhile; for those of one group it waits once.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn delete_together(&self, links: &[&Link]) -> Result<(), NetworkError> {
        let [_, _, ..] = links else {
            return match links.first() {
                Some(link) => self.delete(link).await,
                None => Ok(()),
            };
        };
        let names = links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(", ");
        let doing = format!("delete {names}");
        let group = LinkAttribute::Group(own_group().map_err(|error| failed(&doing, None, &error))?);
        for link in links {
            let moved = LinkUnspec::new_with_index(link.index).append_extra_attribute(group.clone()).down();
            self.change(&format!("set {} down", link.name), moved).await?;
        }
        let mut all = LinkMessage::default();
        all.attributes.push(group);
        self.delete_part(&doing, all).await
    }
}

/// A group of interfaces that nobody else has: by chance, among a thousand million. Zero, in which all interfaces are at
/// first, is none of them.
fn own_group() -> Result<u32, getrandom::Error> {
    Ok(getrandom::u32()? >> 2 | 1 << 30)
}

pub(super) fn failed(doing: &str, errno: Option<i32>, reason: &dyn std::fmt::Display) -> NetworkError {
    NetworkError::Netlink { doing: doing.to_owned(), errno, reason: reason.to_string() }
}

pub(super) fn refused(doing: &str, error: &ErrorMessage) -> NetworkError {
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
            LinkAttribute::Link(lower) => link.lower = Some(*lower),
            LinkAttribute::Carrier(carrier) => link.has_carrier = *carrier != 0,
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
                link.is_tun = infos.contains(&LinkInfo::Kind(InfoKind::Tun));
                link.is_ifb = infos.contains(&LinkInfo::Kind(InfoKind::Ifb));
                link.is_veth = infos.contains(&LinkInfo::Kind(InfoKind::Veth));
                infos.iter().for_each(|info| read_info(&mut link, info));
            }
            _ => {}
        }
    }
    link
}

/// The kernel counts from the host's side: what it received, whoever is behind the interface sent.
fn carried(message: &LinkMessage) -> Option<NetworkMoved> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Stats64(stats) => Some(NetworkMoved {
            received_bytes: stats.tx_bytes,
            received_packets: stats.tx_packets,
            sent_bytes: stats.rx_bytes,
            sent_packets: stats.rx_packets,
        }),
        _ => None,
    })
}

fn read_info(link: &mut Link, info: &LinkInfo) {
    match info {
        LinkInfo::Data(InfoData::Bridge(infos)) => {
            link.filters_vlans = infos.contains(&InfoBridge::VlanFiltering(true));
        }
        LinkInfo::Data(InfoData::Vlan(infos)) => {
            link.vlan_tag = infos.iter().find_map(|info| if let InfoVlan::Id(tag) = info { Some(*tag) } else { None });
        }
        LinkInfo::Data(InfoData::Vxlan(infos)) => link.vxlan = Some(read_vxlan(infos)),
        _ => {}
    }
}

fn read_vxlan(infos: &[InfoVxlan]) -> Vxlan {
    let mut vxlan = Vxlan::default();
    for info in infos {
        match info {
            InfoVxlan::Id(vni) => vxlan.vni = *vni,
            InfoVxlan::Local(address) => vxlan.local = Some(*address),
            InfoVxlan::Port(port) => vxlan.port = *port,
            InfoVxlan::Link(lower) => vxlan.lower = *lower,
            InfoVxlan::Learning(learns) => vxlan.learns = *learns,
            _ => {}
        }
    }
    vxlan
}
