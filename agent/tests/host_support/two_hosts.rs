//! Two networks on one machine, each a thread of its own, with cables between them: two hosts, as far as the kernel's
//! network goes.

use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};
use tokio::runtime::{Builder, Runtime};

use super::host_support::run;

type Job = Box<dyn FnOnce(&Runtime) + Send>;

/// A thread in a network of its own.
pub struct HostThread {
    jobs: mpsc::Sender<Job>,
    network: String,
}

impl HostThread {
    pub fn start() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("needs root: a network of its own");
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let (process, thread) = (std::process::id(), nix::unistd::gettid());
            tell.send(format!("/proc/{process}/task/{thread}/ns/net")).unwrap();
            run("ip", &["link", "set", "lo", "up"]);
            queue.into_iter().for_each(|job| job(&runtime));
        });
        Self { jobs, network: told.recv().unwrap() }
    }

    /// Does something in this network, and waits for it.
    pub fn does<T: Send + 'static>(&self, work: impl FnOnce(&Runtime) -> T + Send + 'static) -> T {
        let (done, wait) = mpsc::channel();
        let job = move |runtime: &Runtime| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(runtime)));
            let _ = done.send(result);
        };
        self.jobs.send(Box::new(job)).unwrap();
        wait.recv().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// `ip` with these words, in this network.
    pub fn ip(&self, command: &str) {
        let command = command.to_owned();
        self.does(move |_| run("ip", &command.split(' ').collect::<Vec<_>>()));
    }
}

/// Lays a cable: an interface of the same name in both networks, up.
pub fn cable(one: &HostThread, other: &HostThread, name: &str, mtu: u32) {
    one.ip(&format!("link add {name} mtu {mtu} type veth peer name far0 mtu {mtu}"));
    one.ip(&format!("link set far0 netns {}", other.network));
    other.ip(&format!("link set far0 name {name}"));
    one.ip(&format!("link set {name} up"));
    other.ip(&format!("link set {name} up"));
}
