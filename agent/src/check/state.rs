//! Whether the agent's own folder can be written to, and whether what it wrote there can be read.

use std::path::Path;

use csp_shared::{audit::Holding, host_status::HostStatus};

use super::Finding;
use crate::{audit, host_status};

const STATE: &str = "state";

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What can still be written there, in bytes; none before the agent's first start.
    pub free_bytes: Option<u64>,
    /// Files of servers that cannot be read; or why nobody knows.
    pub damaged: Result<Vec<String>, String>,
}

/// Looks at `dir`. Changes nothing.
#[must_use]
pub fn probe(dir: &Path) -> Facts {
    let servers = dir.join("servers");
    let listed = if servers.is_dir() { audit::specs(&servers) } else { Ok(Vec::new()) };
    let damaged = |held| match held {
        Holding::BadSpecFile { file, .. } => Some(file),
        _ => None,
    };
    Facts {
        free_bytes: host_status::free_bytes(dir),
        damaged: listed.map(|held| held.into_iter().filter_map(damaged).collect()),
    }
}

/// Judges it.
#[must_use]
pub fn judge(dir: &Path, facts: &Facts) -> Finding {
    let dir = dir.display();
    let is_full = HostStatus { state_free_bytes: facts.free_bytes, ..HostStatus::default() }.is_state_full();
    match &facts.damaged {
        _ if is_full => {
            let detail = format!("{dir} has no room or is mounted read-only: no further spec can be written down");
            Finding::fault(STATE, detail, "make room in its file system, or mount it read-write")
        }
        Err(why) => Finding::fault(STATE, why, "look for errors of its file system or disk (`dmesg`)"),
        Ok(files) if !files.is_empty() => {
            let detail =
                format!("{} in {dir}/servers cannot be read: their servers are left as they are", files.join(", "));
            Finding::fault(STATE, detail, "`csp-control audit` says what to do about each (`spec_damaged`)")
        }
        Ok(_) => Finding::ok(STATE, format!("{dir} takes what servers should be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_folder_that_is_full_or_has_damaged_files_is_told_by_their_names() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(judge(home.path(), &probe(home.path())).verdict, Verdict::Ok, "before the first start");
        std::fs::create_dir(home.path().join("servers")).unwrap();
        std::fs::write(home.path().join("servers/half.json"), "{").unwrap();
        let damaged = judge(home.path(), &probe(home.path()));
        assert_eq!(damaged.verdict, Verdict::Fault);
        assert!(damaged.detail.contains("half.json"), "{damaged:?}");
        let full = Facts { free_bytes: Some(0), damaged: Ok(Vec::new()) };
        assert_eq!(judge(home.path(), &full).verdict, Verdict::Fault);
        assert_eq!(judge(home.path(), &Facts { free_bytes: None, ..full }).verdict, Verdict::Ok);
    }
}
