//! Gives a server another package. What it costs is paid at once; what it gives back, and what becomes free on the host,
//! when the host has done it (BILLING 3 to 5). A smaller disk cannot be made of a larger one: it is made anew.

use csp_shared::{
    id::{AccountId, ActionId, HostId, ServerId},
    spec::Power,
};

use super::{
    afford::{Funds, Unaffordable, afford},
    charge_quote::charge_quote,
    known_names::{Found, Named, UnknownName, find},
    look_for_room::need_of,
    reinstall_server::{install, shape},
    renew_service::{RenewalDue, UpToDate, up_to_date},
    reshape::{Reshape, accept, has_room_beside},
};
use crate::{
    domain::{
        action::Command,
        allowed::{Ask, Denied, allow, allow_erasing_change},
        billing::{
            bill::Bill,
            package,
            quote::{Basis, Quote},
        },
        catalog::ServiceType,
        draw::Draw,
        ledger::Cause,
        money::Cents,
        month::Month,
        payment::Spending,
        placement::Need,
        reshape::{Shape, Sold, reshaped},
        server::Standing,
        time::Time,
        traffic::Mark,
    },
    store::{Billed, ImageRow, PackageRow, StoreError, Tx},
};

/// A parsed request.
#[derive(Clone, Debug)]
pub struct ChangePackage {
    /// Whose server.
    pub account: AccountId,
    /// Which.
    pub server: ServerId,
    /// UUID or slug of the package.
    pub package: String,
    /// Key of the image for a disk that is made anew; the present one when left out.
    pub image: Option<String>,
    /// `confirm_data_loss` was true.
    pub confirms_loss: bool,
    /// `erase_confirmation` was the word.
    pub confirms_erasing: bool,
    /// crypt(5) hash of root's password; used when the disk is made anew and no key opens the server.
    pub password_hash: Option<String>,
}

/// An accepted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageChanging {
    /// What records it.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
    /// Whether the disk is made anew.
    pub erases: bool,
    /// Whether root's password opens it then, since no key does.
    pub by_password: bool,
    /// What the wallet paid, and what it gets when it is done.
    pub bill: Bill,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePackageError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Its paid time is over.
    #[error(transparent)]
    RenewalDue(#[from] RenewalDue),
    /// What it asks for cannot be; never nothing.
    #[error("{} things of the change cannot be", .0.len())]
    Wrong(Vec<Wrong>),
    /// The server has more extra addresses than the package allows.
    #[error("`{package}` allows {most} extra addresses and the server has {present}; remove some first")]
    TooManyIps {
        /// What was asked.
        package: String,
        /// Of the package.
        most: u32,
        /// Of the server.
        present: usize,
    },
    /// The server's own host has no room for it, takes nothing new, or is not heard of.
    #[error("the server's host has no room for `{0}` at the moment")]
    NoCapacity(String),
    /// The account may not, or the wallet has less.
    #[error(transparent)]
    Unaffordable(#[from] Unaffordable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that cannot be asked for, whatever the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A name that leads nowhere.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// It has it already.
    #[error("the server has the package `{0}` already")]
    SamePackage(String),
    /// The disk would be erased, and not all was confirmed.
    #[error(
        "the disk of `{package}` has {wanted} GB, which is less than the present {present}: everything on it is lost"
    )]
    Unconfirmed {
        /// What was asked.
        package: String,
        /// Of the package.
        wanted: u32,
        /// Of the server.
        present: u32,
        /// Whether the loss was confirmed.
        confirms_loss: bool,
        /// Whether the word was there.
        confirms_erasing: bool,
    },
    /// Nothing is installed.
    #[error("the disk is kept, so no image is installed; leave it out")]
    ImageUnused,
    /// The server's own is retired and none was named.
    #[error("the server's image is no longer on offer, and the disk is made anew: choose one")]
    ImageRetired,
}

/// Gives a server another package.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn change_package(
    tx: &mut Tx<'_>,
    wanted: &ChangePackage,
    draw: Draw,
    now: Time,
) -> Result<PackageChanging, ChangePackageError> {
    let mut draw = draw;
    let (account, server) = (wanted.account, wanted.server);
    let standing = tx.server_standing(account, server, now)?.ok_or(ChangePackageError::NotFound)?;
    allow(Ask::ChangePackage, &standing)?;
    let service = tx.billed_get(server)?.ok_or(ChangePackageError::NotFound)?;
    let held = tx.account_get(account)?.map_or(Cents::ZERO, |account| account.balance);
    let UpToDate { service, renewed, .. } = up_to_date(tx, service, &mut draw, now)?.for_a_change()?;
    let before = shape(tx, server)?.ok_or(ChangePackageError::NotFound)?;
    let host = tx.placement_get(server)?.ok_or(ChangePackageError::NotFound)?.host;
    let (package, image) = names(tx, wanted, &standing, &before, service.kind, now)?;
    let present = service.ips.len();
    if present > usize::try_from(package.extra_ips_max).unwrap_or(usize::MAX) {
        let most = package.extra_ips_max;
        return Err(ChangePackageError::TooManyIps { package: package.slug, most, present });
    }
    let after = after(tx, wanted, &standing, &before, &package, image.as_ref())?;
    let need = need_of(&package);
    let erases = before.spec.disk_epoch != after.spec.disk_epoch;
    let fits = !erases || has_room_beside(tx, host, after.spec.disk_gib)?;
    (fits && room(tx, host, server, &need, now)?)
        .then_some(())
        .ok_or_else(|| ChangePackageError::NoCapacity(package.slug.clone()))?;
    let paid = tx.period_list(server, now)?;
    let quote = package::change(&paid, service.price.sold, package.monthly, now);
    let Funds { left, .. } =
        afford(tx, account, Spending::ChangePackage, quote.charged()).map_err(|why| why.behind(renewed.charged()))?;
    let command = Command::ChangePackage;
    let reshape = Reshape { account, command, before: &before, after: &after, host, period: service.last };
    let action = accept(tx, &reshape, &mut draw, now)?;
    if let Some(mine) = tx.placement_promised(server)? {
        tx.placement_promise(server, &mine.at_least(&need))?;
    }
    if before.sold.traffic != package.traffic {
        // What was told was about another amount.
        tx.traffic_set_told(server, Month::of(now), Mark::None)?;
    }
    tx.price_changes_void(server, Some(action), now)?;
    charge(tx, &service, &package, &quote, action, &mut draw, now)?;
    let by_password = erases && after.spec.login.password_hash.is_some();
    let mut all = renewed;
    all.append(quote);
    let bill = Bill { quote: all, anchor: service.anchor, before: held, left };
    Ok(PackageChanging { action, host, erases, by_password, bill })
}

/// The package, and the image where the disk is made anew. All that cannot be is told together.
fn names(
    tx: &Tx<'_>,
    wanted: &ChangePackage,
    standing: &Standing,
    before: &Shape,
    kind: ServiceType,
    now: Time,
) -> Result<(PackageRow, Option<ImageRow>), ChangePackageError> {
    let (package, image) = (Some(wanted.package.clone()), wanted.image.clone());
    let named = Named { kind: Some(kind), package, image, ..Named::default() };
    let (Found { package, mut image, .. }, unknown) = find(tx, wanted.account, &named, now)?;
    let mut wrong: Vec<Wrong> = unknown.into_iter().map(Wrong::from).collect();
    let Some(package) = package else { return Err(ChangePackageError::Wrong(wrong)) };
    let (size, present) = (package.size.disk_gb, before.spec.disk_gib);
    if package.id == before.sold.package {
        wrong.push(Wrong::SamePackage(package.slug.clone()));
    } else if size < present {
        allow_erasing_change(standing)?;
        let (confirms_loss, confirms_erasing) = (wanted.confirms_loss, wanted.confirms_erasing);
        if !(confirms_loss && confirms_erasing) {
            let package = package.slug.clone();
            wrong.push(Wrong::Unconfirmed { package, wanted: size, present, confirms_loss, confirms_erasing });
        }
        if wanted.image.is_none() {
            let mine = tx.image_list()?.into_iter().find(|image| image.id == before.sold.image);
            image = mine.filter(|image| image.is_for(kind));
            wrong.extend(image.is_none().then_some(Wrong::ImageRetired));
        }
    } else {
        wrong.extend(image.take().map(|_| Wrong::ImageUnused));
    }
    if wrong.is_empty() { Ok((package, image)) } else { Err(ChangePackageError::Wrong(wrong)) }
}

/// The server with the package. Its disk is kept, and grows, unless there is an image to make it anew.
fn after(
    tx: &Tx<'_>,
    wanted: &ChangePackage,
    standing: &Standing,
    before: &Shape,
    package: &PackageRow,
    image: Option<&ImageRow>,
) -> Result<Shape, StoreError> {
    let sold = Sold {
        package: package.id,
        monthly_cents: package.monthly.get(),
        price_fixed: false,
        traffic: package.traffic,
        ..before.sold.clone()
    };
    let mut target = before.spec.clone();
    (target.cpus, target.ram_mib, target.disk_gib) = (package.size.cpu, package.size.ram_mb, package.size.disk_gb);
    target.limits = package.limits;
    let mut spec = reshaped(&before.spec, &target, true);
    if let Some(image) = image {
        let sized = Shape { sold: sold.clone(), spec };
        return install(tx, &sized, sold, image, wanted.password_hash.as_deref());
    }
    if spec.power == Power::On && standing.stays_down() {
        // A guest that powered itself off stays off; it finds its new size when it is started.
        spec.boot_epoch = before.spec.boot_epoch;
    }
    Ok(Shape { sold, spec })
}

/// Whether the server's own host is one for the package, and can give what it needs beyond the present share.
fn room(tx: &Tx<'_>, host: HostId, server: ServerId, need: &Need<'_>, now: Time) -> Result<bool, StoreError> {
    let Some(mine) = tx.placement_promised(server)? else { return Ok(false) };
    let load = tx.host_load(host, now)?;
    if !mine.is_less_than(need) && need.cpu_models.is_empty() {
        // A host that is not heard of told nothing against a rate.
        return Ok(load.is_none_or(|load| load.makeup.can_hold(need)));
    }
    Ok(load.is_some_and(|load| load.makeup.suits(need) && load.has_room_to_grow(&mine, need)))
}

/// Takes what the change costs, and fixes what it gives back.
fn charge(
    tx: &mut Tx<'_>,
    service: &Billed,
    package: &PackageRow,
    quote: &Quote,
    action: ActionId,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let what = format!("{} to {} for {}", service.package, package.name, service.hostname);
    charge_quote(tx, service, (action, Cause::Change(action), what), quote, draw, now)?;
    tx.credit_promise(action, &quote.credits, Basis::Time, now)
}
