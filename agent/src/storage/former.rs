//! Where the pool was before.
//!
//! Definitions name a disk by its whole path. Once the pool was moved (`pool_dir` is another one, its id is the same) they name
//! files that are not there any more, and that is no sign of a disk that somebody moved by hand. So the state folder notes
//! each folder that the pool was used in.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::durable;

/// So many folders are remembered, the newest.
const FOLDERS_MAX: usize = 16;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Folders {
    pool: Uuid,
    /// Oldest first; the last one is where it is.
    folders: Vec<PathBuf>,
}

/// Notes in `file` that the pool with this id is used in `dir`, and gives the other folders that it was used in before.
/// Another pool has no past. A file that cannot be read is as good as none and is written anew. Blocks.
///
/// # Errors
/// When the note cannot be written.
pub fn note(file: &Path, pool: Uuid, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let before = read(file)?.filter(|before| before.pool == pool);
    let mut folders = before.clone().map(|before| before.folders).unwrap_or_default();
    folders.retain(|folder| folder != dir);
    folders.push(dir.to_owned());
    folders.drain(..folders.len().saturating_sub(FOLDERS_MAX));
    let now = Folders { pool, folders };
    if before.as_ref() != Some(&now) {
        // Plain data: cannot fail.
        durable::write(file, &serde_json::to_vec_pretty(&now).unwrap_or_default())?;
    }
    let Folders { mut folders, .. } = now;
    folders.pop();
    Ok(folders)
}

fn read(file: &Path) -> io::Result<Option<Folders>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_knows_the_folders_that_it_was_in_and_another_pool_none_of_them() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pool.folders");
        let at = |pool: u128, dir: &str| note(&file, Uuid::from_u128(pool), Path::new(dir)).unwrap();
        assert_eq!(at(1, "/a"), Vec::<PathBuf>::new());
        assert_eq!(at(1, "/a"), Vec::<PathBuf>::new(), "another start is no move");
        assert_eq!(at(1, "/b"), [PathBuf::from("/a")]);
        assert_eq!(at(1, "/a"), [PathBuf::from("/b")], "and back");
        assert_eq!(at(2, "/a"), Vec::<PathBuf>::new(), "a new pool has no past");
        std::fs::write(&file, "{").unwrap();
        assert_eq!(at(2, "/b"), Vec::<PathBuf>::new(), "what cannot be read keeps nobody from going on");
        for moved in 0..40 {
            at(2, &format!("/{moved}"));
        }
        assert_eq!(at(2, "/end").len(), FOLDERS_MAX - 1);
    }
}
