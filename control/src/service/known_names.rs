//! Names that a request takes from the catalog and from its account. All of them are looked up before the request is
//! refused for one, so that whoever wrote it mends it once.

use csp_shared::id::{AccountId, SshKeyId};

use crate::{
    domain::{
        billing::promo::{Code, Promo, PromoRefusal},
        catalog::ServiceType,
        slug::Slug,
        time::Time,
    },
    store::{ImageRow, PackageRow, Read, SshKeyRow, StoreError},
};

/// What a request names. What it leaves out, and what could not be read of it, is None.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Package and image must be for this kind.
    pub kind: Option<ServiceType>,
    /// UUID or slug of a package.
    pub package: Option<String>,
    /// Key of an image.
    pub image: Option<String>,
    /// One of the account's keys.
    pub ssh_key: Option<SshKeyId>,
    /// A location.
    pub location: Option<Slug>,
    /// A promo code, for that package.
    pub promo: Option<Code>,
}

/// What the names lead to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The package.
    pub package: Option<PackageRow>,
    /// The image.
    pub image: Option<ImageRow>,
    /// The key.
    pub ssh_key: Option<SshKeyRow>,
    /// What the code takes off.
    pub promo: Option<Promo>,
}

/// A name that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// Not on sale, or of the other type.
    #[error("no {}package `{package}` is on sale", of_kind(*kind))]
    Package {
        /// What it must be for.
        kind: Option<ServiceType>,
        /// What was asked.
        package: String,
    },
    /// Not on offer, or not for this type.
    #[error("no image `{image}` is on offer{}", for_kind(*kind))]
    Image {
        /// What it must be for.
        kind: Option<ServiceType>,
        /// What was asked.
        image: String,
    },
    /// Not one of the account's keys.
    #[error("the account has no SSH key {0}")]
    SshKey(SshKeyId),
    /// Not in use.
    #[error("there is no location `{0}`")]
    Location(String),
    /// The code does not apply.
    #[error(transparent)]
    Promo(#[from] PromoRefusal),
}

fn of_kind(kind: Option<ServiceType>) -> String {
    kind.map_or_else(String::new, |kind| format!("{} ", kind.as_str()))
}

fn for_kind(kind: Option<ServiceType>) -> String {
    kind.map_or_else(String::new, |kind| format!(" for {}", kind.as_str()))
}

/// Looks up every name. What leads nowhere is None, and told beside.
///
/// # Errors
/// When the store cannot be read.
pub fn find(
    read: &Read<'_>,
    account: AccountId,
    named: &Named,
    now: Time,
) -> Result<(Found, Vec<UnknownName>), StoreError> {
    let (mut found, mut unknown) = (Found::default(), Vec::new());
    let kind = named.kind;
    if let Some(package) = &named.package {
        found.package = read.package_get(package)?.filter(|row| kind.is_none_or(|kind| row.kind == kind));
        if found.package.is_none() {
            unknown.push(UnknownName::Package { kind, package: package.clone() });
        }
    }
    if let Some(image) = &named.image {
        found.image = read.image_get(image)?.filter(|row| kind.is_none_or(|kind| row.is_for(kind)));
        if found.image.is_none() {
            unknown.push(UnknownName::Image { kind, image: image.clone() });
        }
    }
    if let Some(id) = named.ssh_key {
        found.ssh_key = read.ssh_key_get(account, id)?;
        if found.ssh_key.is_none() {
            unknown.push(UnknownName::SshKey(id));
        }
    }
    if let Some(slug) = &named.location
        && !read.location_list()?.iter().any(|location| location.slug == *slug)
    {
        unknown.push(UnknownName::Location(slug.as_str().to_owned()));
    }
    if let Some(code) = &named.promo {
        match promo(read, account, code, found.package.as_ref(), now)? {
            Ok(promo) => found.promo = Some(promo),
            Err(why) => unknown.push(UnknownName::Promo(why)),
        }
    }
    Ok((found, unknown))
}

/// A code, and whether it applies to a package. Who counts its uses is the writer, so two orders cannot both have the last.
fn promo(
    read: &Read<'_>,
    account: AccountId,
    code: &Code,
    package: Option<&PackageRow>,
    now: Time,
) -> Result<Result<Promo, PromoRefusal>, StoreError> {
    let Some(promo) = read.promo_get(code)? else { return Ok(Err(PromoRefusal::Unknown)) };
    let Some(package) = package else { return Ok(Ok(promo)) };
    let uses = read.promo_uses(code, account)?;
    Ok(promo.check(package.kind, &package.slug, uses, now).map(|_| promo))
}
