//! `POST /servers`: the body becomes an order whose fields cannot be wrong; the rest is `service::order_server`.

use axum::extract::State;
use csp_shared::{id::SshKeyId, limits::SSH_KEYS_MAX};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    names::{self, Unreadable},
    share_links::{create::may_grant, view::LinkUrl},
    unaffordable,
    view::ServerAnswer,
};
use crate::{
    api::{
        actions::queued::{Queued, example},
        auth::{By, Customer, Spends},
        body::JsonBody,
        document::{
            schemas::{
                HostnameText, InlineKeys, OptionalFlag, OptionalPromoCode, OptionalSlug, OptionalUuid, ServiceTypeWord,
                SlugText, UserDataText,
            },
            tags,
        },
        dry_run::{DryRun, Priced, Quoted},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::{
        action::Command,
        billing::promo::Code as PromoCode,
        catalog::ServiceType,
        hostname::Hostname,
        label::Label,
        password::{self, RootPassword},
        share_link::{Permissions, USUAL_LABEL},
        slug::Slug,
        ssh_key::SshKey,
        time::MINUTE,
        user_data::UserData,
    },
    service::{
        create_share_link::{CreateShareLink, create_share_link},
        known_names::Named,
        order_server::{OrderError, OrderServer, order_server},
    },
    store::StoreError,
};

/// Keys that an order brings along, beside the chosen one.
pub const INLINE_KEYS_MAX: usize = 10;
const _: () = assert!(INLINE_KEYS_MAX < SSH_KEYS_MAX);

const ORDERED: &str = "Service ordered and queued for provisioning.";

/// What only an order is refused for.
const REFUSALS: [Code; 12] = [
    Code::AccountLocked,
    Code::LimitReached,
    Code::InsufficientBalance,
    Code::NoCapacity,
    Code::NoAddressAvailable,
    Code::InvalidHostname,
    Code::PackageNotFound,
    Code::ImageNotFound,
    Code::SshKeyNotFound,
    Code::InvalidSshKey,
    Code::LocationNotFound,
    Code::PromoCodeRefused,
];

/// An order.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ServerOrder, example = json!({"os_image_key": "ubuntu-24-04"}))]
pub struct OrderBody {
    #[serde(default, rename = "type")]
    #[schema(value_type = ServiceTypeWord, required)]
    kind: Field<String>,
    /// From `GET /packages`.
    #[serde(default)]
    #[schema(value_type = SlugText, required)]
    package_slug: Field<String>,
    /// From `GET /os-images`.
    #[serde(default)]
    #[schema(value_type = SlugText, required)]
    os_image_key: Field<String>,
    /// A name as guests carry it: one label or several.
    #[serde(default)]
    #[schema(value_type = HostnameText, required)]
    hostname: Field<String>,
    /// From `GET /ssh-keys`. Without any key the answer has a `root_password`, this once.
    #[serde(default)]
    #[schema(value_type = OptionalUuid)]
    ssh_key_uuid: Field<String>,
    /// Public keys that it lets in beside that one, and that are not kept in the account.
    #[serde(default)]
    #[schema(value_type = InlineKeys)]
    ssh_keys: Field<Vec<Field<String>>>,
    /// For cloud-init in the guest: `#cloud-config`, a script, `#cloud-boothook` or a jinja template of one of them. It
    /// is merged with the provider's own part; lists are joined, and what you say stays said.
    #[serde(default)]
    #[schema(value_type = UserDataText)]
    user_data: Field<String>,
    /// Where it is to stand; without it, where there is room.
    #[serde(default)]
    #[schema(value_type = OptionalSlug)]
    location: Field<String>,
    /// Takes something off the price of the package.
    #[serde(default)]
    #[schema(value_type = OptionalPromoCode)]
    promo_code: Field<String>,
    /// The answer has a `management_link` then: it allows all but reinstalling, and ends when it is revoked. The key needs
    /// the scopes `read` and `console` as well.
    #[serde(default)]
    #[schema(value_type = OptionalFlag)]
    create_management_link: Field<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// What the body says.
#[derive(Debug)]
struct Wanted {
    kind: ServiceType,
    package: Slug,
    image: Slug,
    hostname: Hostname,
    ssh_key: Option<SshKeyId>,
    inline_keys: Vec<SshKey>,
    user_data: Option<UserData>,
    location: Option<Slug>,
    promo: Option<PromoCode>,
    with_link: bool,
}

impl OrderBody {
    fn parse(self) -> Result<Wanted, Unreadable> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let kind = faults.required("type", self.kind).and_then(|text| {
            let kind = ServiceType::parse(&text).ok_or("must be vps or dedicated");
            faults.parsed(Code::ValidationFailed, "type", kind)
        });
        let package = faults
            .required("package_slug", self.package_slug)
            .and_then(|text| faults.parsed(Code::PackageNotFound, "package_slug", Slug::parse(&text)));
        let image = faults
            .required("os_image_key", self.os_image_key)
            .and_then(|text| faults.parsed(Code::ImageNotFound, "os_image_key", Slug::parse(&text)));
        let hostname = faults
            .required("hostname", self.hostname)
            .and_then(|text| faults.parsed(Code::InvalidHostname, "hostname", Hostname::parse(&text)));
        let ssh_key = faults.optional("ssh_key_uuid", self.ssh_key_uuid).and_then(|text| {
            let key = text.parse().map_err(|_| "is no UUID; GET /ssh-keys lists your keys");
            faults.parsed(Code::SshKeyNotFound, "ssh_key_uuid", key)
        });
        let inline_keys = inline_keys(&mut faults, self.ssh_keys);
        let user_data = faults
            .optional("user_data", self.user_data)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "user_data", UserData::parse(&text)));
        let location = faults
            .optional("location", self.location)
            .and_then(|text| faults.parsed(Code::LocationNotFound, "location", Slug::parse(&text)));
        let promo = faults
            .optional("promo_code", self.promo_code)
            .and_then(|text| faults.parsed(Code::PromoCodeRefused, "promo_code", PromoCode::parse(&text)));
        let with_link = faults.optional("create_management_link", self.create_management_link).unwrap_or(false);
        match (kind, package, image, hostname) {
            (Some(kind), Some(package), Some(image), Some(hostname)) if faults.is_empty() => Ok(Wanted {
                kind,
                package,
                image,
                hostname,
                ssh_key,
                inline_keys,
                user_data,
                location,
                promo,
                with_link,
            }),
            (kind, package, image, _) => {
                let (package, image) = (package.map(Slug::into_text), image.map(Slug::into_text));
                Err(Unreadable::new(faults, Named { kind, package, image, ssh_key, location, promo }))
            }
        }
    }
}

/// Keys in the order itself. Each bad one is named by its place; none is ever repeated in a reason.
fn inline_keys(faults: &mut Faults, field: Field<Vec<Field<String>>>) -> Vec<SshKey> {
    let lines = faults.optional("ssh_keys", field).unwrap_or_default();
    if lines.len() > INLINE_KEYS_MAX {
        faults.add(Code::ValidationFailed, "ssh_keys", format!("has more than {INLINE_KEYS_MAX} keys"));
        return Vec::new();
    }
    let parsed = lines.into_iter().enumerate().filter_map(|(at, line)| {
        let name = format!("ssh_keys[{at}]");
        let line = faults.required(&name, line)?;
        faults.parsed(Code::InvalidSshKey, &name, SshKey::parse(&line))
    });
    parsed.collect()
}

/// Order a server
///
/// Creates a server from a package and an OS image, paid from the prepaid wallet. Without an SSH key the answer holds a
/// root password that is shown this once. `?dry_run=true` answers what it would cost, after looking for a place as well.
#[utoipa::path(
    post,
    path = "/servers",
    operation_id = "order_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!(REFUSALS)),
        ("x-example" = json!({
            "message": ORDERED,
            "data": {
                "hostname": "web1.example.com",
                "service_status": "provisioning",
                "status": "Provisioning",
                "status_observed_at": null,
                "billing_date": null,
            },
            "action": example(Command::Create),
        }))
    )
)]
pub async fn order(
    State(app): State<App>,
    By { customer, .. }: By<Spends>,
    key: IdempotencyKey,
    dry_run: DryRun,
    body: JsonBody<OrderBody>,
) -> Result<Quoted<ServerAnswer, Queued<ServerAnswer>>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let wanted = match body.value.parse() {
        Ok(wanted) => wanted,
        Err(unreadable) => return Err(unreadable.refusal(&app, &customer, None).await),
    };
    let link = if wanted.with_link { Some(of_order(&app, &customer)?) } else { None };
    let has_key = wanted.ssh_key.is_some() || !wanted.inline_keys.is_empty();
    let password = if !has_key { Some(root_password(&app).await?) } else { None };
    let (hash, plain) = password.map(|password| (password.hash, password.plain)).unzip();
    let order = OrderServer {
        account: customer.account,
        kind: wanted.kind,
        package: wanted.package.into_text(),
        image: wanted.image.into_text(),
        hostname: wanted.hostname,
        ssh_key: wanted.ssh_key,
        inline_keys: wanted.inline_keys,
        user_data: wanted.user_data,
        location: wanted.location,
        promo: wanted.promo,
        password_hash: hash,
        provision_timeout: i64::from(app.settings.orders.provision_timeout_minutes) * MINUTE,
        limits: app.settings.limits,
    };
    let (draw, link_draw, now, settings) = (app.draw(), app.draw(), app.now(), app.settings.clone());
    once.run_priced(&app, dry_run, move |tx| {
        let ordered = order_server(tx, &order, draw.clone(), now)?;
        let gone = || StoreError::Damaged(format!("server {} is gone right after its order", ordered.server));
        let (view, _) = tx.server_view(order.account, ordered.server, now)?.ok_or_else(gone)?;
        let made = link.as_ref().map(|link| create_share_link(tx, link, ordered.server, link_draw.clone(), now));
        let made = made.transpose()?.map(|made| LinkUrl::new(made, &settings.public_url));
        let answer = ServerAnswer::from(view).with_root_password(plain.clone()).with_management_link(made);
        let queued = Queued::message(tx, order.account, Some(ordered.action), ORDERED)?;
        let effect = Effect { answer: queued.with(answer), wake: Some(ordered.host) };
        Ok(Priced { effect, bill: ordered.bill, erases_disk: false })
    })
    .await
}

/// The link that comes with an order (CONTRACT, servers).
fn of_order(app: &App, customer: &Customer) -> Result<CreateShareLink, ApiError> {
    let permissions = may_grant(Permissions::of_order(), customer, "create_management_link")?;
    // A constant that is a good name.
    let label = Label::parse(USUAL_LABEL).map_err(ApiError::internal)?;
    let limits = app.settings.limits;
    Ok(CreateShareLink { account: customer.account, label, permissions, expires_at: None, limits })
}

/// Hashing takes some milliseconds of a processor, so it is done off the threads that answer requests.
pub(in crate::api) async fn root_password(app: &App) -> Result<RootPassword, ApiError> {
    let mut draw = app.draw();
    let made = tokio::task::spawn_blocking(move || password::make(&mut draw)).await;
    made.map_err(ApiError::internal)?.map_err(ApiError::internal)
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        let reason = error.to_string();
        match error {
            OrderError::Unknown(unknown) => names::refusal(&unknown),
            OrderError::Limit(reached) => reached.into(),
            OrderError::Unaffordable(why) => unaffordable(why, "package_slug", "Nothing was ordered."),
            OrderError::NoCapacity { package } => {
                let what = format!("No host has room for `{package}` right now. Nothing was charged.");
                Self::new(Code::NoCapacity, what).naming("package_slug", reason)
            }
            OrderError::NoAddress => Self::plain(Code::NoAddressAvailable).naming("location", reason),
            OrderError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Wanted, ApiError> {
        serde_json::from_str::<OrderBody>(text).unwrap().parse().map_err(|unreadable| unreadable.faults.refusal())
    }

    #[test]
    fn the_contracts_example_is_understood_with_its_optional_fields_empty() {
        let text = r#"{"type":"vps","package_slug":"starter","os_image_key":"ubuntu-24-04","hostname":"web1.example.com",
                       "ssh_key_uuid":"","promo_code":null,"create_management_link":false}"#;
        let wanted = parse(text).unwrap();
        assert_eq!((wanted.kind, wanted.package.as_str(), wanted.ssh_key), (ServiceType::Vps, "starter", None));
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let error = parse(r#"{"type":"cloud","hostname":"-a","promo_code":"50 %","colour":"red"}"#).unwrap_err();
        let named: Vec<&str> = error.fields.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(named, ["colour", "type", "package_slug", "os_image_key", "hostname", "promo_code"]);
        assert_eq!(error.code, Code::ValidationFailed);
    }
}
