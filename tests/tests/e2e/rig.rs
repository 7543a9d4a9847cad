//! The lab as a customer and an operator see it. Every wait is bounded and says what it waited for.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// What most tests order.
const PACKAGE: &str = "starter";
/// The mini guest goes by this name in a lab.
const IMAGE: &str = "debian-12";
/// Longest wait for a guest, in seconds: emulation on a busy machine is slow.
const PATIENCE: u32 = 180;
/// Longest wait for work that is under way when a test ends, in seconds.
const SETTLES_WITHIN: u32 = 60;

/// So many seconds, and as much longer as the lab is slower than others.
fn seconds(usual: u32) -> Duration {
    let slowness = std::env::var("CSP_LAB_SLOWNESS").ok().and_then(|times| times.parse().ok());
    Duration::from_secs(u64::from(usual)) * slowness.unwrap_or(1)
}

pub struct Lab {
    url: String,
    key: String,
    other_key: String,
    control: PathBuf,
    config: PathBuf,
    dir: PathBuf,
    /// The last thing of a test: when it ends, store and hosts must agree.
    at_end: AuditAtEnd,
}

/// What every test is held to when it ends well: no difference is left, and what was in motion has settled.
struct AuditAtEnd {
    control: PathBuf,
    config: PathBuf,
}

impl Drop for AuditAtEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let until = Instant::now() + seconds(SETTLES_WITHIN);
        loop {
            let output = operate(&self.control, &self.config, &["audit"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && said.ends_with("no difference.\n") {
                return;
            }
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < until, "after the test, store and hosts differ:\n{said}{told}");
            sleep(Duration::from_secs(1));
        }
    }
}

/// What any one test needs of a host's pool. Where a lab's machine has little more, what lay in the trash is told as room only
/// when the host looks again.
const ROOM_GIB: u64 = 12;

fn operate(control: &Path, config: &Path, words: &[&str]) -> Output {
    Command::new(control).arg("--config").arg(config).args(words).output().unwrap()
}

pub struct Server {
    pub uuid: String,
    pub address: String,
}

/// A text of an answer.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/test, or `set -a; eval \"$(scripts/lab env)\"` first")
    })
}

impl Lab {
    /// With everything on: a test that failed before this one may have left a program dead.
    pub fn of_environment() -> Self {
        let lab = Self::as_it_is();
        let running = lab.try_run(&["running"]).1;
        let is_dead = |name: &str| !running.lines().any(|line| line == name);
        if is_dead("control") {
            lab.run(&["start-control"]);
        }
        for host in ["h1", "h2"].into_iter().filter(|host| is_dead(host)) {
            if !lab.exec(host, &["true"]).0 {
                lab.run(&["power-on", host, "--without-agent"]);
            }
            lab.run(&["start-agent", host]);
        }
        for host in ["h1", "h2"] {
            lab.empty_trash(host);
        }
        lab.await_true("both hosts to tell room for a few servers", || {
            ["h1", "h2"].into_iter().all(|host| {
                let told = lab.operate(&["host", "show", host]).1;
                let gib = |of| told["database"][of]["disk_gib"].as_u64().unwrap_or_default();
                told["alarms"].as_array().is_some_and(Vec::is_empty) && gib("capacity") >= gib("promised") + ROOM_GIB
            })
        });
        lab
    }

    /// Disks of servers that are gone rest there and count by their full size, and a lab's pool is as large as its machine
    /// has room.
    pub fn empty_trash(&self, host: &str) {
        self.exec(host, &["find", "/srv/csp/pool/trash", "-type", "f", "-delete"]);
    }

    /// As it is, with nothing held to at its end: for whoever looks on beside a test.
    pub fn of_environment_as_it_is() -> impl std::ops::Deref<Target = Self> {
        std::mem::ManuallyDrop::new(Self::as_it_is())
    }

    fn as_it_is() -> Self {
        Self {
            url: variable("CSP_URL"),
            key: variable("CSP_API_KEY"),
            other_key: variable("CSP_OTHER_KEY"),
            control: variable("CSP_CONTROL").into(),
            config: variable("CSP_CONFIG").into(),
            dir: variable("CSP_LAB").into(),
            at_end: AuditAtEnd { control: variable("CSP_CONTROL").into(), config: variable("CSP_CONFIG").into() },
        }
    }

    /// Where the lab keeps its files; kept when a test fails.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same lab with the second customer's key.
    pub fn as_other(&self) -> Self {
        Self { key: self.other_key.clone(), ..Self::as_it_is() }
    }

    /// One request; status and body, whatever they are. A control plane that was just killed gets a moment.
    pub fn call(&self, method: &str, path: &str, body: Option<(&Value, Option<&str>)>) -> (u16, Value) {
        let until = Instant::now() + seconds(20);
        loop {
            match self.try_call(method, path, body) {
                Ok(answer) => return answer,
                Err(why) if Instant::now() > until => panic!("{method} {path}: {why}"),
                Err(_) => sleep(Duration::from_millis(300)),
            }
        }
    }

    fn try_call(&self, method: &str, path: &str, body: Option<(&Value, Option<&str>)>) -> Result<(u16, Value), String> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(seconds(15)));
        let agent: ureq::Agent = config.build().into();
        let url = format!("{}/api/v1{path}", self.url);
        let bearer = format!("Bearer {}", self.key);
        let answer = match (method, body) {
            ("GET", _) => agent.get(&url).header("Authorization", &bearer).call(),
            ("DELETE", _) => agent.delete(&url).header("Authorization", &bearer).call(),
            (_, None) => agent.post(&url).header("Authorization", &bearer).send_empty(),
            (_, Some((body, once))) => {
                let mut request =
                    agent.post(&url).header("Authorization", &bearer).header("Content-Type", "application/json");
                if let Some(once) = once {
                    request = request.header("Idempotency-Key", once);
                }
                request.send(body.to_string())
            }
        };
        let mut answer = answer.map_err(|why| why.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|why| why.to_string())?;
        Ok((answer.status().as_u16(), serde_json::from_str(&text).map_err(|why| format!("{why}: {text}"))?))
    }

    pub fn balance_cents(&self) -> i64 {
        let (status, body) = self.call("GET", "/balance", None);
        assert_eq!(status, 200, "{body}");
        (body["data"]["balance"].as_f64().unwrap() * 100.0).round() as i64
    }

    pub fn order(&self, hostname: &str) -> Server {
        self.order_with(hostname, None)
    }

    /// An order under an idempotency key.
    pub fn order_again(&self, hostname: &str, once: &str) -> Server {
        self.order_with(hostname, Some(once))
    }

    /// An order without a key, and root's password from its answer.
    pub fn order_with_password(&self, hostname: &str) -> (Server, String) {
        let body = json!({"type": "vps", "package_slug": PACKAGE, "os_image_key": IMAGE, "hostname": hostname});
        let answer = self.place_order(&body, None);
        let password = answer["data"]["root_password"].as_str().unwrap().to_owned();
        (self.ordered(&answer), password)
    }

    /// An order of another package.
    #[cfg(feature = "long")]
    pub fn order_package(&self, hostname: &str, package: &str) -> Server {
        self.order_of(hostname, (package, IMAGE), None)
    }

    /// An order of another image than the mini guest.
    pub fn order_image(&self, hostname: &str, image: &str) -> Server {
        self.order_of(hostname, (PACKAGE, image), None)
    }

    /// The same, which brings its key and something for cloud-init along.
    pub fn order_with_user_data(&self, hostname: &str, image: &str, user_data: &str) -> Server {
        let keys = self.call("GET", "/ssh-keys", None).1;
        let body = json!({
            "type": "vps", "package_slug": PACKAGE, "os_image_key": image, "hostname": hostname,
            "ssh_keys": [keys["data"][0]["public_key"]], "user_data": user_data,
        });
        self.ordered(&self.place_order(&body, None))
    }

    fn order_with(&self, hostname: &str, once: Option<&str>) -> Server {
        self.order_of(hostname, (PACKAGE, IMAGE), once)
    }

    fn order_of(&self, hostname: &str, (package, image): (&str, &str), once: Option<&str>) -> Server {
        let keys = self.call("GET", "/ssh-keys", None).1;
        let body = json!({
            "type": "vps", "package_slug": package, "os_image_key": image, "hostname": hostname,
            "ssh_key_uuid": keys["data"][0]["uuid"],
        });
        self.ordered(&self.place_order(&body, once))
    }

    /// Placement waits until a host is heard again after something was killed, so an order may have to.
    fn place_order(&self, body: &Value, once: Option<&str>) -> Value {
        let until = Instant::now() + seconds(PATIENCE);
        loop {
            let (status, answer) = self.call("POST", "/servers", Some((body, once)));
            if status == 200 {
                return answer;
            }
            assert!(answer["error"]["code"] == "no_capacity" && Instant::now() < until, "{status}: {answer}");
            sleep(Duration::from_secs(1));
        }
    }

    fn ordered(&self, answer: &Value) -> Server {
        let uuid = text(&answer["data"]["uuid"]);
        let shown = self.call("GET", &format!("/servers/{uuid}"), None).1;
        Server { uuid, address: text(&shown["data"]["ips"][0]["address"]) }
    }

    pub fn status(&self, server: &Server) -> String {
        let (status, body) = self.call("GET", &format!("/servers/{}", server.uuid), None);
        assert_eq!(status, 200, "{body}");
        body["data"]["status"].as_str().unwrap().to_owned()
    }

    pub fn await_status(&self, server: &Server, wanted: &str) {
        self.await_true(&format!("{} to be {wanted}", server.uuid), || {
            let status = self.status(server);
            assert!(
                status != "Failed",
                "the order failed: {}",
                self.call("GET", &format!("/servers/{}", server.uuid), None).1
            );
            status == wanted
        });
    }

    pub fn await_true(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let until = Instant::now() + seconds(PATIENCE);
        while !holds() {
            assert!(Instant::now() < until, "waited {} s for {what}, in vain", seconds(PATIENCE).as_secs());
            sleep(Duration::from_millis(500));
        }
    }

    /// A request that must be accepted, and its answer.
    pub fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, Some((body, None)));
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// How the action ended that an answer tells of.
    pub fn ended(&self, answer: &Value) -> String {
        let path = format!("/actions/{}", text(&answer["action"]["uuid"]));
        let mut status = String::new();
        self.await_true("the action to end", || {
            status = text(&self.call("GET", &path, None).1["data"]["status"]);
            ["done", "failed", "superseded"].contains(&status.as_str())
        });
        status
    }

    /// A request to a server that must be accepted.
    pub fn ask(&self, server: &Server, what: &str) {
        let (status, body) = self.call("POST", &format!("/servers/{}/{what}", server.uuid), None);
        assert_eq!((status, body["ok"].as_bool()), (200, Some(true)), "{what}: {body}");
    }

    /// A request to a server that must be refused: status and code.
    pub fn refusal(&self, server: &Server, what: &str) -> (u16, String) {
        let (status, body) = self.call("POST", &format!("/servers/{}/{what}", server.uuid), None);
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Destroys a server and waits until nothing of it is on any host.
    pub fn destroy(&self, server: &Server) {
        self.ask(server, "destroy");
        assert_eq!(self.call("GET", &format!("/servers/{}", server.uuid), None).0, 404, "hidden at once");
        self.await_true("nothing to be left", || self.program(&["traces", &server.uuid]).status.success());
    }

    /// What a command in the guest prints; waits until the guest takes it.
    pub fn ssh(&self, server: &Server, command: &str) -> String {
        let mut said = String::new();
        self.await_true("SSH", || {
            let output = self.program(&["ssh", &server.uuid, "--", command]);
            said = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success()
        });
        said
    }

    /// The host name that the guest tells someone who signs in as root by password.
    pub fn ssh_by_password(&self, server: &Server, password: &str) -> String {
        let mut said = String::new();
        let ask = self.dir.join("askpass");
        std::fs::write(&ask, format!("#!/bin/sh\necho '{password}'\n")).unwrap();
        std::fs::set_permissions(&ask, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let askpass = format!("SSH_ASKPASS={}", ask.display());
        let target = format!("root@{}", server.address);
        let options =
            "-oPubkeyAuthentication=no -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oConnectTimeout=5";
        let mut words = vec!["exec", "internet", "--", "env", &askpass, "SSH_ASKPASS_REQUIRE=force", "ssh"];
        words.extend(options.split(' '));
        words.extend([target.as_str(), "hostname"]);
        self.await_true("SSH by password", || {
            let output = self.program(&words);
            said = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success()
        });
        std::fs::remove_file(&ask).unwrap();
        said
    }

    /// Which boot of the guest this is.
    pub fn boot_id(&self, server: &Server) -> String {
        self.ssh(server, "cat /proc/sys/kernel/random/boot_id")
    }

    pub fn try_boot_id(&self, server: &Server) -> Option<String> {
        self.try_ssh(server, "cat /proc/sys/kernel/random/boot_id")
    }

    /// What a command in the guest prints, if it can be asked now and succeeds.
    pub fn try_ssh(&self, server: &Server, command: &str) -> Option<String> {
        let output = self.program(&["ssh", &server.uuid, "--", command]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Which host a server is on, by the operator's word.
    pub fn host_of(&self, server: &Server) -> String {
        let args = ["--config", self.config.to_str().unwrap(), "server", "list", "--json"];
        let output = Command::new(&self.control).args(args).output().unwrap();
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = list.as_array().or_else(|| list["data"].as_array()).or_else(|| list["servers"].as_array()).unwrap();
        let found = all.iter().find(|entry| entry["uuid"] == server.uuid.as_str());
        found.unwrap_or_else(|| panic!("{} is not in {list}", server.uuid))["host"].as_str().unwrap().to_owned()
    }

    /// What one of the operator's commands answers in JSON, whatever its exit code, and whether that was 0.
    pub fn operate(&self, words: &[&str]) -> (bool, Value) {
        let output = operate(&self.at_end.control, &self.at_end.config, &[&["--json"], words].concat());
        let answer = serde_json::from_slice(&output.stdout);
        (output.status.success(), answer.unwrap_or_else(|why| panic!("{words:?}: {why}: {output:?}")))
    }

    /// One of the operator's commands that may be refused: whether it was done, and what it said.
    pub fn operate_refused(&self, words: &[&str]) -> (bool, String) {
        let output = operate(&self.at_end.control, &self.at_end.config, words);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// A command in a host (or `internet`): whether it succeeded, and what it printed.
    pub fn exec(&self, place: &str, words: &[&str]) -> (bool, String) {
        let output = self.program(&[&["exec", place, "--"], words].concat());
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A command of the lab that must succeed.
    pub fn run(&self, words: &[&str]) {
        let output = self.program(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A command of the lab: whether it succeeded, and what it printed.
    pub fn try_run(&self, words: &[&str]) -> (bool, String) {
        let output = self.program(words);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The lab's own program.
    pub fn program_file(&self) -> PathBuf {
        self.control.with_file_name("csp-lab")
    }

    fn program(&self, words: &[&str]) -> Output {
        let program = self.program_file();
        let (before, after) = words.split_at(words.iter().position(|word| *word == "--").unwrap_or(words.len()));
        Command::new(program).args(before).arg("--dir").arg(&self.dir).args(after).output().unwrap()
    }
}
