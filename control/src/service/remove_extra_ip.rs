//! Takes an extra address away from a server, live. It is held until the host has proved that it let go, and rests then;
//! what comes back of its paid time is fixed here and paid at that proof (BILLING 4 and 5).

use csp_shared::id::{AccountId, ActionId, HostId, LeaseId, ServerId};

use super::{
    extra_ips::unplug,
    renew_service::{RenewalDue, UpToDate, up_to_date},
};
use crate::{
    domain::{
        action::Command,
        allowed::{Ask, Denied, allow},
        billing::{
            extra_ip,
            quote::{Basis, Quote},
        },
        draw::Draw,
        money::Cents,
        server::ServiceStatus,
        time::Time,
    },
    store::{Lease, LeaseRole, LeaseState, NewAction, StoreError, Tx},
};

/// An accepted removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpRemoving {
    /// What records it; the one under way where it was asked for before.
    pub action: ActionId,
    /// Whom to wake; nobody when it was asked for before.
    pub host: Option<HostId>,
    /// What the wallet gets when it is done.
    pub credit: Cents,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveIpError {
    /// No such server, or it has no such address: the same answer for all.
    #[error("there is no such address")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It is the server's first one.
    #[error("the primary address belongs to the server as long as it is there")]
    Primary,
    /// It is on its way to this server or another one.
    #[error("the address is still on its way: wait for the end of that")]
    OnItsWay,
    /// Its paid time is over.
    #[error(transparent)]
    RenewalDue(#[from] RenewalDue),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Removes an address.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn remove_extra_ip(
    tx: &mut Tx<'_>,
    account: AccountId,
    (server, lease): (ServerId, LeaseId),
    draw: Draw,
    now: Time,
) -> Result<IpRemoving, RemoveIpError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(RemoveIpError::NotFound)?;
    allow(Ask::RemoveExtraIp, &standing)?;
    let ip = own_ip(tx, server, lease)?.ok_or(RemoveIpError::NotFound)?;
    if ip.role == LeaseRole::Primary {
        return Err(RemoveIpError::Primary);
    }
    match tx.ip_change_open(lease)? {
        Some((action, Command::RemoveExtraIp)) => {
            return Ok(IpRemoving { action, host: None, credit: Cents::ZERO });
        }
        Some(_) => return Err(RemoveIpError::OnItsWay),
        None if ip.state != LeaseState::Leased => return Err(RemoveIpError::NotFound),
        None => {}
    }
    let service = tx.billed_get(server)?.ok_or(RemoveIpError::NotFound)?;
    let is_suspended = service.service == ServiceStatus::Suspended || !service.locks.is_empty();
    if !is_suspended {
        let UpToDate { .. } = up_to_date(tx, service, &mut draw, now)?.for_a_change()?;
    }
    let quote = credit(tx, (server, lease), is_suspended, now)?;
    let (host, wanted) = unplug(tx, server, lease)?;
    let action = ActionId(draw.uuid(now));
    // Without a deadline: it is done when the host has let go, however long that takes.
    let record = NewAction { id: action, account, server, command: Command::RemoveExtraIp, wanted, deadline_at: None };
    tx.action_insert(&record, now)?;
    tx.ip_change_insert(action, lease, None)?;
    let basis = if is_suspended { Basis::Locked } else { Basis::Time };
    tx.credit_promise(action, &quote.credits, basis, now)?;
    Ok(IpRemoving { action, host: Some(host), credit: quote.credited() })
}

/// An address of a server, whatever it is to it.
pub(super) fn own_ip(tx: &Tx<'_>, server: ServerId, lease: LeaseId) -> Result<Option<Lease>, StoreError> {
    let is_there = |ip: &Lease| ip.server == server && matches!(ip.state, LeaseState::Leased | LeaseState::Held);
    Ok(tx.lease_get(lease)?.filter(is_there))
}

/// What comes back; of a suspended service nothing, and its lines end all the same (BILLING 9).
fn credit(
    tx: &Tx<'_>,
    (server, lease): (ServerId, LeaseId),
    is_suspended: bool,
    now: Time,
) -> Result<Quote, StoreError> {
    let added = tx.lease_extra_since(server)?.into_iter().find_map(|(ip, at)| (ip == lease).then_some(at));
    let mut quote = extra_ip::remove(&tx.period_list(server, now)?, lease, added.unwrap_or(now), now);
    if is_suspended {
        quote.credits.iter_mut().for_each(|credit| credit.amount = Cents::ZERO);
    }
    Ok(quote)
}
