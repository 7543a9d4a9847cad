//! Ends one server of a host that was given up, for its customer and for billing, at once: tombstone, all unused paid time
//! credited to the second (BILLING 10), what was under way ended, and the customer told. What it held stays held, since the
//! host may still run it: until that came back and proved, or was declared fenced.

use csp_shared::id::{HostId, ServerId};

use super::{
    expire_orders::fail_order,
    keep_promise::keep_promise,
    remove_server::{Ending, Removal, remove},
    write_letter::write_letter,
};
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        billing::{destroy::DestroyCredit, rules::Rules},
        draw::Draw,
        event::Event,
        failure::HOST_LOST,
        letter,
        money::Cents,
        server::ServiceStatus,
        time::Time,
    },
    store::{Server, StoreError, Tx},
};

/// A server that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its host, which is to hear of the tombstone should it be there.
    pub host: HostId,
    /// What its customer got back.
    pub credited: Cents,
}

/// Ends a server, unless its host is in service or it has ended already.
///
/// # Errors
/// When the store cannot keep it.
pub fn end_lost_server(
    tx: &mut Tx<'_>,
    server: ServerId,
    rules: &Rules,
    draw: Draw,
    now: Time,
) -> Result<Option<Ended>, StoreError> {
    let mut draw = draw;
    let Some(place) = tx.placement_get(server)? else { return Ok(None) };
    let is_given_up = tx.host_session(place.host)?.is_some_and(|host| host.state.is_given_up());
    let Some(found) = tx.server_get(server)?.filter(|_| is_given_up) else { return Ok(None) };
    let before = balance(tx, &found)?;
    match found.service {
        ServiceStatus::Provisioning => {
            let order = tx.action_open(server)?.into_iter().find(|action| action.command == Command::Create);
            let missing = || StoreError::Damaged(format!("server {server} is provisioned by no action"));
            fail_order(tx, &order.ok_or_else(missing)?, HOST_LOST, &mut draw, now)?;
        }
        ServiceStatus::Active | ServiceStatus::Suspended => end_service(tx, &found, rules, &mut draw, now)?,
        // Its owner destroyed it before: what was promised then is paid now, since nobody is left to wait for.
        ServiceStatus::Failed | ServiceStatus::Destroyed => {
            for action in tx.action_open(server)?.iter().filter(|action| action.command == Command::Destroy) {
                tx.action_end(action.id, ActionStatus::Done, None, now)?;
                keep_promise(tx, server, (action.id, action.command), &mut draw, now)?;
            }
        }
    }
    let credited = balance(tx, &found)?.minus(before).unwrap_or_default();
    Ok(Some(Ended { host: place.host, credited }))
}

fn end_service(tx: &mut Tx<'_>, server: &Server, rules: &Rules, draw: &mut Draw, now: Time) -> Result<(), StoreError> {
    let gone = || StoreError::Damaged(format!("server {} has no service", server.id));
    let service = tx.billed_get(server.id)?.ok_or_else(gone)?;
    let before = balance(tx, server)?;
    let removal = Removal { policy: DestroyCredit::Prorata, ending: Ending::HostLost };
    remove(tx, server, removal, draw, now)?;
    let credited = balance(tx, server)?.minus(before).unwrap_or_default();
    tx.event_put(server.account, &Event::server_lost(server.id, credited), now)?;
    let letter = letter::lost(&service.hostname, &service.package, credited);
    let cause = format!("lost/{}", server.id);
    write_letter(tx, server.account, &cause, &letter, rules.has_mail, draw, now).map(drop)
}

fn balance(tx: &Tx<'_>, server: &Server) -> Result<Cents, StoreError> {
    Ok(tx.account_get(server.account)?.map_or(Cents::ZERO, |account| account.balance))
}
