//! Tries something of the kernel's network in a network of its own, which vanishes with the trial.

use nix::sched::{CloneFlags, unshare};
use tokio::runtime;

use super::NetworkError;
use crate::host_machine::fault::story;

/// Does `trial` on a thread that ends with it, since its network is no longer the host's. The error says what stands in
/// the way.
///
/// # Errors
/// When it fails, or no such network can be had.
pub async fn in_own_network(
    trial: impl AsyncFnOnce() -> Result<(), NetworkError> + Send + 'static,
) -> Result<(), String> {
    let tried = tokio::task::spawn_blocking(|| {
        let thread = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| format!("no network of its own can be had: {errno}"))?;
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(trial()).map_err(|error| story(&error))
        });
        thread.join()
    });
    match tried.await {
        Ok(Ok(tried)) => tried,
        _ => Err("the trial was broken off".to_owned()),
    }
}
