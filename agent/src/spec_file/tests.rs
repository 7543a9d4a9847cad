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

/// What can become of a record: what is in its file then.
async fn damages() -> Vec<(&'static str, Vec<u8>)> {
    let files = MemoryBacking::default();
    SpecFile::open(files.clone()).await.unwrap().accept(present(1)).await.unwrap();
    let (_, whole) = files.read_all().await.unwrap().remove(0);
    let whole = String::from_utf8(whole.unwrap()).unwrap();
    let others = whole.replace(&server().to_string(), "0198c0de-0000-7000-8000-0000000000ff");
    let newer = whole.replacen('{', "{\"layout\": 2,", 1);
    vec![
        ("cut off", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("zeros, as after a power cut", vec![0; whole.len()]),
        ("no text", b"\xff\xfe{".to_vec()),
        ("something else", b"[1, 2, 3]".to_vec()),
        ("twice", whole.repeat(2).into_bytes()),
        ("of another server", others.into_bytes()),
        ("of a layout that is not known", newer.into_bytes()),
    ]
}

#[tokio::test]
async fn a_damaged_file_is_told_by_name_stops_no_other_server_and_takes_a_tombstone_but_no_spec() {
    for (damage, content) in damages().await {
        let files = MemoryBacking::default();
        let other: ServerId = "0198c0de-0000-7000-8000-00000000000b".parse().unwrap();
        let healthy = Desired::Absent(Tombstone { server: other, version: version(1) });
        SpecFile::open(files.clone()).await.unwrap().accept(healthy).await.unwrap();
        files.write(&format!("{}.json", server()), content.clone()).await.unwrap();

        let specs = SpecFile::open(files.clone()).await.unwrap();
        assert_eq!(specs.servers(), [other], "{damage}");
        let told = specs.damaged();
        assert!(told.len() == 1 && told[0].contains(&server().to_string()), "{damage}: {told:?}");
        assert_eq!(specs.accept(present(7)).await.unwrap(), Verdict::Damaged, "{damage}: its notes are not known");
        assert_eq!(files.read_all().await.unwrap().len(), 2, "{damage}");
        let kept = files.read_all().await.unwrap().into_iter().find(|(name, _)| name.contains(&server().to_string()));
        assert_eq!(kept.unwrap().1.unwrap(), content, "{damage}: for whoever repairs it");
        assert_eq!(specs.accept(absent(8)).await.unwrap(), Verdict::Newer, "{damage}");
        assert!(specs.damaged().is_empty(), "{damage}");
    }
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
