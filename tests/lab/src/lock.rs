//! One `up` or `down` at a time for a lab.

use std::fs::File;

use crate::{
    error::{Attempted, LabError, Result},
    layout::Layout,
};

/// Held as long as it lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Takes the lock of the lab, or says who is in the way.
///
/// # Errors
/// When another command holds it.
pub fn take(layout: &Layout) -> Result<Lock> {
    let path = layout.dir().join("lock");
    let file = File::create(&path).attempted(|| format!("opening {}", path.display()))?;
    file.try_lock().map_err(|_| {
        LabError::State(format!("another `up` or `down` works on {} right now", layout.dir().display()))
    })?;
    Ok(Lock(file))
}
