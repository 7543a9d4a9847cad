//! The part that failing and cancelling an order share: tombstone, refund and holding, to be written together.

use csp_shared::{
    generation::Version,
    id::{HostId, TransferId},
    spec::{Desired, Tombstone},
};

use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        time::Time,
    },
    store::{PlacementState, PostError, Server, StoreError, Tx},
};

/// Puts a tombstone in the place of a server's spec and holds what it has until its host proved that it is gone.
pub(super) fn bury(tx: &mut Tx<'_>, server: &Server, now: Time) -> Result<(HostId, Version), StoreError> {
    let placement = tx.placement_get(server.id)?;
    let placement = placement.ok_or_else(|| StoreError::Damaged(format!("server {} has no place", server.id)))?;
    let current = tx.spec_version(server.id, placement.host)?;
    let current = current.ok_or_else(|| StoreError::Damaged(format!("server {} has no spec", server.id)))?;
    if matches!(tx.spec_get(server.id)?, Some(Desired::Absent(_))) {
        return Ok((placement.host, current));
    }
    let version = Version { incarnation: tx.incarnation()?, generation: current.generation.next() };
    tx.spec_put(placement.host, &Desired::Absent(Tombstone { server: server.id, version }))?;
    tx.lease_hold(server.id)?;
    if placement.state == PlacementState::Active {
        tx.placement_set(server.id, PlacementState::Held, now)?;
    }
    Ok((placement.host, version))
}

/// Gives back exactly what an order took, once.
pub(super) fn refund(tx: &mut Tx<'_>, server: &Server, draw: &mut Draw, now: Time) -> Result<(), StoreError> {
    let Some(posted) = tx.transfer_by_cause(&Cause::Order(server.id))? else { return Ok(()) };
    let transfer = Transfer {
        from: Holder::Book(Book::Revenue),
        to: Holder::Wallet(server.account),
        amount: posted.amount,
        cause: Cause::OrderReversal(server.id),
        server: Some(server.id),
        description: "Refund of an order that did not run".to_owned(),
    };
    match tx.transfer_post(&transfer, TransferId(draw.uuid(now)), now) {
        Ok(_) => tx.period_credit_all(server.id),
        // Given back before: that is what the unique cause is for.
        Err(PostError::Twice(_)) => Ok(()),
        Err(PostError::Store(why)) => Err(why),
        Err(why) => Err(StoreError::Damaged(why.to_string())),
    }
}
