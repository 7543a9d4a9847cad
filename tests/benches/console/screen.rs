//! The far end: a screen on a unix socket that does what its viewer's first byte says.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
};

/// Sends for ever, as fast as it is taken.
pub const FLOOD: u8 = b'F';
/// Sends one screenful, then as [`ECHO`].
pub const PICTURE: u8 = b'P';
/// Sends back what comes.
pub const ECHO: u8 = b'E';
/// A screenful, in bytes.
pub const PICTURE_BYTES: usize = 1 << 20;

/// What is written at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Shows itself to everybody, until it is killed.
pub fn show(socket: &Path) {
    for viewer in UnixListener::bind(socket).unwrap().incoming() {
        let viewer = viewer.unwrap();
        // Ends with an error when the viewer leaves.
        thread::Builder::new().stack_size(256 * 1024).spawn(move || serve(viewer)).unwrap();
    }
}

fn serve(mut viewer: UnixStream) -> std::io::Result<()> {
    let mut wish = [0];
    viewer.read_exact(&mut wish)?;
    let picture = vec![7; CHUNK];
    match wish[0] {
        FLOOD => loop {
            viewer.write_all(&picture)?;
        },
        PICTURE => {
            for _ in 0..PICTURE_BYTES / CHUNK {
                viewer.write_all(&picture)?;
            }
        }
        _ => {}
    }
    let mut keys = [0; 1024];
    loop {
        let read = viewer.read(&mut keys)?;
        if read == 0 {
            return Ok(());
        }
        viewer.write_all(&keys[..read])?;
    }
}
