//! The operator's socket: who may connect is decided by the file's mode, so there is no other sign-in.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

/// Root and the service's group.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Two control planes on one database would be the end of both.
    #[error("another control plane answers on {}; stop it first", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket, perhaps of value.
    #[error("{} is no socket; set [operator] socket to another place", .0.display())]
    NotASocket(PathBuf),
    /// Anything else.
    #[error("cannot listen on {} (check that its folder exists and is writable)", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Binds the socket. One that was left by a process that is gone makes room.
///
/// # Errors
/// When another process answers there, the place is taken by something else, or cannot be written.
pub fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    let fail = |source| SocketError::Listen { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(SocketError::InUse(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(fail)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(path).map_err(fail)?,
        Err(error) => return Err(fail(error)),
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    // The usual umask has let nobody but us write until here; this adds the group.
    fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(fail)?;
    Ok(listener)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| fs::DirBuilder::new().recursive(true).mode(0o755).create(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_left_behind_makes_room_and_a_living_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/operator.sock");
        let living = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(listen(&path), Err(SocketError::InUse(_))));
        drop(living);
        listen(&path).unwrap();
    }

    #[tokio::test]
    async fn a_file_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        assert!(matches!(listen(&path), Err(SocketError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }
}
