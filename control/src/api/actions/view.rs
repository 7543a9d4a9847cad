//! An action as its owner sees it.

use csp_shared::id::{ActionId, ServerId, ShareLinkId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        document::schemas::{ActionStatusWord, CommandWord},
        envelope::When,
    },
    store::Action,
};

/// Something that was asked of a server, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionAnswer {
    #[schema(value_type = Uuid)]
    uuid: ActionId,
    /// Of which server, destroyed ones among them.
    #[schema(value_type = Uuid)]
    server_uuid: ServerId,
    command: CommandWord,
    status: ActionStatusWord,
    /// From 0 to 100, for people: it says nothing about time. What has ended is at 100, however it ended.
    #[schema(minimum = 0, maximum = 100, example = 100)]
    progress: u8,
    /// When it was asked.
    created: When,
    /// When its host took it up.
    #[schema(required)]
    started: Option<When>,
    /// When it ended.
    #[schema(required)]
    finished: Option<When>,
    /// Why it failed.
    #[schema(required)]
    error: Option<Failure>,
    /// The management link through which it was asked for; null when a key asked.
    #[schema(required)]
    management_link: Option<AskedByLink>,
}

/// A management link, also one that opens nothing any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct AskedByLink {
    #[schema(value_type = Uuid)]
    uuid: ShareLinkId,
    #[schema(example = "Customer link")]
    label: String,
}

/// Why something could not be brought about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failure {
    #[schema(example = "host_failed")]
    code: String,
    #[schema(example = "The image could not be fetched.")]
    message: String,
}

impl From<(String, String)> for Failure {
    fn from((code, message): (String, String)) -> Self {
        Self { code, message }
    }
}

impl From<(&str, &str)> for Failure {
    fn from((code, message): (&str, &str)) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

impl From<Action> for ActionAnswer {
    fn from(action: Action) -> Self {
        Self {
            uuid: action.id,
            server_uuid: action.server,
            command: CommandWord(action.command),
            status: ActionStatusWord(action.status),
            progress: action.percent,
            created: When(action.created_at),
            started: action.started_at.map(When),
            finished: action.finished_at.map(When),
            error: action.error.map(Failure::from),
            management_link: action.link.map(|(uuid, label)| AskedByLink { uuid, label }),
        }
    }
}
