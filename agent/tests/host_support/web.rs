//! A web server for one file, with the faults of real ones.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Clone, Copy)]
pub enum Behaviour {
    /// Serves the file, and ranges of it.
    Plain,
    /// Serves the whole file whatever range is asked for.
    IgnoresRanges,
    /// Closes each connection after so many bytes.
    BreaksAfter(usize),
    /// Closes the first connection after so many bytes; before the next comes, its file is another one. It resumes what
    /// it is asked to, or tells by the tag alone that its file changed.
    ChangesAfter(usize, Resumes),
    /// Sends until it closes, and does not say how much that will be.
    NamesNoLength,
    /// Sends a little at a time.
    Slow,
    /// Answers with that status.
    Status(u16),
}

#[derive(Clone, Copy, PartialEq)]
pub enum Resumes {
    /// Only what has not changed (`If-Range`).
    TheSameFile,
    /// Whatever is asked for.
    AnyFile,
}

#[derive(Clone)]
pub struct Web {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    behaviour: Behaviour,
    bytes: Arc<Vec<u8>>,
    next: Option<Vec<u8>>,
    tag: usize,
    ranges: Vec<String>,
}

impl Web {
    pub fn serve(bytes: Vec<u8>, behaviour: Behaviour) -> Self {
        Self::serve_and_then(bytes, None, behaviour)
    }

    /// Serves `bytes`, and `next` once a behaviour changes the file.
    pub fn serve_and_then(bytes: Vec<u8>, next: Option<Vec<u8>>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { behaviour, bytes: Arc::new(bytes), next, tag: 1, ranges: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let web = Self { port, state };
        let serving = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(&stream.unwrap()));
            }
        });
        web
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/image", self.port)
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    pub fn requests(&self) -> usize {
        self.ranges().len()
    }

    /// The ranges that were asked for; `bytes=0-` for the whole file.
    pub fn ranges(&self) -> Vec<String> {
        self.state.lock().unwrap().ranges.clone()
    }

    fn answer(&self, stream: &TcpStream) {
        let (mut range, mut unless_changed) = ("bytes=0-".to_owned(), None);
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("range: ") {
                range = value.to_owned();
            }
            if let Some(tag) = line.strip_prefix("if-range: ") {
                unless_changed = Some(tag.to_owned());
            }
            if line.is_empty() {
                break;
            }
        }
        let (behaviour, tag, bytes) = {
            let mut state = self.state.lock().unwrap();
            state.ranges.push(range.clone());
            (state.behaviour, format!("\"{}\"", state.tag), Arc::clone(&state.bytes))
        };
        let first: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
        let is_changed = unless_changed.is_some_and(|before| before != tag);
        let first = match behaviour {
            Behaviour::IgnoresRanges => 0,
            Behaviour::ChangesAfter(_, Resumes::TheSameFile) if is_changed => 0,
            _ => first,
        };
        let _ = respond(stream, behaviour, first, &bytes, &tag); // who hangs up in the middle has his reasons
        if matches!(behaviour, Behaviour::ChangesAfter(..)) {
            let mut state = self.state.lock().unwrap();
            if let Some(next) = state.next.take() {
                (state.bytes, state.tag) = (Arc::new(next), state.tag + 1);
            }
        }
    }
}

fn respond(mut stream: &TcpStream, behaviour: Behaviour, first: usize, bytes: &[u8], tag: &str) -> std::io::Result<()> {
    if let Behaviour::Status(status) = behaviour {
        return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if first > bytes.len() {
        return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let body = &bytes[first..];
    let status = if first == 0 { "200 OK" } else { "206 Partial Content" };
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nETag: {tag}\r\n")?;
    if !matches!(behaviour, Behaviour::NamesNoLength) {
        write!(stream, "Content-Length: {}\r\n", body.len())?;
    }
    if first > 0 {
        write!(stream, "Content-Range: bytes {first}-{}/{}\r\n", bytes.len() - 1, bytes.len())?;
    }
    write!(stream, "\r\n")?;
    match behaviour {
        Behaviour::BreaksAfter(count) => stream.write_all(&body[..count.min(body.len())]),
        Behaviour::ChangesAfter(count, _) if tag == "\"1\"" => stream.write_all(&body[..count.min(body.len())]),
        Behaviour::Slow => body.chunks(10_000).try_for_each(|chunk| {
            std::thread::sleep(Duration::from_millis(5));
            stream.write_all(chunk)
        }),
        _ => stream.write_all(body),
    }
}
