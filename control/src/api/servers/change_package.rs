//! `POST /servers/{uuid}/change-package`.

use axum::extract::State;
use csp_shared::{id::ServerId, secret::Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ServerPath, missing,
    names::{self, Unreadable},
    order::root_password,
    unaffordable,
};
use crate::{
    api::{
        actions::queued::{Queued, example},
        auth::{By, Spends},
        body::JsonBody,
        document::{
            schemas::{OptionalFlag, OptionalSlug, SlugText},
            tags,
        },
        dry_run::{DryRun, Priced, Quoted},
        envelope::Money,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::{action::Command, slug::Slug},
    service::{
        change_package::{ChangePackage, ChangePackageError, Wrong, change_package as change},
        known_names::Named,
    },
};

const QUEUED: &str = "Package change queued.";
/// What confirms that the disk is erased.
const ERASE: &str = "ERASE";

/// Which package.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PackageChange, example = json!({"package_slug": "edge"}))]
pub struct ChangePackageBody {
    /// From `GET /packages`.
    #[serde(default)]
    #[schema(value_type = SlugText, required)]
    package_slug: Field<String>,
    /// A package with a smaller disk makes the disk anew: everything on it is lost. True says that this is known.
    #[serde(default)]
    #[schema(value_type = OptionalFlag)]
    confirm_data_loss: Field<bool>,
    /// The word `ERASE`, to say it again.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    erase_confirmation: Field<String>,
    /// From `GET /os-images`, for a disk that is made anew; left out, the present image is used again.
    #[serde(default)]
    #[schema(value_type = OptionalSlug)]
    os_image_key: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// A change that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePackageAnswer {
    #[schema(value_type = Uuid)]
    uuid: ServerId,
    /// Whether the disk is made anew.
    erases_disk: bool,
    /// What the wallet paid: the difference for the paid time that is left.
    charged: Money,
    /// What the wallet gets back when the change is done.
    credit: Money,
    /// What is left in the wallet.
    balance: Money,
    /// Of root, in this answer alone; only where the disk is made anew and no key opens the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "password")]
    root_password: Option<Secret>,
}

/// Change a server's package
///
/// Gives the server another package of its type, on the host that it is on. More is paid at once, for the paid time that
/// is left; less is given back when the change is done, and a change that fails costs nothing. Processors and memory change
/// by a restart that is part of it; a larger disk grows, and the guest's file system with it at the next boot. A smaller
/// disk erases everything and wants both confirmations; `?dry_run=true` tells the price and `erases_disk` without them.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/change-package",
    operation_id = "change_package",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([
            Code::ServerBusy, Code::Conflict, Code::Protected, Code::NoCapacity, Code::RenewalDue,
            Code::AccountLocked, Code::InsufficientBalance, Code::PackageNotFound, Code::ImageNotFound
        ])),
        ("x-example" = json!({"message": QUEUED, "action": example(Command::ChangePackage)}))
    )
)]
pub async fn change_package(
    State(app): State<App>,
    By { customer, .. }: By<Spends>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    dry_run: DryRun,
    body: JsonBody<ChangePackageBody>,
) -> Result<Quoted<ChangePackageAnswer, Queued<ChangePackageAnswer>>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let wanted = match body.value.parse() {
        Ok(wanted) => wanted,
        Err(unreadable) => return Err(unreadable.refusal(&app, &customer, Some(server)).await),
    };
    let erases = wanted.confirms_loss && wanted.confirms_erasing;
    let password = if erases { Some(root_password(&app).await?) } else { None };
    // A price must be told before anybody can confirm what it is the price of.
    let is_trial = dry_run.is_wanted();
    let (hash, plain) = password.map(|password| (password.hash, password.plain)).unzip();
    let wanted = ChangePackage {
        account: customer.account,
        server,
        package: wanted.package.into_text(),
        image: wanted.image.map(Slug::into_text),
        confirms_loss: wanted.confirms_loss || is_trial,
        confirms_erasing: wanted.confirms_erasing || is_trial,
        password_hash: hash,
    };
    let (draw, now) = (app.draw(), app.now());
    once.run_priced(&app, dry_run, move |tx| {
        let done = change(tx, &wanted, draw.clone(), now)?;
        let answer = ChangePackageAnswer {
            uuid: server,
            erases_disk: done.erases,
            charged: Money(done.bill.quote.charged()),
            credit: Money(done.bill.quote.credited()),
            balance: Money(done.bill.left),
            root_password: plain.clone().filter(|_| done.by_password),
        };
        let queued = Queued::message(tx, wanted.account, Some(done.action), QUEUED)?;
        let effect = Effect { answer: queued.with(answer), wake: Some(done.host) };
        Ok(Priced { effect, bill: done.bill, erases_disk: done.erases })
    })
    .await
}

/// What the body says.
#[derive(Debug)]
struct Wanted {
    package: Slug,
    image: Option<Slug>,
    confirms_loss: bool,
    confirms_erasing: bool,
}

impl ChangePackageBody {
    fn parse(self) -> Result<Wanted, Unreadable> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let package = faults
            .required("package_slug", self.package_slug)
            .and_then(|text| faults.parsed(Code::PackageNotFound, "package_slug", Slug::parse(&text)));
        let image = faults
            .optional("os_image_key", self.os_image_key)
            .and_then(|text| faults.parsed(Code::ImageNotFound, "os_image_key", Slug::parse(&text)));
        let confirms_loss = faults.optional("confirm_data_loss", self.confirm_data_loss).unwrap_or(false);
        let word = faults.optional("erase_confirmation", self.erase_confirmation);
        if word.as_ref().is_some_and(|word| word != ERASE) {
            faults.add(Code::ValidationFailed, "erase_confirmation", "is the word ERASE, or left out");
        }
        match package {
            Some(package) if faults.is_empty() => {
                Ok(Wanted { package, image, confirms_loss, confirms_erasing: word.is_some() })
            }
            package => {
                let (package, image) = (package.map(Slug::into_text), image.map(Slug::into_text));
                Err(Unreadable::new(faults, Named { package, image, ..Named::default() }))
            }
        }
    }
}

fn add(faults: &mut Faults, wrong: &Wrong) {
    let bad = Code::ValidationFailed;
    match wrong {
        Wrong::Name(name) => names::add(faults, name),
        Wrong::SamePackage(_) => faults.add(bad, "package_slug", wrong.to_string()),
        Wrong::Unconfirmed { confirms_loss, confirms_erasing, .. } => {
            if !confirms_loss {
                faults.add(bad, "confirm_data_loss", format!("must be true: {wrong}"));
            }
            if !confirms_erasing {
                faults.add(bad, "erase_confirmation", format!("must be the word {ERASE}: {wrong}"));
            }
        }
        Wrong::ImageUnused => faults.add(bad, "os_image_key", wrong.to_string()),
        Wrong::ImageRetired => faults.add(Code::ImageNotFound, "os_image_key", wrong.to_string()),
    }
}

impl From<ChangePackageError> for ApiError {
    fn from(error: ChangePackageError) -> Self {
        use ChangePackageError as E;
        let reason = error.to_string();
        match error {
            E::NotFound => missing(),
            E::Denied(denied) => denied.into(),
            E::RenewalDue(_) => Self::plain(Code::RenewalDue),
            E::Wrong(wrong) => {
                let mut faults = Faults::default();
                wrong.iter().for_each(|one| add(&mut faults, one));
                faults.refusal()
            }
            E::TooManyIps { .. } => Self::new(Code::Conflict, format!("{reason}.")).naming("package_slug", reason),
            E::NoCapacity(package) => {
                let what = format!("The server's own host has no room for `{package}` right now. Nothing was charged.");
                Self::new(Code::NoCapacity, what).naming("package_slug", reason)
            }
            E::Unaffordable(why) => unaffordable(why, "package_slug", "Nothing was changed."),
            E::Store(error) => error.into(),
        }
    }
}
