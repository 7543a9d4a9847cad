//! Specs, tombstones and notes, read from their files and not from the memory of the agent.

use std::path::Path;

use csp_shared::{
    audit::{HeldSpec, Holding},
    id::ServerId,
    spec::Desired,
};

use super::stored;
use crate::{plan::memory::PowerNote, spec_file::Record};

const SUFFIX: &str = ".json";

/// Reads every file of the folder. Blocks.
pub(crate) fn list(folder: &Path) -> Result<Vec<Holding>, String> {
    stored::each(folder, read)
}

fn read(file: String, content: &[u8]) -> Holding {
    let server: Option<ServerId> = file.strip_suffix(SUFFIX).and_then(|id| id.parse().ok());
    let record = serde_json::from_slice::<Record>(content).ok();
    match record.filter(|record| Some(record.desired.server()) == server) {
        None => Holding::BadSpecFile { file, server },
        Some(Record { desired, notes }) => Holding::Spec(HeldSpec {
            server: desired.server(),
            version: desired.version(),
            hash: desired.hash(),
            tombstone: matches!(desired, Desired::Absent(_)),
            reached: notes.reached,
            disk_started: notes.disk_started,
            stays_off: matches!(notes.power, PowerNote::SelfOff { .. } | PowerNote::CrashLoop { .. }),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plan::fixture::{server, spec};

    #[test]
    fn each_file_is_told_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record { desired: Desired::Present(Box::new(spec())), notes: Default::default() };
        let text = serde_json::to_vec(&record).unwrap();
        let own = format!("{}.json", server());
        fs::write(folder.path().join(&own), &text).unwrap();
        fs::write(folder.path().join(format!("{own}.part")), "half").unwrap();
        let other = "0192f0c1-2345-7abc-8def-0123456789ff";
        fs::write(folder.path().join(format!("{other}.json")), &text).unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let third = "0192f0c1-2345-7abc-8def-012345678a00";
        fs::create_dir(folder.path().join(format!("{third}.json"))).unwrap();
        let mut held = list(folder.path()).unwrap();
        held.sort_by_key(|held| format!("{held:?}"));
        let bad = |file: &str, server| Holding::BadSpecFile { file: file.to_owned(), server };
        let of = |id: &str| bad(&format!("{id}.json"), id.parse().ok());
        assert_eq!(held[..3], [of(other), of(third), bad("notes.txt", None)]);
        assert!(matches!(&held[3], Holding::Spec(held) if held.server == server() && !held.tombstone));
        assert_eq!(held.len(), 4);
        assert!(list(&folder.path().join("away")).is_err(), "a folder that is not there is not an empty one");
    }
}
