//! Names in a body that lead nowhere, told together, and together with what cannot be read of it.

use csp_shared::id::ServerId;

use crate::{
    api::{
        auth::Customer,
        error::{ApiError, Code},
        field::Faults,
        state::App,
    },
    service::known_names::{Named, UnknownName, find},
    store::{Read, StoreError},
};

/// A body that cannot be taken: what is wrong with its fields, and the names that could be read all the same.
#[derive(Debug)]
pub struct Unreadable {
    /// At least one.
    pub faults: Faults,
    /// Not looked up yet.
    named: Box<Named>,
}

impl Unreadable {
    /// With what could be read of the names.
    #[must_use]
    pub fn new(faults: Faults, named: Named) -> Self {
        Self { faults, named: Box::new(named) }
    }

    /// The refusal, with the names that lead nowhere. `server` is what the request is about, which tells its kind.
    pub async fn refusal(self, app: &App, customer: &Customer, server: Option<ServerId>) -> ApiError {
        let (Self { mut faults, mut named }, account, now) = (self, customer.account, app.now());
        let unknown = move |read: &Read<'_>| {
            if let Some(server) = server {
                let is_own = read.server_standing(account, server, now)?.is_some();
                let service = if is_own { read.billed_get(server)? } else { None };
                named.kind = service.map(|service| service.kind);
            }
            find(read, account, &named, now).map(|(_, unknown)| unknown)
        };
        match app.store.read::<_, StoreError>(unknown).await {
            Ok(unknown) => {
                unknown.iter().for_each(|name| add(&mut faults, name));
                faults.refusal()
            }
            Err(error) => error.into(),
        }
    }
}

/// One more name that leads nowhere.
pub fn add(faults: &mut Faults, name: &UnknownName) {
    let (code, field) = match name {
        UnknownName::Package { .. } => (Code::PackageNotFound, "package_slug"),
        UnknownName::Image { .. } => (Code::ImageNotFound, "os_image_key"),
        UnknownName::SshKey(_) => (Code::SshKeyNotFound, "ssh_key_uuid"),
        UnknownName::Location(_) => (Code::LocationNotFound, "location"),
        UnknownName::Promo(_) => (Code::PromoCodeRefused, "promo_code"),
    };
    faults.add(code, field, name.to_string());
}

/// The refusal of names alone.
#[must_use]
pub fn refusal(names: &[UnknownName]) -> ApiError {
    let mut faults = Faults::default();
    names.iter().for_each(|name| add(&mut faults, name));
    faults.refusal()
}
