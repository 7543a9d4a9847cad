//! The registry of error codes: every way in which the API refuses, with its status and what it means.
//!
//! Programs read the code, people the message. A code, once published, keeps its meaning and its status.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// One row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As it stands in answers.
    pub name: &'static str,
    /// The status that comes with it.
    pub status: StatusCode,
    /// Whether the same request may succeed later without a change.
    pub retryable: bool,
    /// What happened.
    pub meaning: &'static str,
    /// What the customer can do.
    pub advice: &'static str,
}

macro_rules! registry {
    ($($code:ident = $name:literal, $status:ident, $retryable:literal, $meaning:literal, $advice:literal;)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// Every code, in the order of the registry.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// This code's row.
            #[must_use]
            pub fn entry(self) -> Entry {
                match self {
                    $(Self::$code => Entry {
                        name: $name,
                        status: StatusCode::$status,
                        retryable: $retryable,
                        meaning: $meaning,
                        advice: $advice,
                    },)*
                }
            }
        }
    };
}

registry! {
    MalformedJson = "malformed_json", BAD_REQUEST, false,
        "The body is not JSON. Nothing was done.",
        "Mend the body: the message says where reading it ended. A key may stand in an object once.";
    BadRequest = "bad_request", BAD_REQUEST, false,
        "The request line, a header or the query cannot be understood.",
        "Look at `error.details.fields` for the header that is at fault; the HTTP client, or a proxy on the way, has to be mended.";
    Unauthorized = "unauthorized", UNAUTHORIZED, false,
        "There is no API key in the request, or it is unknown, revoked or expired.",
        "Send `Authorization: Bearer csp_live_…` with a key that works.";
    NetworkNotAllowed = "network_not_allowed", FORBIDDEN, false,
        "The API key may not be used from this address.",
        "Use it from one of its networks, or ask for a key without them.";
    InsufficientScope = "insufficient_scope", FORBIDDEN, false,
        "The API key lacks the scope that this request needs.",
        "Use a key that has it; `GET /account` tells what the key in use may do.";
    CrossSite = "cross_site", FORBIDDEN, false,
        "A browser that is signed in sent a change that does not come from our own page, or is no JSON.",
        "Send changes from the panel, or with an API key and without the cookie.";
    TermsNotAccepted = "terms_not_accepted", FORBIDDEN, false,
        "The provider's terms are newer than those that whoever is signed in accepted.",
        "Read and accept them in the panel. Looking at things, signing out and closing the account work without.";
    InsufficientBalance = "insufficient_balance", PAYMENT_REQUIRED, true,
        "The wallet holds less than the price. Nothing was charged.",
        "Top it up and send the request again.";
    AccountLocked = "account_locked", FORBIDDEN, false,
        "The account may not order.",
        "Ask the provider why.";
    NotFound = "not_found", NOT_FOUND, false,
        "There is no such thing in this account.",
        "Look for its uuid in the list that it belongs to. What was destroyed or deleted is gone; a server's actions stay under `GET /actions`.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false,
        "The path exists, but not with this method.",
        "Use one that the `Allow` header lists.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, true,
        "The body did not arrive in time. Nothing was done.",
        "Send the request again, the body at once and in one piece.";
    NoCapacity = "no_capacity", CONFLICT, true,
        "No host has room for this package right now. Nothing was charged.",
        "Take another package or location, as `available` in `GET /packages` shows, or try again later.";
    NoAddressAvailable = "no_address_available", CONFLICT, true,
        "No address is free right now. Nothing was charged.",
        "Take another location, or try again later.";
    NoNetworkAvailable = "no_network_available", CONFLICT, true,
        "The location or the server's host has no private networks, or nothing of what one needs is free right now.",
        "Take another location, delete a private network that is not needed, or try again later; `GET /private-networks/subnets` shows what is left.";
    NetworkInUse = "network_in_use", CONFLICT, false,
        "Servers are in the private network.",
        "Detach them first: `DELETE /private-networks/{uuid}/members/{membership_id}`.";
    ServerBusy = "server_busy", CONFLICT, true,
        "An action of this server is still running.",
        "Wait for its end: `GET /actions/{uuid}?wait=30` with the uuid in `error.details.running_action`.";
    Conflict = "conflict", CONFLICT, false,
        "The server's state does not allow this.",
        "`error.details` names the state and the requests that it allows: bring the server into another state first.";
    Protected = "protected", CONFLICT, false,
        "The server's owner protected it from this.",
        "Lift the protection first: `PATCH /servers/{uuid}`.";
    AlreadyExists = "already_exists", CONFLICT, false,
        "The same thing is there already, and may be there once.",
        "Use the one that is there; `error.details.fields` says what the two have in common.";
    LimitReached = "limit_reached", CONFLICT, false,
        "The account, or one of its servers, has as many of these as it may have; `error.details.limit` says how many.",
        "Remove one that is not needed, or ask the provider for more.";
    RenewalDue = "renewal_due", CONFLICT, false,
        "The service's paid time is over, and a change would have to be priced.",
        "Extend it first: `POST /servers/{uuid}/extend`.";
    PaidTooFarAhead = "paid_too_far_ahead", CONFLICT, false,
        "A service can be paid at most 13 months ahead. Nothing was charged.",
        "Extend it by fewer months, or later.";
    GuestAgentMissing = "guest_agent_missing", CONFLICT, true,
        "No guest agent answers in the server.",
        "Install and start `qemu-guest-agent` in it, or wait until it has booted.";
    GuestRefused = "guest_refused", CONFLICT, false,
        "The server's guest agent refused: the guest has no user `root`, or its agent may not set passwords.",
        "Sign in to the guest and allow its agent to do so, or change the password there.";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, false,
        "The body is longer than the API accepts.",
        "Send less: the message says how many bytes are accepted.";
    UriTooLong = "uri_too_long", URI_TOO_LONG, false,
        "Path and query are longer than 16 KiB.",
        "Ask for less at once, with fewer or shorter filters.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, false,
        "The request has more than 100 headers, or more than 64 KiB of them.",
        "Leave out what the API does not read, such as cookies.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false,
        "The body is of a kind that the API does not read.",
        "Send JSON in UTF-8, not compressed, with `Content-Type: application/json`.";
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, false,
        "One or more fields are missing, unknown or wrong.",
        "Mend each field that `error.details.fields` names.";
    InvalidHostname = "invalid_hostname", UNPROCESSABLE_ENTITY, false,
        "The host name is none that a guest can carry.",
        "Use letters, digits, hyphens and dots, such as `web1.example.com`.";
    PackageNotFound = "package_not_found", UNPROCESSABLE_ENTITY, false,
        "No active package has this name, or none of this type.",
        "Take one of `GET /packages`.";
    ImageNotFound = "image_not_found", UNPROCESSABLE_ENTITY, false,
        "No active OS image has this key, or none for this type.",
        "Take one of `GET /os-images`.";
    SshKeyNotFound = "ssh_key_not_found", UNPROCESSABLE_ENTITY, false,
        "No SSH key of this account has this uuid.",
        "Take one of `GET /ssh-keys`.";
    InvalidSshKey = "invalid_ssh_key", UNPROCESSABLE_ENTITY, false,
        "The text is no public SSH key that a guest would take: a private key, DSA, RSA below 2048 bits, or damaged.",
        "Send the one line of the `.pub` file, best of an Ed25519 key. A private key that was sent is not kept, but count it as seen: make another.";
    LocationNotFound = "location_not_found", UNPROCESSABLE_ENTITY, false,
        "No location has this name.",
        "Take one of `GET /locations`, or leave it out.";
    PromoCodeRefused = "promo_code_refused", UNPROCESSABLE_ENTITY, false,
        "The promo code does not exist or does not apply. Nothing was ordered.",
        "`error.details.fields` says why: correct it, or leave it out.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, false,
        "This Idempotency-Key was used for another request.",
        "Use a new one for each request, and the same one only to send the same request again.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, true,
        "Too many requests in a short time.",
        "Wait as long as the `Retry-After` header says and send it again.";
    TooManyHeldOpen = "too_many_held_open", TOO_MANY_REQUESTS, true,
        "Your account or address holds as many waiting requests or event streams open as it may.",
        "End one, or let one end; `Retry-After` says when to try again.";
    Internal = "internal", INTERNAL_SERVER_ERROR, true,
        "Something went wrong on our side. Nothing was changed, or it is shown by the next GET.",
        "Look whether it was done, or send it again with the same `Idempotency-Key`. If it stays so, tell the provider the `request_id`.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, true,
        "The service cannot store changes right now. Reading works.",
        "Try again after the seconds in `Retry-After`.";
    HostUnreachable = "host_unreachable", SERVICE_UNAVAILABLE, true,
        "The server's host cannot be asked right now. The server itself goes on.",
        "Try again in a moment.";
}

impl Entry {
    /// What happened and what can be done, for people.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {}", self.meaning, self.advice)
    }
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.entry().name == name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.entry().name)
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|code| code.entry().name);
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        schema.description(Some("For programs. Once published, a code keeps its meaning and its status.")).into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "ErrorCode".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        for (at, code) in Code::ALL.iter().enumerate() {
            let entry = code.entry();
            let twins = Code::ALL.iter().skip(at + 1).filter(|other| other.entry().name == entry.name).count();
            assert_eq!(twins, 0, "{}", entry.name);
            assert!(entry.status.is_client_error() || entry.status.is_server_error(), "{}", entry.name);
        }
    }

    #[test]
    fn every_code_says_what_happened_and_what_can_be_done() {
        for entry in Code::ALL.iter().map(|code| code.entry()) {
            for words in [entry.meaning, entry.advice] {
                let is_sentence = words.starts_with(|c: char| c.is_uppercase() || c == '`') && words.ends_with('.');
                assert!(is_sentence && words.len() > 10, "{}: {words:?}", entry.name);
            }
        }
    }
}
