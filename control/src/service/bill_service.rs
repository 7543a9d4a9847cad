//! Takes one step in the life of a service: remind, renew, suspend, delete, or wait (BILLING 7). What it is decides
//! `domain::billing::life`; this asks the store for what decides, and brings it about. Whoever calls it asks again until it
//! says that there is nothing to do, so a crash between two steps changes nothing.

use csp_shared::id::{HostId, ServerId};

use super::{
    lock_server::{lift, lock},
    remove_server::{Ending, Removal, remove},
    renew_service::{is_affordable, renew},
    write_letter::write_letter,
};
use crate::{
    domain::{
        billing::{
            life::{Life, Reminder, Reminding, Step, next},
            lock::Lock,
            rules::Rules,
        },
        draw::Draw,
        event::Event,
        letter,
        money::Cents,
        server::ServiceStatus,
        time::{DAY, Time},
    },
    store::{Billed, StoreError, Tx},
};

/// Reminders begin so long before the end, in seconds; what falls due before it matters from then on.
const FORESIGHT_SECONDS: i64 = 7 * DAY;

/// What one look at a service came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billing {
    /// Whom to wake: its server was stopped, started again, or removed.
    pub host: Option<HostId>,
    /// A step was taken, and there may be another: the end of its paid time now.
    pub again: Option<Time>,
}

/// Looks at a service, and takes the step that is due.
///
/// # Errors
/// When the store cannot keep it.
pub fn bill_service(
    tx: &mut Tx<'_>,
    server: ServerId,
    rules: &Rules,
    draw: Draw,
    now: Time,
) -> Result<Billing, StoreError> {
    let mut draw = draw;
    if tx.scheduler_get()?.stopped_at.is_some() {
        return Ok(Billing::default());
    }
    let in_use = |service: &Billed| matches!(service.service, ServiceStatus::Active | ServiceStatus::Suspended);
    let Some(service) = tx.billed_get(server)?.filter(in_use) else { return Ok(Billing::default()) };
    let Some(paid_until) = service.paid_until else { return Ok(Billing::default()) };
    let host = match next(&life(tx, &service, paid_until, now)?, rules.grace, now) {
        Step::Wait(until) => {
            tx.billed_look_at(server, until)?;
            return Ok(Billing::default());
        }
        Step::Remind(kind) => {
            remind(tx, &service, kind, rules, &mut draw, now)?;
            None
        }
        Step::Renew => renew(tx, &service, &mut draw, now)?,
        Step::Lift => {
            let is_lifted = lift(tx, server, Lock::Unpaid, now)?;
            tx.placement_get(server)?.map(|place| place.host).filter(|_| is_lifted)
        }
        Step::Suspend => {
            lock(tx, server, Lock::Unpaid, None, now)?;
            tx.placement_get(server)?.map(|place| place.host)
        }
        Step::Delete => {
            let gone = || StoreError::Damaged(format!("server {server} is gone within its deletion"));
            let server = tx.server_get(server)?.ok_or_else(gone)?;
            let removal = Removal { policy: rules.destroy_credit, ending: Ending::Proved };
            Some(remove(tx, &server, removal, &mut draw, now)?.host)
        }
    };
    let again = tx.billed_get(server)?.filter(in_use).and_then(|service| service.paid_until);
    Ok(Billing { host, again })
}

fn life(tx: &Tx<'_>, service: &Billed, paid_until: Time, now: Time) -> Result<Life, StoreError> {
    let is_near = now < paid_until && now >= paid_until.plus(-FORESIGHT_SECONDS);
    Ok(Life {
        paid_until,
        locks: service.locks.clone(),
        auto_renew: service.auto_renew,
        affordable: is_affordable(tx, service, now)?,
        foreseen: !is_near || is_foreseen(tx, service, now)?,
        told: tx.reminder_list(service.id, paid_until)?,
        month_ends: service.paid().and_then(|paid| paid.month_ends(now)),
    })
}

/// Whether the wallet will hold this service's next period after all that renews before it.
fn is_foreseen(tx: &Tx<'_>, service: &Billed, now: Time) -> Result<bool, StoreError> {
    let balance = tx.account_get(service.account)?.map_or(Cents::ZERO, |account| account.balance);
    let sum = |sum: Cents, more: &Billed| sum.plus(more.renewal(now).total).unwrap_or(Cents::MAX);
    let place = |service: &Billed| (service.paid_until, service.id);
    // What has expired already had its turn.
    let renews = |other: &&Billed| {
        other.auto_renew && !other.locks.has(Lock::Abuse) && other.paid_until.is_some_and(|at| at > now)
    };
    let services = tx.billed_list(service.account)?;
    let before = services.iter().filter(|other| place(other) < place(service)).filter(renews);
    Ok(balance >= sum(before.fold(Cents::ZERO, sum), service))
}

fn remind(
    tx: &mut Tx<'_>,
    service: &Billed,
    kind: Reminder,
    rules: &Rules,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let paid_until = service.paid_until.unwrap_or(now);
    // Never before a day has passed since this was said.
    let delete_at = service.locks.since(Lock::Unpaid).map(|since| since.plus(rules.grace).max(now.plus(DAY)));
    let said = Reminding { kind, paid_until, delete_at, amount: service.renewal(now).total };
    let letter = letter::reminder(&service.hostname, &service.package, &said);
    let cause = format!("reminder/{}/{}/{}", service.id, paid_until.0, kind.as_str());
    let sent = write_letter(tx, service.account, &cause, &letter, rules.has_mail, draw, now)?;
    tx.reminder_insert(service.id, paid_until, kind, sent, now)?;
    tx.event_put(service.account, &Event::reminder(service.id, &said), now)
}
