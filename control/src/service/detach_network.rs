//! Takes a server out of a private network. Its address there is held until its host has reached a spec without the adapter,
//! which means that it was cut off; then it rests.

use csp_shared::id::{AccountId, ActionId, HostId, MembershipId, NetworkId};

use super::{change_power::PATIENCE_SECONDS, next_spec::next_spec, refresh_network::refresh_network};
use crate::{
    domain::{
        action::Command,
        adapter,
        allowed::{Ask, Denied, allow},
        draw::Draw,
        time::Time,
    },
    store::{LeaseState, NewAction, StoreError, Tx},
};

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detached {
    /// What records it.
    pub action: ActionId,
    /// Whom to wake, beside the hosts of the network.
    pub host: HostId,
}

/// Why a server was not detached. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such private network")]
    NoNetwork,
    /// No member of it has this id, or it is on its way out.
    #[error("the private network has no such member")]
    NoMember,
    /// The server's state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Detaches a member from a network.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn detach_network(
    tx: &mut Tx<'_>,
    account: AccountId,
    (network, member): (NetworkId, MembershipId),
    draw: Draw,
    now: Time,
) -> Result<Detached, DetachError> {
    let mut draw = draw;
    tx.network_get(account, network)?.ok_or(DetachError::NoNetwork)?;
    let members = tx.member_list(network)?;
    let found = members.iter().find(|known| known.id == member && known.state == LeaseState::Leased);
    let found = found.ok_or(DetachError::NoMember)?;
    let standing = tx.server_standing(account, found.server, now)?.ok_or(DetachError::NoMember)?;
    allow(Ask::DetachNetwork, &standing)?;
    let (host, wanted) = next_spec(tx, found.server, |spec| Ok::<_, StoreError>(adapter::without(spec, found.mac)))?;
    tx.member_give_up(member, wanted)?;
    refresh_network(tx, network)?;
    let action = ActionId(draw.uuid(now));
    let (command, server) = (Command::DetachNetwork, found.server);
    let deadline_at = Some(now.plus(PATIENCE_SECONDS));
    tx.action_insert(&NewAction { id: action, account, server, command, wanted, deadline_at }, now)?;
    Ok(Detached { action, host })
}
