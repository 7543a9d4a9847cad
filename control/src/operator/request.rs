//! The body of an operator's request: larger than a customer's, since a catalog travels in it, and just as closed.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::api::{
    body,
    error::{ApiError, Code},
};

/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A body of type `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = body::read(request.into_body(), BODY_BYTES_MAX).await?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        serde_path_to_error::deserialize(&mut reader).map(Self).map_err(|error| {
            let path = error.path().to_string();
            match path.as_str() {
                "." => {
                    ApiError::new(Code::ValidationFailed, format!("The request is not understood: {}.", error.inner()))
                }
                field => ApiError::field(Code::ValidationFailed, field, error.inner().to_string()),
            }
        })
    }
}
