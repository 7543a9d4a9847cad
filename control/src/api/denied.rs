//! What a customer is told when a server's state does not allow a request: the state, what runs, and what would be allowed.

use csp_shared::id::ActionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::schemas::{AskWord, CommandWord, ServiceStatusWord, StatusWord},
    error::{ApiError, Code},
};
use crate::domain::allowed::{Denied, Why};

/// The state that stands in the way; in `error.details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDetails {
    /// What is seen of the server.
    pub status: StatusWord,
    /// Where its service stands.
    pub service_status: ServiceStatusWord,
    /// What it is busy with.
    pub running_action: Option<RunningAction>,
    /// Requests that its state allows instead.
    pub allowed: Vec<AskWord>,
}

/// An action that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunningAction {
    /// `GET /actions/{uuid}` tells how far it is.
    #[schema(value_type = Uuid)]
    uuid: ActionId,
    command: CommandWord,
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let code = match denied.why {
            Why::Busy => Code::ServerBusy,
            Why::Protected(_) => Code::Protected,
            Why::Suspended | Why::Abuse | Why::Failed | Why::Off | Why::NotOnline | Why::Unseen | Why::Gone => {
                Code::Conflict
            }
        };
        let standing = &denied.standing;
        let state = StateDetails {
            status: StatusWord(standing.status()),
            service_status: ServiceStatusWord(standing.service),
            running_action: standing
                .running
                .map(|running| RunningAction { uuid: running.action, command: CommandWord(running.command) }),
            allowed: denied.allowed().into_iter().map(AskWord).collect(),
        };
        Self::new(code, sentence(&denied.to_string())).with_state(state)
    }
}

/// A reason as a sentence.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
