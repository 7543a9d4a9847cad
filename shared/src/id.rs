//! One newtype for each kind of id, so that a host's id cannot be passed where a server's is meant.
//!
//! Public ids are UUIDs of version 7 (RFC 9562): they sort by age and tell nothing about how many there are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no id: write one as 0192f0c1-2b3c-7d4e-8f50-112233445566, all of it")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            /// Accepts the hyphenated form alone: one id, one spelling.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                uuid::fmt::Hyphenated::from_str(text).map(|id| Self(id.into_uuid())).map_err(|_| NotAnId)
            }
        }
    )*};
}

ids! {
    /// A customer's account.
    AccountId,
    /// What a customer asked for, and how far it is.
    ActionId,
    /// A bearer key of the customer API.
    ApiKeyId,
    /// A machine that runs guests.
    HostId,
    /// An operating system that can be installed.
    ImageId,
    /// An address leased to a server.
    LeaseId,
    /// A letter to a customer.
    MailId,
    /// An adapter's place in a private network.
    MembershipId,
    /// A private network of a customer.
    NetworkId,
    /// Something that the provider has to say.
    NoticeId,
    /// A bearer token of the operator API, for another machine.
    OperatorTokenId,
    /// Somebody who signs in for an account.
    PersonId,
    /// Something that is sold.
    PackageId,
    /// A rented server; also the name of its libvirt domain.
    ServerId,
    /// What opens one server's page without an account.
    ShareLinkId,
    /// A browser in which somebody has signed in.
    SignInId,
    /// A customer's public SSH key.
    SshKeyId,
    /// Money that somebody wants to pay in.
    TopUpId,
    /// One movement of money.
    TransferId,
}
