//! The files that guests' serial consoles are written to. They are opened by libvirt, which follows links and says little of what
//! stands in the way.

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use csp_shared::id::ServerId;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// Why a guest's console cannot be written down.
#[derive(Debug, thiserror::Error)]
#[error("the guest's console log {} cannot be written: {why}; move away what stands there", .path.display())]
pub struct ConsoleLogError {
    path: PathBuf,
    why: String,
}

/// Where a server's is, in the folder of them all.
#[must_use]
pub fn path(consoles: &Path, server: ServerId) -> PathBuf {
    consoles.join(format!("{server}.log"))
}

/// Makes sure that nothing stands in its way: it is a file that takes more, or not there yet. Blocks.
///
/// # Errors
/// When it is something else, which is named.
pub fn ensure_writable(path: &Path) -> Result<(), ConsoleLogError> {
    let fault = |why: String| Err(ConsoleLogError { path: path.to_owned(), why });
    // A pipe that nobody reads is refused at once.
    match OpenOptions::new().append(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => fault(error.to_string()),
        Ok(file) => match file.metadata() {
            Ok(there) if there.is_file() => Ok(()),
            Ok(_) => fault(io::Error::from(ErrorKind::InvalidInput).to_string()),
            Err(error) => fault(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn what_stands_in_the_way_of_a_console_log_is_named() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        ensure_writable(&at("absent")).unwrap();
        fs::write(at("there"), "a guest's words").unwrap();
        ensure_writable(&at("there")).unwrap();
        assert_eq!(fs::read_to_string(at("there")).unwrap(), "a guest's words");
        fs::create_dir(at("folder")).unwrap();
        symlink(at("there"), at("link")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for name in ["folder", "link", "pipe"] {
            let told = ensure_writable(&at(name)).unwrap_err().to_string();
            assert!(told.contains(at(name).to_str().unwrap()), "{told}");
        }
    }
}
