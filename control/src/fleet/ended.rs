//! Why a connection ended, and what the agent is told about it.

use std::{fmt, time::Duration};

use csp_link::frames::{LinkError, Receiver, Sender};
use csp_shared::{
    id::HostId,
    message::{Refusal, ToAgent},
    secret::Secret,
};
use tokio::time::timeout;

use super::{hosts::HostsError, wake::Leave};

/// How long a farewell may take.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(2);

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody said who it was.
    Before(String),
    /// A host joined: all that its connection was for.
    Enrolled(HostId),
    /// It carries a screen from now on.
    Console(Secret),
    /// The line broke, or the peer left or sent what is no message.
    Link(LinkError),
    /// Something else took its place, or the operator ended it.
    Left(Leave),
    /// It was refused, or the store fails.
    Failed(HostsError),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(why) => f.write_str(why),
            Self::Enrolled(host) => write!(f, "host {host} is enrolled"),
            Self::Console(_) => f.write_str("the connection carries a screen"),
            Self::Link(error) => error.fmt(f),
            Self::Left(Leave::Superseded) => f.write_str("a newer connection of the same host took over"),
            Self::Left(Leave::Removed) => f.write_str("the host was removed"),
            Self::Left(Leave::Stopping) => f.write_str("the control plane stops"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<HostsError> for Ended {
    fn from(error: HostsError) -> Self {
        Self::Failed(error)
    }
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl Ended {
    /// The peer said something at the wrong moment.
    pub(super) fn out_of_order(message: &str) -> Self {
        Self::Failed(HostsError::refused(Refusal::Malformed, message))
    }

    /// A reason that the agent can act on.
    fn refusal(&self) -> Option<(Refusal, String)> {
        match self {
            Self::Failed(HostsError::Refused { reason, message }) => Some((*reason, message.clone())),
            Self::Link(error) if error.is_malformed() => Some((Refusal::Malformed, error.to_string())),
            Self::Left(Leave::Superseded) => Some((Refusal::Superseded, self.to_string())),
            Self::Left(Leave::Removed) => Some((
                Refusal::UnknownKey,
                "this host was removed by the operator: `csp-control host add` lets it join again".to_owned(),
            )),
            Self::Before(_)
            | Self::Enrolled(_)
            | Self::Console(_)
            | Self::Link(_)
            | Self::Failed(_)
            | Self::Left(Leave::Stopping) => None,
        }
    }

    /// Tells the agent why, if there is somebody to tell, and closes.
    pub(super) async fn farewell(&self, mut sender: Sender, receiver: Receiver) {
        let last_word = match self.refusal() {
            Some((reason, message)) => {
                let refused = ToAgent::Refused { reason, message: message.clone() };
                // A host that reads nothing is not waited for: its place may be wanted by its own next connection.
                if !matches!(timeout(LAST_WORD_WITHIN, sender.send(&refused)).await, Ok(Ok(()))) {
                    return;
                }
                message
            }
            None if matches!(self, Self::Link(_)) => return,
            None if matches!(self, Self::Enrolled(_)) => "enrolled".to_owned(),
            None => "the control plane cannot serve this host now".to_owned(),
        };
        sender.close(receiver, &last_word).await;
    }
}
