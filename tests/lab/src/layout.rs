//! Where everything of a lab is and how it is called. Pure: all of it derives from the lab's folder.
//!
//! Names of network namespaces are the machine's, so they carry a mark of the folder; names inside a namespace need
//! none. Addresses may be the same in every lab, since no two labs see each other.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use csp_shared::sha256::Sha256;

/// More hosts than a machine of this kind carries; also the room between `.11` and `.99`.
pub const HOSTS_MAX: u8 = 80;
/// The control plane's address among the hosts, and that of the image files.
pub const MANAGEMENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The public range's gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Where hosts reach the control plane.
pub const FLEET_PORT: u16 = 7443;
/// Where hosts fetch images.
pub const IMAGE_PORT: u16 = 8000;
/// Where the control plane sends its letters.
pub const MAIL_PORT: u16 = 2525;
/// The bridge of a host that guests' public taps join.
pub const PUBLIC_BRIDGE: &str = "br-public";
/// A host's interface to the other hosts and the control plane.
pub const MANAGEMENT_INTERFACE: &str = "mgmt";
/// A host's interface to the switch that carries the hosts' VLANs.
pub const TRUNK_INTERFACE: &str = "trunk";
/// Every long-lived process of a lab carries this variable with the lab's folder.
pub const MEMBER_VARIABLE: &str = "CSP_LAB_MEMBER";

/// A unix socket's path holds 107 bytes; the longest below the folder is `/control/operator.sock`.
const DIR_BYTES_MAX: usize = 80;
/// A host has these folders of its own, so a lab cannot lie in them.
const HIDDEN_IN_HOSTS: [&str; 6] = ["/run", "/var/run", "/srv", "/proc", "/sys", "/dev"];

/// A lab's folder, absolute and without symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Accepts a folder that everything of a lab can be reached in.
    ///
    /// # Errors
    /// What is wrong with it, for the person who named it.
    pub fn new(dir: PathBuf) -> Result<Self, String> {
        let shown = dir.display();
        if !dir.is_absolute() {
            return Err(format!("{shown} is no absolute path"));
        }
        if dir.as_os_str().len() > DIR_BYTES_MAX {
            return Err(format!(
                "{shown} is longer than {DIR_BYTES_MAX} bytes, and the path of a socket in it would not fit; \
                 choose a shorter one with --dir"
            ));
        }
        if let Some(hidden) = HIDDEN_IN_HOSTS.iter().find(|hidden| dir.starts_with(hidden)) {
            return Err(format!("{shown} lies in {hidden}, which each test host has for itself; choose another --dir"));
        }
        Ok(Self { dir })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the names of this lab's network namespaces begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        let digest = Sha256::of(self.dir.as_os_str().as_encoded_bytes()).to_string();
        format!("csp-{}-", digest.get(..8).unwrap_or(&digest))
    }

    /// The network namespace of the internet.
    #[must_use]
    pub fn internet(&self) -> String {
        format!("{}net", self.prefix())
    }

    /// One of the lab's hosts; they count from 1.
    #[must_use]
    pub fn host(&self, number: u8) -> HostLayout {
        HostLayout {
            number,
            netns: format!("{}h{number}", self.prefix()),
            dir: self.dir.join("hosts").join(format!("h{number}")),
        }
    }

    /// What `env` and `down` read.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.join("lab.json")
    }

    /// The log of one program.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    /// Everything of the control plane.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.dir.join("control")
    }

    /// Every letter that the control plane sent, a file each.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.dir.join("mail")
    }

    /// The private half of the first account's SSH key.
    #[must_use]
    pub fn ssh_key(&self) -> PathBuf {
        self.dir.join("ssh").join("id_ed25519")
    }

    /// What the control plane is given to sell.
    #[must_use]
    pub fn catalog(&self) -> PathBuf {
        self.dir.join("catalog.toml")
    }

    /// All that `up` makes in the folder, and so all that `down` removes.
    #[must_use]
    pub fn made(&self) -> [PathBuf; 7] {
        ["hosts", "log", "mail", "control", "ssh", "catalog.toml", "lab.json"].map(|name| self.dir.join(name))
    }
}

/// Where one host's things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLayout {
    /// From 1.
    pub number: u8,
    /// Its network namespace.
    pub netns: String,
    /// Its folder on the machine.
    pub dir: PathBuf,
}

impl HostLayout {
    /// What people call it, and its host name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("h{}", self.number)
    }

    /// Its address among the hosts.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        let [a, b, c, _] = MANAGEMENT.octets();
        Ipv4Addr::new(a, b, c, 10 + self.number)
    }

    /// Process 1 of the host writes nothing itself; its parent notes its process id of the machine here.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.dir.join("init.pid")
    }

    /// The agent's configuration.
    #[must_use]
    pub fn agent_config(&self) -> PathBuf {
        self.dir.join("agent.toml")
    }

    /// A folder of the machine that the host sees in place of one of its own.
    #[must_use]
    pub fn backing(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &str) -> Layout {
        Layout::new(PathBuf::from(dir)).unwrap()
    }

    #[test]
    fn two_folders_share_no_namespace() {
        let (one, two) = (layout("/home/a/.lab"), layout("/home/b/.lab"));
        assert_ne!(one.prefix(), two.prefix());
        assert_eq!(one.prefix(), layout("/home/a/.lab").prefix(), "down must find what up made");
        assert!(two.host(2).netns.starts_with(&two.prefix()));
    }

    #[test]
    fn a_folder_that_hosts_or_sockets_cannot_reach_is_refused() {
        for dir in ["/run/lab", "/srv/lab", "relative", &format!("/{}", "x".repeat(90))] {
            assert!(Layout::new(PathBuf::from(dir)).is_err(), "{dir}");
        }
    }

    #[test]
    fn every_host_has_an_address_beside_the_control_plane() {
        let addresses: std::collections::BTreeSet<_> =
            (1..=HOSTS_MAX).map(|n| layout("/tmp/lab").host(n).address()).collect();
        assert_eq!(addresses.len(), usize::from(HOSTS_MAX));
        assert!(!addresses.contains(&MANAGEMENT));
    }
}
