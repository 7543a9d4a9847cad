//! An operator says what becomes of a host: drained, in service again, lost, fenced, removed. What follows for the servers
//! of a lost one is [`super::end_lost_server`]'s, one transaction each; from here on none is placed there.

use csp_shared::id::HostId;

use crate::{
    domain::{
        host::{Direction, HostState, Refused, directed},
        time::Time,
    },
    store::{StoreError, Tx},
};

/// What is to become of which host.
#[derive(Clone, Debug)]
pub struct DirectHost {
    /// By its name.
    pub name: String,
    /// What.
    pub direction: Direction,
    /// How long, in seconds, the addresses of a fenced host rest.
    pub quarantine: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directed {
    /// Which host.
    pub host: HostId,
    /// Where it stands now.
    pub state: HostState,
    /// It did not stand there before.
    pub changed: bool,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DirectHostError {
    /// No such host.
    #[error("there is no host `{0}`; `csp-control host list` names them")]
    NotFound(String),
    /// It cannot be made so.
    #[error("host `{name}`: {why}")]
    Refused {
        /// Which.
        name: String,
        /// Why.
        why: Refused,
    },
    /// What the customers of a lost host get back is reckoned by the clock.
    #[error(
        "the clock jumped, and what customers get back is reckoned by it: see `csp-control scheduler status` first"
    )]
    Clock,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Directs a host. Saying the same again changes nothing.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn direct_host(tx: &mut Tx<'_>, wanted: &DirectHost, now: Time) -> Result<Directed, DirectHostError> {
    let DirectHost { name, direction, quarantine } = wanted;
    let host = tx.host_by_name(name)?.ok_or_else(|| DirectHostError::NotFound(name.clone()))?;
    let becomes = directed(*direction, &host.standing(now))
        .map_err(|why| DirectHostError::Refused { name: name.clone(), why })?;
    let Some(state) = becomes else { return Ok(Directed { host: host.id, state: host.state, changed: false }) };
    if state == HostState::Lost && tx.scheduler_get()?.stopped_at.is_some() {
        return Err(DirectHostError::Clock);
    }
    if state == HostState::Fenced {
        tx.host_give_back(host.id, now.plus(*quarantine), now)?;
    }
    // Nobody waits for the word of a host that is out of the fleet: it has no server, so no tap is in a network there.
    if matches!(state, HostState::Fenced | HostState::Removed) {
        for network in tx.network_objects_given_up(host.id)? {
            tx.network_rest(network, now.plus(*quarantine))?;
        }
    }
    tx.host_set_state(host.id, state)?;
    Ok(Directed { host: host.id, state, changed: true })
}
