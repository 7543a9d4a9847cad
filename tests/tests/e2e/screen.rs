//! A console as a program sees it: a websocket that carries VNC (RFC 6143), asked for the same corner of the screen again
//! and again.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::rig::{Lab, Server};

/// Longest wait for an answer: a screen that stands still for so long has ended.
const PATIENCE: Duration = Duration::from_secs(20);
const BETWEEN: Duration = Duration::from_millis(100);
/// Side of the corner, in pixels, and what it takes in the protocol's own encoding: headers, and four bytes a pixel.
const SIDE: u8 = 16;
const ANSWER_BYTES: usize = 4 + 12 + (SIDE as usize) * (SIDE as usize) * 4;

/// A screen that is being watched.
pub struct Screen {
    enough: Arc<AtomicBool>,
    watching: JoinHandle<Seen>,
}

/// What was seen of it.
#[derive(Debug)]
pub struct Seen {
    /// Pictures of the corner.
    pub pictures: usize,
    /// The longest time between two of them.
    pub longest_wait: Duration,
}

impl Screen {
    /// Opens the server's console and begins to watch.
    pub fn watch(lab: &Lab, server: &Server) -> Self {
        let (status, body) = lab.call("POST", &format!("/servers/{}/console", server.uuid), None);
        assert_eq!(status, 200, "{body}");
        let url = body["data"]["url"].as_str().unwrap().to_owned();
        let mut stream = Stream::open(&url);
        stream.greet();
        let enough = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&enough);
        let watching = std::thread::spawn(move || {
            let mut seen = Seen { pictures: 0, longest_wait: Duration::ZERO };
            while !end.load(Ordering::Relaxed) {
                let asked = Instant::now();
                stream.look();
                seen.pictures += 1;
                seen.longest_wait = seen.longest_wait.max(asked.elapsed());
                std::thread::sleep(BETWEEN);
            }
            seen
        });
        Self { enough, watching }
    }

    /// Watches no longer.
    pub fn end(self) -> Seen {
        self.enough.store(true, Ordering::Relaxed);
        self.watching.join().unwrap()
    }
}

/// The bytes within the websocket's frames.
struct Stream {
    socket: WebSocket<TcpStream>,
    waiting: Vec<u8>,
}

impl Stream {
    fn open(url: &str) -> Self {
        let (page, ticket) = url.split_once('#').unwrap();
        let address = page.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut socket, _) = tungstenite::client(format!("ws://{address}/console/stream"), tcp).unwrap();
        socket.send(Message::text(ticket)).unwrap();
        Self { socket, waiting: Vec::new() }
    }

    /// Version, no authentication, a shared screen.
    fn greet(&mut self) {
        let mut version = [0; 12];
        self.read_exact(&mut version).unwrap();
        self.write_all(&version).unwrap();
        let mut count = [0];
        self.read_exact(&mut count).unwrap();
        self.read_exact(&mut vec![0; usize::from(count[0])]).unwrap();
        self.write_all(&[1]).unwrap();
        let mut result = [0; 4];
        self.read_exact(&mut result).unwrap();
        assert_eq!(result, [0; 4], "a screen behind a socket asks for no password");
        self.write_all(&[1]).unwrap();
        let mut init = [0; 24];
        self.read_exact(&mut init).unwrap();
        let name = u32::from_be_bytes([init[20], init[21], init[22], init[23]]);
        self.read_exact(&mut vec![0; name as usize]).unwrap();
    }

    /// Asks for the corner as it is, which is always answered, and reads the answer.
    fn look(&mut self) {
        self.write_all(&[3, 0, 0, 0, 0, 0, 0, SIDE, 0, SIDE]).unwrap();
        self.read_exact(&mut [0; ANSWER_BYTES]).unwrap();
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.waiting.is_empty() {
            match self.socket.read().map_err(std::io::Error::other)? {
                Message::Binary(bytes) => self.waiting.extend_from_slice(&bytes),
                Message::Close(why) => {
                    return Err(std::io::Error::new(ErrorKind::UnexpectedEof, format!("the screen ended: {why:?}")));
                }
                _ => {}
            }
        }
        let taken = self.waiting.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.waiting[..taken]);
        self.waiting.drain(..taken);
        Ok(taken)
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.socket.send(Message::binary(buffer.to_vec())).map_err(std::io::Error::other)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
