//! The answer to whatever a host is to bring about: the text's own, and beside it the action that tells how far it is.

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{AccountId, ActionId, ServerId},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type, schema::OneOfBuilder},
};

use super::view::ActionAnswer;
use crate::{
    api::{
        document::sheet::{Part, Sheet},
        envelope::told,
        idempotency::Answered,
    },
    domain::{
        action::{Command, Status},
        time::Time,
    },
    store::{Action, Read, StoreError},
};

/// An accepted request, given now or before.
pub type Accepted<T = ()> = Answered<T, Queued<T>>;

/// A success that stands in a queue. `action` has its place beside `data`, where no answer of the text has anything.
#[derive(Debug, Serialize)]
pub struct Queued<T> {
    ok: bool,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    action: Option<ActionAnswer>,
}

impl Queued<()> {
    /// A sentence, and what brings it about: nothing when it is so already.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message(
        read: &Read<'_>,
        account: AccountId,
        action: Option<ActionId>,
        message: &'static str,
    ) -> Result<Self, StoreError> {
        let action = action.map(|id| found(read, account, id)).transpose()?;
        Ok(Self { ok: true, message, data: None, action })
    }
}

impl<T> Queued<T> {
    /// The same with a thing that is there already, or will be.
    pub fn with<D>(self, data: D) -> Queued<D> {
        Queued { ok: self.ok, message: self.message, data: Some(data), action: self.action }
    }
}

/// An action that was just queued, for the document.
#[must_use]
pub fn example(command: Command) -> serde_json::Value {
    let id = |last: u8| uuid::Uuid::from_u128(0x0197_5a3e_7c00_7a51_8f3e_5b1d_2c9e_4f00 + u128::from(last));
    let action = Action {
        id: ActionId(id(0x11)),
        server: ServerId(id(0x07)),
        command,
        status: Status::Queued,
        percent: 0,
        wanted: Version { incarnation: Incarnation(1), generation: Generation::FIRST },
        error: None,
        host_says: None,
        link: None,
        created_at: Time(1_781_092_800),
        started_at: None,
        finished_at: None,
    };
    serde_json::to_value(ActionAnswer::from(action)).unwrap_or_default()
}

fn found(read: &Read<'_>, account: AccountId, id: ActionId) -> Result<ActionAnswer, StoreError> {
    let action = read.action_get(account, id)?;
    action
        .map(ActionAnswer::from)
        .ok_or_else(|| StoreError::Damaged(format!("action {id} is gone as it was asked for")))
}

impl<T: ToSchema + 'static> Part for Queued<T> {
    fn describe(sheet: &mut Sheet) {
        let words =
            "What brings it about: `GET /actions/{uuid}?wait=30` waits for its end. Null when it is so already.";
        let nothing = RefOr::<Schema>::from(ObjectBuilder::new().schema_type(Type::Null));
        let action = OneOfBuilder::new().item(sheet.reference::<ActionAnswer>()).item(nothing).description(Some(words));
        let told = told::<T>(sheet);
        sheet.answers(told.property("action", action).required("action"));
    }
}
