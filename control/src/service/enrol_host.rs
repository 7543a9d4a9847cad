//! A machine becomes a host: its join token is used up and its key bound.

use csp_shared::{
    id::HostId,
    key_pin::KeyPin,
    message::{Enrol, Refusal},
};

use super::open_session::{SessionError, check_protocol, refused};
use crate::{
    domain::{time::Time, token},
    store::{HostState, Tx},
};

/// Longest machine id taken, in characters; systemd's has 32.
const MACHINE_ID_CHARS_MAX: usize = 64;

/// Binds a key to the host that its token names. Once only; the same machine that asks again with the same key gets
/// the same answer.
///
/// # Errors
/// When the token is unknown, used or too old, or the key is another host's.
pub fn enrol_host(tx: &mut Tx<'_>, enrol: &Enrol, pin: KeyPin, now: Time) -> Result<HostId, SessionError> {
    check_protocol(enrol.protocol)?;
    if enrol.machine_id.is_empty() || enrol.machine_id.len() > MACHINE_ID_CHARS_MAX {
        return refused(Refusal::Malformed, "the machine id has 1 to 64 characters; see /etc/machine-id");
    }
    let hash = token::hash(&enrol.token);
    let token = tx.join_token_get(hash)?;
    let bound = tx.host_session_by_key(pin)?.map(|host| host.host);
    // The answer may have been lost on its way: the same key with the same token is told the same again.
    if let Some(used) = token.as_ref().filter(|token| token.used && bound == Some(token.host)) {
        return Ok(used.host);
    }
    // One answer for unknown, used and old, so that nobody learns which tokens were once good.
    let Some(valid) = token.filter(|token| !token.used && token.expires_at > now) else {
        let message = "the join token is unknown, used or older than ten minutes; run `csp-control host add` again";
        return refused(Refusal::BadToken, message);
    };
    if bound.is_some_and(|other| other != valid.host) {
        let message = "this machine's key belongs to another host; remove its key file and enrol again";
        return refused(Refusal::UnknownKey, message);
    }
    let current = tx.host_session(valid.host)?;
    if current.is_some_and(|host| host.state == HostState::Removed) {
        return refused(Refusal::BadToken, "the host was removed; add it under a new name");
    }
    tx.host_bind(valid.host, hash, pin, &enrol.machine_id, now)?;
    Ok(valid.host)
}
