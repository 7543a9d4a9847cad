//! What is asked of the agent inside a guest (qemu-guest-agent), through libvirt, which owns its channel. Blocks.
//!
//! A guest answers when it likes, if ever, and what it answers is its owner's: nothing of it is believed but that
//! something was done. So each question has a short time, on the agent's own lock, which delays nobody else's.

#![allow(unsafe_code, reason = "the time that a guest agent has is set by a call without a wrapper")]

use csp_shared::{id::ServerId, message::PasswordRefusal, secret::Secret};
use virt::{
    domain::Domain,
    error::{Error, ErrorNumber},
    sys,
};

use super::{HypervisorError, libvirt::Libvirt};

/// How long a guest agent has for one answer, in seconds.
const ANSWER_SECONDS: i32 = 5;
const ROOT: &str = "root";

impl Libvirt {
    /// Gives root the password with this crypt(5) hash. It is encoded by libvirt and lies in no log of ours.
    ///
    /// # Errors
    /// When the guest did not take it.
    pub fn set_root_password(&self, server: ServerId, hash: &Secret) -> Result<(), PasswordRefusal> {
        let asked = self.on_domain(server, "give the guest a new password", |domain| {
            if !domain.is_active()? {
                return Ok(Err(PasswordRefusal::NotRunning));
            }
            limit(domain);
            match domain.set_user_password(ROOT, hash.reveal(), sys::VIR_DOMAIN_PASSWORD_ENCRYPTED) {
                Ok(_) => Ok(Ok(())),
                Err(error) => refusal(&error).map_or(Err(error), |refusal| Ok(Err(refusal))),
            }
        });
        match asked {
            Ok(Some(done)) => done,
            Ok(None) => Err(PasswordRefusal::NotRunning),
            Err(error) => {
                let detail = error.to_string();
                tracing::warn!(%server, detail, "a guest could not be asked to take a new password");
                Err(match error {
                    HypervisorError::Away { .. } | HypervisorError::TooSlow(_) => PasswordRefusal::HostTrouble,
                    _ => PasswordRefusal::Refused,
                })
            }
        }
    }
}

/// What libvirt's code says of a guest that took no password; nothing when it says something of the host.
fn refusal(error: &Error) -> Option<PasswordRefusal> {
    match error.code() {
        ErrorNumber::AgentUnresponsive
        | ErrorNumber::AgentUnsynced
        | ErrorNumber::AgentCommandTimeout
        // A definition without the channel.
        | ErrorNumber::ArgumentUnsupported => Some(PasswordRefusal::NoGuestAgent),
        ErrorNumber::AgentCommandFailed => Some(PasswordRefusal::Refused),
        ErrorNumber::OperationInvalid => Some(PasswordRefusal::NotRunning),
        _ => None,
    }
}

/// Without it libvirt waits for ever for an agent that took a question and went away.
fn limit(domain: &Domain) {
    // SAFETY: the domain is open as long as `domain` lives. A libvirt that does not know the call says so, and waits.
    unsafe { sys::virDomainAgentSetResponseTimeout(domain.as_ptr(), ANSWER_SECONDS, 0) };
}
