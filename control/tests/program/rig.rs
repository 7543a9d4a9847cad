//! A control plane as a process: set up by `init`, started as a service manager would, asked by its own commands.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_csp-control");
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that `init` has filled.
pub struct Setup {
    pub folder: TempDir,
}

impl Setup {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Self { folder };
        let done = setup.init(&["--advertise", "control.example.com:7443"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        setup
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    pub fn config(&self) -> PathBuf {
        self.dir().join("control.toml")
    }

    pub fn init(&self, more: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("init").arg("--dir").arg(self.dir());
        command.args(["--api-listen", "127.0.0.1:0", "--fleet-listen", "127.0.0.1:0"]).args(more).output().unwrap()
    }

    pub fn ask(&self, words: &[&str]) -> Output {
        Command::new(PROGRAM).arg("--config").arg(self.config()).args(words).output().unwrap()
    }

    #[track_caller]
    pub fn say(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.say(&[&["--json"], words].concat())).unwrap()
    }

    pub fn serve_fails(&self) -> String {
        let output = self.ask(&["serve"]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert_eq!(said.trim_end().lines().count(), 1, "one line: {said}");
        said
    }

    pub fn edit(&self, from: &str, to: &str) {
        let old = fs::read_to_string(self.config()).unwrap();
        let new = old.replace(from, to);
        assert_ne!(old, new, "{from}");
        fs::write(self.config(), new).unwrap();
    }
}

/// A control plane that runs, and is gone with this value.
pub struct Running {
    child: Child,
    pub api: SocketAddr,
}

impl Running {
    pub fn start(setup: &Setup) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(setup.config());
        Self::spawn(setup, command)
    }

    /// With a socket that somebody else opened, handed over as `sd_listen_fds(3)` says: descriptor 3, and the pid of
    /// whom it is meant for, which a shell knows before it becomes the program.
    pub fn start_with_socket(setup: &Setup, socket: TcpListener) -> Self {
        let mut command = Command::new("sh");
        let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$0\" serve --config \"$1\"";
        command.args(["-c", script, PROGRAM]).arg(setup.config()).stdin(OwnedFd::from(socket));
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "web");
        Self::spawn(setup, command)
    }

    /// Starts it as a service manager would, and waits until it says that it is ready.
    pub fn spawn(setup: &Setup, mut command: Command) -> Self {
        let notify = setup.folder.path().join("notify");
        let _ = fs::remove_file(&notify);
        let manager = UnixDatagram::bind(&notify).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = command.env("NOTIFY_SOCKET", &notify).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut state = [0; 256];
        let length = manager.recv(&mut state).expect("the control plane says that it is ready");
        assert!(text(&state[..length]).contains("READY=1"));
        let mut line = String::new();
        while !line.contains(" ready ") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended");
        }
        let api = line.split("api=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        // Read on, so that the log never stands still for want of a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, api }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    pub fn ended(mut self) -> ExitStatus {
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the control plane does not end");
    }

    pub fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.api).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
