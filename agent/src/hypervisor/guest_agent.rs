//! What is asked of the agent inside a guest (qemu-guest-agent), through libvirt, which owns its channel. Blocks.
//!
//! A guest answers when it likes, if ever, and what it answers is its owner's: nothing of it is believed but that
//! something was done. So each question has a short time, on the agent's own lock, which delays nobody else's.

#![allow(unsafe_code, reason = "the guest agent's time, freezing and thawing are calls without a wrapper")]

use std::{ffi::c_int, ptr};

use csp_shared::{id::ServerId, message::PasswordRefusal, secret::Secret};
use virt::{
    domain::Domain,
    error::{Error, ErrorNumber},
    sys,
};

use super::{HypervisorError, libvirt::Libvirt};

/// How long a guest agent has for one answer, in seconds.
const ANSWER_SECONDS: u32 = 5;
/// What a guest says for itself is cut to this, in characters.
const SAID_CHARS_MAX: usize = 300;
const ROOT: &str = "root";

/// Why a guest's file systems were not frozen or thawed.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// Nothing of it could be frozen.
    #[error("server {0} does not run on this host")]
    NotRunning(ServerId),
    /// Not installed, stopped, still booting, or too slow.
    #[error(
        "no guest agent answers in server {server} ({said}): its owner installs qemu-guest-agent; where it is installed, it \
         does not run, or not yet"
    )]
    NoGuestAgent {
        /// Whose guest.
        server: ServerId,
        /// What libvirt says of it.
        said: String,
    },
    /// It answers, and would not.
    #[error("the guest agent of server {server} would not: {said}")]
    Refused {
        /// Whose guest.
        server: ServerId,
        /// What it says.
        said: String,
    },
    /// The host could not ask.
    #[error(transparent)]
    Host(HypervisorError),
}

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
            limit(domain, ANSWER_SECONDS);
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

    /// Whether the guest's agent answers and could freeze: one that somebody else had freeze refuses every other question.
    ///
    /// # Errors
    /// Why not. Nothing was frozen.
    pub fn can_freeze(&self, server: ServerId) -> Result<(), FreezeError> {
        let asked = self.ask_about_files(server, "ask the guest agent for the time", |domain| {
            limit(domain, ANSWER_SECONDS);
            domain.get_time(0).map(|_| 0)
        });
        asked.map(drop)
    }

    /// Has the guest write out what it holds in memory and stop writing; how many file systems it says to have frozen.
    /// A guest that takes longer than `seconds` may freeze nevertheless, so it is to be thawed in any case.
    ///
    /// # Errors
    /// When it did not.
    pub fn freeze(&self, server: ServerId, seconds: u32) -> Result<u32, FreezeError> {
        self.ask_about_files(server, "freeze the guest's file systems", |domain| {
            limit(domain, seconds);
            // SAFETY: the domain is open as long as `domain` lives; without a list, all mounted file systems are meant.
            count(unsafe { sys::virDomainFSFreeze(domain.as_ptr(), ptr::null_mut(), 0, 0) })
        })
    }

    /// Lets the guest write again; how many file systems were frozen until then. Done when none is.
    ///
    /// # Errors
    /// When it could not be asked: it may still be frozen.
    pub fn thaw(&self, server: ServerId) -> Result<u32, FreezeError> {
        self.ask_about_files(server, "thaw the guest's file systems", |domain| {
            limit(domain, ANSWER_SECONDS);
            // SAFETY: as above.
            count(unsafe { sys::virDomainFSThaw(domain.as_ptr(), ptr::null_mut(), 0, 0) })
        })
    }

    fn ask_about_files(
        &self,
        server: ServerId,
        doing: &str,
        ask: impl FnOnce(&Domain) -> Result<u32, Error>,
    ) -> Result<u32, FreezeError> {
        let asked = self.on_domain(server, doing, |domain| {
            if !domain.is_active()? {
                return Ok(Err(FreezeError::NotRunning(server)));
            }
            ask(domain).map(Ok).or_else(|error| {
                let said = plain(error.message());
                match refusal(&error) {
                    Some(PasswordRefusal::NoGuestAgent) => Ok(Err(FreezeError::NoGuestAgent { server, said })),
                    Some(PasswordRefusal::Refused) => Ok(Err(FreezeError::Refused { server, said })),
                    Some(PasswordRefusal::NotRunning) => Ok(Err(FreezeError::NotRunning(server))),
                    Some(PasswordRefusal::HostTrouble) | None => Err(error),
                }
            })
        });
        asked.map_err(FreezeError::Host)?.unwrap_or(Err(FreezeError::NotRunning(server)))
    }
}

/// A count as libvirt gives it, or the error that stands behind a negative one.
fn count(answer: c_int) -> Result<u32, Error> {
    u32::try_from(answer).map_err(|_| Error::last_error())
}

/// What may stand on a terminal of what a guest wrote.
fn plain(said: &str) -> String {
    said.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}

/// What libvirt's code says of a guest that did not do what it was asked; nothing when it says something of the host.
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
fn limit(domain: &Domain, seconds: u32) {
    let seconds = c_int::try_from(seconds).unwrap_or(c_int::MAX);
    // SAFETY: the domain is open as long as `domain` lives. A libvirt that does not know the call says so, and waits.
    unsafe { sys::virDomainAgentSetResponseTimeout(domain.as_ptr(), seconds, 0) };
}
