//! Where passwords are hashed: on threads of their own, some at once and some in line, and no more. Each takes 19 MiB and
//! tens of milliseconds of a processor, which is what a flood of guesses would be after.

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::error::{ApiError, Code};
use crate::domain::{
    draw::Draw,
    person::{self, NoHash, Password, PasswordHash},
};

/// Hashed at once.
const AT_ONCE: usize = 2;
/// Hashed or in line: whoever is last waits some seconds at most.
const IN_LINE: usize = 64;

/// The places.
#[derive(Debug)]
pub struct Hashing {
    at_once: Semaphore,
    in_line: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE), in_line: Semaphore::new(IN_LINE) }
    }
}

impl Hashing {
    /// Hashes a new password.
    ///
    /// # Errors
    /// When too many are in line.
    pub async fn hash(&self, password: Password, draw: Draw) -> Result<PasswordHash, ApiError> {
        self.run(move || person::hash(&password, draw)).await
    }

    /// Whether this is the password of which `kept` is stored. Takes as long where nothing is.
    ///
    /// # Errors
    /// When too many are in line.
    pub async fn verify(&self, password: Password, kept: Option<PasswordHash>) -> Result<bool, ApiError> {
        self.run(move || person::verify(&password, kept.as_ref())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, NoHash> + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = |_| ApiError::plain(Code::Unavailable);
        let _place = self.in_line.try_acquire().map_err(busy)?;
        // Never closed, so this waits and does not fail.
        let _turn = self.at_once.acquire().await.map_err(ApiError::internal)?;
        spawn_blocking(work).await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    }
}
