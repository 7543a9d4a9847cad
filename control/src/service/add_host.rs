//! Adds a host, or lets a known one join anew, and makes its join token.

use std::ops::RangeInclusive;

use csp_shared::{id::HostId, secret::Secret};

use crate::{
    domain::{
        draw::Draw,
        slug::Slug,
        time::{MINUTE, Time},
        token::{self, TokenKind},
    },
    store::{HostClass, HostState, NewHost, StoreError, Tx},
};

/// How long a join token opens, in seconds.
pub const TOKEN_SECONDS: i64 = 10 * MINUTE;

/// Virtual processors that may be promised for each real one.
pub const OVERCOMMIT: RangeInclusive<u32> = 1..=64;

/// What the operator wants.
#[derive(Clone, Debug)]
pub struct AddHost {
    /// For people; unique.
    pub name: Slug,
    /// Where it stands.
    pub location: Slug,
    /// What it takes.
    pub class: HostClass,
    /// Virtual processors promised for each real one.
    pub cpu_overcommit: u32,
}

/// A host that may join.
#[derive(Clone, Debug)]
pub struct HostAdded {
    /// Which host.
    pub host: HostId,
    /// Shown once.
    pub token: Secret,
    /// Until when it opens.
    pub expires_at: Time,
}

/// Why a host was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddHostError {
    /// Not in the catalog.
    #[error("there is no location `{0}`; add it to the catalog and apply it")]
    NoLocation(String),
    /// Enrolled already.
    #[error("host `{0}` has joined already; a machine that replaces it needs a name of its own")]
    Joined(String),
    /// Beyond reason.
    #[error("cpu_overcommit is 1 to 64")]
    Overcommit,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a host. One that was added and never joined gets a fresh token, since the old one may have run out, and what
/// is said of it now.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn add_host(tx: &mut Tx<'_>, add: &AddHost, draw: Draw, now: Time) -> Result<HostAdded, AddHostError> {
    let mut draw = draw;
    if !OVERCOMMIT.contains(&add.cpu_overcommit) {
        return Err(AddHostError::Overcommit);
    }
    if !tx.location_list()?.iter().any(|location| location.slug == add.location) {
        return Err(AddHostError::NoLocation(add.location.as_str().to_owned()));
    }
    let host = match tx.host_by_name(add.name.as_str())? {
        Some(known) if known.state == HostState::New => Some(known.id),
        Some(_) => return Err(AddHostError::Joined(add.name.as_str().to_owned())),
        None => None,
    };
    let AddHost { name, location, class, cpu_overcommit } = add.clone();
    let known = host.is_some();
    let host = host.unwrap_or_else(|| HostId(draw.uuid(now)));
    let new = NewHost { id: host, name, location, class, cpu_overcommit };
    if known {
        tx.host_set_new(&new)?;
    } else {
        tx.host_insert(&new, now)?;
    }
    let token = token::make(TokenKind::Join, &mut draw);
    let expires_at = now.plus(TOKEN_SECONDS);
    tx.join_token_insert(host, token::hash(&token), expires_at)?;
    Ok(HostAdded { host, token, expires_at })
}
