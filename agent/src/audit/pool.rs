//! Files in the pool, by their names.

use std::{fs, path::Path};

use csp_shared::{
    audit::{Holding, PoolFile},
    host_status::PoolStatus,
};

use crate::{
    host_machine::fault::story,
    host_status,
    storage::{
        base_length,
        pool::{Pool, Preview},
    },
};

/// Lists them; when the pool is not there, that alone. Blocks.
pub(super) fn list(dir: &Path, note: &Path) -> Result<Vec<Holding>, String> {
    let missing = |detail: String| Ok(vec![Holding::Pool { mounted: false, detail }]);
    match Pool::preview(dir, note) {
        Ok(Preview::Known) => {}
        Ok(Preview::Other | Preview::New) => return missing(format!("{} was never opened", dir.display())),
        Err(error) => return missing(story(&error)),
    }
    let mut held = vec![Holding::Pool { mounted: true, detail: ails(dir, note) }];
    held.extend(names(&dir.join("disks"))?.into_iter().map(|name| Holding::Disk(parse(name))));
    held.extend(names(&dir.join("seeds"))?.into_iter().map(|name| Holding::Seed(parse(name))));
    held.extend(names(&dir.join("consoles"))?.into_iter().map(|name| Holding::Console(parse(name))));
    held.extend(names(&dir.join("trash"))?.into_iter().map(|name| Holding::Trash(parse(name))));
    held.extend(images(&dir.join("images"))?.into_iter().map(|file| Holding::Image { file }));
    // Mounted before and after, so what was listed in between was the pool.
    match Pool::preview(dir, note) {
        Ok(Preview::Known) => Ok(held),
        _ => missing("it went away while it was looked at".to_owned()),
    }
}

/// What is wrong with a pool that is there; nothing of one that is well.
fn ails(dir: &Path, note: &Path) -> String {
    match host_status::pool_status(dir, note) {
        Err(error) => story(&error),
        Ok(pool) if pool.is_filling() => {
            let PoolStatus { free_bytes, growth_bytes, .. } = pool;
            format!("{free_bytes} bytes are free and its disks may still grow by {growth_bytes}")
        }
        Ok(_) => String::new(),
    }
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let fault = |error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(fault)?;
    entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(fault)).collect()
}

/// Without notes of lengths, and without a base of another length than noted: it counts as not there, and is fetched anew.
fn images(folder: &Path) -> Result<Vec<String>, String> {
    let mut names = names(folder)?;
    names.retain(|name| {
        let path = folder.join(name);
        base_length::noted_base(&path).is_none() && !base_length::is_other_than_noted(&path)
    });
    Ok(names)
}

/// `SERVER.EPOCH.qcow2`, `SERVER.EPOCH.NUMBER.qcow2`, `SERVER.MARK.iso`, `SERVER.log`, `SERVER.log.NUMBER`. A half-made file (`….part`) has no epoch.
fn parse(file: String) -> PoolFile {
    let mut parts = file.split('.');
    let server = parts.next().and_then(|id| id.parse().ok());
    let epoch = parts.next().and_then(|epoch| epoch.parse().ok()).map(csp_shared::generation::DiskEpoch);
    let epoch = epoch.filter(|_| server.is_some() && file.ends_with(".qcow2"));
    PoolFile { server, epoch, file }
}

#[cfg(test)]
mod tests {
    use csp_shared::generation::DiskEpoch;

    use super::*;
    use crate::plan::fixture::server;

    #[test]
    fn files_tell_their_server_and_epoch_by_name() {
        let id = server();
        let table = [
            (format!("{id}.2.qcow2"), Some(id), Some(DiskEpoch(2))),
            (format!("{id}.2.0.qcow2"), Some(id), Some(DiskEpoch(2))),
            (format!("{id}.2.qcow2.part"), Some(id), None),
            (format!("{id}.00000000000000ab.iso"), Some(id), None),
            (format!("{id}.1234567890123456.iso"), Some(id), None),
            (format!("{id}.log"), Some(id), None),
            (format!("{id}.log.0"), Some(id), None),
            ("copy of disk.qcow2".to_owned(), None, None),
        ];
        for (file, server, epoch) in table {
            assert_eq!(parse(file.clone()), PoolFile { file, server, epoch });
        }
    }

    #[test]
    fn an_image_that_lost_its_end_is_not_there_and_a_note_is_no_image() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for (name, noted) in [("whole.qcow2.raw", "4"), ("cut.qcow2.raw", "5"), ("doubtful.qcow2.raw", "")] {
            fs::write(at(name), "disk").unwrap();
            fs::write(at(&format!("{name}.length")), noted).unwrap();
        }
        fs::write(at("as-it-came.raw"), "disk").unwrap();
        let mut listed = images(home.path()).unwrap();
        listed.sort();
        assert_eq!(listed, ["as-it-came.raw", "whole.qcow2.raw"]);
    }

    #[test]
    fn a_pool_that_is_not_there_is_told_and_not_listed_as_empty() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.id"));
        fs::create_dir(&dir).unwrap();
        Pool::open(dir.clone(), &note, uuid::Uuid::from_u128(1), 0).unwrap();
        fs::write(dir.join("disks").join(format!("{}.1.qcow2", server())), "").unwrap();
        let held = list(&dir, &note).unwrap();
        assert!(held.iter().any(|held| matches!(held, Holding::Disk(disk) if disk.server == Some(server()))));
        fs::rename(&dir, home.path().join("away")).unwrap();
        fs::create_dir(&dir).unwrap();
        let held = list(&dir, &note).unwrap();
        assert!(matches!(&held[..], [Holding::Pool { mounted: false, .. }]), "{held:?}");
    }
}
