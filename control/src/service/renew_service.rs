//! Pays the next period of a service by itself: at its end, when money comes in, or before a change that finds it expired
//! (BILLING 7 and 8).

use csp_shared::id::HostId;

use super::{
    afford::{Unaffordable, afford},
    lock_server::lift,
    pay_periods::pay_periods,
};
use crate::{
    domain::{
        billing::{extend::period, lock::Lock, quote::Quote},
        draw::Draw,
        payment::Spending,
        time::Time,
    },
    store::{Billed, PostError, StoreError, Tx},
};

/// A service for which everything is paid that may be paid by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpToDate {
    /// As it is then.
    pub service: Billed,
    /// What renewals charged.
    pub renewed: Quote,
    /// Whom to wake: its server may start again.
    pub host: Option<HostId>,
    /// Its paid time is over nevertheless.
    pub is_expired: bool,
}

/// A change would have to be priced, and the paid time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its paid time is over and could not be renewed; extend it first")]
pub struct RenewalDue;

impl UpToDate {
    /// The service, for a change whose price rests on paid time (BILLING 8).
    ///
    /// # Errors
    /// When its paid time is over.
    pub fn for_a_change(self) -> Result<Self, RenewalDue> {
        if self.is_expired { Err(RenewalDue) } else { Ok(self) }
    }
}

/// Renews a service that has expired, as often as needed and if it may, as if the scheduler had run at the moment of
/// expiry. While that stands still nothing renews.
///
/// # Errors
/// When the store cannot keep it.
pub fn up_to_date(tx: &mut Tx<'_>, service: Billed, draw: &mut Draw, now: Time) -> Result<UpToDate, StoreError> {
    let stands_still = tx.scheduler_get()?.stopped_at.is_some();
    let mut done = UpToDate { service, renewed: Quote::default(), host: None, is_expired: true };
    loop {
        done.is_expired = done.service.paid_until.is_some_and(|until| now >= until);
        let service = &done.service;
        let may = service.auto_renew && !service.locks.has(Lock::Abuse) && is_affordable(tx, service, now)?;
        if !(done.is_expired && !stands_still && may) {
            return Ok(done);
        }
        let (ordinal, begins) = service.next_period(now);
        done.renewed.charges.extend(service.prices(begins).charges(ordinal));
        done.host = renew(tx, service, draw, now)?.or(done.host);
        let gone = || StoreError::Damaged(format!("server {} is gone within its renewal", done.service.id));
        done.service = tx.billed_get(done.service.id)?.ok_or_else(gone)?;
    }
}

/// Whether the wallet can pay the next period.
pub(super) fn is_affordable(tx: &Tx<'_>, service: &Billed, now: Time) -> Result<bool, StoreError> {
    match afford(tx, service.account, Spending::Renewal, service.renewal(now).total) {
        Ok(_) => Ok(true),
        Err(Unaffordable::Locked(_) | Unaffordable::Short { .. }) => Ok(false),
        Err(Unaffordable::Store(why)) => Err(why),
    }
}

/// Pays the next period, at the prices of its beginning; answers whom to wake. The wallet must hold its price.
pub(super) fn renew(
    tx: &mut Tx<'_>,
    service: &Billed,
    draw: &mut Draw,
    now: Time,
) -> Result<Option<HostId>, StoreError> {
    let never_ran = || StoreError::Damaged(format!("server {} is in service and never ran", service.id));
    let anchor = service.anchor.ok_or_else(never_ran)?;
    let (ordinal, begins) = service.next_period(now);
    pay_periods(tx, service, &service.prices(begins).charges(ordinal), draw, now).map_err(PostError::into_store)?;
    tx.billed_use_prices(service, begins, now)?;
    let until = period(anchor, ordinal).to();
    tx.billed_set_paid(service, until, now)?;
    let unlocked = until > now && lift(tx, service.id, Lock::Unpaid, now)?;
    Ok(tx.placement_get(service.id)?.map(|place| place.host).filter(|_| unlocked))
}
