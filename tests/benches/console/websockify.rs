//! What is compared with: one hop, from a websocket to the screen's socket, without TLS.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{process, viewer::Viewer};

pub struct Websockify {
    address: String,
    child: Child,
}

impl Websockify {
    /// Serves the screen until it is dropped.
    pub fn start(screen: &Path) -> Self {
        // It takes no port 0; a port that was free a moment ago is good enough for a bench.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new("websockify");
        command.arg(format!("--unix-target={}", screen.display())).arg(&address);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let started = Self { address, child: child.expect("websockify is not installed") };
        for _ in 0..100 {
            if TcpStream::connect(&started.address).is_ok() {
                return started;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("websockify does not listen at {}", started.address);
    }

    pub fn view(&self) -> Viewer {
        Viewer::open(&self.address, "/websockify", None)
    }

    /// With all the processes that it made for viewers.
    pub fn cpu(&self) -> Duration {
        process::cpu_of(self.child.id())
    }
}

impl Drop for Websockify {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
