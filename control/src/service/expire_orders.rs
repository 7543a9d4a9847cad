//! Fails orders that are not running by their deadline, and orders whose host says that they cannot be.

use csp_shared::id::HostId;

use super::fail_order::{bury, refund};
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        draw::Draw,
        server::ServiceStatus,
        time::Time,
    },
    store::{OpenAction, StoreError, Tx},
};

/// What a customer is told when nothing better is known.
const LATE: (&str, &str) = ("provision_timeout", "The server was not running in time. The order was refunded.");

/// Fails every order that is overdue; answers whom to wake.
///
/// # Errors
/// When the store cannot keep it.
pub fn expire_orders(tx: &mut Tx<'_>, draw: Draw, now: Time) -> Result<Vec<HostId>, StoreError> {
    let mut draw = draw;
    let mut hosts = Vec::new();
    for action in tx.action_overdue(now)? {
        if action.command == Command::Create {
            hosts.extend(fail_order(tx, &action, LATE, &mut draw, now)?);
        }
    }
    Ok(hosts)
}

/// Fails one order: tombstone, refund, everything held, the action ended with its reason. One transaction.
pub(super) fn fail_order(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    why: (&str, &str),
    draw: &mut Draw,
    now: Time,
) -> Result<Option<HostId>, StoreError> {
    let Some(server) = tx.server_get(action.server)?.filter(|s| s.service == ServiceStatus::Provisioning) else {
        return Ok(None);
    };
    let (host, _) = bury(tx, &server, now)?;
    refund(tx, &server, draw, now)?;
    tx.server_set_service(server.id, ServiceStatus::Failed, Some(why.0), now)?;
    tx.action_end(action.id, ActionStatus::Failed, Some(why), now)?;
    Ok(Some(host))
}
