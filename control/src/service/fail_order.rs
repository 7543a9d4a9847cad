//! The part that failing and cancelling an order share: tombstone, refund and holding, to be written together.

use csp_shared::{
    generation::Version,
    id::{HostId, TransferId},
    spec::{Desired, Tombstone},
};

use super::{
    money_in::{Back, give_back},
    refresh_network::leave_networks,
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
    leave_networks(tx, server.id)?;
    if placement.state == PlacementState::Active {
        tx.placement_set(server.id, PlacementState::Held, now)?;
    }
    Ok((placement.host, version))
}

/// Gives back exactly what an order took, once: to the wallet, to promotions, and the use of its promo code.
pub(super) fn refund(tx: &mut Tx<'_>, server: &Server, draw: &mut Draw, now: Time) -> Result<(), StoreError> {
    let paid = tx.transfer_amount(&Cause::Order(server.id))?.unwrap_or_default();
    let back = Back {
        server: server.id,
        amount: paid,
        cause: Cause::OrderReversal(server.id),
        description: "Refund of an order that did not run".to_owned(),
    };
    if !give_back(tx, back, draw, now)? {
        return Ok(());
    }
    let discount = Transfer {
        from: Holder::Book(Book::Revenue),
        to: Holder::Book(Book::Promotions),
        amount: tx.transfer_amount(&Cause::Discount(server.id, 0))?.unwrap_or_default(),
        cause: Cause::DiscountReversal(server.id),
        server: Some(server.id),
        description: "Discount of an order that did not run".to_owned(),
    };
    match tx.transfer_post_inside(&discount, TransferId(draw.uuid(now)), now) {
        // Twice: an order that cost nothing has no refund to be known by.
        Ok(()) | Err(PostError::Twice(_)) => {}
        Err(why) => return Err(why.into_store()),
    }
    tx.promo_release(server.id, now)?;
    tx.period_credit_all(server.id, now)
}
