//! Adapters of a server: what a new one is called, and a spec with one more or one fewer.
//!
//! Extra addresses and private networks come and go as adapters of their own. The primary, `net0`, stays.

use csp_shared::{
    limits::NICS_MAX,
    mac::Mac,
    spec::{Nic, ServerSpec},
};

/// The adapter that a server is made with.
pub const PRIMARY: &str = "net0";

/// A server has as many adapters as one can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server has at most {NICS_MAX} adapters, and this one has as many")]
pub struct TooManyAdapters;

/// The name of a server's next adapter: the lowest `netN` that none of its others has. One that its host has not let go
/// of yet counts as there.
#[must_use]
pub fn free_name<'a>(taken: impl IntoIterator<Item = &'a str>) -> String {
    let taken: Vec<&str> = taken.into_iter().collect();
    let names = (1..=taken.len().saturating_add(1)).map(|number| format!("net{number}"));
    // Among one name more than are taken, one is free.
    names.into_iter().find(|name| !taken.contains(&name.as_str())).unwrap_or_else(|| PRIMARY.to_owned())
}

/// Whether a server that has so many adapters can have one more.
///
/// # Errors
/// When it has as many as one can have.
pub fn room_for_one(present: usize) -> Result<(), TooManyAdapters> {
    if present < NICS_MAX { Ok(()) } else { Err(TooManyAdapters) }
}

/// The spec with one more adapter, behind its others. The version is the caller's to raise.
///
/// # Errors
/// When it has as many as one can have.
pub fn with(mut spec: ServerSpec, nic: Nic) -> Result<ServerSpec, TooManyAdapters> {
    room_for_one(spec.nics.len())?;
    spec.nics.push(nic);
    Ok(spec)
}

/// The spec without the adapter of this MAC. The version is the caller's to raise.
#[must_use]
pub fn without(mut spec: ServerSpec, mac: Mac) -> ServerSpec {
    spec.nics.retain(|nic| nic.mac != mac);
    spec
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_adapter_is_called_the_lowest_name_that_is_free() {
        assert_eq!(free_name(["net0"]), "net1");
        assert_eq!(free_name(["net0", "net1", "net3"]), "net2");
        assert_eq!(free_name(["net2", "net0", "net1"]), "net3");
    }

    proptest! {
        #[test]
        fn no_two_adapters_share_a_name(gone in prop::collection::vec(0usize..8, 0..40)) {
            let mut names = vec![PRIMARY.to_owned()];
            for place in gone {
                let name = free_name(names.iter().map(String::as_str));
                prop_assert!(!names.contains(&name));
                names.push(name);
                if place > 0 && place < names.len() {
                    names.remove(place);
                }
            }
        }
    }
}
