//! What a customer decides about a server without its host having to do anything: what it is called, labels, whether it
//! renews by itself, and what it is protected from.
//!
//! The new name is shown at once; the guest keeps the one that it was made with until it is reinstalled. A name inside
//! of a guest belongs to whoever runs it, and a new seed under a running guest would be half a change.

use super::{
    hostname::Hostname,
    server_label::{LabelChanges, Labels, TooMany, merged},
};

/// The settings of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// What it is called.
    pub hostname: Hostname,
    /// Its owner's words about it.
    pub labels: Labels,
    /// Whether it renews by itself.
    pub auto_renew: bool,
    /// What is refused until its owner lifts it.
    pub protection: Protection,
}

/// What a server is protected from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// From being destroyed.
    pub destroy: bool,
    /// From being reinstalled.
    pub reinstall: bool,
}

/// What is to be changed; what is not there stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// What it is to be called.
    pub hostname: Option<Hostname>,
    /// Labels to set and to take off.
    pub labels: LabelChanges,
    /// Whether it is to renew by itself.
    pub auto_renew: Option<bool>,
    /// Whether it cannot be destroyed.
    pub protect_destroy: Option<bool>,
    /// Whether it cannot be reinstalled.
    pub protect_reinstall: Option<bool>,
}

impl ServerSettings {
    /// The settings after a change.
    ///
    /// # Errors
    /// When there would be too many labels.
    pub fn changed(&self, change: &SettingsChange) -> Result<Self, TooMany> {
        let Protection { destroy, reinstall } = self.protection;
        Ok(Self {
            hostname: change.hostname.clone().unwrap_or_else(|| self.hostname.clone()),
            labels: merged(&self.labels, &change.labels)?,
            auto_renew: change.auto_renew.unwrap_or(self.auto_renew),
            protection: Protection {
                destroy: change.protect_destroy.unwrap_or(destroy),
                reinstall: change.protect_reinstall.unwrap_or(reinstall),
            },
        })
    }

    /// The names of what is different in `other`, as in a request.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let table = [
            ("hostname", self.hostname != other.hostname),
            ("labels", self.labels != other.labels),
            ("auto_renew", self.auto_renew != other.auto_renew),
            ("protection", self.protection != other.protection),
        ];
        table.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_and_what_differs_is_told() {
        let before = ServerSettings {
            hostname: Hostname::parse("web1").unwrap(),
            labels: Labels::new(),
            auto_renew: true,
            protection: Protection { destroy: true, reinstall: false },
        };
        assert_eq!(before.changed(&SettingsChange::default()).as_ref(), Ok(&before));
        let same = SettingsChange { auto_renew: Some(true), ..SettingsChange::default() };
        assert!(before.differences(&before.changed(&same).unwrap()).is_empty(), "what is so already is no change");
        let change =
            SettingsChange { protect_reinstall: Some(true), auto_renew: Some(false), ..SettingsChange::default() };
        let after = before.changed(&change).unwrap();
        assert_eq!(after.protection, Protection { destroy: true, reinstall: true });
        assert_eq!(before.differences(&after), ["auto_renew", "protection"]);
    }
}
