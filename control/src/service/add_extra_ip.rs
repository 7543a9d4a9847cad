//! Gives a server one more public address, live. It is reserved and paid for the rest of the paid time at once (BILLING 5);
//! the host plugs it in, and an addition that it cannot bring about is taken back.

use std::net::Ipv4Addr;

use csp_shared::id::{AccountId, ActionId, HostId, LeaseId, ServerId};

use super::{
    afford::{Funds, Unaffordable, afford},
    change_power::PATIENCE_SECONDS,
    charge_quote::charge_quote,
    extra_ips::plug,
    look_for_room::free_address,
    new_mac::new_mac,
    renew_service::{RenewalDue, UpToDate, up_to_date},
};
use crate::{
    domain::{
        action::Command,
        adapter::{self, TooManyAdapters},
        allowed::{Ask, Denied, allow},
        billing::{
            bill::Bill,
            extra_ip::{self, TooManyAdditions},
            rules::Rules,
        },
        draw::Draw,
        ledger::Cause,
        money::Cents,
        payment::Spending,
        time::{DAY, Time},
    },
    store::{Billed, LeaseRole, NewAction, NewLease, PoolRow, StoreError, Tx},
};

/// An accepted addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpAdded {
    /// The address's id.
    pub lease: LeaseId,
    /// What records it.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
    /// What it cost.
    pub bill: Bill,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AddIpError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Its paid time is over.
    #[error(transparent)]
    RenewalDue(#[from] RenewalDue),
    /// It has as many as it may have.
    #[error(transparent)]
    TooMany(#[from] TooManyIps),
    /// So has its account had, lately.
    #[error(transparent)]
    TooFast(#[from] TooManyAdditions),
    /// It has no port left.
    #[error(transparent)]
    NoPort(#[from] TooManyAdapters),
    /// None is free where it stands.
    #[error("no address is free at the moment")]
    NoAddress,
    /// The account may not, or the wallet has less.
    #[error(transparent)]
    Unaffordable(#[from] Unaffordable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A server has as many extra addresses as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server may have at most {most} extra addresses; remove one, take a larger package, or ask the provider")]
pub struct TooManyIps {
    /// So many.
    pub most: u32,
}

/// Adds an address.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn add_extra_ip(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    rules: &Rules,
    draw: Draw,
    now: Time,
) -> Result<IpAdded, AddIpError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(AddIpError::NotFound)?;
    allow(Ask::AddExtraIp, &standing)?;
    let service = tx.billed_get(server)?.ok_or(AddIpError::NotFound)?;
    let before = tx.account_get(account)?.map_or(Cents::ZERO, |account| account.balance);
    let UpToDate { service, renewed, .. } = up_to_date(tx, service, &mut draw, now)?.for_a_change()?;
    has_room::<AddIpError>(tx, &service)?;
    let lately = tx.lease_additions(account, now.plus(-DAY), now)?;
    extra_ip::may_add(&lately, rules.extra_ips_a_day, now)?;
    tx.lease_free_rested(now)?;
    let (pool, address) = place(tx, server, now)?.ok_or(AddIpError::NoAddress)?;
    let lease = LeaseId(draw.uuid(now));
    let quote = extra_ip::add(&tx.period_list(server, now)?, lease, pool.extra_monthly, now);
    let Funds { left, .. } =
        afford(tx, account, Spending::ExtraIp, quote.charged()).map_err(|why| why.behind(renewed.charged()))?;
    reserve(tx, (server, lease), (&pool, address), &mut draw, now)?;
    let (host, wanted) = plug(tx, server, lease)?;
    let action = ActionId(draw.uuid(now));
    let (command, deadline_at) = (Command::AddExtraIp, Some(now.plus(PATIENCE_SECONDS)));
    tx.action_insert(&NewAction { id: action, account, server, command, wanted, deadline_at }, now)?;
    tx.ip_change_insert(action, lease, None)?;
    let what = format!("Extra IPv4 {address} for {}", service.hostname);
    charge_quote(tx, &service, (action, Cause::ExtraIp(action), what), &quote, &mut draw, now)?;
    let mut all = renewed;
    all.append(quote);
    let bill = Bill { quote: all, anchor: service.anchor, before, left };
    Ok(IpAdded { lease, action, host, bill })
}

/// Whether a server may have one more, and has a port for it.
pub(super) fn has_room<E: From<TooManyIps> + From<TooManyAdapters> + From<StoreError>>(
    tx: &Tx<'_>,
    service: &Billed,
) -> Result<(), E> {
    let most = tx.extra_ips_max(service.id)?;
    if service.ips.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(TooManyIps { most }.into());
    }
    Ok(adapter::room_for_one(tx.nic_names(service.id)?.len())?)
}

/// A free address where the server stands.
fn place(tx: &Tx<'_>, server: ServerId, now: Time) -> Result<Option<(PoolRow, Ipv4Addr)>, StoreError> {
    let location = tx.server_location(server)?;
    location.map_or(Ok(None), |location| free_address(tx, &location, now))
}

fn reserve(
    tx: &mut Tx<'_>,
    (server, id): (ServerId, LeaseId),
    (pool, address): (&PoolRow, Ipv4Addr),
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let names = tx.nic_names(server)?;
    let (name, mac) = (adapter::free_name(names.iter().map(String::as_str)), new_mac(tx, draw)?);
    let lease = NewLease {
        id,
        server,
        pool: &pool.slug,
        address,
        prefix_len: pool.range.network.prefix_len(),
        gateway: pool.range.gateway,
        role: LeaseRole::Extra,
        monthly: pool.extra_monthly,
        adapter: &name,
        mac,
    };
    tx.lease_insert(&lease, now)
}
