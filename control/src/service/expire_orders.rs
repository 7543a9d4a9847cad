//! Ends what is not done by its deadline: orders fail and are refunded, requests are told as unconfirmed. Also the end of
//! orders whose host says that they cannot be.

use csp_shared::id::HostId;

use super::{
    extra_ips,
    fail_order::{bury, refund},
    reshape,
};
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        draw::Draw,
        failure,
        server::ServiceStatus,
        time::Time,
    },
    store::{OpenAction, StoreError, Tx},
};

/// What a customer is told of a request that its host did not confirm in time.
const UNCONFIRMED: (&str, &str) =
    (failure::UNCONFIRMED, "The host did not confirm it in time. It stays asked for, and is done when the host can.");

/// Ends an action that is overdue. An order fails, for the reason that its host gave last; answers whom to wake. A fault
/// that may pass is never a reason to fail sooner: who ordered would order again, on the same host most likely.
///
/// # Errors
/// When the store cannot keep it.
pub fn expire_action(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    draw: Draw,
    now: Time,
) -> Result<Option<HostId>, StoreError> {
    let mut draw = draw;
    if matches!(action.command, Command::Reinstall | Command::ChangePackage) {
        let is_taken_back = reshape::expire(tx, action, &mut draw, now)?;
        return Ok(tx.placement_get(action.server)?.map(|place| place.host).filter(|_| is_taken_back));
    }
    if action.command.is_about_ips() {
        return extra_ips::expire(tx, action, &mut draw, now).map(Some);
    }
    if action.command != Command::Create {
        tx.action_end(action.id, ActionStatus::Failed, Some(UNCONFIRMED), now)?;
        return Ok(None);
    }
    let seen = tx.observation_get(action.server)?.map(|seen| seen.observed);
    let (code, words) = failure::late(seen.and_then(|seen| seen.fault).as_ref());
    fail_order(tx, action, (code, &words), &mut draw, now)
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
