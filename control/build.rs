//! Lists what `scripts/web` built, so that the program holds all of it; and says in one sentence what is missing when nothing
//! was built, where the compiler would only name a file that it cannot find.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a build script reads cargo's variables and ends by panicking"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    let variable = |name: &str| PathBuf::from(std::env::var(name).unwrap_or_default());
    let dist = variable("CARGO_MANIFEST_DIR").join("web/dist");
    for page in ["panel.html", "console.html"] {
        let path = dist.join(page);
        assert!(path.is_file(), "the web pages are not built ({} is missing): run scripts/web", path.display());
    }
    let written = fs::write(variable("OUT_DIR").join("web_files.rs"), listed(&dist));
    assert!(written.is_ok(), "the list of web files could not be written: {written:?}");
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
