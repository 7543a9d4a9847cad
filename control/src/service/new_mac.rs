//! The part that everything which plugs an adapter in shares: its own address, which no adapter ever had.

use csp_shared::mac::Mac;

use crate::{
    domain::draw::Draw,
    store::{StoreError, Tx},
};

/// A MAC that was never a server's, and is no orphan's now. Four thousand million are to be had.
pub(super) fn new_mac(tx: &Tx<'_>, draw: &mut Draw) -> Result<Mac, StoreError> {
    loop {
        let [a, b, c, d, ..] = draw.bytes();
        let mac = Mac::for_guest([a, b, c, d]);
        if !tx.mac_is_known(&mac.to_string())? {
            return Ok(mac);
        }
    }
}
