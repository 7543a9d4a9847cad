//! A mail server on loopback that behaves as it is told (RFC 5321), and keeps what it took.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// How it treats a letter.
#[derive(Clone, Copy, Debug, Default)]
pub enum Manner {
    /// Takes it.
    #[default]
    Take,
    /// Says this to its recipient.
    Answer(&'static str),
    /// Says this in place of its greeting, and hangs up.
    Greet(&'static str),
    /// Says this to its sender.
    Sender(&'static str),
    /// Says this to the letter, after it was sent.
    Letter(&'static str),
    /// Takes it, and is cut off before it says so.
    Cut,
}

#[derive(Clone, Default)]
pub struct MailServer {
    taken: Arc<Mutex<Vec<String>>>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
}

impl MailServer {
    /// A server, and where it listens.
    pub async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, at) = (Self::default(), listener.local_addr().unwrap());
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move { server.speak(stream).await });
            }
        });
        (server, at)
    }

    /// How it treats the next letters; those after them it takes.
    pub fn behave(&self, manners: &[Manner]) {
        self.manners.lock().unwrap().extend(manners);
    }

    /// Everything that it took, as it came.
    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    async fn speak(&self, stream: TcpStream) -> Option<()> {
        let manner = self.manners.lock().unwrap().pop_front().unwrap_or_default();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        if let Manner::Greet(answer) = manner {
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            return None;
        }
        write.write_all(b"220 mail.example.com\r\n").await.ok()?;
        while let Some(line) = lines.next_line().await.ok()? {
            let answer = match (line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str(), manner) {
                ("EHLO", _) => "250 mail.example.com",
                ("RCPT", Manner::Answer(answer)) => answer,
                ("MAIL", Manner::Sender(answer)) => answer,
                ("DATA", _) => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut letter = String::new();
                    loop {
                        let line = lines.next_line().await.ok()??;
                        if line == "." {
                            break;
                        }
                        letter.push_str(&line);
                        letter.push('\n');
                    }
                    if let Manner::Letter(answer) = manner {
                        write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                        continue;
                    }
                    self.taken.lock().unwrap().push(letter);
                    if matches!(manner, Manner::Cut) {
                        return None;
                    }
                    "250 taken"
                }
                ("QUIT", _) => "221 bye",
                _ => "250 fine",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
        Some(())
    }
}
