//! The file `agent.toml`: what an operator decides about one host.
//!
//! Everything has a default, so an empty file is a working configuration. What is wrong is refused by the field's name
//! before anything is touched. The control plane's address and key fingerprints are not here: `csp-agent enroll`
//! writes them beside the host's own key.

use std::{
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use csp_shared::network::VlanTag;
use serde::{Deserialize, Deserializer, de::Error};

/// Longest path of a unix socket, in bytes (unix(7): 108 with the final zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// What is put behind `run_dir` for a server's VNC socket: `/vnc/`, a UUID, `.sock`, and room to spare.
const SOCKET_NAME_BYTES: usize = 60;

/// The settings of one host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Specs, tombstones, notes of disk epochs, the host's key. Small; not on the pool, so that a lost pool is
    /// noticed. Default `/var/lib/csp-agent`.
    pub state_dir: PathBuf,
    /// Disks, images, seeds and trash. Default `/var/lib/csp-agent/pool`.
    pub pool_dir: PathBuf,
    /// Sockets, emptied by a reboot; at most 47 bytes long. Default `/run/csp-agent`.
    pub run_dir: PathBuf,
    /// Where libvirt answers. Default `qemu:///system`.
    pub libvirt_uri: String,
    /// How guests run. Default `auto`.
    pub virt_type: VirtType,
    /// How long a guest has to go down after it was asked to, in seconds (1 to 3600), before its plug is pulled.
    /// Default 90.
    pub stop_timeout_seconds: u32,
    /// What happens after the agent's start.
    pub boot: Boot,
    /// What is kept for the host itself.
    pub reserve: Reserve,
    /// What becomes of deleted disks.
    pub trash: Trash,
    /// What becomes of images that no server needs.
    pub images: Images,
    /// What adapters are plugged into.
    pub network: Network,
    /// What is told of guests' use.
    pub metrics: Metrics,
    /// What the program tells.
    pub log: Log,
}

/// How guests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VirtType {
    /// KVM if a probe guest starts with it, else emulation.
    Auto,
    /// KVM alone; `check` fails when it does not work.
    Kvm,
    /// Emulation: slow, for tests and trials.
    Qemu,
}

/// What happens after the agent's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boot {
    /// How long guests are held back until the control plane was heard, in seconds (0 to 3600): it may have tombstones.
    /// After that the host starts what its stored specs say. Default 60.
    pub wait_for_control_seconds: u32,
}

/// What guests may not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reserve {
    /// Memory for the host itself, in MiB. Default 1024.
    pub ram_mib: u64,
    /// Room in the pool that no disk is promised, in GiB. Default 10.
    pub disk_gib: u64,
}

/// What becomes of deleted disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trash {
    /// How long a deleted disk can be put back by hand, in hours (0 to 8760) for which the agent runs. Until then its
    /// room is given to nobody. Default 24.
    pub keep_hours: u32,
}

/// What becomes of images that no server needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// What all fetched images may occupy in the pool, in GiB (0 to 1048576). When they are more, those that no disk stands
    /// on and no server's spec names go, the one that no disk was made from for longest first; they also go where room is
    /// wanting for a disk. Default 50.
    pub cache_gib: u64,
}

/// What adapters are plugged into.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The bridge to the public network; made by the operator, with the uplink as a port. Default `br-public`.
    pub public_bridge: String,
    /// The interface to the other hosts that private networks over VXLAN travel on; its MTU is theirs and 50 bytes. Default
    /// none: the host carries no such networks.
    #[serde(deserialize_with = "text_or_none")]
    pub underlay_interface: Option<String>,
    /// This host's IPv4 address on it, by which the other hosts know it. Default none.
    #[serde(deserialize_with = "address_or_none")]
    pub underlay_address: Option<Ipv4Addr>,
    /// The interface to the switch's trunk, for private networks as VLANs. It is for them alone: the agent makes it a port
    /// of a bridge of its own. Default none: the host carries no such networks.
    #[serde(deserialize_with = "text_or_none")]
    pub trunk_interface: Option<String>,
    /// Tags on the trunk that are in use by others; those of the host's own interfaces on it are known. Default none.
    pub reserved_tags: Vec<VlanTag>,
}

/// An empty text stands for none, so that every setting can be written down with its default.
fn text_or_none<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(input)?).filter(|text| !text.is_empty()))
}

fn address_or_none<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Ipv4Addr>, D::Error> {
    text_or_none(input)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// What is told of guests' use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// How often guests are measured, in seconds (5 to 60); 0 is never. Default 15.
    pub every_seconds: u32,
}

/// What the program tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Default `text`.
    pub format: LogFormat,
    /// Default `info`.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// From which level on a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/csp-agent".into(),
            pool_dir: "/var/lib/csp-agent/pool".into(),
            run_dir: "/run/csp-agent".into(),
            libvirt_uri: "qemu:///system".to_owned(),
            virt_type: VirtType::Auto,
            stop_timeout_seconds: 90,
            boot: Boot::default(),
            reserve: Reserve::default(),
            trash: Trash::default(),
            images: Images::default(),
            network: Network::default(),
            metrics: Metrics::default(),
            log: Log::default(),
        }
    }
}

impl Default for Boot {
    fn default() -> Self {
        Self { wait_for_control_seconds: 60 }
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self { ram_mib: 1024, disk_gib: 10 }
    }
}

impl Default for Trash {
    fn default() -> Self {
        Self { keep_hours: 24 }
    }
}

impl Default for Images {
    fn default() -> Self {
        Self { cache_gib: 50 }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            public_bridge: "br-public".to_owned(),
            underlay_interface: None,
            underlay_address: None,
            trunk_interface: None,
            reserved_tags: Vec::new(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { every_seconds: 15 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not TOML, an unknown field, or a value of another type.
    #[error("the configuration `{path}` is not valid in line {line}, `{content}`: {reason}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What that line says; names the field where the reason does not.
        content: String,
        /// Why.
        reason: String,
    },
    /// A value that cannot work.
    #[error("the configuration's field `{field}` {reason}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// See [`ConfigError`]; nothing was touched.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count();
            let content = text.lines().nth(line).unwrap_or_default().trim().to_owned();
            let reason = error.message().to_owned();
            ConfigError::Parse { path: path.to_owned(), line: line + 1, content, reason }
        })?;
        config.validated()
    }

    /// Checks what the types do not.
    fn validated(self) -> Result<Self, ConfigError> {
        let field = |field, reason| Err(ConfigError::Field { field, reason });
        for (name, path) in [("state_dir", &self.state_dir), ("pool_dir", &self.pool_dir), ("run_dir", &self.run_dir)] {
            if !path.is_absolute() {
                return field(name, "must be an absolute path");
            }
        }
        if self.state_dir.starts_with(&self.pool_dir) {
            return field(
                "state_dir",
                "must not be in `pool_dir`: a lost pool would take the notes of its disks along",
            );
        }
        if self.run_dir.as_os_str().len() + SOCKET_NAME_BYTES > SOCKET_PATH_BYTES_MAX {
            return field("run_dir", "must be at most 47 bytes long, since the paths of unix sockets are short");
        }
        if self.libvirt_uri.is_empty() {
            return field("libvirt_uri", "must not be empty");
        }
        if !(1..=3600).contains(&self.stop_timeout_seconds) {
            return field("stop_timeout_seconds", "must be from 1 to 3600");
        }
        if self.boot.wait_for_control_seconds > 3600 {
            return field("boot.wait_for_control_seconds", "must be from 0 to 3600");
        }
        if self.trash.keep_hours > 8760 {
            return field("trash.keep_hours", "must be from 0 to 8760");
        }
        if self.images.cache_gib > 1 << 20 {
            return field("images.cache_gib", "must be from 0 to 1048576");
        }
        if !matches!(self.metrics.every_seconds, 0 | 5..=60) {
            return field("metrics.every_seconds", "must be from 5 to 60, or 0 for never");
        }
        if !is_interface_name(&self.network.public_bridge) {
            return field("network.public_bridge", INTERFACE);
        }
        let Network { underlay_interface, underlay_address, trunk_interface, .. } = &self.network;
        let is_bad = |name: &Option<String>| name.as_ref().is_some_and(|name| !is_interface_name(name));
        if is_bad(underlay_interface) {
            return field("network.underlay_interface", INTERFACE);
        }
        if is_bad(trunk_interface) {
            return field("network.trunk_interface", INTERFACE);
        }
        if underlay_interface.is_some() != underlay_address.is_some() {
            return field(
                "network.underlay_address",
                "must be given with `network.underlay_interface`, and not without",
            );
        }
        Ok(self)
    }
}

const INTERFACE: &str = "must be an interface's name: 1 to 15 of A-Z a-z 0-9 . _ -";

/// Narrower than what Linux takes, so that a name needs no quoting anywhere.
fn is_interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_of_the_documentation_names_every_field_with_its_default() {
        let example = include_str!("../../docs/examples/agent.toml");
        assert_eq!(parse(example), Ok(Config::default()), "as it is");
        let is_setting = |line: &&str| line.contains(" = ") || line.starts_with('[');
        let settings: Vec<&str> =
            example.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_setting).collect();
        assert_eq!(parse(&settings.join("\n")), Ok(Config::default()), "with every setting taken out of its comment");
        assert_eq!(settings.len(), 26, "seven tables and nineteen fields; a new field belongs into the example");
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse(""), Ok(Config::default()));
    }

    #[test]
    fn what_is_given_is_taken() {
        let config = parse("virt_type = 'qemu'\n[reserve]\ndisk_gib = 3\n[network]\npublic_bridge = 'br0'").unwrap();
        assert_eq!(config.virt_type, VirtType::Qemu);
        assert_eq!(config.reserve, Reserve { ram_mib: 1024, disk_gib: 3 });
        assert_eq!(config.network.public_bridge, "br0");
    }

    #[test]
    fn every_wrong_field_is_refused_by_its_name() {
        for (text, name) in [
            ("color = 1", "color"),
            ("[reserve]\nram = 1", "ram"),
            ("[log]\nlevel = 'loud'", "level"),
            ("virt_type = 'xen'", "virt_type"),
            ("state_dir = 'here'", "state_dir"),
            ("pool_dir = '/p'\nstate_dir = '/p/state'", "state_dir"),
            ("run_dir = '/run/a-very-long-name-of-a-folder-that-leaves-no-room'", "run_dir"),
            ("libvirt_uri = ''", "libvirt_uri"),
            ("stop_timeout_seconds = 0", "stop_timeout_seconds"),
            ("[boot]\nwait_for_control_seconds = 3601", "wait_for_control_seconds"),
            ("[trash]\nkeep_hours = 8761", "trash.keep_hours"),
            ("[images]\ncache_gib = 1048577", "images.cache_gib"),
            ("[trash]\nkeep_days = 1", "keep_days"),
            ("[network]\npublic_bridge = 'a b'", "public_bridge"),
            ("[network]\nunderlay_interface = 'eth1'", "underlay_address"),
            ("[network]\nunderlay_address = '192.0.2.1'", "underlay_address"),
            ("[network]\nunderlay_interface = 'a b'\nunderlay_address = '192.0.2.1'", "underlay_interface"),
            ("[network]\nunderlay_interface = 'eth1'\nunderlay_address = '2001:db8::1'", "underlay_address"),
            ("[network]\ntrunk_interface = 'a/b'", "trunk_interface"),
            ("[network]\nreserved_tags = [0]", "reserved_tags"),
            ("[metrics]\nevery_seconds = 4", "metrics.every_seconds"),
            ("[metrics]\nevery_seconds = 61", "metrics.every_seconds"),
            ("[reserve]\nram_mib = -1", "ram_mib"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(name) && error.lines().count() == 1, "{text}: {error}");
        }
    }

    #[test]
    fn the_line_of_a_fault_is_told() {
        assert!(parse("\n[log]\nlevel = 'loud'").unwrap_err().contains("line 3"));
    }
}
