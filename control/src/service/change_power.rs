//! Start, stop and restart: a change of the spec, and an action that ends when the host reached it.

use csp_shared::{
    generation::Version,
    id::{AccountId, ActionId, HostId, ServerId},
    spec::Desired,
};

use crate::{
    domain::{
        action::Status as ActionStatus,
        allowed::Denied,
        draw::Draw,
        server::{Change, Request, changed, decide},
        time::{MINUTE, Time},
    },
    store::{NewAction, StoreError, Tx},
};

/// How long an action may stay open. After that it is told as failed; what was asked stays in the spec, and a host that
/// comes back brings it about.
pub(super) const PATIENCE_SECONDS: i64 = 30 * MINUTE;

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerChanged {
    /// What brings it about, new or under way already; nothing when it is so.
    pub action: Option<ActionId>,
    /// Whom to wake; nobody when nothing changed.
    pub host: Option<HostId>,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes a server's power.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn change_power(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    request: Request,
    draw: Draw,
    now: Time,
) -> Result<PowerChanged, PowerError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(PowerError::NotFound)?;
    let change = decide(request, &standing)?;
    let placement = tx.placement_get(server)?.ok_or(PowerError::NotFound)?;
    let Some(Desired::Present(spec)) = tx.spec_get(server)? else { return Err(PowerError::NotFound) };
    if change == Change::Nothing {
        // A newer request ends the older ones, so what is under way leads to what is wished already.
        let leads_there = tx.action_open(server)?.into_iter().rfind(|action| !action.command.is_about_adapters());
        let action = leads_there.map(|action| action.id);
        return Ok(PowerChanged { action, host: None });
    }
    let wanted = Version { incarnation: tx.incarnation()?, generation: spec.version.generation.next() };
    let mut spec = changed(*spec, change);
    spec.version = wanted;
    tx.spec_put(placement.host, &Desired::Present(Box::new(spec)))?;
    // Requests coalesce: the host brings about the newest one, so the older one ends here.
    for overtaken in tx.action_open(server)?.iter().filter(|action| !action.command.is_about_adapters()) {
        tx.action_end(overtaken.id, ActionStatus::Superseded, None, now)?;
    }
    let id = ActionId(draw.uuid(now));
    let command = request.command();
    let deadline_at = Some(now.plus(PATIENCE_SECONDS));
    tx.action_insert(&NewAction { id, account, server, command, wanted, deadline_at }, now)?;
    Ok(PowerChanged { action: Some(id), host: Some(placement.host) })
}
