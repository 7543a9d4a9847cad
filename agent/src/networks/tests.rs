//! What the stored networks promise, tried over memory and over a real folder.

use csp_shared::{
    generation::{Generation, Incarnation, NetworkVersion, Version},
    network::{NetworkSpec, NetworkTombstone, Segment},
};

use super::*;
use crate::spec_file::{FolderBacking, MemoryBacking};

fn network(last: u8) -> NetworkId {
    format!("0198c0de-0000-7000-8000-0000000000{last:02x}").parse().unwrap()
}

fn version(generation: u64) -> NetworkVersion {
    NetworkVersion(Version { incarnation: Incarnation::FIRST, generation: Generation(generation) })
}

fn present(generation: u64) -> DesiredNetwork {
    DesiredNetwork::Present(Box::new(NetworkSpec {
        network: network(1),
        version: version(generation),
        segment: Segment::Vxlan { vni: 4096.try_into().unwrap(), peers: vec![] },
        mtu: 1450,
        members: vec![],
    }))
}

fn absent(generation: u64) -> DesiredNetwork {
    DesiredNetwork::Absent(NetworkTombstone { network: network(1), version: version(generation) })
}

#[tokio::test]
async fn the_version_never_goes_back_and_a_network_may_come_again() {
    let file = NetworkFile::open(MemoryBacking::default()).await.unwrap();
    let altered = {
        let DesiredNetwork::Present(mut spec) = present(2) else { unreachable!() };
        spec.mtu = 9000;
        DesiredNetwork::Present(spec)
    };
    for (sent, verdict) in [
        (present(2), Verdict::Newer),
        (present(2), Verdict::Same),
        (altered, Verdict::Altered),
        (present(1), Verdict::Older),
        (absent(1), Verdict::Older),
        (absent(3), Verdict::Newer),
        (present(3), Verdict::Altered),
        (present(4), Verdict::Newer),
    ] {
        assert_eq!(file.accept(sent.clone()).await.unwrap(), verdict, "{sent:?}");
    }
    assert_eq!(file.list().await, [present(4)]);
}

#[tokio::test]
async fn networks_are_read_again_from_the_folder_and_a_damaged_one_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("networks");
    let open = || async { NetworkFile::open(FolderBacking::open(path.clone()).unwrap()).await.unwrap() };
    open().await.accept(present(1)).await.unwrap();
    std::fs::write(path.join("left-by-a-crash.json.part"), "{").unwrap();
    let again = open().await;
    assert_eq!((again.get(network(1)).await, again.damaged().len()), (Some(present(1)), 0));

    let own = path.join(format!("{}.json", network(1)));
    let others = std::fs::read_to_string(&own).unwrap().replace(&network(1).to_string(), &network(2).to_string());
    for damage in ["", "{\"want\": \"present\"", "[1]", &others] {
        std::fs::write(&own, damage).unwrap();
        let damaged = open().await;
        assert_eq!(damaged.list().await, [], "{damage}");
        assert!(damaged.damaged()[0].contains(&network(1).to_string()), "{damage}");
        assert_eq!(damaged.accept(present(2)).await.unwrap(), Verdict::Newer, "{damage}");
        assert_eq!(open().await.list().await, [present(2)], "{damage}");
    }
}

/// A folder whose disk is full.
struct Full;

impl Backing for Full {
    async fn read_all(&self) -> std::io::Result<Vec<crate::spec_file::backing::NamedContent>> {
        Ok(Vec::new())
    }
    async fn write(&self, _: &str, _: Vec<u8>) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

#[tokio::test]
async fn what_could_not_be_written_is_told_to_nobody() {
    let networks = Networks::open(Full).await.unwrap();
    networks.accept(vec![present(1)]).await;
    assert_eq!((networks.inventory(), networks.list().await), (vec![], vec![]));
}

#[tokio::test]
async fn what_was_accepted_is_told_as_unproved_until_somebody_looked_after_it() {
    let networks = Networks::open(MemoryBacking::default()).await.unwrap();
    networks.accept(vec![present(1)]).await;
    networks.changed().await;
    assert_eq!(networks.next_reports(9).await, [unproved(&present(1))]);
    let gone = |desired: &DesiredNetwork| ObservedNetwork { remains: NetworkRemains::NOTHING, ..unproved(desired) };
    networks.tell(gone(&present(1)));
    networks.accept(vec![absent(2), absent(2)]).await;
    assert_eq!(networks.next_reports(9).await, [unproved(&absent(2))], "an older sight proves nothing about it");
    networks.tell(gone(&present(1)));
    assert_eq!(networks.inventory(), [unproved(&absent(2))], "a look from before is late");
    networks.tell(gone(&absent(2)));
    networks.tell(gone(&absent(2)));
    assert_eq!(networks.next_reports(9).await, [gone(&absent(2))]);
    assert!(networks.told.take_now(9).is_empty(), "the same again is no news");
}
