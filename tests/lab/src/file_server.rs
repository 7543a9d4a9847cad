//! Serves one folder of image files over HTTP, with ranges, so that agents fetch images as from a provider's server.
//!
//! GET and HEAD of plain names, one request a connection. Lab only: it trusts its namespace.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write, copy},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    error::{Attempted, Result},
    layout::MANAGEMENT,
};

/// What the log says once it listens.
pub const SERVING: &str = "serving images";
const REQUEST_BYTES_MAX: u64 = 16 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until it is killed.
///
/// # Errors
/// When the port cannot be had.
pub fn run(dir: &Path, port: u16) -> Result<()> {
    let listener = TcpListener::bind((MANAGEMENT, port)).attempted(|| format!("listening on {MANAGEMENT}:{port}"))?;
    println!("{SERVING} of {}", dir.display());
    let dir: Arc<Path> = dir.into();
    for stream in listener.incoming().flatten() {
        let dir = Arc::clone(&dir);
        thread::spawn(move || {
            if let Err(error) = serve(&stream, &dir) {
                eprintln!("a request broke off: {error}");
            }
        });
    }
    Ok(())
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    head: bool,
    name: String,
    /// First and last byte, as far as given.
    range: Option<(u64, Option<u64>)>,
}

fn serve(stream: &TcpStream, dir: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut text = String::new();
    let mut reader = BufReader::new(stream).take(REQUEST_BYTES_MAX);
    while reader.read_line(&mut text)? > 2 {}
    let mut out = stream;
    let Some(request) = parse(&text) else { return refuse(&mut out, "400 Bad Request", "") };
    let Ok(mut file) = File::open(dir.join(&request.name)) else { return refuse(&mut out, "404 Not Found", "") };
    let size = file.metadata()?.len();
    println!("{} {:?}", request.name, request.range);
    let (status, first, last) = match request.range {
        None => ("200 OK", 0, size.saturating_sub(1)),
        Some((first, last)) if first < size && last.is_none_or(|last| last >= first) => {
            ("206 Partial Content", first, last.unwrap_or(size).min(size - 1))
        }
        Some(_) => return refuse(&mut out, "416 Range Not Satisfiable", &format!("Content-Range: bytes */{size}\r\n")),
    };
    let length = if size == 0 { 0 } else { last - first + 1 };
    let part =
        if request.range.is_some() { format!("Content-Range: bytes {first}-{last}/{size}\r\n") } else { String::new() };
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\n{part}Connection: close\r\n\r\n"
    )?;
    if !request.head {
        file.seek(SeekFrom::Start(first))?;
        copy(&mut file.take(length), &mut out)?;
    }
    out.flush()
}

fn refuse(out: &mut impl Write, status: &str, more: &str) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n{more}Connection: close\r\n\r\n")
}

fn parse(text: &str) -> Option<Request> {
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let head = match words.next()? {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let name = words.next()?.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return None;
    }
    let range = lines.filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case("range"));
    let range = match range {
        None => None,
        Some((_, value)) => Some(parse_range(value.trim())?),
    };
    Some(Request { head, name: name.to_owned(), range })
}

fn parse_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
    Some((first.parse().ok()?, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for name in ["../etc/passwd", ".hidden", "a/b", "", "%2e%2e"] {
            assert_eq!(parse(&format!("GET /{name} HTTP/1.1\r\n\r\n")), None, "{name}");
        }
    }

    #[test]
    fn a_range_is_understood_in_any_case() {
        let request = parse("GET /mini.qcow2 HTTP/1.1\r\nHost: x\r\nrAnGe: bytes=5-\r\n\r\n").unwrap();
        assert_eq!(request, Request { head: false, name: "mini.qcow2".to_owned(), range: Some((5, None)) });
        assert_eq!(parse("POST / HTTP/1.1\r\n"), None);
    }

    #[test]
    fn an_interrupted_download_can_go_on() {
        let dir = std::env::temp_dir().join(format!("csp-lab-files-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), b"0123456789").unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"GET /file HTTP/1.1\r\nRange: bytes=7-\r\n\r\n").unwrap();
        serve(&listener.accept().unwrap().0, &dir).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 206 ") && answer.ends_with("\r\n\r\n789"), "{answer}");
        assert!(answer.contains("Content-Range: bytes 7-9/10\r\n"), "{answer}");
    }
}
