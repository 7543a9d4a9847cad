//! A machine becomes a host: its join token is used up and its key bound.

use csp_shared::{
    id::HostId,
    key_pin::KeyPin,
    message::{Enrol, Refusal},
};

use super::open_session::{SessionError, check_protocol, refused};
use crate::{
    domain::{time::Time, token},
    store::{HostSession, HostState, Tx},
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
    let known = tx.join_token_get(hash)?;
    let bound = tx.host_session_by_key(pin)?;
    // The same machine with the same line again: its first answer was lost on the way. Refused, it could never join,
    // since the token is used up and the host counts as joined.
    let again = |host: &HostSession| {
        let by_this_token = known.as_ref().is_some_and(|token| token.used && token.host == host.host);
        by_this_token && host.machine_id.as_ref() == Some(&enrol.machine_id) && host.state != HostState::Removed
    };
    if let Some(host) = bound.as_ref().filter(|host| again(host)) {
        return Ok(host.host);
    }
    let valid = known.filter(|token| !token.used && token.expires_at > now);
    // One answer for all three, so that nobody learns which tokens were once good.
    let Some(valid) = valid else {
        let message = "the join token is unknown, used or older than ten minutes; run `csp-control host add` again";
        return refused(Refusal::BadToken, message);
    };
    if bound.is_some_and(|other| other.host != valid.host) {
        return refused(
            Refusal::UnknownKey,
            "this machine's key belongs to another host; remove its key file and enrol again",
        );
    }
    let current = tx.host_session(valid.host)?;
    if current.is_some_and(|host| host.state == HostState::Removed) {
        return refused(Refusal::BadToken, "the host was removed; add it under a new name");
    }
    tx.host_bind(valid.host, hash, pin, &enrol.machine_id, now)?;
    Ok(valid.host)
}
