//! The near end: what a browser sends and receives, as cheaply as can be.

use std::{
    io::Read as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use super::{
    percentile,
    screen::{ECHO, FLOOD, PICTURE, PICTURE_BYTES},
};

/// A key press of VNC has so many bytes.
const KEY: [u8; 8] = [4, 1, 0, 0, 0, 0, 0, 97];
/// Longest silence, so that a broken way fails instead of waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one turn showed.
pub struct Speed {
    pub round_trip_us: f64,
    pub mb_per_second: f64,
    pub cpu_ms_per_mb: f64,
}

/// One viewer.
pub struct Viewer(WebSocket<TcpStream>);

impl Viewer {
    /// Opens a websocket, and says `ticket` where one is asked for.
    pub fn open(address: &str, path: &str, ticket: Option<&str>) -> Self {
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut socket, _) = client(format!("ws://{address}{path}"), tcp).unwrap();
        if let Some(ticket) = ticket {
            socket.send(Message::text(ticket)).unwrap();
        }
        Self(socket)
    }

    /// The median time of a key and its echo, of `keys`.
    pub fn round_trip_us(mut self, keys: usize) -> f64 {
        self.say(&[ECHO]);
        let mut times = Vec::with_capacity(keys);
        // The first ones stand at the door together with the question for a screen.
        for number in 0..keys + keys / 10 {
            let began = Instant::now();
            self.say(&KEY);
            let mut left = KEY.len();
            while left > 0 {
                left -= self.hear();
            }
            if number >= keys / 10 {
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        percentile(times, 50)
    }

    /// Takes what comes for so long: how many bytes, and in what time. Frames are not looked into, so that the viewer costs
    /// the same and little for both; their heads are less than a thousandth.
    pub fn flood(mut self, length: Duration) -> (usize, Duration) {
        self.say(&[FLOOD]);
        let (tcp, mut buffer) = (self.0.get_mut(), vec![0; 256 * 1024]);
        let mut read = |tcp: &mut TcpStream| match tcp.read(&mut buffer).unwrap() {
            0 => panic!("the flood ended"),
            read => read,
        };
        // Until it flows.
        let mut before = 0;
        while before < 4 << 20 {
            before += read(tcp);
        }
        let (began, mut bytes) = (Instant::now(), 0);
        while began.elapsed() < length {
            bytes += read(tcp);
        }
        (bytes, began.elapsed())
    }

    /// Takes one screenful, and presses a key.
    pub fn look(&mut self) {
        self.say(&[PICTURE]);
        let mut left = PICTURE_BYTES;
        while left > 0 {
            left -= self.hear();
        }
        self.say(&KEY);
        let mut left = KEY.len();
        while left > 0 {
            left -= self.hear();
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).unwrap();
    }

    fn hear(&mut self) -> usize {
        loop {
            match self.0.read().unwrap() {
                Message::Binary(bytes) => return bytes.len(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
