//! Extends a service by some months, at today's prices. Of one that has expired this is the renewal itself: the first of the
//! months begins at the old expiry, and nothing renews before it. Who was suspended for want of payment is unlocked.

use csp_shared::id::{AccountId, HostId, ServerId};

use super::{
    afford::{Funds, Unaffordable, afford},
    lock_server::lift,
    pay_periods::pay_periods,
};
use crate::{
    domain::{
        allowed::{Ask, Denied, allow},
        billing::{
            bill::Bill,
            extend::{TooFar, extend},
            lock::Lock,
        },
        draw::Draw,
        money::Cents,
        payment::Spending,
        time::Time,
    },
    store::{PostError, StoreError, Tx},
};

/// An extended service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// What it cost.
    pub bill: Bill,
    /// Until when the service is paid now.
    pub paid_until: Time,
    /// Whom to wake: its server may start again.
    pub host: Option<HostId>,
}

/// Why a service was not extended. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error("{0}")]
    Denied(Denied),
    /// It would be paid too far ahead.
    #[error(transparent)]
    TooFar(#[from] TooFar),
    /// The account may not, or the wallet has less.
    #[error(transparent)]
    Unaffordable(#[from] Unaffordable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Extends a service by `months` periods.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn extend_server(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    months: u32,
    draw: Draw,
    now: Time,
) -> Result<Extended, ExtendError> {
    let mut draw = draw;
    let (_, standing) = tx.server_view(account, server, now)?.ok_or(ExtendError::NotFound)?;
    allow(Ask::Extend, &standing).map_err(ExtendError::Denied)?;
    let service = tx.billed_get(server)?.ok_or(ExtendError::NotFound)?;
    let before = tx.account_get(account)?.map_or(Cents::ZERO, |account| account.balance);
    // What is not provisioning was seen running once.
    let never_ran = || StoreError::Damaged(format!("server {server} is in service and never ran"));
    let paid = service.paid().ok_or_else(never_ran)?;
    let extension = extend(paid, &service.prices(now), months, now)?;
    let price = extension.quote.charged();
    let Funds { left, .. } = afford(tx, account, Spending::Extend, price)?;
    pay_periods(tx, &service, &extension.quote.charges, &mut draw, now).map_err(PostError::into_store)?;
    tx.billed_use_prices(&service, now, now)?;
    tx.billed_set_paid(&service, extension.paid_until, now)?;
    // This was not foreseen by what ends soon.
    tx.billed_look_again(account, now)?;
    let unlocked = extension.paid_until > now && lift(tx, server, Lock::Unpaid, now)?;
    let host = tx.placement_get(server)?.map(|place| place.host).filter(|_| unlocked);
    let bill = Bill { quote: extension.quote, anchor: service.anchor, before, left };
    Ok(Extended { bill, paid_until: extension.paid_until, host })
}
