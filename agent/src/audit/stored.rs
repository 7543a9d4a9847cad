//! Files that the agent keeps of what is wanted, read from their folder and not from its memory.

use std::{fs, io::ErrorKind, path::Path};

use csp_shared::audit::Holding;

/// What a write that is under way leaves; the next start of the agent sweeps it.
const PART: &str = ".part";

/// Has `told` say of every file of a folder what it is, by its name and content; what is no file has none. Blocks.
pub(super) fn each(folder: &Path, told: impl Fn(String, &[u8]) -> Holding) -> Result<Vec<Holding>, String> {
    let fault = |error| format!("cannot read {}: {error}", folder.display());
    let mut held = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.ends_with(PART) {
            continue;
        }
        let path = entry.path();
        // A folder would blind the audit to all others, and a pipe would be read for ever.
        let read = fs::metadata(&path).and_then(|there| if there.is_file() { fs::read(&path) } else { Ok(Vec::new()) });
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
            Ok(content) => held.push(told(file, &content)),
        }
    }
    Ok(held)
}
