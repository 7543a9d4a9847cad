//! Says in one sentence what is missing when the console's page was not built, where the compiler would only name a
//! file that it cannot find.
#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a build script reads cargo's variables and ends by panicking"
)]

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for file in ["index.html", "console.css", "console.js"] {
        let path = Path::new(&folder).join("web/dist").join(file);
        assert!(path.is_file(), "the console's page is not built ({} is missing): run scripts/web", path.display());
    }
}
