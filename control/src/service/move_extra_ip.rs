//! Moves an extra address to another server of its owner, on whatever host, in one action. First its server's spec lacks it;
//! when that one's host has proved that it let go, it is the other's (see `extra_ips`). Both sides are priced here: the
//! target pays the rest of its own paid time at once, the source gets its rest back when it has let go (BILLING 4 and 5);
//! what the one takes up of the other is set off at once, so that the wallet sees the difference alone.

use csp_shared::id::{AccountId, ActionId, HostId, LeaseId, ServerId};

use super::{
    add_extra_ip::{TooManyIps, has_room},
    afford::{Funds, Unaffordable, afford},
    change_power::PATIENCE_SECONDS,
    charge_quote::charge_quote,
    extra_ips::unplug,
    money_in::{Back, set_off},
    remove_extra_ip::own_ip,
    renew_service::{RenewalDue, UpToDate, up_to_date},
};
use crate::{
    domain::{
        action::Command,
        adapter::TooManyAdapters,
        allowed::{Ask, Denied, allow},
        billing::{bill::Bill, extra_ip, quote::Basis},
        draw::Draw,
        ledger::Cause,
        money::Cents,
        payment::Spending,
        time::Time,
    },
    store::{LeaseRole, LeaseState, NewAction, StoreError, Tx},
};

/// Which address goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveIp {
    /// Whose.
    pub account: AccountId,
    /// The server that has it.
    pub source: ServerId,
    /// The address.
    pub lease: LeaseId,
    /// The server that is to have it.
    pub target: ServerId,
}

/// An accepted move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpMoving {
    /// What records it.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
    /// Who is to take it up then.
    pub target_host: HostId,
    /// What it costs, and gives back when the source has let go.
    pub bill: Bill,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MoveIpError {
    /// No such server, or it has no such address: the same answer for all.
    #[error("there is no such address")]
    NotFound,
    /// No such server to move to: not there, or not this account's.
    #[error("there is no such server to move it to")]
    NoTarget,
    /// It has it.
    #[error("the server has this address already")]
    SameServer,
    /// The source's state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The target's does not.
    #[error("the server that it is to go to: {0}")]
    TargetDenied(Denied),
    /// It is the server's first one.
    #[error("the primary address belongs to the server as long as it is there")]
    Primary,
    /// It is on its way to this server or another one.
    #[error("the address is still on its way: wait for the end of that")]
    OnItsWay,
    /// An address is routed to one location.
    #[error("the servers are in different locations, and the address is routed to one of them")]
    OtherLocation,
    /// The paid time of one of the two is over.
    #[error(transparent)]
    RenewalDue(#[from] RenewalDue),
    /// The target has as many as it may have.
    #[error(transparent)]
    TooMany(#[from] TooManyIps),
    /// The target has no port left.
    #[error(transparent)]
    NoPort(#[from] TooManyAdapters),
    /// The account may not, or the wallet has less.
    #[error(transparent)]
    Unaffordable(#[from] Unaffordable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves an address.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn move_extra_ip(tx: &mut Tx<'_>, wanted: &MoveIp, draw: Draw, now: Time) -> Result<IpMoving, MoveIpError> {
    let mut draw = draw;
    let MoveIp { account, source, lease, target } = *wanted;
    let standing = tx.server_standing(account, source, now)?.ok_or(MoveIpError::NotFound)?;
    allow(Ask::MoveExtraIp, &standing)?;
    let ip = own_ip(tx, source, lease)?.ok_or(MoveIpError::NotFound)?;
    if ip.role == LeaseRole::Primary {
        return Err(MoveIpError::Primary);
    }
    if tx.ip_change_open(lease)?.is_some() || ip.state != LeaseState::Leased {
        return Err(MoveIpError::OnItsWay);
    }
    let target_host = may_take(tx, wanted, now)?;
    let before = tx.account_get(account)?.map_or(Cents::ZERO, |account| account.balance);
    let mut up_to_date = |tx: &mut Tx<'_>, server| -> Result<UpToDate, MoveIpError> {
        let service = tx.billed_get(server)?.ok_or(MoveIpError::NotFound)?;
        Ok(up_to_date(tx, service, &mut draw, now)?.for_a_change()?)
    };
    let mut quote = up_to_date(tx, source)?.renewed;
    let UpToDate { service, renewed, .. } = up_to_date(tx, target)?;
    quote.append(renewed);
    has_room::<MoveIpError>(tx, &service)?;
    let moved = extra_ip::move_to(&tx.period_list(source, now)?, &tx.period_list(target, now)?, lease, ip.monthly, now);
    // The wallet sees the difference alone.
    let Funds { left, .. } =
        afford(tx, account, Spending::ExtraIp, moved.net().0).map_err(|why| why.behind(quote.charged()))?;
    let (host, version) = unplug(tx, source, lease)?;
    let action = ActionId(draw.uuid(now));
    let (command, deadline_at) = (Command::MoveExtraIp, Some(now.plus(PATIENCE_SECONDS)));
    tx.action_insert(&NewAction { id: action, account, server: source, command, wanted: version, deadline_at }, now)?;
    tx.ip_change_insert(action, lease, Some(target))?;
    let what = format!("Extra IPv4 {} moved to {}", ip.address, service.hostname);
    tx.credit_promise(action, &moved.source.credits, Basis::Time, now)?;
    let amount = moved.target.charged().min(moved.source.credited());
    tx.credit_set_off(action, amount)?;
    let description = format!("Unused time of extra IPv4 {}, which moves", ip.address);
    let back = Back { server: source, amount, cause: Cause::ExtraIpSetOff(action), description };
    set_off(tx, account, back, &mut draw, now)?;
    charge_quote(tx, &service, (action, Cause::ExtraIp(action), what), &moved.target, &mut draw, now)?;
    quote.append(moved.target);
    quote.append(moved.source);
    Ok(IpMoving { action, host, target_host, bill: Bill { quote, anchor: service.anchor, before, left } })
}

/// Whether the target may have another address, as far as its state and place say; answers the target's host.
fn may_take(tx: &Tx<'_>, wanted: &MoveIp, now: Time) -> Result<HostId, MoveIpError> {
    let MoveIp { account, source, target, .. } = *wanted;
    let standing = tx.server_standing(account, target, now)?.ok_or(MoveIpError::NoTarget)?;
    if source == target {
        return Err(MoveIpError::SameServer);
    }
    allow(Ask::AddExtraIp, &standing).map_err(MoveIpError::TargetDenied)?;
    if tx.server_location(source)? != tx.server_location(target)? {
        return Err(MoveIpError::OtherLocation);
    }
    Ok(tx.placement_get(target)?.ok_or(MoveIpError::NoTarget)?.host)
}
