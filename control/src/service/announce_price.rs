//! Announces another price for a server: it applies to what is paid from its beginning on, a rise 30 days after this notice
//! at the earliest (BILLING 11).

use csp_shared::id::{LeaseId, ServerId};

use super::write_letter::write_letter;
use crate::{
    domain::{
        billing::price::{Announced, PriceRefusal},
        draw::Draw,
        event::Event,
        letter,
        money::Cents,
        server::ServiceStatus,
        time::Time,
    },
    store::{Billed, StoreError, Tx},
};

/// A price to be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncePrice {
    /// For which server.
    pub server: ServerId,
    /// For which of its extra addresses; nothing: for its package.
    pub ip: Option<LeaseId>,
    /// Of a month.
    pub price: Cents,
    /// From when on; nothing: as soon as it may.
    pub effective_at: Option<Time>,
    /// Letters are sent.
    pub has_mail: bool,
}

/// Why a price was not announced or fixed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// Unknown, or not in use.
    #[error("there is no server {0} in service")]
    NotInService(ServerId),
    /// Unknown, not in use, or not beside a package.
    #[error("there is no extra address {0} in use")]
    NoAddress(LeaseId),
    /// It may not be so.
    #[error(transparent)]
    Refused(#[from] PriceRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Announces a price, and tells the server's owner.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn announce_price(
    tx: &mut Tx<'_>,
    announce: &AnnouncePrice,
    draw: Draw,
    now: Time,
) -> Result<Announced, PriceError> {
    let mut draw = draw;
    let AnnouncePrice { server, ip, price, effective_at, has_mail } = *announce;
    let service = in_service(tx, server)?;
    let (present, address) = match ip {
        None => (&service.price, None),
        Some(ip) => {
            let (_, present) = service.ips.iter().find(|(lease, _)| *lease == ip).ok_or(PriceError::NoAddress(ip))?;
            (present, tx.lease_get(ip)?.map(|lease| lease.address))
        }
    };
    let announced = present.announce(price, effective_at, now)?;
    tx.billed_announce((server, ip), present.at(announced.effective_at), &announced, now)?;
    // What was announced meanwhile and has not begun was paid by nobody: its owner compares with what it costs now.
    let paid = present.at(now);
    tx.event_put(service.account, &Event::price_announced(server, address, paid, &announced), now)?;
    let letter = letter::price(&service.hostname, &service.package, address, paid, &announced);
    let cause = format!("price/{server}/{}", draw.uuid(now));
    write_letter(tx, service.account, &cause, &letter, has_mail, &mut draw, now)?;
    Ok(announced)
}

/// Promises to keep a price: notices pass this server by until it is released. Answers the price.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn fix_price(tx: &mut Tx<'_>, server: ServerId, price: Option<Cents>, now: Time) -> Result<Cents, PriceError> {
    let service = in_service(tx, server)?;
    let fixed = service.price.fix(price, now)?;
    tx.billed_fix_price(server, service.price.at(now), Some(fixed), now)?;
    Ok(fixed)
}

/// Lets a price go with announcements again; it stays what it is until one comes.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn release_price(tx: &mut Tx<'_>, server: ServerId, now: Time) -> Result<Cents, PriceError> {
    let service = in_service(tx, server)?;
    if service.price.fixed {
        tx.billed_fix_price(server, service.price.sold, None, now)?;
    }
    Ok(service.price.at(now))
}

fn in_service(tx: &Tx<'_>, server: ServerId) -> Result<Billed, PriceError> {
    let in_use = |service: &Billed| matches!(service.service, ServiceStatus::Active | ServiceStatus::Suspended);
    tx.billed_get(server)?.filter(in_use).ok_or(PriceError::NotInService(server))
}
