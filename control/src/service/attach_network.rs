//! Puts a server into a private network: an adapter more in its spec, a member more in the object of every host of the
//! network. One transaction, so that no host is told of one without the other.

use csp_shared::{
    id::{AccountId, ActionId, HostId, MembershipId, NetworkId, ServerId},
    spec::{Nic, NicAddress, NicNetwork},
};

use super::{
    carry_network::{NoSegment, carry_network},
    change_power::PATIENCE_SECONDS,
    new_mac::new_mac,
    next_spec::next_spec,
    refresh_network::refresh_network,
};
use crate::{
    domain::{
        action::Command,
        adapter::{self, TooManyAdapters},
        allowed::{Ask, Denied, allow},
        draw::Draw,
        private_network::can_carry,
        segment::choose_address,
        slug::Slug,
        time::Time,
    },
    store::{LeaseState, NetworkRow, NewAction, NewMember, StoreError, Tx},
};

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What records it.
    pub action: ActionId,
    /// The server's place in the network.
    pub member: MembershipId,
    /// Whom to wake, beside the hosts of the network.
    pub host: HostId,
}

/// Why a server was not attached. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such private network")]
    NoNetwork,
    /// The same of the server.
    #[error("there is no such server")]
    NoServer,
    /// Its state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It is in the network.
    #[error("the server is in the private network already")]
    Twice,
    /// A network is in one location.
    #[error("the private network is in location `{network}`, the server in `{server}`")]
    OtherLocation {
        /// Where the network is.
        network: String,
        /// Where the server is.
        server: String,
    },
    /// It has no room for one more.
    #[error(transparent)]
    TooMany(#[from] TooManyAdapters),
    /// The location cannot carry one network more.
    #[error(transparent)]
    Segment(NoSegment),
    /// The server's host can be no part of it.
    #[error("the server's host takes part in no private networks at the moment")]
    HostCannot,
    /// The subnet is used up.
    #[error("no address of the private network is free at the moment")]
    NoAddress,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Attaches a server to a network.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn attach_network(
    tx: &mut Tx<'_>,
    account: AccountId,
    (network, server): (NetworkId, ServerId),
    draw: Draw,
    now: Time,
) -> Result<Attached, AttachError> {
    let mut draw = draw;
    let found = tx.network_get(account, network)?.ok_or(AttachError::NoNetwork)?;
    let (view, standing) = tx.server_view(account, server, now)?.ok_or(AttachError::NoServer)?;
    allow(Ask::AttachNetwork, &standing)?;
    let is_in = |member: &crate::store::MemberRow| member.server == server && member.state == LeaseState::Leased;
    if tx.member_list(network)?.iter().any(is_in) {
        return Err(AttachError::Twice);
    }
    let place = tx.placement_get(server)?.ok_or(AttachError::NoServer)?;
    tx.network_free_rested(now)?;
    settle(tx, &found, &view.location, place.host, now)?;
    let address = choose_address(found.subnet, &tx.member_addresses_taken(network, now)?);
    let address = address.ok_or(AttachError::NoAddress)?;
    let name = adapter::free_name(tx.nic_names(server)?.iter().map(String::as_str));
    let mac = new_mac(tx, &mut draw)?;
    let nic = Nic {
        name: name.clone(),
        mac,
        network: NicNetwork::Private { network },
        addresses: vec![NicAddress { address: address.into(), prefix_len: found.subnet.prefix_len(), gateway: None }],
        dns: Vec::new(),
    };
    let (host, wanted) = next_spec(tx, server, |spec| Ok::<_, AttachError>(adapter::with(spec, nic)?))?;
    let member = MembershipId(draw.uuid(now));
    tx.member_insert(&NewMember { id: member, network, server, address, adapter: &name, mac, wanted }, now)?;
    refresh_network(tx, network)?;
    let action = ActionId(draw.uuid(now));
    let (command, deadline_at) = (Command::AttachNetwork, Some(now.plus(PATIENCE_SECONDS)));
    tx.action_insert(&NewAction { id: action, account, server, command, wanted, deadline_at }, now)?;
    Ok(Attached { action, member, host })
}

/// Sees that the network is where the server is, and that the server's host can be a part of it. A network that was
/// nowhere yet is there from now on.
fn settle(tx: &mut Tx<'_>, network: &NetworkRow, location: &str, host: HostId, now: Time) -> Result<(), AttachError> {
    let carrier = match (&network.location, network.carrier) {
        (Some(own), _) if own != location => {
            let (network, server) = (own.clone(), location.to_owned());
            return Err(AttachError::OtherLocation { network, server });
        }
        (Some(_), Some(carrier)) => carrier,
        _ => {
            let slug = Slug::parse(location).map_err(|_| StoreError::Damaged(location.to_owned()))?;
            carry_network(tx, network.id, &slug, now).map_err(AttachError::Segment)?
        }
    };
    match tx.host_networks(host)? {
        Some(can) if can_carry(carrier.kind, &can) => Ok(()),
        _ => Err(AttachError::HostCannot),
    }
}
