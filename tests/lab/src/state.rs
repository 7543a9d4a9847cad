//! What the lab writes down for `env`, `ssh` and the commands that break things: `lab.json`.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Attempted, LabError, Result},
    layout::{HostLayout, Layout},
};

/// A lab that is up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// How many hosts it has.
    pub hosts: u8,
    /// On the machine's 127.0.0.1.
    pub api_port: u16,
    /// The program `csp-control`.
    pub control: PathBuf,
    /// The program `csp-agent`.
    pub agent: PathBuf,
    /// The control plane's configuration.
    pub config: PathBuf,
    /// Of the first account, which has the lab's SSH key.
    pub api_key: String,
    /// Of the second account.
    pub other_key: String,
    /// False while `up` is at work, and after it failed.
    pub ready: bool,
}

impl State {
    /// Reads what the lab of this folder is.
    ///
    /// # Errors
    /// When there is none.
    pub fn load(layout: &Layout) -> Result<Self> {
        let none = || LabError::State(format!("no lab is up in {}; start one with `up`", layout.dir().display()));
        let text = fs::read(layout.state()).map_err(|_| none())?;
        serde_json::from_slice(&text).map_err(|error| {
            LabError::State(format!("{} cannot be read ({error}); run `down`", layout.state().display()))
        })
    }

    /// Like `load`, for what works on a finished lab alone.
    ///
    /// # Errors
    /// When there is none, or it did not come up.
    pub fn load_ready(layout: &Layout) -> Result<Self> {
        let state = Self::load(layout)?;
        if !state.ready {
            let dir = layout.dir().display();
            return Err(LabError::State(format!("the lab in {dir} did not come up; see {dir}/log, then run `down`")));
        }
        Ok(state)
    }

    /// Writes it, readable by root alone: it holds keys.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| LabError::State(format!("cannot write the lab's notes: {error}")))?;
        let (path, new) = (layout.state(), layout.state().with_extension("new"));
        let write = || {
            let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            fs::rename(&new, &path)
        };
        write().attempted(|| format!("writing {}", path.display()))
    }

    /// The API as customers on this machine reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }

    /// A host by its name, `h1` for example.
    ///
    /// # Errors
    /// When the lab has none of that name.
    pub fn host(&self, layout: &Layout, name: &str) -> Result<HostLayout> {
        let mut hosts = (1..=self.hosts).map(|number| layout.host(number));
        hosts
            .find(|host| host.name() == name)
            .ok_or_else(|| LabError::State(format!("the lab has no host {name}; it has h1 to h{}", self.hosts)))
    }
}
