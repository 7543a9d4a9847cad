//! Stored private networks, read from their files and not from the memory of the agent.

use std::path::Path;

use csp_shared::{
    audit::{HeldNetwork, Holding},
    network::DesiredNetwork,
};

use super::stored;
use crate::networks::file;

/// Reads every file of the folder. Blocks.
pub(super) fn list(folder: &Path) -> Result<Vec<Holding>, String> {
    stored::each(folder, told)
}

fn told(file: String, content: &[u8]) -> Holding {
    match file::read(&file, content) {
        Err(_) => Holding::BadNetworkFile { file },
        Ok(stored) => Holding::Network(HeldNetwork {
            network: stored.network(),
            version: stored.version(),
            hash: stored.hash(),
            tombstone: matches!(stored, DesiredNetwork::Absent(_)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use csp_shared::{
        generation::{Generation, Incarnation, NetworkVersion, Version},
        network::NetworkTombstone,
    };

    use super::*;

    #[test]
    fn each_file_is_told_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let network = "0192f0c1-2345-7abc-8def-0123456789ab".parse().unwrap();
        let version = NetworkVersion(Version { incarnation: Incarnation::FIRST, generation: Generation(3) });
        let stored = DesiredNetwork::Absent(NetworkTombstone { network, version });
        fs::write(folder.path().join(format!("{network}.json")), serde_json::to_vec(&stored).unwrap()).unwrap();
        fs::write(folder.path().join(format!("{network}.json.part")), "half").unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let mut held = list(folder.path()).unwrap();
        held.sort_by_key(|held| format!("{held:?}"));
        let own = HeldNetwork { network, version, hash: stored.hash(), tombstone: true };
        assert_eq!(held, [Holding::BadNetworkFile { file: "notes.txt".to_owned() }, Holding::Network(own)]);
        assert!(list(&folder.path().join("away")).is_err(), "a folder that is not there is not an empty one");
    }
}
