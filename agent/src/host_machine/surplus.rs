//! Disks that nobody is promised: what an orphan takes, and what is larger than its server's spec says.
//!
//! The control plane takes off a host's room what it placed there. So whatever lies in the pool beside that has to be taken
//! off by the host, or the same gigabytes would be promised twice.

use crate::{machine::Promised, storage::disk::DiskFile};

/// How many bytes of these files nobody is promised. A disk that is older than its server's goes to the trash in a moment,
/// and is promised until then; one that is newer was made for a reinstall that was given up, and stays.
#[must_use]
pub fn surplus(files: &[DiskFile], promised: &Promised) -> u64 {
    let beyond = |(owner, bytes): &DiskFile| {
        let Some((server, epoch)) = owner else { return *bytes };
        match promised.get(server) {
            None => *bytes,
            Some(None) => 0,
            Some(Some((wanted, _))) if epoch < wanted => 0,
            Some(Some((wanted, size))) if epoch == wanted => bytes.saturating_sub(*size),
            Some(Some(_)) => *bytes,
        }
    };
    files.iter().map(beyond).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use csp_shared::{generation::DiskEpoch, id::ServerId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_what_somebody_is_promised_is_no_surplus() {
        let id = |number| ServerId(Uuid::from_u128(number));
        let promised = Promised::from([(id(1), Some((DiskEpoch(2), 20))), (id(2), None)]);
        let file = |server, epoch, bytes| (Some((id(server), DiskEpoch(epoch))), bytes);
        for (name, files, want) in [
            ("as sold", vec![file(1, 2, 20)], 0),
            ("not grown yet", vec![file(1, 2, 10)], 0),
            ("a growth that failed half way", vec![file(1, 2, 30)], 10),
            ("the old one of a reinstall", vec![file(1, 2, 20), file(1, 1, 20)], 0),
            ("a reinstall that was given up", vec![file(1, 2, 20), file(1, 3, 20)], 20),
            ("one that is to be gone", vec![file(2, 1, 50)], 0),
            ("a stranger's", vec![file(3, 1, 7)], 7),
            ("nobody's", vec![(None, 9), file(1, 2, 20)], 9),
            ("a damaged one", vec![(None, u64::MAX), (None, 1)], u64::MAX),
        ] {
            assert_eq!(surplus(&files, &promised), want, "{name}");
        }
    }
}
