//! Our side: a control plane in one process, hosts in another, with the customers who watch.

use std::{
    io::{BufRead as _, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use csp_control::fleet::StoreHosts;
use csp_link::key_file::Identity;
use csp_shared::{
    id::{HostId, ServerId},
    key_pin::KeyPin,
};
use csp_tests::test_control::TestCustomer;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::{
    process::Process,
    rig::{Rig, Screens, add, run_host},
    viewer::Viewer,
};

/// The screen's socket, in the bench's folder.
pub const SCREEN: &str = "screen.sock";
/// Hosts: as many as it takes for five hundred screens with sixty-four a host, and a little more.
const HOSTS: usize = 10;
/// Servers of one customer; below what an account may have.
const SERVERS_OF_CUSTOMER: usize = 20;

/// How the control plane is reached.
#[derive(Serialize, Deserialize)]
struct Reached {
    api: String,
    fleet: String,
    pin: KeyPin,
    hosts: Vec<HostId>,
}

/// Both processes.
pub struct Fleet {
    control: std::cell::RefCell<Process>,
    hosts: Process,
    reached: Reached,
    home: PathBuf,
}

impl Fleet {
    pub fn start(home: &Path) -> Self {
        let folder = home.to_str().unwrap();
        let mut control = Process::start_self(&["control", folder]);
        let line = control.line();
        let reached = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let hosts = Process::start_self(&["hosts", folder, &line]);
        Self { control: control.into(), hosts, reached, home: home.to_owned() }
    }

    /// A new server, running, with a screen.
    pub fn order(&mut self) -> String {
        let server = self.control.borrow_mut().ask("order");
        symlink(self.home.join(SCREEN), self.home.join(format!("{server}.sock"))).unwrap();
        server
    }

    /// Looks at its screen.
    pub fn view(&self, server: &str) -> Viewer {
        let ticket = self.control.borrow_mut().ask(server);
        Viewer::open(&self.reached.api, "/console/stream", Some(&ticket))
    }

    pub fn cpu(&self) -> Duration {
        self.control.borrow().cpu() + self.hosts.cpu()
    }

    /// Memory of control plane and hosts.
    pub fn own_bytes(&self) -> [f64; 2] {
        [self.control.borrow().own_bytes(), self.hosts.own_bytes()]
    }
}

fn key(folder: &Path, host: usize) -> Identity {
    Identity::load_or_create(&folder.join(format!("host-{host}.key"))).unwrap()
}

/// The control plane's process: says how it is reached, and then answers `order` with a server and a server with a ticket.
pub fn control(folder: &Path) {
    Runtime::new().unwrap().block_on(async {
        let rig = Rig::start().await;
        let app = &rig.control.app;
        let store = StoreHosts::new(app.store.clone(), app.clock.clone(), app.entropy.clone(), 60);
        let mut hosts = Vec::new();
        for host in 0..HOSTS {
            hosts.push(add(&rig.control, &store, &format!("bench-{host}"), &key(folder, host)).await);
        }
        let (api, fleet) = (rig.api.to_string(), rig.fleet.to_string());
        say(&serde_json::to_string(&Reached { api, fleet, pin: rig.identity.pin(), hosts }).unwrap());
        let (mut customers, mut servers) = (Vec::<TestCustomer>::new(), Vec::<(ServerId, usize)>::new());
        for line in std::io::stdin().lock().lines() {
            let line = line.unwrap();
            if line == "order" {
                let customer = servers.len() / SERVERS_OF_CUSTOMER;
                if customer == customers.len() {
                    customers.push(rig.control.customer(&format!("viewer {customer}"), "500").await);
                }
                let server = rig.order_for(&customers[customer]).await;
                servers.push((server, customer));
                say(&server.to_string());
            } else {
                let (server, customer) = servers.iter().find(|(server, _)| server.to_string() == line).unwrap();
                say(&rig.ticket_for(&customers[*customer], *server).await);
            }
        }
    });
}

/// The hosts' process. Each host has a link of its own; they share the process's fixed costs.
pub fn hosts(folder: &Path, reached: &str) {
    csp_agent::memory::bound();
    let Reached { fleet, pin, hosts, .. } = serde_json::from_str(reached).unwrap();
    Runtime::new().unwrap().block_on(async {
        for (number, host) in hosts.into_iter().enumerate() {
            tokio::spawn(run_host(fleet.clone(), pin, host, key(folder, number), Screens::under(folder)));
        }
        std::future::pending::<()>().await;
    });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
