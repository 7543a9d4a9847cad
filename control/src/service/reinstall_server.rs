//! Reinstalls a server: a new disk from an image. The keys and user data of its order are used again; another of the
//! account's keys may take the place of the chosen one.

use csp_shared::{
    id::{AccountId, ActionId, HostId, ServerId, SshKeyId},
    spec::{Desired, Login},
};

use super::{
    known_names::{Found, Named, UnknownName, find},
    renew_service::{RenewalDue, UpToDate, up_to_date},
    reshape::{Reshape, accept, has_room_beside},
};
use crate::{
    domain::{
        action::Command,
        allowed::{Ask, Denied, allow},
        draw::Draw,
        reshape::{Shape, Sold, erased},
        time::Time,
    },
    store::{ImageRow, StoreError, Tx},
};

/// A parsed request.
#[derive(Clone, Debug)]
pub struct Reinstall {
    /// Whose server.
    pub account: AccountId,
    /// Which.
    pub server: ServerId,
    /// Key of the image.
    pub image: String,
    /// One of the account's keys, in the place of the one that was chosen before.
    pub ssh_key: Option<SshKeyId>,
    /// crypt(5) hash of root's password; used when no key opens the server.
    pub password_hash: Option<String>,
}

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reinstalling {
    /// What records it.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
    /// Whether root's password opens it, since no key does.
    pub by_password: bool,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReinstallError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Its paid time is over: no disk is made for what nobody pays.
    #[error(transparent)]
    RenewalDue(#[from] RenewalDue),
    /// Names that lead nowhere; never none.
    #[error("{} names of the reinstall lead nowhere", .0.len())]
    Unknown(Vec<UnknownName>),
    /// The old disk goes to the trash, where it keeps its room, so the new one needs as much beside it.
    #[error("the server's host has no room for a second disk of {0} GiB at the moment")]
    NoCapacity(u32),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reinstalls a server.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn reinstall_server(
    tx: &mut Tx<'_>,
    wanted: &Reinstall,
    draw: Draw,
    now: Time,
) -> Result<Reinstalling, ReinstallError> {
    let mut draw = draw;
    let (account, server) = (wanted.account, wanted.server);
    let standing = tx.server_standing(account, server, now)?.ok_or(ReinstallError::NotFound)?;
    allow(Ask::Reinstall, &standing)?;
    let service = tx.billed_get(server)?.ok_or(ReinstallError::NotFound)?;
    let UpToDate { service, .. } = up_to_date(tx, service, &mut draw, now)?.for_a_change()?;
    let before = shape(tx, server)?.ok_or(ReinstallError::NotFound)?;
    let host = tx.placement_get(server)?.ok_or(ReinstallError::NotFound)?.host;
    let named = Named {
        kind: Some(service.kind),
        image: Some(wanted.image.clone()),
        ssh_key: wanted.ssh_key,
        ..Named::default()
    };
    let (Found { image, ssh_key, .. }, unknown) = find(tx, account, &named, now)?;
    let image = image.filter(|_| unknown.is_empty()).ok_or(ReinstallError::Unknown(unknown))?;
    let mut sold = before.sold.clone();
    if let Some(key) = ssh_key {
        sold = choose(sold, key.id, key.public_key);
    }
    let after = install(tx, &before, sold, &image, wanted.password_hash.as_deref())?;
    let disk_gib = after.spec.disk_gib;
    has_room_beside(tx, host, disk_gib)?.then_some(()).ok_or(ReinstallError::NoCapacity(disk_gib))?;
    let by_password = after.spec.login.password_hash.is_some();
    let reshape =
        Reshape { account, command: Command::Reinstall, before: &before, after: &after, host, period: service.last };
    let action = accept(tx, &reshape, &mut draw, now)?;
    Ok(Reinstalling { action, host, by_password })
}

/// A server as it is sold and made; nothing once a tombstone stands in its place.
pub(super) fn shape(tx: &Tx<'_>, server: ServerId) -> Result<Option<Shape>, StoreError> {
    let (sold, spec) = (tx.sold_get(server)?, tx.spec_get(server)?);
    Ok(sold.zip(spec).and_then(|(sold, spec)| match spec {
        Desired::Present(spec) => Some(Shape { sold, spec: *spec }),
        Desired::Absent(_) => None,
    }))
}

/// The server with a new disk from an image, and the name that it has by now.
pub(super) fn install(
    tx: &Tx<'_>,
    before: &Shape,
    sold: Sold,
    image: &ImageRow,
    password_hash: Option<&str>,
) -> Result<Shape, StoreError> {
    let server = before.spec.server;
    let settings = tx.server_settings(server)?;
    let settings = settings.ok_or_else(|| StoreError::Damaged(format!("server {server} is gone")))?;
    let mut spec = erased(before.spec.clone(), tx.reshape_disk_epoch(server)?);
    settings.hostname.as_str().clone_into(&mut spec.hostname);
    spec.image = image.file.clone();
    let password_hash = password_hash.filter(|_| sold.authorized_keys.is_empty()).map(str::to_owned);
    spec.login = Login { ssh_keys: sold.authorized_keys.clone(), password_hash };
    Ok(Shape { sold: Sold { image: image.id, ..sold }, spec })
}

/// Another key in the place of the chosen one; those that came with the order stay.
fn choose(sold: Sold, id: SshKeyId, line: String) -> Sold {
    let others = sold.authorized_keys.iter().filter(|key| Some(*key) != sold.chosen_key.as_ref() && **key != line);
    let authorized_keys = std::iter::once(line.clone()).chain(others.cloned()).collect();
    Sold { ssh_key: Some(id), chosen_key: Some(line), authorized_keys, ..sold }
}
