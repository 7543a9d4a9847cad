//! Schemas of texts and numbers that have a form, for `#[schema(value_type = …)]`.
//!
//! A request's field is a [`crate::api::field::Field`]: it may be null, and the empty text counts as absent. So an
//! optional field's schema allows both, whatever else it asks for.

use std::{borrow::Cow, ops::RangeInclusive};

use csp_shared::limits::USER_DATA_BYTES_MAX;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, Object, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{AdditionalProperties, SchemaType},
    },
};

use crate::{
    api::{
        actions::show::WAIT_SECONDS_MAX,
        page::WHOLE_NUMBER_MAX,
        servers::{order::INLINE_KEYS_MAX, show::FILTER_LABELS_MAX},
    },
    domain::{
        action::{Command, Status as ActionStatus},
        allowed::Ask,
        billing::lock::Lock,
        catalog::ServiceType,
        event,
        label::{ACTING, UNSEEN},
        ledger::CauseKind,
        membership::MemberStatus,
        notice::Kind as NoticeKind,
        scope::Scope,
        server::{ServiceStatus, Status},
        server_label::LABELS_MAX,
        share_link::Permission,
    },
    metrics::Range,
};

/// 1 to 63 of `a-z`, `0-9` and hyphens: [`crate::domain::slug::Slug`].
const SLUG: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
/// An IPv4 address.
const IPV4: &str = r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
/// A UUID in its one spelling.
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
/// [`crate::domain::hostname::Hostname`]: labels, the last of which is not a number.
const HOSTNAME: &str = "([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*\
                        ([A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?|[0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)";
/// The formats that are taken; whether the rest is a key is found by reading it.
const PUBLIC_KEY: &str =
    "(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+={0,3}( .*)?";
/// [`crate::domain::user_data::UserData`]: a first line that cloud-init knows, and no NUL.
const USER_DATA: &str =
    r"(#cloud-config|#cloud-boothook|## template: jinja)([ \t][^\u0000]*|\r?\n[^\u0000]*)?|#![ \t]*[!-~][^\u0000]*";
/// [`crate::domain::server_label::LabelName`].
const LABEL_NAME: &str = "[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?";
/// [`crate::domain::server_label::LabelValue`].
const LABEL_VALUE: &str = "[A-Za-z0-9._:/@+-]{0,128}";
/// [`crate::domain::time::Moment`]: a day, or a second of it.
const MOMENT: &str = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])( ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?";
/// [`crate::domain::traffic::Month`].
const MONTH: &str = "[0-9]{4}-(0[1-9]|1[0-2])";
/// An example of every uuid.
pub const UUID_EXAMPLE: &str = "01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07";

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn exactly(pattern: &str) -> Option<String> {
    Some(format!("^{pattern}$"))
}

/// A text that may be null or empty, which both count as absent.
fn optional(pattern: &str) -> ObjectBuilder {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).pattern(Some(format!("^({pattern})?$")))
}

macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).trim_end_matches("Text").into()
            }
        }
    )*};
}

schemas! {
    /// `ok` of a success.
    Yes = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]));
    /// `ok` of a refusal.
    No = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]));
    /// A number of things.
    Count = Count::object();
    /// `?limit=`: there is no most, what is too much is cut.
    Limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).examples([25]);
    /// `?offset=`
    Offset = whole(0).examples([0]);
    /// `?wait=`
    WaitText = whole(0).maximum(i32::try_from(WAIT_SECONDS_MAX).ok()).examples([30]);
    /// What kind of event it is.
    EventKindText = text().enum_values(Some(event::Kind::ALL.iter().map(|kind| kind.as_str()))).examples(["action.started"])
        .description(Some(event_kinds()));
    /// A UUID in a query.
    UuidText = text().pattern(exactly(UUID)).examples([UUID_EXAMPLE]);
    /// A day or a second, in a query.
    MomentText = text().pattern(exactly(MOMENT)).examples(["2026-06-01"]);
    /// A month of UTC.
    MonthText = text().pattern(exactly(MONTH)).examples(["2026-06"]);
    /// Which way money went.
    MovementText = text().enum_values(Some(["credit", "debit"])).examples(["credit"]);
    /// `?format=` of a statement.
    FormatText = text().enum_values(Some(["json", "csv", "html"])).examples(["csv"]);
    /// True or false in a query.
    Flag = ObjectBuilder::new().schema_type(Type::Boolean).examples([true]);
    /// `?range=`
    RangeText = text().enum_values(Some(Range::ALL.map(Range::as_str))).examples(["24h"]);
    /// A name in catalogs.
    SlugText = text().pattern(exactly(SLUG)).examples(["starter"]);
    /// The same in a field that may be left out.
    OptionalSlug = optional(SLUG);
    /// A host name.
    HostnameText = text().min_length(Some(1)).max_length(Some(253)).pattern(exactly(HOSTNAME)).examples(["web1.example.com"]);
    /// A UUID in a field that may be left out.
    OptionalUuid = optional(UUID).examples([UUID_EXAMPLE]);
    /// A short name that people give to their things.
    LabelText = text().max_length(Some(100)).pattern(exactly(&label())).examples(["Laptop"]);
    /// The same in a field that may be left out.
    OptionalLabel = optional(&label()).max_length(Some(100)).examples(["Laptop"]);
    /// A public SSH key.
    PublicKeyText = text()
        .format(Some(SchemaFormat::Custom("ssh-public-key".to_owned())))
        .pattern(exactly(PUBLIC_KEY))
        .max_length(Some(16 * 1024))
        .examples(["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfmrRSqDLTEiM8PDGb4Ig3Au4v1xv9VU6fNYDfSbKUK laptop"]);
    /// Public SSH keys of one order.
    InlineKeys = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(PublicKeyText::schema())
        .max_items(Some(INLINE_KEYS_MAX));
    /// What cloud-init is to do.
    UserDataText = optional(USER_DATA).max_length(Some(USER_DATA_BYTES_MAX)).examples(["#cloud-config\npackages: [nginx]\n"]);
    /// A host name in a field that may be left out.
    OptionalHostname = optional(HOSTNAME).max_length(Some(253)).examples(["web1.example.com"]);
    /// What becomes of labels.
    LabelChangesObject = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .property_names(Some(text().pattern(exactly(LABEL_NAME))))
        .additional_properties(Some(
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .pattern(exactly(LABEL_VALUE)),
        ))
        .max_properties(Some(LABELS_MAX))
        .examples([serde_json::json!({"env": "production", "old": null})]);
    /// What a server is to be protected from.
    ProtectionObject = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .property("destroy", OptionalFlag::schema())
        .property("reinstall", OptionalFlag::schema())
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .examples([serde_json::json!({"destroy": true})]);
    /// What a management link is to allow.
    PermissionsChoice = permissions(
        ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(
            AdditionalProperties::<Schema>::FreeForm(false),
        )),
        &OptionalFlag::schema(),
    )
    .examples([serde_json::json!({"start": true, "stop": true, "restart": true, "reinstall": true, "console": true,
        "stats": true})]);
    /// What a management link allows: what is not named is not allowed.
    PermissionsObject = permissions(ObjectBuilder::new().schema_type(Type::Object), &Yes::schema())
        .examples([serde_json::json!({"start": true, "console": true})]);
    /// A day or a second, in a field that may be left out.
    OptionalMoment = optional(MOMENT).examples(["2026-07-10 23:59:59"]);
    /// An IP address.
    AddressText = text().pattern(exactly(IPV4)).examples(["203.0.113.10"]);
    /// Filters by label.
    LabelFilters = ArrayBuilder::new()
        .items(text().pattern(Some(format!("^{LABEL_NAME}(:{LABEL_VALUE})?$"))))
        .max_items(Some(FILTER_LABELS_MAX))
        .examples([serde_json::json!(["env:production"])]);
    /// A promo code, in any case.
    OptionalPromoCode = optional("[A-Za-z0-9_-]{1,40}").examples(["WELCOME"]);
    /// Months, in a field that may be left out.
    OptionalMonths = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null, Type::String]))
        .minimum(Some(1))
        .maximum(Some(12))
        .max_length(Some(0))
        .examples([1]);
    /// True or false in a field that may be left out.
    OptionalFlag = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::Null, Type::String]))
        .max_length(Some(0))
        .examples([false]);
}

/// [`crate::domain::label::Label`]: one line with something to see on it, and nothing that steers a terminal.
fn label() -> String {
    let acts = class(ACTING);
    format!("[^{acts}]*[^\\s{acts}{unseen}][^{acts}]*", unseen = class(UNSEEN))
}

/// Ranges as they stand in a class of a pattern. What is above four digits stands there itself: dialects differ in how
/// they spell it.
fn class(ranges: &[RangeInclusive<char>]) -> String {
    let spelled = |c: &char| match u32::from(*c) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        _ => c.to_string(),
    };
    ranges.iter().map(|range| format!("{}-{}", spelled(range.start()), spelled(range.end()))).collect()
}

/// An object with a property for each permission of a link.
fn permissions(object: ObjectBuilder, each: &RefOr<Schema>) -> ObjectBuilder {
    Permission::ALL.iter().fold(object, |object, permission| object.property(permission.as_str(), each.clone()))
}

/// Each kind of event with its meaning.
fn event_kinds() -> String {
    let line = |kind: &event::Kind| format!("* `{}`: {}", kind.as_str(), kind.meaning());
    event::Kind::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Numbers of a query; the bound is the store's.
fn whole(least: i32) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(least))
        .maximum(i32::try_from(WHOLE_NUMBER_MAX).ok())
}

impl Count {
    fn object() -> ObjectBuilder {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
    }

    /// The same with what is counted.
    #[must_use]
    pub fn described(words: &str) -> Object {
        Self::object().description(Some(words)).build()
    }
}

/// The uuid of a thing in a path. A text that is none names nothing, and gets the same answer as an unknown one.
#[must_use]
pub fn uuid_parameter(name: &str, words: &str) -> Parameter {
    let schema = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).examples([UUID_EXAMPLE]);
    path_parameter(name, words, schema)
}

/// Something else in a path.
#[must_use]
pub fn path_parameter(name: &str, words: &str, schema: ObjectBuilder) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.description(Some(words)).schema(Some(schema)).build()
}

/// Words of a closed list, in answers. The list in the document is the domain's own.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($of:ident::$all:ident) = $example:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $of);

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = $of::$all.iter().map(|word| word.as_str());
                text().enum_values(Some(words)).examples([$of::$example.as_str()]).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($of).into()
            }
        }
    )*};
}

words! {
    /// Virtual or dedicated.
    ServiceTypeWord(ServiceType::ALL) = Vps;
    /// Why a server is locked.
    LockWord(Lock::ALL) = Unpaid;
    /// How far a service is.
    ServiceStatusWord(ServiceStatus::SHOWN) = Active;
    /// What was observed of a server.
    StatusWord(Status::ALL) = Online;
    /// What was asked of a server.
    CommandWord(Command::ALL) = Create;
    /// How far a server's place in a private network is.
    MemberStatusWord(MemberStatus::ALL) = Active;
    /// What a key may do.
    ScopeWord(Scope::ALL) = Read;
    /// Why money moved.
    CauseWord(CauseKind::ALL) = TopUp;
    /// How far an action is.
    ActionStatusWord(ActionStatus::ALL) = Done;
    /// What a notice is about.
    NoticeKindWord(NoticeKind::ALL) = Maintenance;
    /// How far back a curve goes.
    RangeWord(Range::ALL) = Hour;
    /// What can be asked of a server.
    AskWord(Ask::ALL) = Start;
}
