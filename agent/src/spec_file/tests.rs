//! What the stored records promise, tried over memory and over a real folder.

use csp_shared::{
    generation::{DiskEpoch, Generation, Incarnation, Version},
    spec::Tombstone,
};

use super::*;
use crate::plan::fixture::{server, spec};

fn version(generation: u64) -> Version {
    Version { incarnation: Incarnation::FIRST, generation: Generation(generation) }
}

fn present(generation: u64) -> Desired {
    Desired::Present(Box::new(csp_shared::spec::ServerSpec { version: version(generation), ..spec() }))
}

fn absent(generation: u64) -> Desired {
    Desired::Absent(Tombstone { server: server(), version: version(generation) })
}

#[tokio::test]
async fn the_version_never_goes_back_and_a_tombstone_is_for_ever() {
    let specs = SpecFile::open(MemoryBacking::default()).await.unwrap();
    let altered = {
        let Desired::Present(mut spec) = present(2) else { unreachable!() };
        spec.hostname = "other".to_owned();
        Desired::Present(spec)
    };
    for (sent, verdict) in [
        (present(2), Verdict::Newer),
        (present(2), Verdict::Same),
        (altered, Verdict::Altered),
        (present(1), Verdict::Older),
        (absent(1), Verdict::Older),
        (present(3), Verdict::Newer),
        (absent(4), Verdict::Newer),
        (present(9), Verdict::Buried),
        (absent(3), Verdict::Older),
        (absent(5), Verdict::Newer),
    ] {
        assert_eq!(specs.accept(sent.clone()).await.unwrap(), verdict, "{sent:?}");
    }
    assert_eq!(specs.get(server()).await.unwrap().desired, absent(5));
}

#[tokio::test]
async fn specs_and_notes_are_read_again_from_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("servers");
    let specs = SpecFile::open(FolderBacking::open(path.clone()).unwrap()).await.unwrap();
    specs.accept(present(1)).await.unwrap();
    specs.note(server(), |notes| notes.disk_started = Some(DiskEpoch(1))).await.unwrap();
    specs.accept(present(2)).await.unwrap();
    let before = specs.get(server()).await;
    std::fs::write(path.join("left-by-a-crash.json.part"), "{").unwrap();

    let again = SpecFile::open(FolderBacking::open(path).unwrap()).await.unwrap();
    assert_eq!(again.get(server()).await, before);
    assert_eq!(before.unwrap().notes.disk_started, Some(DiskEpoch(1)));
    assert!(again.damaged().is_empty());
}

#[tokio::test]
async fn a_damaged_file_is_told_by_name_and_stops_no_other_server() {
    let files = MemoryBacking::default();
    SpecFile::open(files.clone()).await.unwrap().accept(present(1)).await.unwrap();
    let other = "0198c0de-0000-7000-8000-00000000000b";
    files.write(&format!("{other}.json"), b"{\"desired\"".to_vec()).await.unwrap();

    let specs = SpecFile::open(files).await.unwrap();
    assert_eq!(specs.servers(), [server()]);
    assert!(specs.damaged().iter().any(|file| file.contains(other)), "{:?}", specs.damaged());
}

#[tokio::test]
async fn a_damaged_record_takes_a_tombstone_but_no_spec() {
    let files = MemoryBacking::default();
    files.write(&format!("{}.json", server()), b"\0\0\0".to_vec()).await.unwrap();
    let specs = SpecFile::open(files).await.unwrap();
    assert_eq!(specs.accept(present(7)).await.unwrap(), Verdict::Damaged);
    assert_eq!(specs.accept(absent(8)).await.unwrap(), Verdict::Newer);
    assert!(specs.damaged().is_empty());
}

/// A folder whose disk is full.
struct Full;

impl Backing for Full {
    async fn read_all(&self) -> io::Result<Vec<backing::NamedContent>> {
        Ok(Vec::new())
    }
    async fn write(&self, _: &str, _: Vec<u8>) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[tokio::test]
async fn what_could_not_be_written_was_not_accepted() {
    let specs = SpecFile::open(Full).await.unwrap();
    assert!(specs.accept(present(1)).await.is_err());
    assert_eq!(specs.get(server()).await, None);
}
