//! Somebody accepts the terms of now.

use csp_shared::id::PersonId;

use crate::{
    domain::time::Time,
    store::{StoreError, Tx},
};

/// Notes which terms somebody accepted, and when.
///
/// # Errors
/// When the store cannot keep it.
pub fn accept_terms(tx: &mut Tx<'_>, person: PersonId, version: &str, now: Time) -> Result<(), StoreError> {
    tx.person_accept_terms(person, version, now)
}
