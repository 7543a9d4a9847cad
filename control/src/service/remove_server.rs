//! The part that destroying a server, deleting an unpaid one and losing a host share: tombstone, what is given back, and the
//! action that ends when its host has proved that nothing is left, or at once when nobody waits for that.

use csp_shared::id::ActionId;

use super::{
    destroy_server::Destroying,
    extra_ips,
    fail_order::{bury, refund},
    keep_promise::keep_promise,
    reshape,
};
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        billing::{
            destroy::{DestroyCredit, EndCredit},
            quote::Basis,
        },
        draw::Draw,
        failure::HOST_LOST,
        server::ServiceStatus,
        time::Time,
    },
    store::{NewAction, PlacementState, Server, StoreError, Tx},
};

/// How a server is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removal {
    /// What of its paid time comes back.
    pub policy: DestroyCredit,
    /// Whom it waits for.
    pub ending: Ending,
}

/// When a removal is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// When its host has proved that nothing is left.
    Proved,
    /// Now: its host was given up.
    HostLost,
}

/// Removes a server for good. What is given back of its paid time is fixed here, and paid when the action is done
/// (BILLING 4 and 10).
pub(super) fn remove(
    tx: &mut Tx<'_>,
    server: &Server,
    removal: Removal,
    draw: &mut Draw,
    now: Time,
) -> Result<Destroying, StoreError> {
    let Removal { policy, ending } = removal;
    let (host, wanted) = bury(tx, server, now)?;
    tx.mail_withdraw(server.id)?;
    if server.service == ServiceStatus::Provisioning {
        // Never seen running, so its only period never began and goes back whole.
        refund(tx, server, draw, now)?;
    }
    tx.server_set_service(server.id, ServiceStatus::Destroyed, None, now)?;
    let end = match ending {
        Ending::Proved => (ActionStatus::Superseded, None),
        Ending::HostLost => (ActionStatus::Failed, Some(HOST_LOST)),
    };
    for overtaken in tx.action_open(server.id)? {
        if overtaken.command.is_about_ips() {
            extra_ips::end_with_server(tx, &overtaken, end, draw, now)?;
        } else {
            reshape::undo_charge(tx, &overtaken, draw, now)?;
            tx.action_end(overtaken.id, end.0, end.1, now)?;
        }
    }
    extra_ips::end_moves_to(tx, server.id, end, draw, now)?;
    let action = ActionId(draw.uuid(now));
    let (account, command) = (server.account, Command::Destroy);
    let record = NewAction { id: action, account, server: server.id, command, wanted, deadline_at: None };
    tx.action_insert(&record, now)?;
    if server.anchor_at.is_some() {
        let by = match ending {
            Ending::Proved => EndCredit::Chosen(policy),
            Ending::HostLost => EndCredit::Lost,
        };
        let quote = by.credit(&tx.period_list(server.id, now)?, &tx.lease_extra_since(server.id)?, now);
        tx.end_credit_note(server.id, by)?;
        tx.credit_promise(action, &quote.credits, Basis::Time, now)?;
    }
    // A failed order's host may have proved before that nothing is left.
    let is_proved = tx.placement_get(server.id)?.is_some_and(|place| place.state == PlacementState::Released);
    if is_proved || ending == Ending::HostLost {
        tx.action_end(action, ActionStatus::Done, None, now)?;
        keep_promise(tx, server.id, (action, command), draw, now)?;
    }
    Ok(Destroying { action, host })
}
