//! The program is killed in the middle of the load, over and over: what was answered is there, and nothing is there
//! twice.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::rig::{Running, Setup};

const KILLS: u64 = 20;
const CLIENTS: usize = 8;
/// A payment that is told of while the process dies is not answered for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who tells of payments, and what was answered.
struct Load {
    at: SocketAddr,
    token: String,
    account: String,
    number: AtomicU64,
    /// Payments that were answered as credited, and those of which nobody knows.
    answered: Mutex<Vec<u64>>,
    unknown: Mutex<Vec<u64>>,
    is_over: AtomicBool,
}

impl Load {
    /// Tells of payments, one after the other, until the load is over or nobody answers.
    fn run(&self) {
        let Ok(mut stream) = TcpStream::connect(self.at) else { return };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            match self.tell(&mut stream, number) {
                Some(answer) => {
                    assert!(answer.contains("\"credited\":true"), "{answer}");
                    self.answered.lock().unwrap().push(number);
                }
                None => return self.unknown.lock().unwrap().push(number),
            }
        }
    }

    /// The answer's body; nothing when the connection broke before all of it came.
    fn tell(&self, stream: &mut TcpStream, number: u64) -> Option<String> {
        let body = format!("{{\"amount\":\"0.01\",\"reference\":\"load:{number}\"}}");
        let request = format!(
            "POST /operator/v1/accounts/{}/credits HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.account,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let (mut reader, mut length) = (BufReader::new(stream), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        String::from_utf8(body).ok()
    }
}

/// A port that nobody uses.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn twenty_kills_under_load_lose_nothing_that_was_answered_and_post_nothing_twice() {
    let setup = Setup::new();
    let at = free_port();
    setup.edit("[operator]\n", &format!("[operator]\nlisten = \"{at}\"\n"));
    setup.edit("per_minute = 600", "per_minute = 10000000");
    setup.edit("per_minute = 1200", "per_minute = 10000000");
    let mut running = Running::start(&setup);
    let account = setup.say(&["account", "create", "--name", "Ada"]).trim().to_owned();
    let token = setup.say(&["operator-token", "create", "load", "--scope", "credits"]).trim().to_owned();
    let (number, answered, unknown) = Default::default();
    let load = Arc::new(Load { at, token, account, number, answered, unknown, is_over: AtomicBool::new(false) });
    for kill in 0..KILLS {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let load = load.clone();
                thread::spawn(move || load.run())
            })
            .collect();
        // Another moment of the load each time.
        thread::sleep(Duration::from_millis(50 + kill * 7));
        running.signal("KILL");
        clients.into_iter().for_each(|client| client.join().unwrap());
        drop(running);
        running = Running::start(&setup);
    }
    let (answered, unknown) = (load.answered.lock().unwrap().clone(), load.unknown.lock().unwrap().clone());
    assert!(answered.len() as u64 > KILLS && !unknown.is_empty(), "the load ran, and was cut off");
    let mut stream = TcpStream::connect(at).unwrap();
    for number in &answered {
        let again = load.tell(&mut stream, *number).unwrap();
        assert!(again.contains("\"credited\":false"), "payment {number} was answered and lost: {again}");
    }
    // Whoever was not answered tells of it again: it is credited once, then or now.
    let now = unknown.iter().filter(|number| load.tell(&mut stream, **number).unwrap().contains("\"credited\":true"));
    let now = now.count();
    let all = answered.len() + unknown.len();
    let balance = setup.json(&["account", "list"])[0]["balance"].as_str().unwrap().to_owned();
    assert_eq!(balance, format!("{}.{:02}", all / 100, all % 100));
    let verified = setup.json(&["ledger", "verify"]);
    assert_eq!((&verified["differences"], &verified["transfers"]), (&serde_json::json!([]), &serde_json::json!(all)));
    println!(
        "{KILLS} kills: {} payments answered, {} not, of which {now} were not there",
        answered.len(),
        unknown.len()
    );
}
