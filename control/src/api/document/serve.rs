//! `GET /openapi.json`.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use utoipa::openapi::{ObjectBuilder, Type, schema::AdditionalProperties};

use super::{
    sheet::{Part, Sheet},
    tags, text,
};
use crate::api::{envelope::json, error::ApiError};

static TEXT: LazyLock<String> = LazyLock::new(text);

/// The document, as an answer.
pub struct Description;

impl IntoResponse for Description {
    fn into_response(self) -> Response {
        json(TEXT.clone().into_bytes())
    }
}

impl Part for Description {
    fn describe(sheet: &mut Sheet) {
        let anything = AdditionalProperties::FreeForm(true);
        sheet.answers(ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(anything)));
    }
}

/// Show this description
///
/// The OpenAPI 3.1 document of this API. It needs no key.
#[utoipa::path(get, path = "/openapi.json", operation_id = "show_openapi", tag = tags::META)]
pub async fn openapi() -> Result<Description, ApiError> {
    Ok(Description)
}
