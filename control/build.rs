//! Lists what `scripts/web` built, so that the program holds all of it; and says in one sentence what is missing when nothing
//! was built, where the compiler would only name a file that it cannot find, or that what was built is of other sources.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a build script reads cargo's variables and ends by panicking"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    let variable = |name: &str| PathBuf::from(std::env::var(name).unwrap_or_default());
    let root = variable("CARGO_MANIFEST_DIR");
    let dist = root.join("web/dist");
    for page in ["panel.html", "console.html"] {
        let path = dist.join(page);
        assert!(path.is_file(), "the web pages are not built ({} is missing): run scripts/web", path.display());
    }
    warn_of_old_pages(&root, &dist);
    let written = fs::write(variable("OUT_DIR").join("web_files.rs"), listed(&dist));
    assert!(written.is_ok(), "the list of web files could not be written: {written:?}");
}

/// Pages of other sources than these would be served without a word: a program whose pages speak another version of what it
/// answers. It is built all the same, since who works on the rest need not have what builds pages.
fn warn_of_old_pages(root: &Path, dist: &Path) {
    let script = root.join("../scripts/web");
    for source in ["web/src", "web/build", "web/package-lock.json", "../docs/openapi.json", "../scripts/web"] {
        println!("cargo::rerun-if-changed={source}");
    }
    // Where the script cannot run nothing can be told.
    let Ok(now) = Command::new(&script).arg("--inputs").output() else { return };
    let built_of = fs::read(dist.join("inputs")).unwrap_or_default();
    if now.status.success() && now.stdout != built_of {
        println!("cargo::warning=the web pages in {} are of other sources than these: run scripts/web", dist.display());
    }
}

/// Rust source: a slice of all files in `dist` and `dist/assets` by name, with their bytes. A file `a.gz` is the packed form
/// of `a`.
fn listed(dist: &Path) -> String {
    let mut files: Vec<PathBuf> =
        [dist.to_owned(), dist.join("assets")].iter().flat_map(|folder| in_folder(folder)).collect();
    files.sort();
    let mut source = "&[\n".to_owned();
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(source, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
    }
    source.push_str("]\n");
    source
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}
