//! Whether the guard of the host's own addresses stands: one chain for all servers, without which no server's filters count as
//! whole.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{
    NetworkError,
    filter_rules::{self, GUARD_TABLE},
    filter_table::FilterTable,
    nft,
    nft_netlink::{self, BRIDGE},
};
use crate::machine::Mark;

const LOOK: &str = "look for the guard";

/// Remembers how the guard's table was when nft last said that its rules are right: nft is asked once for each way that it can
/// be, not at each look.
#[derive(Debug, Default)]
pub struct GuardLooks(Mutex<Option<Mark>>);

impl GuardLooks {
    /// Whether it stands. Blocks.
    ///
    /// # Errors
    /// When nftables does not answer: then nobody knows.
    pub fn stands(&self) -> Result<bool, NetworkError> {
        let Some(seen) = see()? else { return Ok(false) };
        if *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(seen) {
            return Ok(true);
        }
        let listed = nft::list_rules("list the guard's rules", &filter_rules::guard_chain());
        // What nft listed is what was seen only if nothing changed meanwhile.
        if see()? != Some(seen) {
            return Ok(false);
        }
        let is_right = listed? == filter_rules::guard_rules();
        if is_right {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        Ok(is_right)
    }
}

/// A mark of all that is in its table, when its chain is in its place.
fn see() -> Result<Option<Mark>, NetworkError> {
    let read = nft_netlink::read(LOOK, BRIDGE, &BTreeSet::from([GUARD_TABLE.to_owned()]))?;
    let things = read.tables.get(GUARD_TABLE).filter(|things| filter_rules::is_guard_in_place(things));
    Ok(things.map(|things| FilterTable::read(things).content))
}
